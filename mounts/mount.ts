/**
 * A mount, put together: catalogue and search path, cache, remotes, what talks to the kernel, and the poll that takes in new data.
 *
 *     kernel <-> reader thread (tree, inodes, catalogue, cached objects)
 *                   | asks for what is not here
 *                main thread (cache <- remotes; origin poll; control socket)
 *
 * Through libfuse there is no reader thread: the tree is served on the main thread, too.
 */

import { formatDigest } from '../cache/digest.js';
import { openCache } from '../cache/store.js';
import { FetchingAhead } from '../cache/ahead.js';
import type { ObjectCache, ObjectRequest, PartialContent, WholeContent } from '../cache/contract.js';
import { abortable, interrupted, linkSignals } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import type { CatalogueInfo, DataIdValue, DataNeed } from '../registry/contract.js';
import type { Mounted, MountOptions, MountStatus } from './contract.js';
import { mountName } from './directories.js';
import type { Logger } from './log.js';
import { peakMemory, stateOf, walkStatus } from './mount-status.js';
import { OfflineSwitch } from './offline.js';
import { openOrigins, type Origins } from './open-origins.js';
import { advisingToPublish, PublishedContents } from './publication/published-contents.js';
import { raiseReadahead } from './readahead.js';
import type { OpenedSource } from './source.js';
import { chooseHost, type OpenHost } from './choose-host.js';
import type { CatalogueFiles, TreeHost, TreeSettings } from './tree-host.js';
import { treeSettingsOf } from './tree-settings.js';

/** Errors that `status` remembers. */
const ERRORS_KEPT = 20;
/** Milliseconds for which damaged objects are collected: looking for their files costs. */
const DAMAGE_PAUSE = 200;

/** Who hears of what. */
export interface MountTelling {
  readonly log: Logger;
  readonly logFile: string | null;
  /** Told of what the user must know though the mount goes on. */
  readonly remark: (line: string) => void;
}

/**
 * Mounts and serves until unmounted. The caller keeps `opened` open until {@link Mounted.ended} and closes it.
 * Rejects, with nothing left mounted, where the search path does not resolve, the cache cannot be used, or the mount fails; `unsupported` where the transport
 * cannot be used here.
 */
export async function mountRepository(
  options: MountOptions,
  opened: OpenedSource,
  { log, logFile, remark }: MountTelling,
): Promise<Mounted> {
  const openHost = await chooseHost(options.transport, remark);
  const offline = new OfflineSwitch(options.mountPoint, options.offline);
  const { credentials, network } = opened;
  const all = openOrigins(opened, { ...network, deadline: options.deadline, idleTimeout: options.idleTimeout, credentials });
  const published = opened.digestsFile === undefined ? undefined : new PublishedContents(opened.remote.url, opened.digestsFile);
  // The copy of the registry is here.
  const origins: Origins = { ...all, open: offline.gate(all.open, (origin) => opened.copies.has(origin)) };
  let mount: Mount | undefined = undefined as Mount | undefined;
  const cache = openCache({
    directory: options.cacheDirectory,
    limit: options.cacheLimit,
    floor: options.cacheFree ?? undefined,
    mount: mountName(options.mountPoint),
    quota: options.quota ?? undefined,
    scrub: options.scrub,
    onDamaged: (digest) => mount?.damagedContent([formatDigest(digest)]),
    verify: options.verify,
    wholeSize: options.wholeSize,
    onBroken: (id) => mount?.brokenContent(id),
    openOrigin: origins.open,
    chunkDigests: published?.lookup,
    logger: log,
  });
  mount = new Mount(options, opened, cache, published, origins, openHost, offline, log, logFile);
  try {
    await mount.start();
  } catch (error) {
    await mount.close();
    published?.close();
    await origins.close();
    throw error;
  }
  void mount.ended.then(async () => {
    published?.close();
    await origins.close();
  });
  return mount;
}

