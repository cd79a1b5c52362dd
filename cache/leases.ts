/** Objects held open for a moment, so that whoever was told that they are here finds them. */

import type { ObjectReader, ObjectRequest, OpenObject } from './contract.js';

/** Descriptors spent on this, at most; beyond that the oldest lease ends early. */
const MAX_LEASES = 64;

export class Leases {
  readonly #reader: ObjectReader;
  readonly #milliseconds: number;
  readonly #onEnd: () => void;
  readonly #held = new Map<OpenObject, NodeJS.Timeout>();

  /** `onEnd` hears of every lease that ran out: the object may be evicted from now on. */
  constructor(reader: ObjectReader, milliseconds: number, onEnd: () => void) {
    this.#reader = reader;
    this.#milliseconds = milliseconds;
    this.#onEnd = onEnd;
  }

  hold(request: ObjectRequest): void {
    const object = this.#reader.openIfPresent(request);
    if (object === undefined) return;
    const timer = setTimeout(() => {
      this.#release(object);
      this.#onEnd();
    }, this.#milliseconds);
    timer.unref();
    this.#held.set(object, timer);
    if (this.#held.size > MAX_LEASES) this.#release(this.#held.keys().next().value!);
  }

  releaseAll(): void {
    for (const object of this.#held.keys()) this.#release(object);
  }

  #release(object: OpenObject): void {
    clearTimeout(this.#held.get(object));
    if (this.#held.delete(object)) this.#reader.close(object);
  }
}
