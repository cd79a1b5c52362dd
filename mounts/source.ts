/** Opens a repository: its configuration, a copy of its registry, and the catalogue made from it, each made once and kept. */

import { linkSignals } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { openRemote, type RemoteSettings } from '../proxy/assemble.js';
import { loadCredentials } from '../proxy/credentials.js';
import { parseRemotePath } from '../proxy/paths.js';
import { RateLimiter } from '../proxy/rate.js';
import { readCredentials } from './configuration.js';
import { configuredKey, configuredMirrors, parseSource } from './repository.js';
import type { ParsedSource } from './repository.js';
import { bringPublishedUpToDate, openPublished } from './published-version.js';
import { openSharedOrigin, rootOf } from './shared-origin.js';
import { SourceStore } from './source-store.js';
import { displayName } from './formats/contract.js';
import { bringUpToDate, openCurrent } from './source-version.js';
import { followDefinitions } from './user-definitions.js';
import { Warnings } from './warnings.js';
import type { Remote } from '../proxy/contract.js';
import type { CredentialLookup } from '../proxy/credentials.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { Configuration } from './configuration.js';
import type { Publication } from './contract.js';
import type { Growth } from './growth.js';
import type { SourceVersion } from './source-store.js';
import type { SharedOrigin } from './shared-origin.js';
import type { OpenVersion, SourceParts } from './source-version.js';

export interface SourceSettings {
  readonly configuration: Configuration;
  /** Versions are kept below its `sources/`. */
  readonly cacheDirectory: string;
  /** Key that the source must be published with, as {@link MountOptions.publicKey}; default: that of its entry in the configuration, if any. */
  readonly publicKey?: string | undefined;
  /** Milliseconds, as in MountOptions. */
  readonly deadline?: number;
  readonly idleTimeout?: number;
  /** As in MountOptions. */
  readonly mirrors?: readonly string[] | undefined;
  readonly rateLimit?: number | null | undefined;
  /** Likewise; default: that of the configuration. */
  readonly caFile?: string | null | undefined;
  /** Content that may change without telling, as that of a Gen2 repository, is read again. */
  readonly thorough?: boolean | undefined;
  /** A repository that takes long to be read is served while it is: see {@link OpenedSource.growth}. */
  readonly lazy?: boolean | undefined;
  /** Told of what was left out of the catalogue, a bounded number of times. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Nothing is contacted: the catalogue of an earlier time is used. */
  readonly offline?: boolean;
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
  readonly digestsFile: string | undefined;
  /** Whether another refresh shall follow at once: what went was not looked for yet, so that what came is there sooner. */
  readonly isUnfinished: boolean;
}

export interface OpenedSource {
  /** URL or absolute directory, without credentials. */
  readonly repository: string;
  readonly remote: Remote;
  /** Its `current` file names the newest catalogue. */
  readonly catalogueDirectory: string;
  /** The newest catalogue: another one after a refresh that found a change; likewise the following. */
  readonly catalogueFile: string;
  /** Digests of its files, where the source is trusted by a public key. */
  readonly digestsFile: string | undefined;
  /** Likewise: which publication it is. */
  readonly publication: Publication | undefined;
  /** Files here that readers get in place of those of the repository, by their URL there: what the catalogue was made from. */
  readonly copies: ReadonlyMap<string, string>;
  /** For other servers that the repository names. */
  readonly credentials: CredentialLookup;
  /** Likewise: what all of them share. */
  readonly network: Pick<RemoteSettings, 'rate' | 'caFile'>;
  readonly info: CatalogueInfo;
  /** As of {@link Refreshed}, of what was opened. */
  readonly isUnfinished: boolean;
  /** What was left out of the catalogue. */
  readonly warnings: Pick<Warnings, 'count' | 'first'>;
  /** Set while the catalogue has only what was found so far: until a refresh after the walk has ended. */
  readonly growth: Growth | undefined;
  /** Why the origin could not be asked, where the catalogue of an earlier time is used. */
  readonly problem?: ButlerfsError;
  /**
   * Asks the origin whether the registry changed, and makes a new catalogue where it did. Calls at the same time share one look.
   * Rejects with `remote-*` where it does not answer; what was opened stays good then.
   */
  refresh(options: { readonly signal: AbortSignal }): Promise<Refreshed>;
  /** Calls `onChange` as soon as the origin has something new, until `signal` fires. Undefined where an origin tells nobody. */
  readonly watch?: ((onChange: () => void, signal: AbortSignal) => void) | undefined;
  /** Stops a refresh and closes the remote. Idempotent. */
  close(): Promise<void>;
}

/**
 * Milliseconds that the origin has at most to show itself at the start: a mount that can go on without it does so soon, and one that cannot says so
 * before its user gives up.
 */
const FIRST_LOOK_DEADLINE = { withCatalogue: 4_000, without: 20_000 };

/** Likewise for each look for new data: status tells soon that the origin is away. */
const POLL_DEADLINE = 10_000;

/** Milliseconds at each look after which a host that is not there, or refuses connections, is reported: at the start it may be a slip in the address. */
const UNREACHABLE = 2_000;

