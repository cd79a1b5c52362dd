/** Room in the cache for chunks of large files, several of which are written at a time. */

import type { Evictor } from './evict.js';

/** The cache is emptied down to this share of its limit to make room, so that it is not due again at once. */
const LOW_WATER = 0.9;
/** The chunk map grows too, and a file system takes blocks of its own. */
const MARGIN = 65_536;
/** Milliseconds between attempts to make room in a cache that is in use from end to end. */
const INTERVAL = 1000;

export class ChunkRoom {
  readonly #evictor: Evictor;
  readonly #limit: number;
  readonly #onEvict: () => void;
  /** Bytes of chunks that are being written. */
  #promised = 0;
  #triedAt = -Infinity;

  /** `limit` in bytes; `onEvict` is called before anything goes. */
  constructor(evictor: Evictor, limit: number, onEvict: () => void) {
    this.#evictor = evictor;
    this.#limit = limit;
    this.#onEvict = onEvict;
  }

  /** Whether the cache may grow by so many bytes, after evicting where that helps. Where it may they are promised, until {@link took} is called. */
  async ask(bytes: number): Promise<boolean> {
    if (this.#promise(bytes)) return true;
    if (performance.now() - this.#triedAt < INTERVAL) return false;
    this.#triedAt = performance.now();
    this.#onEvict();
    await this.#evictor.evictTo(Math.min(this.#limit * LOW_WATER, this.#limit - bytes));
    return this.#promise(bytes);
  }

  /** The bytes are on the disk now, or are not. */
  took(bytes: number, isStored: boolean): void {
    this.#promised -= bytes;
    if (isStored) this.#evictor.grew(bytes);
  }

  #promise(bytes: number): boolean {
    if (!this.#evictor.hasRoom(bytes + this.#promised + MARGIN)) return false;
    this.#promised += bytes;
    return true;
  }
}
