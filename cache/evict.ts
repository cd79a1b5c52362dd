/**
 * Keeps the cache within its limit, above the floor of free space, and a mount within its quota. There is no index that could be wrong: the directory is looked
 * through, oldest touch first out. What any process has open holds a shared lock and stays, and so does what is kept (`kept.ts`).
 */

import { closeSync, openSync } from 'node:fs';
import { sleep } from '../common/deadline.js';
import { Growth, type Grown } from './growth.js';
import { readKept } from './kept.js';
import type { Layout } from './layout.js';
import { lockExclusive } from './locks.js';
import { mountMark } from './marks.js';
import { Room, type Reservation } from './room.js';
import { removeStored, scanStored, type Stored } from './scan.js';

/** An eviction goes this far below the limit, so that the next is not due at once. */
const LOW_WATER = 0.9;
/** Likewise above the floor. */
const HIGH_GROUND = 1.05;
/** Beyond this share of the limit fetches wait for evictions. */
const HIGH_WATER = 1.1;
/** Counts go stale a little each time others change the directory meanwhile: after this share of the limit it is counted again. */
const RECOUNT_SHARE = 0.1;
/** Milliseconds to wait for another process that is evicting. */
const LOCK_WAIT = 30_000;
/** Milliseconds between looks at the free space: others fill the disk, too. */
const SPACE_INTERVAL = 10_000;
/** Milliseconds until the floor is tried for again, where everything that may go has gone. */
const FRUITLESS_PAUSE = 300_000;
/** Milliseconds for which fetches do not wait for evictions after one at which nothing could go. */
const FREE_PASS = 1_000;

export interface EvictorSettings {
  /** Bytes. */
  readonly limit: number;
  /** Bytes that stay free on the disk; absent: `defaultFloor` of it. */
  readonly floor?: number | undefined;
  /** Bytes of what the mount of that name brought. */
  readonly quota?: { readonly mount: string; readonly bytes: number } | undefined;
  /** Hears of failures in the background. */
  readonly onError: (error: unknown) => void;
}

export interface CacheTotals {
  readonly objects: number;
  readonly bytes: number;
  /** Objects and bytes among them that are kept. */
  readonly kept: number;
  readonly keptBytes: number;
  /** Bytes brought by the mount that has a quota; 0 without one. */
  readonly brought: number;
  readonly evictions: number;
}

/** What is to go: so many bytes of what it covers. */
interface Goal {
  readonly excess: number;
  readonly covers: (found: Stored) => boolean;
}

const nothing: Grown = { bytes: 0, objects: 0 };
const everything = (): boolean => true;

export class Evictor {
  readonly #layout: Layout;
  readonly #settings: EvictorSettings;
  readonly #closing = new AbortController();
  readonly #growth: Growth;
  readonly #room: Room;
  readonly #watch: NodeJS.Timeout;
  #objects = 0;
  #bytes = 0;
  #brought = 0;
  #kept: ReadonlyMap<string, unknown> = new Map();
  #keptTotals = { kept: 0, keptBytes: 0 };
  #evictions = 0;
  /** Sizes of what was published since the last count began: the count may or may not have come past it. */
  #recent = new Map<string, number>();
  #changed = 0;
  /** What other processes added since the last count began. */
  #foreign = { bytes: 0, objects: 0 };
  /** Work on the directory, one piece after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #scheduled = false;
  #fruitlessUntil = 0;
  /** The eviction that fetches wait for: one for all of them. */
  #relief: Promise<number> | undefined;
  /** Until then fetches do not wait for evictions: what is there is in use. */
  #freeUntil = 0;