/** Failures of the origin that a catalogue of an earlier time bridges. */
const OFFLINE_CODES: readonly string[] = ['remote-unreachable', 'remote-timeout', 'remote-failed'];

/**
 * @param source a directory, an http(s) or ssh URL, the URL of a database that holds a catalogue, or a name of the configuration; a relative directory starts at the working directory.
 * @throws ButlerfsError `not-a-repository`, `unsupported-repository`, `corrupt-repository`, `remote-*`, `usage`, `unsupported`, `interrupted`.
 */
export async function openSource(
  source: string,
  settings: SourceSettings,
  { signal }: { readonly signal: AbortSignal },
): Promise<OpenedSource> {
  const parsed = parseSource(source, settings.configuration, process.cwd());
  const publicKey = settings.publicKey ?? configuredKey(parsed.named);
  const configured = await readCredentials(settings.configuration.credentials);
  const { repository, database } = parsed;
  if (database === undefined) return await openAt({ root: repository, parsed, publicKey, configured, settings, signal });
  if (publicKey !== undefined) {
    const why = 'what a database server says is not signed, so no public key can be asked for';
    throw new ButlerfsError('usage', {
      what: `source ${repository}`,
      why,
      advice: 'leave the key out, or mount the published repository itself',
    });
  }
  const catalogue = await openSharedOrigin(database, configured, settings.warn);
  try {
    const kept = (await new SourceStore(settings.cacheDirectory, repository).current())?.root;
    const deadline = kept === undefined ? FIRST_LOOK_DEADLINE.without : FIRST_LOOK_DEADLINE.withCatalogue;
    const root = await rootOf(catalogue, kept, { isOffline: settings.offline === true, deadline, signal });
    return await openAt({ root, parsed, publicKey, configured, settings, signal, catalogue });
  } catch (error) {
    await catalogue.catalogue.close();
    throw error;
  }
}

interface Opening {
  /** Where the files are. */
  readonly root: string;
  readonly parsed: ParsedSource;
  readonly publicKey: string | undefined;
  readonly configured: Awaited<ReturnType<typeof readCredentials>>;
  readonly settings: SourceSettings;
  readonly signal: AbortSignal;
  /** The source closes it. */
  readonly catalogue?: SharedOrigin;
}

async function openAt({ root, parsed, publicKey, configured, settings, signal, catalogue }: Opening): Promise<OpenedSource> {
  const { repository, isDirectory } = parsed;
  const { deadline, idleTimeout, warn, cacheDirectory } = settings;
  const credentials = loadCredentials({ configured, warn });
  const mirrors = settings.mirrors ?? configuredMirrors(parsed);
  const network = networkOf(settings);
  const open = (within: number | undefined, unreachable?: number): Remote =>
    openRemote(root, { ...network, mirrors, credentials, deadline: within, idleTimeout, unreachable });
  const remote = open(deadline);
  try {
    const name = isDirectory || catalogue !== undefined ? repository : remote.url;
    const store = new SourceStore(cacheDirectory, name, publicKey);
    await store.create();
    const hasCatalogue = (await store.current()) !== undefined;
    const patience = hasCatalogue ? FIRST_LOOK_DEADLINE.withCatalogue : FIRST_LOOK_DEADLINE.without;
    const look = open(Math.min(patience, deadline ?? patience), UNREACHABLE);
    const directory = isDirectory ? repository : undefined;
    const poll = open(Math.min(POLL_DEADLINE, deadline ?? POLL_DEADLINE), UNREACHABLE);
    const templateFile = parsed.named?.templates;
    const onProgress = settings.onProgress ?? (() => undefined);
    const { thorough, lazy, onWarning } = settings;
    const warnings = new Warnings(onWarning);
    const userDefinitions = followDefinitions(settings.configuration, parsed);
    const origin = { remote, directory, catalogue, templateFile, userDefinitions };
    const parts = { ...origin, poll, store, publicKey, thorough, lazy, onProgress, warnings };
    try {
      return new Source(
        parts,
        { credentials, network },
        await (settings.offline === true ? withoutLook(parts, signal) : firstLook(parts, look, signal)),
      );
    } finally {
      await look.close();
    }
  } catch (error) {
    await remote.close();
    throw error;
  }
}

/** What all remotes of a source share. */
function networkOf({ rateLimit, caFile, configuration }: SourceSettings): OpenedSource['network'] {
  return {
    rate: rateLimit == null ? undefined : new RateLimiter(rateLimit),
    caFile: caFile ?? configuration.defaults['ca-file'],
  };
}

/** The newest version; where the origin does not answer, the one there is, with the reason. */
async function firstLook(
  parts: SourceParts,
  look: Remote,
  signal: AbortSignal,
): Promise<OpenVersion & { readonly problem?: ButlerfsError }> {
  try {
    return await newestVersion(parts, look, signal);
  } catch (error) {
    const problem = asButlerfsError(error);
    const kept = OFFLINE_CODES.includes(problem.code) ? await keptVersion(parts, signal) : undefined;
    if (kept === undefined) throw error;
    return { ...kept, problem };
  }
}

