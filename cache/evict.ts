/**
 * Keeps the cache within its limit. There is no index that could be wrong: the directory is looked through, oldest touch first out. An object that any
 * process has open holds a shared lock and stays.
 */

import { closeSync, fstatSync, openSync, statSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleep } from '../common/deadline.js';
import { DIGEST_ALGORITHMS } from './contract.js';
import type { Layout } from './layout.js';
import { lockExclusive } from './locks.js';

/** Objects looked at before others get a turn: about a millisecond. */
const SLICE = 256;
/** An eviction goes this far below the limit, so that the next is not due at once. */
const LOW_WATER = 0.9;
/** Other processes add to the same cache: after this share of the limit of own additions the directory is counted again. */
const RECOUNT_SHARE = 0.1;
/** Milliseconds to wait for another process that is evicting. */
const LOCK_WAIT = 30_000;

interface Found {
  readonly path: string;
  readonly size: number;
  readonly touched: number;
}

export interface CacheTotals {
  readonly objects: number;
  readonly bytes: number;
  readonly evictions: number;
}

export class Evictor {
  readonly #layout: Layout;
  readonly #limit: number;
  readonly #onError: (error: unknown) => void;
  readonly #closing = new AbortController();
  #objects = 0;
  #bytes = 0;
  #evictions = 0;
  /** Sizes of what was published since the last count began: the count may or may not have come past it. */
  #recent = new Map<string, number>();
  #recentBytes = 0;
  /** Work on the directory, one piece after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #scheduled = false;

  /** `limit` in bytes. `onError` hears of failures in the background. */
  constructor(layout: Layout, limit: number, onError: (error: unknown) => void) {
    this.#layout = layout;
    this.#limit = limit;
    this.#onError = onError;
  }

  get totals(): CacheTotals {
    return { objects: this.#objects, bytes: this.#bytes, evictions: this.#evictions };
  }

  /** Counts in the background, and evicts where there is too much. */
  schedule(): void {
    if (this.#scheduled || this.#closing.signal.aborted) return;
    this.#scheduled = true;
    this.#queue(async () => {
      this.#scheduled = false;
      await this.#count();
      if (this.#bytes > this.#limit) await this.#evict(this.#limit * LOW_WATER, false);
    }).catch(this.#onError);
  }

  /** An object was published by this process. */
  added(path: string, size: number): void {
    this.#recent.set(path, size);
    this.#objects++;
    this.#bytes += size;
    this.#recentBytes += size;
    if (this.#bytes > this.#limit || this.#recentBytes > this.#limit * RECOUNT_SHARE) this.schedule();
  }

  /** Evicts until at most `target` bytes are left or nothing more may go; returns how many objects went. */
  evictTo(target: number): Promise<number> {
    return this.#queue(() => this.#evict(target, true));
  }

  /** Evicts until at least `bytes` fewer are there; returns how many objects went. */
  makeRoom(bytes: number): Promise<number> {
    return this.#queue(async () => {
      await this.#count();
      return this.#evict(Math.max(0, this.#bytes - bytes), true);
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#tail;
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #count(): Promise<void> {
    this.#recent = new Map();
    this.#recentBytes = 0;
    let [objects, bytes] = [0, 0];
    for await (const { path, size } of this.#scan()) {
      if (this.#recent.has(path)) continue;
      objects++;
      bytes += size;
    }
    if (this.#closing.signal.aborted) return;
    for (const size of this.#recent.values()) {
      objects++;
      bytes += size;
    }
    [this.#objects, this.#bytes] = [objects, bytes];
  }

  async #evict(target: number, wait: boolean): Promise<number> {
    const lock = openSync(this.#layout.evictLock, 'a', 0o600);
    try {
      const giveUp = performance.now() + LOCK_WAIT;
      while (!lockExclusive(lock)) {
        if (!wait || performance.now() > giveUp) return 0;
        await sleep(20, this.#closing.signal, 'waiting for another process that evicts');
      }
      return await this.#evictLocked(target);
    } finally {
      closeSync(lock);
    }
  }

  /** Looks through the directory twice, to find how old is too old and to remove what is; not a list of everything in memory. */
  async #evictLocked(target: number): Promise<number> {
    let evicted = 0;
    await this.#count();
    for (let spared = -Infinity; this.#bytes > target && !this.#closing.signal.aborted;) {
      const cutoff = await this.#cutoff(this.#bytes - target, spared);
      if (cutoff === undefined) break;
      for await (const found of this.#scan()) {
        if (this.#bytes <= target) break;
        if (found.touched <= spared || found.touched > cutoff || !remove(found)) continue;
        evicted++;
        this.#evictions++;
        this.#objects--;
        this.#bytes -= found.size;
        this.#recent.delete(found.path);
      }
      // What is left of that age is in use.
      spared = cutoff;
    }
    return evicted;
  }

  /** The touch time up to which objects touched after `after` must go for `excess` bytes; undefined where there are none. */
  async #cutoff(excess: number, after: number): Promise<number | undefined> {
    const ages: [touched: number, size: number][] = [];
    for await (const { touched, size } of this.#scan()) if (touched > after) ages.push([touched, size]);
    ages.sort((a, b) => a[0] - b[0]);
    let sum = 0;
    for (const [touched, size] of ages) {
      sum += size;
      if (sum >= excess) return touched;
    }
    return ages.at(-1)?.[0];
  }

  async *#scan(): AsyncGenerator<Found, void, undefined> {
    let looked = 0;
    for (const algorithm of DIGEST_ALGORITHMS) {
      const directory = join(this.#layout.objects, algorithm);
      for (const group of await names(directory)) {
        for (const name of await names(join(directory, group))) {
          if (++looked % SLICE === 0) await nextTurn();
          if (this.#closing.signal.aborted) return;
          const path = `${directory}/${group}/${name}`;
          const info = statSync(path, { throwIfNoEntry: false });
          if (info?.isFile() === true) yield { path, size: info.size, touched: info.mtimeMs };
        }
      }
    }
  }
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** Removes the object unless it is in use, or was used or replaced since it was found. */
function remove({ path, touched }: Found): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (!lockExclusive(fd)) return false;
    const info = fstatSync(fd);
    if (info.nlink === 0 || info.mtimeMs !== touched || statSync(path).ino !== info.ino) return false;
    unlinkSync(path);
    return true;
  } catch {
    // Another went first, or the disk does not let it go: the next eviction sees it again.
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
