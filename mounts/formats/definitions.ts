/** Dataset types that users define, as part of what is found at an origin: those of a Gen3 repository, and what all have in common. */

import { createHash } from 'node:crypto';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { openRemote } from '../../proxy/assemble.js';
import {
  compareDefinitions,
  compilePattern,
  definitionFault,
  fitDefinition,
  gen3Locations,
  PatternLayout,
  readDefinitionFile,
  resolveDefinition,
} from '../../registry/open.js';
import type { Remote } from '../../proxy/contract.js';
import type { DefinedListing, DefinedType, DefinitionSet, TypeDefinition } from '../../registry/definitions/contract.js';
import { displayName } from './contract.js';
import type { FoundRepository, Preparation, PreparedRepository, RepositoryOrigin } from './contract.js';
import { usable } from './gen2-listing.js';
import { listInto } from './listing.js';
import { repositoryFile } from './repository-file.js';
import { readOptionalText } from './text.js';

/** What a repository says of itself for this program, at its root. */
export const definitionFile = repositoryFile;

export const nothingDefined: DefinitionSet = { definitions: [], locations: [] };

/**
 * Milliseconds, counted from 1970, in each of which directories are walked once although nothing that is looked at says that they changed: a look sees the top of a
 * repository, but not what is deep within.
 */
export const WALKED_AGAIN = { here: 3_600_000, remote: 86_400_000 };

/** A number that changes when directories are to be walked again. */
export function walkPeriod({ directory }: RepositoryOrigin): number {
  return Math.floor(Date.now() / (directory === undefined ? WALKED_AGAIN.remote : WALKED_AGAIN.here));
}

/** What definitions mean, wherever they stand; empty where nothing is defined. */
export function textsOf({ definitions, locations }: DefinitionSet): string[] {
  const withoutPlace = (one: object): string => JSON.stringify({ ...one, where: undefined });
  return [...definitions, ...locations].map(withoutPlace);
}

/**
 * A Gen3 repository with what its `butlerfs.yaml` and the user define beside its registry. Rejects with `configuration` for definitions that are none, and as {@link readOptionalText}.
 */
