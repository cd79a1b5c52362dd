/** Opens a repository: its configuration, a copy of its registry, and the catalogue made from it, each made once and kept. */

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../common/atomic.js';
import { linkSignals } from '../common/deadline.js';
import { ButlerfsError, asButlerfsError } from '../common/errors.js';
import { openRemote } from '../proxy/assemble.js';
import { loadCredentials } from '../proxy/credentials.js';
import { downloadTo } from '../proxy/download.js';
import { parseRemotePath } from '../proxy/paths.js';
import { openCatalogue, parseButlerConfiguration } from '../registry/open.js';
import { readButlerYaml } from './butler-yaml.js';
import { readCredentials } from './configuration.js';

import { indexCatalogue } from './index-catalogue.js';
import { parseSource } from './repository.js';
import { lockSource } from './source-lock.js';
import { SourceStore } from './source-store.js';
import { formatSize } from './units.js';
import type { CredentialLookup } from '../proxy/credentials.js';
import type { ObjectStat, Remote } from '../proxy/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { Gen3Configuration } from '../registry/open.js';
import type { Configuration } from './configuration.js';
import type { SourceVersion } from './source-store.js';

export interface SourceSettings {
  readonly configuration: Configuration;
  /** Versions are kept below its `sources/`. */
  readonly cacheDirectory: string;
  /** Milliseconds, as in MountOptions. */
  readonly deadline?: number;
  readonly idleTimeout?: number;
  /** Told what is being done, as a line that the next one replaces. */
  readonly onProgress?: (line: string) => void;
  /** Told of what the user should put right, as a line. */
  readonly warn?: (line: string) => void;
}

/** What a refresh found. */
export interface Refreshed {
  readonly changed: boolean;
  readonly info: CatalogueInfo;
  readonly catalogueFile: string;
}

export interface OpenedSource {
  /** URL or absolute directory, without credentials. */
  readonly repository: string;
  readonly remote: Remote;
  /** Its `current` file names the newest catalogue. */
  readonly catalogueDirectory: string;
  /** The newest catalogue: another one after a refresh that found a change; likewise the following. */
  readonly catalogueFile: string;
  /** Local copy, or the original of a local repository. */
  readonly registryFile: string;
  /** Where the registry is at the origin, without credentials. */
  readonly registryUrl: string;
  /** For other servers that the repository names. */
  readonly credentials: CredentialLookup;
  /** Copy of the repository's configuration. */
  readonly butlerYamlFile: string;
  readonly info: CatalogueInfo;
  readonly configuration: Gen3Configuration;
  /** Why the origin could not be asked, where the catalogue of an earlier time is used. */
  readonly problem?: ButlerfsError;
  /**
   * Asks the origin whether the registry changed, and makes a new catalogue where it did. Calls at the same time share one look.
   * Rejects with `remote-*` where it does not answer; what was opened stays good then.
   */
  refresh(options: { readonly signal: AbortSignal }): Promise<Refreshed>;
  /** Stops a refresh and closes the remote. Idempotent. */
  close(): Promise<void>;
}

/** Failures of the origin that a catalogue of an earlier time bridges. */
const OFFLINE_CODES: readonly string[] = ['remote-unreachable', 'remote-timeout', 'remote-failed'];

/**
 * @param source a directory, an http(s) URL, or a name of the configuration; a relative directory starts at the working directory.
 * @throws ButlerfsError `not-a-repository`, `unsupported-repository`, `corrupt-repository`, `remote-*`, `usage`, `unsupported`, `interrupted`.
 */
export async function openSource(
  source: string,
  settings: SourceSettings,
  { signal }: { readonly signal: AbortSignal },
): Promise<OpenedSource> {
  const { repository, isDirectory } = parseSource(source, settings.configuration, process.cwd());
  const { deadline, idleTimeout, warn, cacheDirectory } = settings;
  const configured = await readCredentials(settings.configuration.credentials);
  const credentials = loadCredentials({ configured, warn });
  const remote = openRemote(repository, { credentials, deadline, idleTimeout });
  try {
    const store = new SourceStore(cacheDirectory, isDirectory ? repository : remote.url);
    await store.create();
    const directory = isDirectory ? repository : undefined;
    return await Source.open({ remote, credentials, store, directory, onProgress: settings.onProgress ?? (() => undefined) }, signal);
  } catch (error) {
    await remote.close();
    throw error;
  }
}

