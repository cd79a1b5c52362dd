/** Defining dataset types: what `butlerfs define` does, for programs as well. */

import { join } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { openRemote } from '../proxy/assemble.js';
import { loadCredentials } from '../proxy/credentials.js';
import { openCatalogue, resolveDefinition, typeDefinition } from '../registry/open.js';
import type { ShownType, WrittenDefinition } from '../registry/open.js';
import type { NamedLocation, TypeDefinition } from '../registry/definitions/contract.js';
import type { Catalogue } from '../registry/contract.js';
import { loadConfiguration, readCredentials } from './configuration.js';
import type { Configuration } from './configuration.js';
import { defineInCatalogue, typesInCatalogue } from './define-shared.js';
import { addDefinition, type DefinitionPlace } from './definition-writer.js';
import type { KnownTypes } from './formats/contract.js';
import { definitionFile } from './formats/definitions.js';
import { findRepository } from './formats/find.js';
import { parseSource } from './repository.js';
import type { ParsedSource } from './repository.js';
import { openSource } from './source.js';
import { followDefinitions } from './user-definitions.js';

export interface DefiningSettings {
  /** Configuration files, the user's first, as `findDirectories` has them. */
  readonly configurationFiles: readonly string[];
  /** Catalogues of repositories are kept there, as those of mounts. */
  readonly cacheDirectory: string;
  /** Where locks of files that are written are kept; made where it is missing. */
  readonly lockDirectory: string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly warn?: ((line: string) => void) | undefined;
}

export interface DefinitionRequest {
  /** As for `openSource`. Undefined: every repository that it fits, for definitions of the user alone. */
  readonly source?: string | undefined;
  readonly type: string;
  /** With the keys that a file has (registry/definitions/file.ts). */
  readonly definition: WrittenDefinition;
  /** Whether it goes into the user's configuration. Default: into the repository's own file, or the catalogue. */
  readonly isUser?: boolean | undefined;
}

export interface DefinitionOutcome {
  /** False where the same definition was there already. */
  readonly isNew: boolean;
  /** The file, or the URL of the catalogue, that has it. */
  readonly place: string;
}

/** What there is of a source. */
export interface ListedDefinitions {
  /** With the camera's, or the registry's. */
  readonly types: readonly ShownType[];
  /** Beginnings of paths with their names; of several with one name the last counts. */
  readonly locations: readonly NamedLocation[];
}

/**
 * Defines a dataset type. Nothing is written unless it fits the repository and goes with all that is defined there; the same definition again changes nothing.
 *
 * Rejects with `configuration` for a definition that is none, or clashes: the message shows both and where each comes from; `usage` for a source that cannot
 * hold definitions; and as `openSource`.
 */
export async function defineType(request: DefinitionRequest, settings: DefiningSettings): Promise<DefinitionOutcome> {
  const { source, type, definition: written, isUser = false } = request;
  const configuration = await loadConfiguration(settings.configurationFiles);
  const definition = typeDefinition(type, written, 'the new definition');
  const parsed = source === undefined ? undefined : parseSource(source, configuration, process.cwd());
  if (parsed?.database !== undefined) {
    if (!isUser) return await defineInCatalogue(parsed, written, definition, configuration, settings);
    const why = 'a catalogue on a database server has the dataset types that all mounts of it see';
    throw new ButlerfsError('usage', { what: `a definition of yours for ${parsed.repository}`, why, advice: 'leave --user out' });
  }
  // For whatever repository it fits there is none to compare it with; a path it must have all the same.
  if (parsed === undefined) resolveDefinition({ ...definition, location: undefined }, []);
  const place = placeOf(parsed, isUser, settings);
  const isKnown = parsed !== undefined && (await withKnownTypes(parsed, configuration, settings, (known) => check(known, definition)));
  if (isKnown) return { isNew: false, place: place.file };
  return { isNew: await addDefinition(place, type, written, settings), place: place.file };
}

/** All dataset types of a source, and where each comes from. Rejects as {@link defineType}. */
export async function listDefinitions(source: string, settings: DefiningSettings): Promise<ListedDefinitions> {
  const configuration = await loadConfiguration(settings.configurationFiles);
  const parsed = parseSource(source, configuration, process.cwd());
  if (parsed.database !== undefined) return await typesInCatalogue(parsed, configuration, settings);
  return await withKnownTypes(parsed, configuration, settings, ({ types, locations }) => ({ types, locations }));
}

function check(known: KnownTypes, definition: TypeDefinition): boolean {
  return known.check(definition);
}

function placeOf(parsed: ParsedSource | undefined, isUser: boolean, { configurationFiles }: DefiningSettings): DefinitionPlace {
  if (isUser || parsed === undefined) {
    const [file] = configurationFiles;
    if (file === undefined) throw new ButlerfsError('configuration', { what: 'there is no place for a configuration file' });
    if (parsed === undefined) return { file, keys: ['datasetTypes'], mode: 0o600 };
    if (parsed.named !== undefined) return { file, keys: ['sources', parsed.asGiven, 'datasetTypes'], mode: 0o600 };
    return { file, keys: ['datasetTypes'], mode: 0o600, repository: parsed.repository };
  }
  if (!parsed.isDirectory) {
    const advice = `--user puts the definition into your configuration; or write ${definitionFile} there yourself`;
    throw new ButlerfsError('usage', { what: `definitions at ${parsed.repository}`, why: 'it is no directory of this host', advice });
  }
  return { file: join(parsed.repository, definitionFile), keys: ['datasetTypes'], mode: 0o644 };
}

/** What is known at a source that is no catalogue, while `use` looks at it. */
async function withKnownTypes<Result>(
  parsed: ParsedSource,
  configuration: Configuration,
  settings: DefiningSettings,
  use: (known: KnownTypes) => Result,
): Promise<Result> {
  const { signal, warn } = settings;
  const configured = await readCredentials(configuration.credentials);
  const credentials = loadCredentials({ configured, warn });
  const remote = openRemote(parsed.repository, { credentials, caFile: configuration.defaults['ca-file'] });
  const opened: Catalogue[] = [];
  try {
    const directory = parsed.isDirectory ? parsed.repository : undefined;
    const userDefinitions = followDefinitions(configuration, parsed);
    const found = await findRepository({ remote, directory, templateFile: parsed.named?.templates, userDefinitions }, signal);
    if (found.knownTypes === undefined) {
      throw new ButlerfsError('unsupported', { what: `definitions for ${parsed.repository}`, why: 'a repository of this kind has none' });
    }
    const known = await found.knownTypes(async () => {
      const catalogue = await openNewest(parsed, configuration, settings);
      opened.push(catalogue);
      return catalogue;
    });
    return use(known);
  } finally {
    for (const catalogue of opened) catalogue.close();
    await remote.close();
  }
}

async function openNewest({ asGiven }: ParsedSource, configuration: Configuration, settings: DefiningSettings): Promise<Catalogue> {
  const { cacheDirectory, signal, onProgress = () => undefined, warn = () => undefined } = settings;
  const source = await openSource(asGiven, { configuration, cacheDirectory, onProgress, warn }, { signal });
  await source.close();
  const catalogue = openCatalogue(source.catalogueFile);
  if (catalogue !== undefined) return catalogue;
  throw new ButlerfsError('internal', { what: `the catalogue ${source.catalogueFile} cannot be opened again` });
}