class Mount implements Mounted {
  readonly options: MountOptions;
  readonly ended: Promise<void>;
  readonly #opened: OpenedSource;
  readonly #cache: ObjectCache;
  readonly #published: PublishedContents | undefined;
  readonly #offline: OfflineSwitch;
  readonly #log: Logger;
  readonly #logFile: string | null;
  readonly #mountedAt = Date.now();
  readonly #errors: { at: number; path: string; message: string }[] = [];
  readonly #closing = new AbortController();
  readonly #host: TreeHost;
  readonly #ahead: FetchingAhead;
  readonly #damaged: string[] = [];
  #info: CatalogueInfo;
  #catalogueFile: string;
  #problem: ButlerfsError | undefined;
  #searchPath: readonly string[] = [];
  #defaults: Readonly<Record<string, DataIdValue>> = {};
  #polling: NodeJS.Timeout | undefined;
  #refreshing: Promise<CatalogueInfo> | undefined;
  #attached = false;
  #becomeWhole!: () => void;
  /** Resolves when the tree has a catalogue of everything, where it had none. */
  readonly #whole: Promise<void> = new Promise((resolve) => (this.#becomeWhole = resolve));
  #isTold = false;
  #isTakingIn = false;
  #unmounting: Promise<void> | undefined;

  constructor(
    options: MountOptions,
    opened: OpenedSource,
    cache: ObjectCache,
    published: PublishedContents | undefined,
    origins: Origins,
    openHost: OpenHost,
    offline: OfflineSwitch,
    log: Logger,
    logFile: string | null,
  ) {
    this.options = options;
    this.#opened = opened;
    this.#cache = cache;
    this.#published = published;
    this.#ahead = new FetchingAhead(cache);
    this.#offline = offline;
    this.#log = log;
    this.#logFile = logFile;
    this.#info = opened.info;
    this.#catalogueFile = opened.catalogueFile;
    this.#problem = opened.problem;
    this.#host = openHost(
      { ...this.treeSettings(), ...this.#unreadPart() },
      {
        open: (request, signal) => this.#checked(this.#open(request, signal)),
        readPartial: (id, offset, length, signal) => this.#checked(this.#cache.readPartial(id, offset, length, { signal })),
        advance: (id, chunk) => this.#cache.advance(id, chunk),
        closePartial: (id) => this.#cache.closePartial(id),
        expect: (requests) => this.#ahead.expect(requests),
        size: (request, signal) =>
          request.part === undefined ? sizeAtOrigin(origins, request, signal) : this.#cache.partSize(request, { signal }),
        read: (need, signal) => this.#read(need, signal),
        status: async () => `${JSON.stringify(await this.status(), null, 2)}\n`,
        onError: (path, operation, error) => {
          this.#noteError(path, operation, error);
        },
      },
    );
    this.ended = this.#host.ended.then(() => this.close());
  }

