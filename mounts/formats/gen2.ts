/** Gen2 repositories: directories of files whose paths follow templates, with or without registries. */

import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { downloadTo } from '../../proxy/download.js';
import { parseRemotePath } from '../../proxy/paths.js';
import {
  calibrationDirectory,
  calibrationRegistry,
  cameraOfMapper,
  compileTemplates,
  ListingStore,
  parentLink,
  rawRegistry,
  readCamera,
  RepositoryLayout,
  rerunDirectory,
} from '../../registry/open.js';
import type { Remote, RemoteEntry } from '../../proxy/contract.js';
import type { Camera, Gen2Repository, TemplateText } from '../../registry/open.js';
import { displayName } from './contract.js';
import type { FoundRepository, Preparation, PreparedRepository, RepositoryFormat, RepositoryOrigin } from './contract.js';
import { findStack, isMarked, mapperFile, markers, newConfiguration } from './gen2-stack.js';
import { usable, walk } from './gen2-walk.js';
import { repositoryFile as templatesFile } from './repository-names.js';
import { readSmallText } from './text.js';

/**
 * Milliseconds, counted from 1970, in each of which a repository is walked once although nothing that is looked at says that it changed: a look sees its
 * registries, its top directory and its reruns, but not what is deep within.
 */
const WALKED_AGAIN = { here: 3_600_000, remote: 86_400_000 };

export const gen2: RepositoryFormat = {
  name: 'gen2',
  async find(origin, signal): Promise<FoundRepository | undefined> {
    const entries = await topEntries(origin, signal);
    if (entries === undefined || !(await isMarked(origin, '', entries))) return undefined;
    const templates = await templateTexts(origin, entries, signal);
    const mapper = await configurationTexts(origin, entries, signal);
    return {
      configurationDigest: digestOf([mapper, ...templates.map(({ text }) => text)]),
      validator: await validatorOf(origin, entries, signal),
      mayChangeUnseen: true,
      prepare: (preparation) => prepare(preparation, templates),
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
  { remote, templateFile }: RepositoryOrigin,
  entries: readonly RemoteEntry[],
  signal: AbortSignal,
): Promise<TemplateText[]> {
  const texts: TemplateText[] = [];
  if (hasFile(entries, templatesFile)) {
    texts.push({ text: await readSmallText(remote, templatesFile, signal), where: `${remote.url}/${templatesFile}` });
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
async function validatorOf(
  { remote, directory }: RepositoryOrigin,
  entries: readonly RemoteEntry[],
  signal: AbortSignal,
): Promise<string | null> {
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
  const period = directory === undefined ? WALKED_AGAIN.remote : WALKED_AGAIN.here;
  return digestOf([entries, reruns ?? [], await Promise.all(stats), Math.floor(Date.now() / period)]);
}

function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

async function prepare(preparation: Preparation, templates: readonly TemplateText[]): Promise<PreparedRepository> {
  const { origin, kept, signal, onProgress } = preparation;
  const { remote } = origin;
  const validator = await validatorOf(origin, usable(await remote.list!('', { signal })), signal);
  onProgress(`looking for the reruns of ${displayName(origin)}`);
  const { repositories, mapper } = await findStack(origin, signal);
  // Without any _mapper it is the one camera whose repositories are published so.
  const camera = readCamera(mapper === undefined ? 'HSC' : cameraOfMapper(mapper), templates, displayName(origin));
  const registries = await bringRegistries(preparation, repositories);
  const listingFile = kept('listing', 'sqlite3');
  await list(preparation, { camera, repositories, listingFile });
  const copies = origin.directory === undefined ? registries : {};
  return { reading: { format: 'gen2', camera, repositories, listingFile, registries }, validator, copies };
}

async function list(
  { origin: { remote }, signal, onProgress }: Preparation,
  {
    camera,
    repositories,
    listingFile,
  }: { readonly camera: Camera; readonly repositories: readonly Gen2Repository[]; readonly listingFile: string },
): Promise<void> {
  const layout = new RepositoryLayout(compileTemplates(camera), repositories);
  try {
    const store = await openListing(listingFile);
    try {
      await walk({ remote, layout, store, signal, onProgress });
    } finally {
      store.close();
    }
  } catch (error) {
    if (error instanceof ButlerfsError) throw error;
    const isFull = error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL';
    throw new ButlerfsError(isFull ? 'cache-full' : 'cache-failed', {
      what: 'what was listed',
      where: listingFile,
      why: error instanceof Error ? error.message : String(error),
      advice: isFull ? 'free some space' : `remove ${listingFile}: it is made again`,
      cause: error,
    });
  }
}

/** The store; a new one where the file is damaged, since everything in it can be listed again. */
async function openListing(file: string): Promise<ListingStore> {
  try {
    return new ListingStore(file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(String(error.code)))) throw error;
    for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix, { force: true });
    return new ListingStore(file);
  }
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
