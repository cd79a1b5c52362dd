/** Writing into a catalogue on a database server: what `butlerfs catalogue` does, for programs as well. */

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { ButlerfsError } from '../common/errors.js';
import { openRemote } from '../proxy/assemble.js';
import { loadCredentials } from '../proxy/credentials.js';
import type { Remote } from '../proxy/contract.js';
import type { RecordStream, RepositoryRecord } from '../registry/contract.js';
import { openRepository } from '../registry/reading.js';
import { isDatabaseUrl, parseDatabaseUrl } from '../registry/shared/address.js';
import { createSharedCatalogue, openSharedCatalogue } from '../registry/shared/open.js';
import type { SharedCatalogue, WriteSummary } from '../registry/shared/contract.js';
import { parseUniverse } from '../registry/universe.js';
import { readCredentials } from './configuration.js';
import type { Configuration } from './configuration.js';
import { displayName } from './formats/contract.js';
import { findRepository } from './formats/find.js';
import { parseSource } from './repository.js';
import { followDefinitions } from './user-definitions.js';
import { accessOf, factsOf, openSharedOrigin } from './shared-origin.js';

export interface WritingSettings {
  readonly configuration: Configuration;
  readonly warn?: ((line: string) => void) | undefined;
}

/** Opens a catalogue for writing. Contacts nothing yet. The caller closes it. Throws `usage` for a URL that is none of a database. */
export async function openCatalogueAt(url: string, { configuration, warn }: WritingSettings): Promise<SharedCatalogue> {
  const { database } = parseSource(url, configuration, process.cwd());
  if (database === undefined) throw notADatabase(url);
  return await openSharedCatalogue(accessOf(database, await readCredentials(configuration.credentials), warn));
}

export interface CreationRequest {
  /** Where its files are: a directory, or an http, https or ssh URL. */
  readonly root: string;
  /** A file with a dimension universe, in JSON or YAML. */
  readonly universeFile?: string | undefined;
}

/**
 * Makes a catalogue, or brings the tables of one up to date. Rejects with `usage` for a root that cannot be one, `configuration` for a universe that cannot be
 * read, and as `createSharedCatalogue`. The caller closes it.
 */
export async function createCatalogueAt(
  url: string,
  { root, universeFile }: CreationRequest,
  { configuration, warn }: WritingSettings,
): Promise<SharedCatalogue> {
  if (!isDatabaseUrl(url)) throw notADatabase(url);
  const database = parseDatabaseUrl(url);
  const place = parseSource(root, { ...configuration, sources: {} }, process.cwd());
  if (place.database !== undefined) {
    throw new ButlerfsError('usage', {
      what: `root ${place.repository}`,
      why: 'a database holds no files',
      advice: 'give a directory or an http(s):// or ssh:// URL',
    });
  }
  if (place.isDirectory && (await stat(place.repository).catch(() => undefined))?.isDirectory() !== true) {
    throw new ButlerfsError('usage', { what: `root ${place.repository}`, why: 'there is no such directory' });
  }
  const universe = universeFile === undefined ? null : await readUniverse(universeFile);
  const access = accessOf(database, await readCredentials(configuration.credentials), warn);
  return await createSharedCatalogue(access, { root: place.repository, universe });
}

async function readUniverse(file: string): Promise<string> {
  const unusable = (cause: unknown): never => {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new ButlerfsError('configuration', { what: `the universe in ${file}`, why, cause });
  };
  const text = await readFile(resolve(file), 'utf8').catch(unusable);
  let json: string;
  try {
    json = JSON.stringify(parseYaml(text, { maxAliasCount: 100 }));
  } catch (cause) {
    return unusable(cause);
  }
  parseUniverse(json, file);
  return json;
}

function notADatabase(url: string): ButlerfsError {
  const what = `catalogue '${/^[^?]*/.exec(url)?.[0].replace(/\/\/[^/]*@/, '//') ?? ''}'`;
  return new ButlerfsError('usage', {
    what,
    why: 'it is no URL of a database',
    advice: 'write postgresql://USER@HOST/DATABASE, mysql:// or sqlite:///FILE',
  });
}