  async start(): Promise<void> {
    const { searchPath, defaults } = await this.#host.ready;
    this.#searchPath = searchPath;
    this.#defaults = defaults;
    const { mountPoint, allowOther, pollInterval } = this.options;
    await this.#host.attach({ mountPoint, name: this.#opened.repository, allowOther, pollInterval });
    this.#attached = true;
    try {
      await raiseReadahead(this.options.mountPoint);
    } catch (error) {
      await this.unmount();
      throw error;
    }
    this.#schedulePoll();
    if (this.#opened.isUnfinished) this.#lookAgain();
    this.#opened.watch?.(() => void this.#takeInToldChanges(), this.#closing.signal);
  }

  async status(): Promise<MountStatus> {
    const kernel = await this.#host.statistics();
    const cache = this.#cache.statistics();
    const { remote, growth, warnings } = this.#opened;
    const mirrors = remote.mirrors?.();
    return {
      source: this.#opened.repository,
      mountPoint: this.options.mountPoint,
      transport: this.#host.transport,
      pid: process.pid,
      mountedAt: this.#mountedAt,
      state: this.#offline.isOffline ? 'offline' : stateOf(this.#problem),
      ...(this.#problem === undefined ? {} : { problem: this.#problem.message }),
      searchPath: this.#searchPath,
      defaults: Object.fromEntries(Object.entries(this.#defaults).map(([key, value]) => [key, String(value)])),
      catalogue: this.#info,
      ...(growth === undefined ? {} : { walk: walkStatus(growth) }),
      warnings: { count: warnings.count, first: warnings.first },
      ...(this.#opened.publication === undefined ? {} : { publication: this.#opened.publication }),
      ...(mirrors === undefined ? {} : { mirrors }),
      cache: { ...cache, hits: cache.hits + kernel.cacheHits },
      kernel,
      memory: { resident: process.memoryUsage.rss(), peak: peakMemory() },
      errors: [...this.#errors],
      logFile: this.#logFile,
    };
  }

  refresh(): Promise<CatalogueInfo> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  treeSettings(): TreeSettings {
    return treeSettingsOf(this.options, this.#opened);
  }

  async setOffline(isOffline: boolean): Promise<void> {
    if (!this.#offline.set(isOffline)) return;
    this.#log.info(isOffline ? 'went offline' : 'went online');
    if (isOffline) this.#problem = undefined;
    // Whether the origin answers is for the status to say.
    else await this.refresh().catch(() => undefined);
  }

  async fetch(request: ObjectRequest, signal: AbortSignal): Promise<void> {
    await this.#cache.ensure(request, { signal });
  }

  unmount(): Promise<void> {
    this.#unmounting ??= this.#unmount();
    return this.#unmounting;
  }

  /** Frees what the mount holds, without unmounting. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#polling);
    this.#ahead.close();
    await this.#host.close();
    await this.#cache.close();
  }

  async #open(request: ObjectRequest, signal: AbortSignal): Promise<WholeContent | PartialContent> {
    const content = await this.#cache.openContent(request, { signal });
    if (!signal.aborted || content.kind === 'whole') return content;
    // Whoever asked has given up.
    this.#cache.closePartial(content.id);
    throw interrupted(`opening ${request.origin}`, signal.reason);
  }

  #checked<T>(work: Promise<T>): Promise<T> {
    return this.#published === undefined ? work : advisingToPublish(work);
  }

  /** Content that is open by chunk turned out to be wrong. */
  brokenContent(id: number): void {
    this.#host.brokenContent(id);
  }

  /** Told one by one by the scrub: the kernel hears of them together. */
  damagedContent(digests: readonly string[]): void {
    if (this.#damaged.length === 0) {
      setTimeout(() => {
        this.#host.damagedContent(this.#damaged.splice(0));
      }, DAMAGE_PAUSE).unref();
    }
    this.#damaged.push(...digests);
  }

  async #unmount(): Promise<void> {
    if (this.#attached) await this.#host.detach();
    else await this.close();
    await this.ended;
  }

  async #refresh(): Promise<CatalogueInfo> {
    const what = `looking for new data at ${this.#opened.repository}`;
    if (this.#offline.isOffline) throw this.#offline.error(what);
    const linked = linkSignals(this.#closing.signal, this.#offline.signal);
    try {
      const { changed, info, catalogueFile, digestsFile, isUnfinished } = await this.#opened.refresh({ signal: linked.signal });
      this.#problem = undefined;
      if (changed || catalogueFile !== this.#catalogueFile) {
        this.#catalogueFile = catalogueFile;
        if (digestsFile !== undefined) this.#published?.replace(digestsFile);
        await this.#takeIn({ catalogueFile, digestsFile });
        // From now on the tree shows it: whoever waits for a version asks the status.
        this.#info = info;
        this.#log.info({ version: info.version, datasets: info.datasets }, 'took in a changed catalogue');
      } else if (this.#opened.growth !== undefined) this.#host.expireUnread();
      if (isUnfinished) this.#lookAgain();
      return this.#info;
    } catch (error) {
      if (this.#offline.isOffline) throw this.#offline.error(what);
      const problem = asButlerfsError(error);
      if (!this.#closing.signal.aborted && this.#problem?.message !== problem.message)
        this.#log.warn({ problem: problem.message }, 'the origin cannot be read');
      this.#problem = problem;
      throw problem;
    } finally {
      linked.unlink();
    }
  }

  /** Why a look failed is for the status to say, and the next one tries again. */
  #lookAgain(): void {
    setTimeout(() => void this.refresh().catch(() => undefined), 0);
  }

  /** Resolves when the kernel was told. The tree is told at once. */
  #takeIn(files: Pick<CatalogueFiles, 'catalogueFile' | 'digestsFile'>): Promise<void> {
    const told = this.#host.replaceCatalogue({ ...files, ...this.#unreadPart() });
    if (this.#opened.growth === undefined) this.#becomeWhole();
    return told;
  }

  #unreadPart(): Pick<CatalogueFiles, 'unread'> {
    const { growth } = this.#opened;
    return growth === undefined ? {} : { unread: growth.unread(this.#trusted) };
  }

  /** Milliseconds for which what was read of the repository is taken for what is there. */
  get #trusted(): number {
    return this.options.pollInterval === 0 ? Number.MAX_SAFE_INTEGER : this.options.pollInterval;
  }

  /** Reads what a question needs of a repository that is not read to its end. When it resolves the tree has been told of the catalogue with it. */
  async #read(need: DataNeed, signal: AbortSignal): Promise<void> {
    const { growth } = this.#opened;
    // The catalogue of everything is on its way.
    if (growth === undefined) return await abortable(this.#whole, signal, 'taking in the catalogue of everything');
    if (this.#offline.isOffline) throw this.#offline.error('what is not catalogued yet');
    const linked = linkSignals(signal, this.#offline.signal);
    try {
      const info = await growth.read(need, { trusted: this.#trusted, deadline: this.options.deadline, signal: linked.signal });
      if (growth.finished === undefined && this.#opened.growth === growth) return this.#takeInAdditions(info);
    } catch (error) {
      if (this.#offline.isOffline) throw this.#offline.error('what is not catalogued yet');
      // What ended the wait is that there is nothing to wait for any more.
      if (growth.finished === undefined || signal.aborted) throw error;
    } finally {
      linked.unlink();
    }
    void this.#takeInToldChanges();
    await abortable(this.#whole, signal, 'taking in the catalogue of everything');
  }

  /** The kernel is not waited for: it may itself wait for the answer to the question. */
  #takeInAdditions(info: CatalogueInfo): void {
    if (info.version <= this.#info.version) return;
    this.#info = info;
    const { catalogueFile, digestsFile } = this.#opened;
    void this.#takeIn({ catalogueFile, digestsFile });
  }

  #schedulePoll(): void {
    if (this.options.pollInterval === 0 || this.#closing.signal.aborted) return;
    this.#polling = setTimeout(() => {
      this.refresh()
        .catch(() => undefined)
        .finally(() => {
          this.#schedulePoll();
        });
    }, this.options.pollInterval);
  }

  /** The origin says that it has something new: also while a look is under way, which may have begun before. */
  async #takeInToldChanges(): Promise<void> {
    this.#isTold = true;
    if (this.#isTakingIn) return;
    this.#isTakingIn = true;
    try {
      while (this.#isTold && !this.#closing.signal.aborted) {
        await this.#refreshing?.catch(() => undefined);
        this.#isTold = false;
        // Why it failed is for the status to say, and the next look tries again.
        await this.refresh().catch(() => undefined);
      }
    } finally {
      this.#isTakingIn = false;
    }
  }

  #noteError(path: string, operation: string, error: ButlerfsError): void {
    this.#log.error({ path, operation, code: error.code, cause: error.detail.cause }, error.message);
    this.#errors.push({ at: Date.now(), path, message: error.message });
    if (this.#errors.length > ERRORS_KEPT) this.#errors.shift();
  }
}

/** Bytes of an object whose size no catalogue records. A member of an archive has none before the archive was fetched. */
async function sizeAtOrigin(origins: Origins, request: ObjectRequest, signal: AbortSignal): Promise<number> {
  if (request.size !== undefined) return request.size;
  const { size } = await origins.open(request.origin).stat({ signal });
  if (size !== null && request.member === undefined) return size;
  throw new ButlerfsError('remote-failed', { what: `the size of '${request.origin}'`, why: 'neither the registry nor the origin says it' });
}