export async function withDefinitions(found: FoundRepository, origin: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository> {
  const text = await readOptionalText(origin.remote, definitionFile, signal);
  const own =
    text === undefined ? nothingDefined : readDefinitionFile({ text, where: `${origin.directory ?? origin.remote.url}/${definitionFile}` });
  const users = (await origin.userDefinitions?.()) ?? nothingDefined;
  const locations = [...gen3Locations, ...own.locations, ...users.locations];
  const types = [
    ...own.definitions.map((definition) => defined(definition, locations, origin.directory !== undefined)),
    ...users.definitions.flatMap((definition) => definedForUser(definition, locations)),
  ];
  const knownTypes = gen3Types(types, locations, origin);
  const ownText = text ?? null;
  if (types.length === 0) return { ...found, knownTypes, ownText };
  const validator = await validatorOf(found.validator, types, origin, signal);
  return {
    ...found,
    knownTypes,
    ownText,
    configurationDigest: digestOf([found.configurationDigest, textsOf(own), textsOf(users)]),
    validator,
    mayChangeUnseen: true,
    prepare: async (preparation) => {
      const prepared = await found.prepare(preparation);
      const listings = await listAll(types, preparation);
      const isSame = prepared.validator === found.validator;
      const next = isSame ? validator : await validatorOf(prepared.validator, types, preparation.origin, preparation.signal);
      return { ...prepared, reading: { ...prepared.reading, defined: { types, listings } }, validator: next } satisfies PreparedRepository;
    },
  };
}

function definedForUser(definition: TypeDefinition, locations: DefinitionSet['locations']): DefinedType[] {
  try {
    return [defined(definition, locations, true)];
  } catch (error) {
    if (definition.isGeneral === true) return [];
    throw error;
  }
}

/** The path of a definition, with a directory of the repository as its beginning. `mayReadHere`: whether it may name a directory of this host. */
function defined(definition: TypeDefinition, locations: DefinitionSet['locations'], mayReadHere: boolean): DefinedType {
  const { directory } = definition;
  const isElsewhere = directory !== undefined && (directory.startsWith('/') || /^https?:\/\//.test(directory));
  if (directory === undefined || isElsewhere) {
    if (directory?.startsWith('/') === true && !mayReadHere) {
      throw definitionFault(
        definition,
        `its directory ${directory} is one of this host, and the repository is not`,
        'define it with --user',
      );
    }
    if (directory !== undefined && !directory.startsWith('/') && !URL.canParse(directory)) {
      throw definitionFault(definition, `its directory '${directory}' is no URL`);
    }
    const type = resolveDefinition(definition, locations);
    return directory === undefined ? type : { ...type, definition: { ...definition, directory: directory.replace(/(?<=.)\/+$/, '') } };
  }
  if (directory.includes('://')) {
    throw definitionFault(definition, `its directory '${directory}' cannot be read`, 'name a directory, or an http or https URL');
  }
  const { path, storageClass } = resolveDefinition(definition, locations);
  const below = { ...definition, location: undefined, template: `${directory.replace(/\/+$/, '')}/${path}`, directory: undefined };
  return { ...resolveDefinition(below, []), storageClass };
}

function gen3Types(
  types: readonly DefinedType[],
  locations: DefinitionSet['locations'],
  origin: RepositoryOrigin,
): FoundRepository['knownTypes'] {
  return async (openCatalogue) => {
    const { checkAgainstCatalogue, typesOfCatalogue } = await import('./gen3-types.js');
    const catalogue = await openCatalogue();
    const repository = displayName(origin);
    const fitting = types.flatMap((type) => {
      try {
        return [fitDefinition(type, catalogue.universe)];
      } catch (error) {
        if (type.definition.isGeneral === true) return [];
        throw error;
      }
    });
    return {
      types: typesOfCatalogue(catalogue, fitting, repository),
      locations,
      check: (definition) => {
        const one = fitDefinition(defined(definition, locations, true), catalogue.universe);
        if (fitting.map((other) => compareDefinitions(other, one)).includes(true)) return true;
        checkAgainstCatalogue(one, catalogue, repository);
        return false;
      },
    };
  };
}

function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** Another one where the registry or the directories that all paths begin in are others, and after some time; null where the registry has none. */
async function validatorOf(
  registry: string | null,
  types: readonly DefinedType[],
  origin: RepositoryOrigin,
  signal: AbortSignal,
): Promise<string | null> {
  if (registry === null) return null;
  const tops = byDirectory(types).map(async ([directory, ofDirectory]) => {
    if (directory !== undefined) return [directory];
    const layout = new PatternLayout(ofDirectory.map((type) => compilePattern(type)));
    const root = layout.directory('');
    const entries = await topEntries(origin.remote, signal);
    return entries.filter((entry) => layout.isOf(root, entry)).map(({ name, modified, size }) => [name, modified, size]);
  });
  return digestOf([registry, await Promise.all(tops), walkPeriod(origin)]);
}

async function topEntries(remote: Remote, signal: AbortSignal) {
  try {
    return usable((await remote.list?.('', { signal })) ?? []);
  } catch (error) {
    if (asButlerfsError(error).code !== 'unsupported') throw error;
    return [];
  }
}

function byDirectory(types: readonly DefinedType[]): (readonly [string | undefined, readonly DefinedType[]])[] {
  const directories = new Set(types.map(({ definition: { directory } }) => directory));
  return [...directories].map((directory) => [directory, types.filter((type) => type.definition.directory === directory)]);
}

async function listAll(types: readonly DefinedType[], preparation: Preparation): Promise<DefinedListing[]> {
  const listings: DefinedListing[] = [];
  for (const [directory, ofDirectory] of byDirectory(types)) {
    const remote = directory === undefined ? preparation.origin.remote : openRemote(directory);
    try {
      listings.push(await listOne(directory, ofDirectory, remote, preparation));
    } finally {
      if (directory !== undefined) await remote.close();
    }
  }
  return listings;
}

async function listOne(
  directory: string | undefined,
  types: readonly DefinedType[],
  remote: Remote,
  { kept, signal, onProgress }: Preparation,
): Promise<DefinedListing> {
  const file = kept(`defined${directory === undefined ? '' : lettersOf(directory)}`, 'sqlite3');
  const layout = new PatternLayout(types.map((type) => compilePattern(type)));
  try {
    await listInto(file, { remote, layout, signal, onProgress });
  } catch (error) {
    const { code, detail } = asButlerfsError(error);
    if (!['unsupported', 'remote-not-found'].includes(code)) throw error;
    const [{ definition }] = types as [DefinedType];
    throw new ButlerfsError(code, {
      ...detail,
      what: `${definition.where}, dataset type '${definition.name}': its files are found by listing directories, and ${remote.url} lists none`,
      advice: directory === undefined ? 'ask for autoindex, mod_autoindex or WebDAV to be switched on there' : 'put right its directory',
    });
  }
  return { directory, base: directory === undefined ? '' : remote.url.replace(/\/+$/, ''), file };
}

/** Another word for each directory, for the name of a file. */
function lettersOf(directory: string): string {
  const digits = digestOf(directory).slice(0, 16);
  return digits.replace(/./g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 16)));
}