interface SourceParts {
  readonly remote: Remote;
  readonly credentials: CredentialLookup;
  readonly store: SourceStore;
  /** Where the repository is a local directory. */
  readonly directory: string | undefined;
  readonly onProgress: (line: string) => void;
}

/** What is open: one version of the source. */
interface OpenVersion {
  readonly version: SourceVersion;
  readonly configuration: Gen3Configuration;
  readonly info: CatalogueInfo;
}

class Source implements OpenedSource {
  readonly problem?: ButlerfsError;
  readonly #parts: SourceParts;
  readonly #closing = new AbortController();
  #opened: OpenVersion;
  #refreshing: Promise<Refreshed> | undefined;

  private constructor(parts: SourceParts, opened: OpenVersion, problem: ButlerfsError | undefined) {
    this.#parts = parts;
    this.#opened = opened;
    if (problem !== undefined) this.problem = problem;
  }

  static async open(parts: SourceParts, signal: AbortSignal): Promise<Source> {
    try {
      return new Source(parts, await bringUpToDate(parts, signal), undefined);
    } catch (error) {
      const problem = asButlerfsError(error);
      const kept = OFFLINE_CODES.includes(problem.code) ? await openCurrent(parts) : undefined;
      if (kept === undefined) throw error;
      return new Source(parts, kept, problem);
    }
  }

  get repository(): string {
    return displayName(this.#parts);
  }

  get remote(): Remote {
    return this.#parts.remote;
  }

  get catalogueDirectory(): string {
    return this.#parts.store.directory;
  }

  get registryUrl(): string {
    return this.remote.urlOf(parseRemotePath(this.configuration.registry));
  }

  get credentials(): CredentialLookup {
    return this.#parts.credentials;
  }

  get configuration(): Gen3Configuration {
    return this.#opened.configuration;
  }

  get info(): CatalogueInfo {
    return this.#opened.info;
  }

  get catalogueFile(): string {
    return this.#files.catalogue;
  }

  get butlerYamlFile(): string {
    return this.#files.butlerYaml;
  }

  get registryFile(): string {
    const { directory } = this.#parts;
    return directory === undefined ? this.#files.registry : join(directory, this.configuration.registry);
  }

  get #files() {
    return this.#parts.store.filesOf(this.#opened.version.version);
  }

  async refresh({ signal }: { readonly signal: AbortSignal }): Promise<Refreshed> {
    this.#refreshing ??= this.#refresh(signal).finally(() => (this.#refreshing = undefined));
    return await this.#refreshing;
  }

