/** The cache: what is here is served, what is not is fetched once for all who want it. */

import { rm } from 'node:fs/promises';
import { interrupted } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { closingBytes } from '../proxy/body.js';
import type { CacheStatistics, ObjectCache, ObjectReader, ObjectRequest, OpenObject, OriginOpener } from './contract.js';
import { formatDigest, isDigest } from './digest.js';
import { Evictor } from './evict.js';
import { fetchObject, type FetchObserver, type Source, type SourceBody } from './fetch.js';
import { Flights } from './flights.js';
import { pinName, prepareLayout, type Layout } from './layout.js';
import { Leases } from './leases.js';
import { readPin } from './pins.js';
import { openReader } from './reader.js';
import { removeAbandoned } from './temporary.js';
import { openMember } from './zip.js';

export interface CacheLogger {
  info(message: string): void;
  warn(message: string): void;
}

export interface CacheSettings {
  /** Absolute path; made where it is missing, readable for its owner only. */
  readonly directory: string;
  /** Bytes of content to keep, about: an object in use stays whatever the limit. */
  readonly limit: number;
  /** `fetch`: content is checked when it is fetched; `open`: also at every open. */
  readonly verify: 'fetch' | 'open';
  readonly openOrigin: OriginOpener;
  readonly logger?: CacheLogger | undefined;
  /** Milliseconds for which an object that {@link ObjectCache.ensure} brought is kept from eviction, to be opened; default 5000. */
  readonly lease?: number | undefined;
}

/** The identity under which archives are pinned, whatever members are asked for. */
const ARCHIVE_IDENTITY = 'archive';

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
  readonly #leases: Leases;
  readonly #observer: FetchObserver;
  #closed = false;
  #fetches = 0;
  #fetchedBytes = 0;
  #hits = 0;
  #wrongDigest = 0;
  #wrongSize = 0;
  #failures = 0;

  constructor(layout: Layout, settings: CacheSettings) {
    this.#layout = layout;
    this.#settings = settings;
    this.#reader = openReader(settings);
    this.#quickReader = openReader({ directory: settings.directory, verify: 'fetch' });
    this.#evictor = new Evictor(layout, settings.limit, (error) => {
      if (!this.#closed) settings.logger?.warn(`evicting in ${settings.directory}: ${asButlerfsError(error).message}`);
    });
    this.#leases = new Leases(this.#quickReader, settings.lease ?? 5000, () => {
      if (this.#evictor.totals.bytes > settings.limit) this.#evictor.schedule();
    });
    this.#observer = this.#observe();
    this.#evictor.schedule();
  }

  openIfPresent(request: ObjectRequest): OpenObject | undefined {
    const object = this.#reader.openIfPresent(request);
    if (object !== undefined) this.#hits++;
    return object;
  }

  isPresent(request: ObjectRequest): boolean {
    return this.#reader.isPresent(request);
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
    await this.#ensure(request, signal);
  }

  statistics(): CacheStatistics {
    return {
      directory: this.#settings.directory,
      ...this.#evictor.totals,
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
    await Promise.all([this.#flights.close(), this.#evictor.close()]);
    this.#leases.releaseAll();
  }

  async #ensure(request: ObjectRequest, signal: AbortSignal | undefined, fresh = false): Promise<void> {
    const name = nameOf(request);
    if (this.#closed) throw interrupted(`fetching ${name}`, new Error('the cache was closed'));
    const present = this.#reader.openIfPresent(request);
    if (present === undefined) {
      await this.#flights.join(keyOf(request), `fetching ${name}`, signal, (leader) => this.#fetch(request, leader, fresh));
    } else {
      this.#reader.close(present);
    }
    this.#leases.hold(request);
  }

  async #fetch(request: ObjectRequest, signal: AbortSignal, fresh: boolean): Promise<void> {
    const source = request.member === undefined ? this.#originSource(request) : this.#memberSource(request, request.member);
    try {
      await fetchObject(this.#layout, request, source, this.#observer, signal, fresh);
    } catch (error) {
      if (!signal.aborted) this.#failures++;
      throw error;
    }
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

  #memberSource(request: ObjectRequest, member: string): Source {
    const archive: ObjectRequest = { origin: request.origin, identity: ARCHIVE_IDENTITY };
    return {
      name: nameOf(request),
      open: async (fresh, signal) => {
        if (fresh) await this.#forget(archive);
        await this.#ensure(archive, signal, fresh);
        try {
          return await this.#openMember(archive, member, request.size);
        } catch (error) {
          // No digest is published for archives: one that cannot be read may have been damaged on its way.
          if (fresh || !(error instanceof ButlerfsError) || error.code !== 'remote-failed') throw error;
          await this.#forget(archive);
          await this.#ensure(archive, signal, true);
          return await this.#openMember(archive, member, request.size);
        }
      },
    };
  }

  async #openMember(archive: ObjectRequest, member: string, size: number | undefined): Promise<SourceBody> {
    const object = this.#quickReader.openIfPresent(archive);
    if (object === undefined) {
      const why = 'the archive was evicted before it could be read';
      throw new ButlerfsError('cache-full', { what: archive.origin, where: this.#layout.directory, why, advice: 'make the cache larger' });
    }
    try {
      const opened = await openMember(object.fd, archive.origin, member, size);
      const bytes = closingBytes(opened.bytes, () => this.#quickReader.close(object));
      return { size: opened.size, validator: null, bytes };
    } catch (error) {
      this.#quickReader.close(object);
      throw error;
    }
  }

  /** Drops an archive that gave a wrong member, with its pin: the members' own digests and pins say what is right. */
  async #forget(archive: ObjectRequest): Promise<void> {
    const pin = await readPin(this.#layout, archive).catch(() => undefined);
    await rm(this.#layout.pin(pinName(archive)), { force: true });
    if (pin !== undefined) await rm(this.#layout.object(pin.digest), { force: true });
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
      published: (path, size) => this.#evictor.added(path, size),
      makeRoom: async (bytes) => {
        this.#leases.releaseAll();
        await this.#evictor.makeRoom(bytes);
      },
    };
  }
}

function nameOf({ origin, member }: ObjectRequest): string {
  return member === undefined ? origin : `member '${member}' of ${origin}`;
}

/** The same for requests that the same fetch can satisfy. */
function keyOf(request: ObjectRequest): string {
  const { digest, size } = request;
  return `${digest === undefined ? pinName(request) : formatDigest(digest)} ${size ?? ''}`;
}

/** A registry may hold anything; what becomes part of a path is checked. */
function checkRequest(request: ObjectRequest): void {
  const { digest, size } = request;
  if (digest !== undefined && !isDigest(digest)) {
    throw new ButlerfsError('corrupt-repository', {
      what: nameOf(request),
      why: `the registry publishes '${digest.hex.slice(0, 200)}', which is no ${digest.algorithm} digest`,
    });
  }
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw new ButlerfsError('corrupt-repository', { what: nameOf(request), why: `the registry publishes a size of ${size} bytes` });
  }
}
