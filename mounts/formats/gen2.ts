/** Gen2 repositories: directories of files whose paths follow templates, with or without registries. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { downloadTo } from '../../proxy/download.js';
import { parseRemotePath } from '../../proxy/paths.js';
import {
  calibrationDirectory,
  calibrationRegistry,
  cameraOfMapper,
  checkClash,
  compileTemplates,
  definedTemplate,
  parentLink,
  rawRegistry,
  readCamera,
  RepositoryLayout,
  rerunDirectory,
  shownTemplate,
} from '../../registry/open.js';
import type { Remote, RemoteEntry } from '../../proxy/contract.js';
import type { Camera, FileText, Gen2Repository, ListingStore } from '../../registry/open.js';
import type { DefinitionSet } from '../../registry/definitions/contract.js';
import { displayName } from './contract.js';
import type {
  FoundRepository,
  GrowingRepository,
  KnownTypes,
  Preparation,
  PreparedRepository,
  RepositoryFormat,
  RepositoryOrigin,
} from './contract.js';
import { definitionFile, nothingDefined, textsOf, walkPeriod } from './definitions.js';
import { growGen2 } from './gen2-grow.js';
import { usable } from './gen2-listing.js';
import { findStack, isMarked, mapperFile, markers, newConfiguration } from './gen2-stack.js';
import { listingError, listInto, openListing } from './listing.js';
import { readSmallText } from './text.js';

export const gen2: RepositoryFormat = {
  name: 'gen2',
  async find(origin, signal): Promise<FoundRepository | undefined> {
    const entries = await topEntries(origin, signal);
    if (entries === undefined || !(await isMarked(origin, '', entries))) return undefined;
    const templates = await templateTexts(origin, entries, signal);
    const mapper = await configurationTexts(origin, entries, signal);
    const users = (await origin.userDefinitions?.()) ?? nothingDefined;
    return {
      ownText: hasFile(entries, definitionFile) ? templates[0]!.text : null,
      configurationDigest: digestOf([mapper, ...templates.map(({ text }) => text), ...textsOf(users)]),
      validator: await validatorOf(origin, entries, signal),
      mayChangeUnseen: true,
      prepare: (preparation) => prepare(preparation, templates, users),
      // A directory of this host is walked as soon as it is asked for.
      grow: origin.directory === undefined ? (preparation, copies) => grow(preparation, [templates, users], copies) : undefined,
      knownTypes: () => knownTypes(origin, templates, users, signal),
    };
  },
};

/** What stands in the top directory; undefined where nothing of Gen2 does. */
async function topEntries(origin: RepositoryOrigin, signal: AbortSignal): Promise<readonly RemoteEntry[] | undefined> {
  const { remote } = origin;
  try {
    if (remote.list !== undefined) return usable(await remote.list('', { signal }));
  } catch (error) {
    const { code } = asButlerfsError(error);
    if (code === 'remote-not-found') return undefined;
    if (code !== 'unsupported') throw error;
  }
  for (const name of markers) {
    if (name === parentLink || !(await exists(remote, name, signal))) continue;
    throw new ButlerfsError('unsupported-repository', {
      what: `${displayName(origin)} is a Gen2 repository`,
      why: 'what it holds is found by listing its directories, and the server lists none',
      advice: 'ask for autoindex, mod_autoindex or WebDAV to be switched on there',
    });
  }
  return undefined;
}

async function exists(remote: Remote, name: string, signal: AbortSignal): Promise<boolean> {
  return (await unlessMissing(remote.stat(parseRemotePath(name), { signal }))) !== undefined;
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    return undefined;
  }
}

function hasFile(entries: readonly RemoteEntry[], name: string): boolean {
  return entries.some((entry) => entry.name === name && entry.kind === 'file');
}

/** The repository's own template file, then the user's. */
async function templateTexts(
  { remote, directory, templateFile }: RepositoryOrigin,
  entries: readonly RemoteEntry[],
  signal: AbortSignal,
): Promise<FileText[]> {
  const texts: FileText[] = [];
  if (hasFile(entries, definitionFile)) {
    texts.push({ text: await readSmallText(remote, definitionFile, signal), where: `${directory ?? remote.url}/${definitionFile}` });
  }
  if (templateFile !== undefined) {
    const text = await readFile(templateFile, 'utf8').catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ButlerfsError('configuration', { what: `cannot read the templates ${templateFile}`, why, cause });
    });
    texts.push({ text, where: templateFile });
  }
  return texts;
}

async function configurationTexts({ remote }: RepositoryOrigin, entries: readonly RemoteEntry[], signal: AbortSignal): Promise<string> {
  const names = [mapperFile, newConfiguration].filter((name) => hasFile(entries, name));
  return (await Promise.all(names.map(async (name) => `${name}\n${await readSmallText(remote, name, signal)}`))).join('\n');
}

