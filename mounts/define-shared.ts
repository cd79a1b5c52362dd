/** Dataset types that are defined in a catalogue on a database server: for all who write into it, and all mounts. */

import {
  checkRegistered,
  compilePattern,
  definitionFault,
  fitDefinition,
  gen3Locations,
  parseUniverse,
  refuseOverlap,
  resolveDefinition,
  shownDefinition,
} from '../registry/open.js';
import type { FittingType, ShownType, WrittenDefinition } from '../registry/open.js';
import { ButlerfsError } from '../common/errors.js';
import type { TypeDefinition } from '../registry/definitions/contract.js';
import type { SharedCatalogue, SharedStructure } from '../registry/shared/contract.js';
import { writeEntries } from '../registry/shared/entries.js';
import { readCredentials } from './configuration.js';
import type { Configuration } from './configuration.js';
import type { DefinitionOutcome, ListedDefinitions } from './define.js';
import type { ParsedSource } from './repository.js';
import { openSharedOrigin } from './shared-origin.js';
import { definitionsFor } from './user-definitions.js';

interface Settings {
  readonly signal: AbortSignal;
  readonly warn?: ((line: string) => void) | undefined;
}

/** Rejects as `defineType`, and with `not-a-repository` for a catalogue without a dimension universe. */
export async function defineInCatalogue(
  source: ParsedSource,
  written: WrittenDefinition,
  definition: TypeDefinition,
  configuration: Configuration,
  settings: Settings,
): Promise<DefinitionOutcome> {
  if (written.collection !== undefined || written.directory !== undefined || written.default !== undefined) {
    const key = (['collection', 'directory', 'default'] as const).find((each) => written[each] !== undefined)!;
    throw definitionFault(definition, `it has '${key}', which a catalogue does not keep`, 'say it of each dataset that is added');
  }
  return await withStructure(source, configuration, settings, async (structure, catalogue, place) => {
    const { locations } = definitionsFor(configuration, source);
    const fitting = fitDefinition(
      resolveDefinition(definition, [...gen3Locations, ...locations]),
      parseUniverse(universeOf(structure, place)),
    );
    const { type, group } = fitting;
    const known = structure.types.find(({ name }) => name === definition.name);
    if (known !== undefined) checkRegistered(type, group.required, known, place);
    const template = Object.hasOwn(structure.templates, definition.name) ? structure.templates[definition.name] : undefined;
    if (known !== undefined && template === type.path) return { isNew: false, place };
    compareTemplates(fitting, structure, place);
    const storageClass = definition.storageClass ?? known?.storageClass ?? type.storageClass;
    const entry = {
      kind: 'dataset-type',
      name: definition.name,
      dimensions: group.required,
      storageClass,
      isCalibration: known?.isCalibration,
    };
    await writeEntries(catalogue, [entry], { signal: settings.signal, templates: { [definition.name]: type.path } });
    return { isNew: true, place };
  });
}

export async function typesInCatalogue(source: ParsedSource, configuration: Configuration, settings: Settings): Promise<ListedDefinitions> {
  return await withStructure(source, configuration, settings, (structure, _, place) => {
    const { locations } = definitionsFor(configuration, source);
    return Promise.resolve({
      types: structure.types.map((type) => shown(type, structure, place)),
      locations: [...gen3Locations, ...locations],
    });
  });
}

async function withStructure<Result>(
  { database }: ParsedSource,
  configuration: Configuration,
  { warn }: Settings,
  use: (structure: SharedStructure, catalogue: SharedCatalogue, place: string) => Promise<Result>,
): Promise<Result> {
  const { catalogue, url } = await openSharedOrigin(database!, await readCredentials(configuration.credentials), warn);
  try {
    return await use(await catalogue.structure(), catalogue, url);
  } finally {
    await catalogue.close();
  }
}

function universeOf({ universe }: SharedStructure, where: string): string {
  if (universe !== null) return universe;
  throw new ButlerfsError('not-a-repository', {
    what: 'the catalogue',
    where,
    why: 'it has no dimension universe yet',
    advice: 'import a repository into it, or create it with --universe FILE',
  });
}

/** Throws `configuration`, showing both, where another type's template can give the same path. */
function compareTemplates({ type, pattern }: FittingType, structure: SharedStructure, place: string): void {
  const universe = parseUniverse(universeOf(structure, place));
  for (const other of structure.types) {
    const path = Object.hasOwn(structure.templates, other.name) ? structure.templates[other.name] : undefined;
    if (path === undefined || other.name === type.definition.name) continue;
    const there = { definition: { ...type.definition, ...other, template: path, where: place }, path, storageClass: other.storageClass };
    refuseOverlap(
      { shown: shown(other, structure, place), source: compilePattern(there, universe).source },
      { shown: shownDefinition(type), source: pattern.source },
    );
  }
}

function shown(
  { name, dimensions, storageClass }: SharedStructure['types'][number],
  { templates }: SharedStructure,
  where: string,
): ShownType {
  return { name, dimensions, path: Object.hasOwn(templates, name) ? templates[name] : undefined, storageClass, where };
}