export interface ImportSettings extends WritingSettings {
  readonly signal: AbortSignal;
  /** Removes datasets from the RUNs of the source that it has no more. */
  readonly prune: boolean;
  readonly onProgress: (line: string) => void;
  readonly onWarning: (line: string) => void;
}

/** Copies the records of any source into a catalogue. What is there in the same form changes nothing. */
export async function importSource(catalogue: SharedCatalogue, source: string, settings: ImportSettings): Promise<WriteSummary> {
  const { configuration, signal, onProgress, onWarning, warn, prune } = settings;
  const parsed = parseSource(source, configuration, process.cwd());
  const configured = await readCredentials(configuration.credentials);
  const origin = parsed.database === undefined ? undefined : await openSharedOrigin(parsed.database, configured, warn);
  const temporary = await mkdtemp(join(tmpdir(), 'butlerfs-import-'));
  let remote: Remote | undefined;
  try {
    const { root } = await catalogue.facts();
    const credentials = loadCredentials({ configured, warn });
    const open = (place: string): Remote => openRemote(place, { credentials, caFile: configuration.defaults['ca-file'] });
    remote = open(origin === undefined ? parsed.repository : (await factsOf(origin, signal)).root);
    const userDefinitions = followDefinitions(configuration, parsed);
    const from = { remote, directory: parsed.isDirectory ? parsed.repository : undefined, catalogue: origin, userDefinitions };
    const found = await findRepository(from, signal);
    const file = (what: string, extension: string): string => join(temporary, `${what}.${extension}`);
    const { reading } = await found.prepare({ origin: from, file, kept: file, signal, onProgress });
    const reader = await openRepository(reading, { repository: displayName(from), onWarning });
    try {
      const target = open(root);
      await target.close();
      const isSameRoot = target.url === remote.url;
      const records = (): RecordStream => (isSameRoot ? reader.records() : elsewhere(reader.records(), remote!.url));
      const progress = (count: number): void => onProgress(`importing ${displayName(from)}: ${count} records`);
      const pruned = prune ? await pruneRuns(catalogue, reader.records(), signal) : 0;
      const summary = await catalogue.write(records(), { signal, onProgress: progress });
      return { ...summary, removed: summary.removed + pruned };
    } finally {
      await reader.close();
    }
  } finally {
    await origin?.catalogue.close();
    await remote?.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Relative locations become URLs below the root of the source; files that belong to it alone are left out. */
async function* elsewhere(records: RecordStream, root: string): AsyncGenerator<RepositoryRecord, void, undefined> {
  if (!/^(https?|file):/.test(root)) {
    throw new ButlerfsError('unsupported', {
      what: `files at ${root}`,
      why: 'the catalogue has another root, and what is behind SSH can only be reached as a root',
      advice: 'make a catalogue with this root',
    });
  }
  const absolute = (location: string): string =>
    location.includes('://') ? location : `${root}/${location.split('/').map(encodeURIComponent).join('/')}`;
  for await (const record of records) {
    if (record.kind === 'file') continue;
    yield record.kind === 'dataset'
      ? { ...record, files: record.files.map((file) => ({ ...file, location: absolute(file.location) })) }
      : record;
  }
}

/** Takes out of the RUNs of a stream what it has not. */
async function pruneRuns(catalogue: SharedCatalogue, records: RecordStream, signal: AbortSignal): Promise<number> {
  const runs = new Set<string>();
  const uuids = new Set<string>();
  for await (const record of records) {
    if (record.kind === 'collection' && record.type === 'RUN') runs.add(record.name);
    else if (record.kind === 'dataset') uuids.add(record.uuid);
  }
  const { collections, universe } = await catalogue.structure();
  if (universe === null) return 0;
  const ids = new Set(collections.flatMap(({ id, name, type }) => (type === 'RUN' && runs.has(name) ? [id] : [])));
  const gone: string[] = [];
  const reader = await catalogue.reader();
  try {
    for await (const record of reader.records()) {
      if (record.kind === 'dataset' && ids.has(record.run) && !uuids.has(record.uuid)) gone.push(record.uuid);
    }
  } finally {
    await reader.close();
  }
  return gone.length === 0 ? 0 : (await catalogue.remove({ datasets: gone }, { signal })).removed;
}
