/** The cache: what is here is served, what is not is fetched once for all who want it. */

import { interrupted } from '../common/deadline.js';
import { asButlerfsError, type ButlerfsError } from '../common/errors.js';
import { Archives } from './archives.js';
import type {
  CacheStatistics,
  ChunkDigestLookup,
  Digest,
  ObjectCache,
  ObjectReader,
  ObjectRequest,
  OpenObject,
  OriginOpener,
  PartialContent,
  WholeContent,
} from './contract.js';
import { ChunkRoom } from './chunk-room.js';
import { diskError } from './errors.js';
import { Evictor } from './evict.js';
import { fetchObject, type FetchObserver, type Source } from './fetch.js';
import { FitsParts } from './fits/parts.js';
import { Flights } from './flights.js';
import { Health } from './health.js';
import { prepareLayout, type Layout } from './layout.js';
import { Leases } from './leases.js';
import { MemoryContents } from './memory.js';
import { LargeObjects } from './partial/large-objects.js';
import { readPin } from './pins.js';
import { openReader } from './reader.js';
import { quarantinedIn } from './quarantine.js';
import { checkRequest, keyOf, nameOf } from './requests.js';
import { describeDamage } from './scrub.js';
import { ScrubSchedule } from './scrub-schedule.js';
import { removeAbandoned } from './temporary.js';
import { Unsynced } from './unsynced.js';
import { verifyingOpener } from './verified-origin.js';

export interface CacheLogger {
  info(message: string): void;
  warn(message: string): void;
}

export interface CacheSettings {
  /** Absolute path; made where it is missing, readable for its owner only. */
  readonly directory: string;
  /** Bytes of content to keep, about: an object in use stays whatever the limit. */
  readonly limit: number;
  /** Bytes that stay free on its disk: the cache shrinks for them, and does not grow into them. Default: 5 % of the disk, at most 10 GiB. */
  readonly floor?: number | undefined;
  /** Name of the mount, which marks what it brings here. */
  readonly mount?: string | undefined;
  /** Bytes that the mount of that name may bring; what it used longest ago makes room for more. */
  readonly quota?: number | undefined;
  /** Milliseconds in which each object is read again and checked, in the background; 0 or absent: never. */
  readonly scrub?: number | undefined;
  /** Hears of objects that were damaged on the disk and were set aside: nothing of them may be shown any more. */
  readonly onDamaged?: ((digest: Digest) => void) | undefined;
  /** `fetch`: content is checked when it is fetched; `open`: also at every open. */
  readonly verify: 'fetch' | 'open';
  readonly openOrigin: OriginOpener;
  readonly logger?: CacheLogger | undefined;
  /** Bytes up to which content is brought here whole, and checked, before its first byte is served; default {@link DEFAULT_WHOLE_SIZE}. */
  readonly wholeSize?: number | undefined;
  /**
   * Digests of chunks, where a signed manifest publishes them. Then nothing is served that was not checked first: what has no such digests is brought here
   * whole, and parts of it are not to be had.
   */
  readonly chunkDigests?: ChunkDigestLookup | undefined;
  /** Hears of content that is open by chunk and turned out to be wrong: nothing of it may be shown any more. */
  readonly onBroken?: ((id: number, error: ButlerfsError) => void) | undefined;
  /** Milliseconds for which an object that {@link ObjectCache.ensure} brought is kept from eviction, to be opened; default 5000. */
  readonly lease?: number | undefined;
}

export const DEFAULT_WHOLE_SIZE = 64 * 2 ** 20;

/** Opens the cache in constant time: what it holds is counted in the background. Throws `cache-failed` or `cache-full`. */
export function openCache(settings: CacheSettings): ObjectCache {
  const layout = prepareLayout(settings.directory);
  const abandoned = removeAbandoned(layout);
  if (abandoned > 0) settings.logger?.info(`${settings.directory}: removed ${abandoned} unfinished files that dead processes left`);
  return new DiskCache(layout, settings);
}

