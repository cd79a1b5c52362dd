/** The dataset types of a Gen3 repository, from its catalogue and its definitions, and whether a further definition goes with them. */

import { ButlerfsError } from '../../common/errors.js';
import { checkRegistered, describeType, onlyGovernor, shownDefinition } from '../../registry/open.js';
import type { FittingType, ShownType } from '../../registry/open.js';
import type { Catalogue, DatasetType } from '../../registry/contract.js';

/** Most names of instruments or sky maps that are told. */
const mostGovernors = 20;
/** Most files that are compared with what owns them. */
const mostShared = 20;

export function typesOfCatalogue(catalogue: Catalogue, fitting: readonly FittingType[], repository: string): readonly ShownType[] {
  const defined = fitting.map(({ type }) => shownDefinition(type));
  const registered = catalogue.datasetTypes().filter(({ name }) => !defined.some((one) => one.name === name));
  return [...registered.map((type) => shownRegistered(type, repository)), ...defined];
}

function shownRegistered({ name, dimensions, storageClass }: DatasetType, repository: string): ShownType {
  return { name, dimensions: dimensions.required, path: undefined, storageClass, where: `the registry of ${repository}` };
}

/**
 * Throws `configuration` where the registry has another type of the name, or a file that the definition would find, or where nothing says which instrument or sky map
 * files are of.
 */
export function checkAgainstCatalogue({ type, group, pattern }: FittingType, catalogue: Catalogue, repository: string): void {
  const { definition } = type;
  const registered = catalogue.datasetType(definition.name);
  if (registered !== undefined) {
    checkRegistered(type, group.required, { ...registered, dimensions: registered.dimensions.required }, repository);
  }
  for (const dimension of group.required) {
    if (pattern.fields.includes(dimension) || definition.defaults?.[dimension] !== undefined) continue;
    onlyGovernor(definition, dimension, catalogue.dimensionValues(dimension, mostGovernors).map(String));
  }
  if (definition.directory !== undefined) return;
  for (const location of sharedLocations(pattern, catalogue)) {
    const owner = ownerOf(location, catalogue);
    if (owner === undefined || owner.name === definition.name) continue;
    throw new ButlerfsError('configuration', {
      what: `dataset types '${owner.name}' and '${definition.name}' have paths in common`,
      why: `'${location}' is of ${describeType(shownRegistered(owner, repository))}, and can be of ${describeType(shownDefinition(type))}`,
      advice: 'change the template, so that a path tells of which type a file is',
    });
  }
}

/** Files of the catalogue that the pattern matches, as many as are looked at. */
function sharedLocations(pattern: FittingType['pattern'], catalogue: Catalogue): string[] {
  const shared: string[] = [];
  for (const { location } of catalogue.files()) {
    if (pattern.match(location) !== undefined) shared.push(location);
    if (shared.length >= mostShared) break;
  }
  return shared;
}

/** The dataset type that has a file; undefined where it is none's, as a registry. */
function ownerOf(location: string, catalogue: Catalogue): DatasetType | undefined {
  const searchPath = catalogue.searchPath(runsOf(catalogue));
  for (const type of catalogue.datasetTypes()) {
    for (const { files } of catalogue.query({ type, searchPath, constraint: new Map() })) {
      if (files.some((file) => file.location === location)) return type;
    }
  }
  return undefined;
}

function runsOf(catalogue: Catalogue): readonly string[] {
  return catalogue
    .collections()
    .filter(({ type }) => type === 'RUN')
    .map(({ name }) => name);
}