  constructor(layout: Layout, settings: EvictorSettings) {
    this.#layout = layout;
    this.#settings = settings;
    this.#growth = new Growth(layout.growth);
    this.#room = new Room(layout.directory, settings.floor);
    this.#watch = setInterval(() => {
      if (this.#isTight()) this.schedule();
    }, SPACE_INTERVAL);
    this.#watch.unref();
  }

  get totals(): CacheTotals {
    this.#heed(this.#growth.read() ?? nothing, nothing);
    const { kept, keptBytes } = this.#keptTotals;
    return { objects: this.#objects, bytes: this.#bytes, kept, keptBytes, brought: this.#brought, evictions: this.#evictions };
  }

  /** Bytes free on the disk, and those that stay free; null where the disk does not answer. */
  get space(): { readonly free: number | null; readonly floor: number | null } {
    return { free: this.#room.free ?? null, floor: this.#room.floor ?? null };
  }

  /** Counts in the background, and evicts where there is too much. */
  schedule(): void {
    if (this.#scheduled || this.#closing.signal.aborted) return;
    this.#scheduled = true;
    this.#queue(async () => {
      this.#scheduled = false;
      await this.#count();
      await this.#tidy();
    }).catch(this.#settings.onError);
  }

  /** An object was published by this process. */
  added(path: string, size: number): void {
    this.#recent.set(path, size);
    this.#added({ bytes: size, objects: 1 });
  }

  /** What was counted as a part of a large object is an object now. */
  completed(path: string, size: number): void {
    this.#recent.set(path, size);
  }

  /** This process stored so many bytes, as of a part of a large object. */
  grew(size: number): void {
    this.#added({ bytes: size, objects: 0 });
  }

  #added(own: Grown): void {
    this.#brought += this.#settings.quota === undefined ? 0 : own.bytes;
    const isKnown = this.#took(own);
    const isOver = this.#bytes > this.#settings.limit || this.#brought > (this.#settings.quota?.bytes ?? Infinity);
    const isStale = !isKnown || this.#changed > this.#settings.limit * RECOUNT_SHARE;
    if (isOver || isStale || this.#isTight()) this.schedule();
  }

  /**
   * Room for `bytes` more, above the floor; what is oldest goes for it. Rejects with `cache-full` where there is none. `onEvict` is called before anything goes.
   */
  async reserve(bytes: number, onEvict: () => void): Promise<Reservation> {
    await this.#holdBack(bytes);
    const missing = this.#room.missing(bytes);
    if (missing > 0 && performance.now() >= this.#fruitlessUntil) {
      onEvict();
      await this.makeRoom(missing);
      if (this.#room.missing(bytes) > 0) this.#fruitlessUntil = performance.now() + SPACE_INTERVAL;
    }
    return this.#room.reserve(bytes);
  }

  /** Where fetches are quicker than evictions, they wait for them; but not for what cannot go. */
  async #holdBack(bytes: number): Promise<void> {
    const isOver = (): boolean => this.#bytes + bytes > this.#settings.limit * HIGH_WATER;
    if (!isOver() || performance.now() < this.#freeUntil) return;
    // Also where another process evicts just now: what it leaves is looked at afterwards.
    this.#relief ??= this.#relieve().finally(() => (this.#relief = undefined));
    const evicted = await this.#relief;
    if (isOver() && evicted === 0) this.#freeUntil = performance.now() + FREE_PASS;
  }

  async #relieve(): Promise<number> {
    try {
      return await this.evictTo(this.#settings.limit * LOW_WATER);
    } catch (error) {
      this.#settings.onError(error);
      return 0;
    }
  }

  /** Whether `bytes` more stay within the limit and leave the floor. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#settings.limit && this.hasSpace(bytes);
  }

  /** Whether `bytes` more leave the floor. */
  hasSpace(bytes: number): boolean {
    return this.#room.missing(bytes) <= 0;
  }

  /** Evicts until at most `target` bytes are left or nothing more may go; returns how many objects went. */
  evictTo(target: number): Promise<number> {
    return this.#queue(() => this.#evict(() => ({ excess: this.#bytes - target, covers: everything }), true));
  }

  /** Evicts until at least `bytes` fewer are there; returns how many objects went. */
  makeRoom(bytes: number): Promise<number> {
    return this.#queue(() => this.#evict(() => ({ excess: bytes, covers: everything }), true));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#watch);
    await this.#tail;
    this.#growth.close();
  }

  /** Whether the floor is reached, and something may be done about it. */
  #isTight(): boolean {
    return performance.now() >= this.#fruitlessUntil && this.#room.missing(0) > 0;
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Evicts what is too much by any measure. The directory has just been counted. */
  async #tidy(): Promise<void> {
    const { limit, quota } = this.#settings;
    if (quota !== undefined && this.#brought > quota.bytes) {
      const covers = ({ path }: Stored): boolean => mountMark(path) === quota.mount;
      await this.#evict(() => ({ excess: this.#brought - quota.bytes * LOW_WATER, covers }), false);
    }
    if (this.#bytes > limit) await this.#evict(() => ({ excess: this.#bytes - limit * LOW_WATER, covers: everything }), true);
    if (this.#isTight()) {
      await this.#evict(() => ({ excess: this.#room.missing(0, HIGH_GROUND), covers: everything }), false);
      this.#fruitlessUntil = this.#room.missing(0) > 0 ? performance.now() + FRUITLESS_PAUSE : 0;
    }
  }

  /** Takes in what this process did just now, and what others did since; returns false where a part of the latter was missed. */
  #took(own: Grown): boolean {
    const isNoted = this.#growth.append(own);
    const grown = isNoted ? this.#growth.read() : own;
    this.#heed(grown ?? own, own);
    return grown !== undefined;
  }

  #heed(grown: Grown, own: Grown): void {
    this.#bytes += grown.bytes;
    this.#objects += grown.objects;
    this.#changed += Math.abs(grown.bytes);
    this.#foreign.bytes += grown.bytes - own.bytes;
    this.#foreign.objects += grown.objects - own.objects;
  }

  async #count(): Promise<void> {
    this.#recent = new Map();
    this.#changed = 0;
    this.#foreign = { bytes: 0, objects: 0 };
    this.#growth.read();
    const [kept, mount] = [await readKept(this.#layout), this.#settings.quota?.mount];
    let [objects, bytes, brought, keptCount, keptBytes] = [0, 0, 0, 0, 0];
    for await (const { path, size, name } of scanStored(this.#layout, this.#closing.signal)) {
      if (kept.has(name)) {
        keptCount++;
        keptBytes += size;
      }
      if (this.#recent.has(path)) continue;
      objects++;
      bytes += size;
      if (mount !== undefined && mountMark(path) === mount) brought += size;
    }
    if (this.#closing.signal.aborted) return;
    for (const size of this.#recent.values()) {
      objects++;
      bytes += size;
      if (mount !== undefined) brought += size;
    }
    this.#heed(this.#growth.read() ?? nothing, nothing);
    [this.#objects, this.#bytes] = [objects + this.#foreign.objects, bytes + this.#foreign.bytes];
    [this.#brought, this.#kept] = [brought, kept];
    this.#keptTotals = { kept: keptCount, keptBytes };
  }

  async #evict(goal: () => Goal, wait: boolean): Promise<number> {
    const lock = openSync(this.#layout.evictLock, 'a', 0o600);
    try {
      const giveUp = performance.now() + LOCK_WAIT;
      while (!lockExclusive(lock)) {
        if (!wait || performance.now() > giveUp) return 0;
        await sleep(20, this.#closing.signal, 'waiting for another process that evicts');
      }
      this.#growth.shorten();
      await this.#count();
      return await this.#evictLocked(goal());
    } finally {
      closeSync(lock);
    }
  }

  /** Looks through the directory twice, to find how old is too old and to remove what is; not a list of everything in memory. */
  async #evictLocked({ excess, covers }: Goal): Promise<number> {
    let [evicted, left] = [0, excess];
    const mayGo = (found: Stored): boolean => !this.#kept.has(found.name) && covers(found);
    for (let spared = -Infinity; left > 0 && !this.#closing.signal.aborted;) {
      const cutoff = await this.#cutoff(left, spared, mayGo);
      if (cutoff === undefined) break;
      for await (const found of scanStored(this.#layout, this.#closing.signal)) {
        if (left <= 0) break;
        if (found.touched <= spared || found.touched > cutoff || !mayGo(found)) continue;
        const isOwn = this.#settings.quota !== undefined && mountMark(found.path) === this.#settings.quota.mount;
        if (!removeStored(found)) continue;
        evicted++;
        left -= found.size;
        this.#removed(found, isOwn);
      }
      // What is left of that age is in use.
      spared = cutoff;
    }
    return evicted;
  }

  #removed({ path, size }: Stored, isOwn: boolean): void {
    this.#evictions++;
    this.#brought -= isOwn ? size : 0;
    this.#recent.delete(path);
    this.#took({ bytes: -size, objects: -1 });
  }

  /** The touch time up to which what was touched after `after` must go for `excess` bytes; undefined where there is none. */
  async #cutoff(excess: number, after: number, mayGo: (found: Stored) => boolean): Promise<number | undefined> {
    const ages: [touched: number, size: number][] = [];
    for await (const found of scanStored(this.#layout, this.#closing.signal)) {
      if (found.touched > after && mayGo(found)) ages.push([found.touched, found.size]);
    }
    ages.sort((a, b) => a[0] - b[0]);
    let sum = 0;
    for (const [touched, size] of ages) {
      sum += size;
      if (sum >= excess) return touched;
    }
    return ages.at(-1)?.[0];
  }
}