  async #refresh(signal: AbortSignal): Promise<Refreshed> {
    const before = this.#opened.version.version;
    const linked = linkSignals(signal, this.#closing.signal);
    try {
      this.#opened = await bringUpToDate(this.#parts, linked.signal, this.#opened);
    } finally {
      linked.unlink();
    }
    return { changed: this.#opened.version.version !== before, info: this.info, catalogueFile: this.catalogueFile };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#refreshing?.catch(() => undefined);
    await this.#parts.remote.close();
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function displayName({ directory, remote }: SourceParts): string {
  return directory ?? remote.url;
}

/** The newest version: the one there is where the origin's registry is the one that it was made from, else a new one. `known` saves reading it again. */
async function bringUpToDate(parts: SourceParts, signal: AbortSignal, known?: OpenVersion): Promise<OpenVersion> {
  const butlerYaml = await readButlerYaml(parts.remote, parts.directory, signal);
  const configuration = parseButlerConfiguration(butlerYaml, displayName(parts));
  const { validator } = await registryStat(parts, configuration, signal);
  const configurationDigest = digestOf(butlerYaml);
  // Without a validator nothing says whether the registry changed: it is read at every start, and not again while it is open.
  const isCurrent = (version: SourceVersion): boolean =>
    version.configurationDigest === configurationDigest && version.validator === validator && (validator !== null || known !== undefined);
  const find = async (): Promise<OpenVersion | undefined> => {
    const current = await parts.store.current();
    if (current === undefined || !isCurrent(current)) return undefined;
    return known?.version.version === current.version ? known : await openCurrent(parts);
  };
  const found = await find();
  if (found !== undefined) return found;
  const unlock = await lockSource(parts.store.lockFile, {
    signal,
    onWait: () => parts.onProgress(`waiting for another process that reads ${displayName(parts)}`),
  });
  try {
    // Somebody else may have made it while this process waited.
    return (await find()) ?? (await makeVersion(parts, configuration, butlerYaml, signal));
  } finally {
    await unlock();
  }
}

/** Makes and publishes the next version. Under the lock. */
async function makeVersion(
  parts: SourceParts,
  configuration: Gen3Configuration,
  butlerYaml: string,
  signal: AbortSignal,
): Promise<OpenVersion> {
  const { store, remote, directory, onProgress } = parts;
  await store.tidy();
  const version = ((await store.current())?.version ?? 0) + 1;
  const files = store.filesOf(version);
  await writeFileAtomically(files.butlerYaml, butlerYaml);
  const before = await registryStat(parts, configuration, signal);
  let { validator } = before;
  if (directory === undefined) {
    onProgress(`fetching the registry of ${remote.url}${before.size === null ? '' : ` (${formatSize(before.size)})`}`);
    ({ validator } = await downloadTo(remote, parseRemotePath(configuration.registry), files.registry, { signal }));
    await refuseEmpty(files.registry, parts);
  }
  const repository = displayName(parts);
  onProgress(`indexing ${repository}`);
  const task = {
    configuration,
    registryFile: directory === undefined ? files.registry : join(directory, configuration.registry),
    repository,
    target: files.catalogue,
    validator,
    version,
  };
  const info = await indexCatalogue(task, { signal, onProgress: (records) => onProgress(`indexing ${repository}: ${records} records`) });
  const made: SourceVersion = { version, repository, configurationDigest: digestOf(butlerYaml), validator };
  await store.publish(made);
  await store.tidy();
  return { version: made, configuration, info };
}

/** The version that counts, where its catalogue is of a form that this program reads. */
async function openCurrent(parts: SourceParts): Promise<OpenVersion | undefined> {
  const version = await parts.store.current();
  if (version === undefined) return undefined;
  const files = parts.store.filesOf(version.version);
  const catalogue = openCatalogue(files.catalogue);
  const butlerYaml = await readFile(files.butlerYaml, 'utf8').catch(() => undefined);
  if (catalogue === undefined || butlerYaml === undefined) return undefined;
  try {
    return { version, configuration: parseButlerConfiguration(butlerYaml, displayName(parts)), info: catalogue.info };
  } finally {
    catalogue.close();
  }
}

/** Stat of the registry at its origin. The validator of a local one also tells writes that only its write-ahead log holds so far. */
async function registryStat(parts: SourceParts, { registry }: Gen3Configuration, signal: AbortSignal): Promise<ObjectStat> {
  const { remote, directory } = parts;
  const found = await remote.stat(parseRemotePath(registry), { signal }).catch((error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    throw new ButlerfsError('corrupt-repository', {
      what: `the registry ${registry} that butler.yaml names`,
      where: displayName(parts),
      why: 'it is not there',
      cause: error,
    });
  });
  if (found.size === 0) throw emptyRegistry(parts);
  if (directory === undefined) return found;
  const log = await stat(`${join(directory, registry)}-wal`, { bigint: true }).catch(() => undefined);
  return log === undefined || log.size === 0n ? found : { ...found, validator: `${found.validator ?? ''} wal ${log.size} ${log.mtimeNs}` };
}

async function refuseEmpty(file: string, parts: SourceParts): Promise<void> {
  if ((await stat(file)).size === 0) throw emptyRegistry(parts);
}

function emptyRegistry(parts: SourceParts): ButlerfsError {
  return new ButlerfsError('corrupt-repository', {
    what: `the registry of ${displayName(parts)} is empty`,
    why: 'its file has 0 bytes, as a failed `butler create` leaves it',
    advice: 'create the repository again, or check how it was copied',
  });
}