/** The version there is. Throws `offline` where there is none. */
async function withoutLook(parts: SourceParts, signal: AbortSignal): Promise<OpenVersion> {
  const kept = await keptVersion(parts, signal);
  if (kept !== undefined) return kept;
  throw new ButlerfsError('offline', {
    what: `the catalogue of ${displayName(parts)}`,
    why: 'it is not here, and nothing may be asked for it',
    advice: `once, while online: butlerfs index ${displayName(parts)}`,
  });
}

async function newestVersion(parts: SourceParts, look: Remote, signal: AbortSignal, known?: OpenVersion): Promise<OpenVersion> {
  const { publicKey } = parts;
  if (publicKey === undefined) return await bringUpToDate(parts, look, signal, known);
  return await bringPublishedUpToDate(parts, publicKey, look, signal, known);
}

async function keptVersion(parts: SourceParts, signal: AbortSignal): Promise<OpenVersion | undefined> {
  const { publicKey } = parts;
  return publicKey === undefined ? await openCurrent(parts) : await openPublished(parts, publicKey, signal);
}

class Source implements OpenedSource {
  readonly problem?: ButlerfsError;
  readonly credentials: CredentialLookup;
  readonly network: OpenedSource['network'];
  readonly #parts: SourceParts;
  readonly #closing = new AbortController();
  #opened: OpenVersion;
  #refreshing: Promise<Refreshed> | undefined;
  #copies: { readonly of: SourceVersion; readonly files: ReadonlyMap<string, string> } | undefined;

  constructor(
    parts: SourceParts,
    { credentials, network }: Pick<OpenedSource, 'credentials' | 'network'>,
    { problem, ...opened }: OpenVersion & { readonly problem?: ButlerfsError },
  ) {
    this.#parts = parts;
    this.credentials = credentials;
    this.network = network;
    this.#opened = opened;
    if (problem !== undefined) this.problem = problem;
  }

  get repository(): string {
    return displayName(this.#parts);
  }

  get warnings(): Warnings {
    return this.#parts.warnings;
  }

  get growth(): Growth | undefined {
    return this.#opened.growth;
  }

  get watch(): OpenedSource['watch'] {
    const { growth, isOutdated } = this.#opened;
    if (growth !== undefined) return (onChange) => growth.watch(onChange);
    if (isOutdated === true) return (onChange) => onChange();
    const catalogue = this.#parts.catalogue?.catalogue;
    if (catalogue?.isTold !== true) return undefined;
    return (onChange, signal) => catalogue.watch(onChange, { interval: POLL_DEADLINE, signal });
  }

  get remote(): Remote {
    return this.#parts.remote;
  }

  get catalogueDirectory(): string {
    return this.#parts.store.directory;
  }

  get copies(): ReadonlyMap<string, string> {
    const { version } = this.#opened;
    if (this.#copies?.of !== version) {
      const entries = Object.entries(version.copies).map(
        ([location, file]) => [this.remote.urlOf(parseRemotePath(location)), file] as const,
      );
      this.#copies = { of: version, files: new Map(entries) };
    }
    return this.#copies.files;
  }

  get info(): CatalogueInfo {
    return this.#opened.info;
  }

  get isUnfinished(): boolean {
    return this.#opened.version.isUnfinished === true;
  }

  get catalogueFile(): string {
    return this.#parts.store.catalogueOf(this.#opened.version);
  }

  get digestsFile(): string | undefined {
    return this.#parts.publicKey === undefined ? undefined : this.#files.digests;
  }

  get publication(): Publication | undefined {
    return this.#opened.publication;
  }

  get #files() {
    return this.#parts.store.filesOf(this.#opened.version.version);
  }

  async refresh({ signal }: { readonly signal: AbortSignal }): Promise<Refreshed> {
    this.#refreshing ??= this.#refresh(signal).finally(() => (this.#refreshing = undefined));
    return await this.#refreshing;
  }

  async #refresh(signal: AbortSignal): Promise<Refreshed> {
    const { growth, version } = this.#opened;
    if (growth !== undefined) return await this.#refreshGrowing(growth);
    const before = version.version;
    const linked = linkSignals(signal, this.#closing.signal);
    try {
      this.#opened = await newestVersion(this.#parts, this.#parts.poll, linked.signal, this.#opened);
    } finally {
      linked.unlink();
    }
    const { info, catalogueFile, digestsFile, isUnfinished } = this;
    return { changed: this.#opened.version.version !== before, info, catalogueFile, digestsFile, isUnfinished };
  }

  /** The walk asks the origin all the time. */
  async #refreshGrowing(growth: Growth): Promise<Refreshed> {
    const { finished, state } = growth;
    if (finished !== undefined) {
      this.#opened = finished;
      await growth.close();
    } else if (state.problem !== undefined) throw state.problem;
    const { info, catalogueFile, digestsFile, isUnfinished } = this;
    return { changed: finished !== undefined, info, catalogueFile, digestsFile, isUnfinished };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#refreshing?.catch(() => undefined);
    await this.#opened.growth?.close();
    const { remote, poll, catalogue } = this.#parts;
    await Promise.all([remote.close(), poll.close(), catalogue?.catalogue.close()]);
  }
}