class DiskCache implements ObjectCache {
  readonly #layout: Layout;
  readonly #settings: CacheSettings;
  readonly #reader: ObjectReader;
  /** Does not hash: for what this cache has just checked. */
  readonly #quickReader: ObjectReader;
  readonly #flights = new Flights();
  readonly #evictor: Evictor;
  readonly #health: Health;
  readonly #memory: MemoryContents;
  readonly #scrub: ScrubSchedule | undefined;
  readonly #leases: Leases;
  readonly #unsynced: Unsynced;
  readonly #observer: FetchObserver;
  readonly #large: LargeObjects;
  readonly #parts: FitsParts;
  readonly #archives: Archives;
  #closed = false;
  #fetches = 0;
  #fetchedBytes = 0;
  #hits = 0;
  #wrongDigest = 0;
  #wrongSize = 0;
  #failures = 0;
  #misses = 0;

  constructor(layout: Layout, settings: CacheSettings) {
    this.#layout = layout;
    this.#settings = settings;
    this.#reader = openReader({ directory: settings.directory, verify: settings.verify });
    this.#quickReader = openReader({ directory: settings.directory, verify: 'fetch' });
    const { limit, floor, mount, quota, directory, logger } = settings;
    this.#evictor = new Evictor(layout, {
      limit,
      floor,
      quota: mount === undefined || quota === undefined ? undefined : { mount, bytes: quota },
      onError: (error) => {
        if (!this.#closed) logger?.warn(`evicting in ${directory}: ${asButlerfsError(error).message}`);
      },
    });
    this.#health = new Health({
      layout,
      hasRoom: () => this.#evictor.hasSpace(0),
      warn: (message) => logger?.warn(message),
      info: (message) => logger?.info(message),
    });
    this.#leases = new Leases(this.#quickReader, settings.lease ?? 5000, () => {
      if (this.#evictor.totals.bytes > settings.limit) this.#evictor.schedule();
    });
    this.#unsynced = new Unsynced(layout, { onLost: (error) => this.#lost(error) });
    this.#observer = this.#observe();
    this.#memory = new MemoryContents(layout, this.#observer);
    this.#large = this.#openLarge();
    this.#parts = new FitsParts({
      openOrigin: settings.chunkDigests === undefined ? settings.openOrigin : verifyingOpener(settings.openOrigin, settings.chunkDigests),
      ensure: (request, signal, fresh) => this.#ensure(request, signal, fresh),
      openIfPresent: (request) => this.#reader.openIfPresent(request),
      close: (object) => this.#reader.close(object),
      readPin: (request) => readPin(layout, request),
    });
    this.#archives = new Archives({
      layout,
      chunkDigests: settings.chunkDigests,
      reader: this.#quickReader,
      ensure: (request, signal, fresh) => this.#ensure(request, signal, fresh),
    });
    this.#evictor.schedule();
    if ((settings.scrub ?? 0) > 0) this.#scrub = this.#scheduleScrub(settings.scrub!);
  }

  openIfPresent(request: ObjectRequest): OpenObject | undefined {
    const object = this.#reader.openIfPresent(request);
    if (object !== undefined) this.#hits++;
    return object;
  }

  isPresent(request: ObjectRequest): boolean {
    return this.#reader.isPresent(request);
  }

  openPartial(content: Pick<PartialContent, 'path'>): Pick<OpenObject, 'fd'> | undefined {
    return this.#reader.openPartial(content);
  }

  pinnedSize(request: ObjectRequest): number | undefined {
    return this.#reader.pinnedSize(request);
  }

  close(): Promise<void>;
  close(object: Pick<OpenObject, 'fd'>): void;
  close(object?: Pick<OpenObject, 'fd'>): Promise<void> | void {
    if (object === undefined) return this.#shut();
    this.#reader.close(object);
  }

  async ensure(request: ObjectRequest, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkRequest(request);
    if (this.#isPastDisk(request)) throw this.#health.problem!;
    await this.#ensure(request, signal);
  }

  async openContent(
    request: ObjectRequest,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<WholeContent | PartialContent> {
    checkRequest(request);
    if (request.part === undefined && !this.#reader.isPresent(request)) {
      const partial = await this.#large.open(request, this.#reader.pinnedSize(request), signal);
      if (partial !== undefined) return partial;
    }
    return (await this.#ensureOnDisk(request, signal)) ?? (await this.#openInMemory(request, signal));
  }

  readPartial(
    id: number,
    offset: number,
    length: number,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array | undefined> {
    if (this.#memory.has(id)) return Promise.resolve(this.#memory.read(id, offset, length));
    return this.#large.read(id, offset, length, signal);
  }

  advance(id: number, chunk: number): void {
    if (!this.#memory.has(id)) this.#large.advance(id, chunk);
  }

  closePartial(id: number): void {
    if (this.#memory.has(id)) this.#memory.closeOne(id);
    else this.#large.closeOne(id);
  }

  async partSize(request: ObjectRequest, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<number> {
    checkRequest(request);
    const pinned = this.#reader.pinnedSize(request);
    if (pinned !== undefined) return pinned;
    return await this.#parts.size(request, request.part!, signal ?? new AbortController().signal);
  }

  statistics(): CacheStatistics {
    return {
      directory: this.#settings.directory,
      ...this.#evictor.totals,
      ...this.#evictor.space,
      quota: this.#settings.quota ?? null,
      misses: this.#misses,
      quarantined: quarantinedIn(this.#layout),
      scrub: this.#scrub?.status ?? null,
      degraded: this.#health.problem?.message ?? null,
      limit: this.#settings.limit,
      fetches: this.#fetches,
      fetchedBytes: this.#fetchedBytes,
      hits: this.#hits,
      wrongDigest: this.#wrongDigest,
      wrongSize: this.#wrongSize,
      failures: this.#failures,
      inFlight: this.#flights.size,
    };
  }

  evict(limit = this.#settings.limit): Promise<number> {
    this.#leases.releaseAll();
    return this.#evictor.evictTo(limit);
  }

  async #shut(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#flights.close(), this.#large.close(), this.#memory.close(), this.#evictor.close(), this.#scrub?.close()]);
    this.#health.close();
    this.#leases.releaseAll();
    await this.#unsynced.close();
  }

  /** The disk failed to take what was published, which is gone. */
  #lost(error: unknown): void {
    void this.#health.failed(diskError(error, 'syncing objects', this.#layout.directory));
    this.#evictor.schedule();
  }

  async #ensure(request: ObjectRequest, signal: AbortSignal | undefined, fresh = false): Promise<void> {
    const name = nameOf(request);
    if (this.#closed) throw interrupted(`fetching ${name}`, new Error('the cache was closed'));
    // A look, before an attempt that fails expensively.
    const present = this.#reader.isPresent(request) ? this.#reader.openIfPresent(request) : undefined;
    if (present === undefined) {
      this.#misses++;
      await this.#flights.join(keyOf(request), `fetching ${name}`, signal, (leader) => this.#fetch(request, leader, fresh));
    } else {
      this.#reader.close(present);
    }
    this.#leases.hold(request);
  }

  async #fetch(request: ObjectRequest, signal: AbortSignal, fresh: boolean): Promise<void> {
    const source = this.#source(request);
    try {
      await fetchObject(this.#layout, request, source, this.#observer, signal, fresh);
    } catch (error) {
      if (!signal.aborted) this.#failures++;
      throw error;
    }
  }

  #source(request: ObjectRequest): Source {
    if (request.part !== undefined) return this.#parts.source(request, request.part);
    return request.member === undefined ? this.#originSource(request) : this.#archives.source(request, request.member);
  }

  /** Whether it is known beforehand that the disk will not take the content, which is not there either. */
  #isPastDisk(request: ObjectRequest): boolean {
    const isFull = this.#health.problem?.code === 'cache-full' && !this.#evictor.hasSpace(request.size ?? 1);
    return (isFull || !this.#health.isUsable) && !this.#reader.isPresent(request);
  }

  /** Brings content to the disk; undefined where the disk does not take it. */
  async #ensureOnDisk(request: ObjectRequest, signal: AbortSignal | undefined): Promise<WholeContent | undefined> {
    if (this.#isPastDisk(request)) return undefined;
    for (;;) {
      try {
        await this.#ensure(request, signal);
        return { kind: 'whole' };
      } catch (error) {
        const failure = asButlerfsError(error);
        if (failure.code !== 'cache-full' && failure.code !== 'cache-failed') throw error;
        if (!this.#health.failed(failure)) return undefined;
      }
    }
  }

  /** Past a disk that takes nothing: the content is checked as ever, and kept in memory while it is open. */
  async #openInMemory(request: ObjectRequest, signal: AbortSignal | undefined): Promise<PartialContent> {
    return await this.#memory.open(keyOf(request), request, this.#source(request), signal);
  }

  #originSource(request: ObjectRequest): Source {
    return {
      name: request.origin,
      open: async (fresh, signal) => {
        const { stat, bytes } = await this.#settings.openOrigin(request.origin).open({ fresh, signal });
        return { size: stat.size, validator: stat.validator, bytes };
      },
    };
  }

  #scheduleScrub(period: number): ScrubSchedule {
    const { logger, directory, onDamaged } = this.#settings;
    return new ScrubSchedule({
      layout: this.#layout,
      period,
      onDamaged: (damaged) => {
        logger?.warn(describeDamage(damaged));
        onDamaged?.(damaged.digest);
      },
      onError: (error) => logger?.warn(`scrubbing ${directory}: ${asButlerfsError(error).message}`),
    });
  }

  #openLarge(): LargeObjects {
    const { openOrigin, chunkDigests, wholeSize = DEFAULT_WHOLE_SIZE, onBroken, mount, limit } = this.#settings;
    const room = new ChunkRoom(this.#evictor, limit, () => this.#leases.releaseAll());
    return new LargeObjects({
      layout: this.#layout,
      openOrigin,
      chunkDigests,
      wholeSize,
      mount,
      observer: {
        received: (bytes) => (this.#fetchedBytes += bytes),
        room: (bytes) => room.ask(bytes),
        tookRoom: (bytes, isStored) => room.took(bytes, isStored),
        naming: () => this.#unsynced.begin(),
        completed: (path, size) => {
          this.#evictor.completed(path, size);
          this.#unsynced.published(path);
        },
        wrong: (error) => this.#observer.wrong(error),
        diskFailed: (error) => void this.#health.failed(diskError(error, 'storing parts of large files', this.#layout.directory)),
        broken: (id, error) => onBroken?.(id, error),
      },
    });
  }

  #observe(): FetchObserver {
    return {
      began: () => this.#fetches++,
      received: (bytes) => (this.#fetchedBytes += bytes),
      wrong: (error) => {
        if (error.code === 'wrong-digest') this.#wrongDigest++;
        if (error.code === 'wrong-size') this.#wrongSize++;
        this.#settings.logger?.warn(error.message);
      },
      naming: () => this.#unsynced.begin(),
      published: (path, size) => {
        this.#evictor.added(path, size);
        this.#unsynced.published(path);
      },
      mount: this.#settings.mount,
      reserve: (bytes) => this.#evictor.reserve(bytes, () => this.#leases.releaseAll()),
      makeRoom: async (bytes) => {
        this.#leases.releaseAll();
        await this.#evictor.makeRoom(bytes);
      },
    };
  }
}
