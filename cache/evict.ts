/**
 * Keeps the cache within its limit, above the floor of free space, and a mount within its quota. There is no index that could be wrong: the directory is looked
 * through, oldest touch first out. What any process has open holds a shared lock and stays, and so does what is kept (`kept.ts`).
 */

import { closeSync, openSync } from 'node:fs';
import { sleep } from '../common/deadline.js';
import { Growth } from './growth.js';
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
/** Counts go stale a little each time others change the directory meanwhile: after this share of the limit it is counted again. */
const RECOUNT_SHARE = 0.1;
/** Milliseconds to wait for another process that is evicting. */
const LOCK_WAIT = 30_000;
/** Milliseconds between looks at the free space: others fill the disk, too. */
const SPACE_INTERVAL = 10_000;
/** Milliseconds until the floor is tried for again, where everything that may go has gone. */
const FRUITLESS_PAUSE = 300_000;

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
  /** Bytes that other processes added since the last count began. */
  #foreign = 0;
  /** Work on the directory, one piece after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #scheduled = false;
  #fruitlessUntil = 0;

  constructor(layout: Layout, settings: EvictorSettings) {
    this.#layout = layout;
    this.#settings = settings;
    this.#growth = new Growth(layout.growth);
    this.#room = new Room(layout.directory, settings.floor);
    this.#watch = setInterval(() => {
      if (this.#room.missing(0) > 0 && performance.now() >= this.#fruitlessUntil) this.schedule();
    }, SPACE_INTERVAL);
    this.#watch.unref();
  }

  get totals(): CacheTotals {
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
    this.#objects++;
    this.grew(size);
  }

  /** What was counted as a part of a large object is an object now. */
  completed(path: string, size: number): void {
    this.#recent.set(path, size);
    this.#objects++;
  }

  /** This process stored so many bytes, as of a part of a large object. */
  grew(size: number): void {
    this.#brought += this.#settings.quota === undefined ? 0 : size;
    const isKnown = this.#took(size);
    const isOver = this.#bytes > this.#settings.limit || this.#brought > (this.#settings.quota?.bytes ?? Infinity);
    const isStale = !isKnown || this.#changed > this.#settings.limit * RECOUNT_SHARE;
    if (isOver || isStale || this.#room.missing(0) > 0) this.schedule();
  }

  /**
   * Room for `bytes` more, above the floor; what is oldest goes for it. Rejects with `cache-full` where there is none. `onEvict` is called before anything goes.
   */
  async reserve(bytes: number, onEvict: () => void): Promise<Reservation> {
    const missing = this.#room.missing(bytes);
    if (missing > 0) {
      onEvict();
      await this.makeRoom(missing);
    }
    return this.#room.reserve(bytes);
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

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Evicts what is too much by any measure. The directory has just been counted. */
  async #tidy(): Promise<void> {
    const { limit, quota } = this.#settings;
    const isTight = (): boolean => this.#room.missing(0) > 0;
    if (quota !== undefined && this.#brought > quota.bytes) {
      const covers = ({ path }: Stored): boolean => mountMark(path) === quota.mount;
      await this.#evict(() => ({ excess: this.#brought - quota.bytes * LOW_WATER, covers }), false);
    }
    if (this.#bytes > limit) await this.#evict(() => ({ excess: this.#bytes - limit * LOW_WATER, covers: everything }), false);
    if (isTight()) {
      await this.#evict(() => ({ excess: this.#room.missing(0, HIGH_GROUND), covers: everything }), false);
      this.#fruitlessUntil = isTight() ? performance.now() + FRUITLESS_PAUSE : 0;
    }
  }

  /** Takes in what this process did just now, and what others did since; returns false where a part of the latter was missed. */
  #took(own: number): boolean {
    const grown = this.#growth.append(own) ? this.#growth.read() : own;
    this.#bytes += grown ?? own;
    this.#changed += Math.abs(grown ?? own);
    this.#foreign += (grown ?? own) - own;
    return grown !== undefined;
  }

  async #count(): Promise<void> {
    this.#recent = new Map();
    this.#changed = 0;
    this.#foreign = 0;
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
    bytes += this.#foreign + (this.#growth.read() ?? 0);
    [this.#objects, this.#bytes, this.#brought, this.#kept] = [objects, bytes, brought, kept];
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
    this.#objects--;
    this.#brought -= isOwn ? size : 0;
    this.#recent.delete(path);
    this.#took(-size);
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