/** Another one where registries, the top directory or the reruns are others, and after some time. */
async function validatorOf(origin: RepositoryOrigin, entries: readonly RemoteEntry[], signal: AbortSignal): Promise<string | null> {
  const { remote } = origin;
  const isThere = (name: string): boolean => entries.some((entry) => entry.name === name);
  const registries = [
    ...(isThere(rawRegistry) ? [rawRegistry] : []),
    ...(isThere(calibrationDirectory) ? [`${calibrationDirectory}/${calibrationRegistry}`] : []),
  ];
  const stats = registries.map(async (path) => {
    const stat = await unlessMissing(remote.stat(parseRemotePath(path), { signal }));
    return [path, stat?.validator ?? null, stat?.size ?? null, stat?.modified ?? null];
  });
  const reruns = isThere(rerunDirectory) ? await unlessMissing(remote.list!(parseRemotePath(rerunDirectory), { signal })) : undefined;
  return digestOf([entries, reruns ?? [], await Promise.all(stats), walkPeriod(origin)]);
}

function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

async function prepare(preparation: Preparation, templates: readonly FileText[], users: DefinitionSet): Promise<PreparedRepository> {
  const { origin, kept, signal, onProgress } = preparation;
  const { remote } = origin;
  const validator = await validatorOf(origin, usable(await remote.list!('', { signal })), signal);
  onProgress(`looking for the reruns of ${displayName(origin)}`);
  const { repositories, mapper } = await findStack(origin, signal);
  const camera = cameraOf(mapper, [templates, users], origin);
  const registries = await bringRegistries(preparation, repositories);
  const listingFile = kept('listing', 'sqlite3');
  const layout = new RepositoryLayout(compileTemplates(camera), repositories);
  await listInto(listingFile, { remote, layout, signal, onProgress });
  const copies = origin.directory === undefined ? registries : {};
  return { reading: { format: 'gen2', camera, repositories, listingFile, registries }, validator, copies };
}

/** Templates of files, and what the user defined. */
type Layouts = readonly [readonly FileText[], DefinitionSet];

/** Without any _mapper it is the one camera whose repositories are published so. */
function cameraOf(mapper: string | undefined, [templates, users]: Layouts, origin: RepositoryOrigin): Camera {
  return readCamera(mapper === undefined ? 'HSC' : cameraOfMapper(mapper), templates, displayName(origin), [users]);
}

/** Brings here what can be had without a walk. */
async function grow(
  preparation: Preparation,
  layouts: Layouts,
  copies: Readonly<Record<string, string>> | undefined,
): Promise<GrowingRepository> {
  const { origin, kept, signal } = preparation;
  const { remote } = origin;
  const { repositories, mapper, entriesOf } = await findStack(origin, signal);
  const camera = cameraOf(mapper, layouts, origin);
  const registries = copies ?? (await bringRegistries(preparation, repositories));
  const listingFile = kept('listing', 'sqlite3');
  let store: ListingStore | undefined;
  try {
    store = await openListing(listingFile);
    const growing = await growGen2({ remote, camera, repositories, listingFile, registries, entriesOf, store, signal });
    return { ...growing, validator: null, copies: registries };
  } catch (error) {
    store?.close();
    throw listingError(error, listingFile);
  }
}

/** The types of the camera, with what is defined. */
async function knownTypes(
  origin: RepositoryOrigin,
  templates: readonly FileText[],
  users: DefinitionSet,
  signal: AbortSignal,
): Promise<KnownTypes> {
  const { mapper } = await findStack(origin, signal);
  const camera = cameraOf(mapper, [templates, users], origin);
  return {
    types: Object.values(camera.templates).map(shownTemplate),
    locations: camera.locations,
    check: (definition) =>
      checkClash(definedTemplate({ ...definition, isGeneral: false }, camera)!, camera, definition.storageClass !== undefined),
  };
}

/** Files of this host with what the registries of all repositories hold, by location. */
async function bringRegistries(
  { origin: { remote, directory }, file, signal, onProgress }: Preparation,
  repositories: readonly Gen2Repository[],
): Promise<Record<string, string>> {
  const below = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);
  const wanted = new Set(repositories.map(({ path }) => below(path, rawRegistry)));
  for (const { calibrations } of repositories) if (calibrations !== undefined) wanted.add(below(calibrations, calibrationRegistry));
  const brought: Record<string, string> = {};
  for (const location of wanted) {
    if (!(await exists(remote, location, signal))) continue;
    if (directory !== undefined) brought[location] = join(directory, location);
    else {
      onProgress(`fetching ${remote.urlOf(parseRemotePath(location))}`);
      const target = file(`registry${letters(Object.keys(brought).length)}`, 'sqlite3');
      await downloadTo(remote, parseRemotePath(location), target, { signal });
      brought[location] = target;
    }
  }
  return brought;
}

/** A number as letters, for the name of a file: a, b, ... z, ba, ... */
function letters(number: number): string {
  const last = String.fromCharCode(97 + (number % 26));
  return number < 26 ? last : letters(Math.floor(number / 26)) + last;
}
