/** Requests that wait: until they settle, their caller is interrupted, or their deadline passes. */

import type { NodeId, Outcome, Waiting } from '../contract.js';

/** What is kept of a request while it waits. */
export interface ParkedRequest {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly opcode: number;
  readonly node: NodeId;
}

interface Entry extends ParkedRequest {
  readonly waiting: Waiting<unknown>;
  /** Milliseconds of performance.now(). */
  readonly expires: number;
}

export class ParkedRequests {
  readonly #byUnique = new Map<number, Entry>();
  readonly #deadline: number;
  /** The earliest time at which one may expire. It may lie too early: then looking finds nothing. */
  #nextExpiry = Infinity;

  /** `deadline`: milliseconds for waits that have none of their own. */
  constructor(deadline: number) {
    this.#deadline = deadline;
  }

  get size(): number {
    return this.#byUnique.size;
  }

  /** Begins the wait. `settled` is called once, unless the request is taken away before. */
  park<T>(
    unique: number,
    request: ParkedRequest,
    waiting: Waiting<T>,
    settled: (request: ParkedRequest, outcome: Outcome<T>) => void,
  ): void {
    const expires = performance.now() + (waiting.deadline ?? this.#deadline);
    const entry: Entry = { ...request, waiting, expires };
    this.#byUnique.set(unique, entry);
    if (expires < this.#nextExpiry) this.#nextExpiry = expires;
    waiting.begin((outcome) => {
      if (this.#byUnique.get(unique) !== entry) return;
      this.#byUnique.delete(unique);
      settled(entry, outcome);
    });
  }

  /** Gives up the wait of a request; undefined where it does not wait (any more), or goes on in spite of signals. */
  interrupt(unique: number): ParkedRequest | undefined {
    const entry = this.#byUnique.get(unique);
    if (entry === undefined || entry.waiting.interruptible === false) return undefined;
    this.#byUnique.delete(unique);
    entry.waiting.abort();
    return entry;
  }

  /** Milliseconds until one may expire, at least 0; -1 where none can. */
  get untilExpiry(): number {
    if (this.#byUnique.size === 0) this.#nextExpiry = Infinity;
    return this.#nextExpiry === Infinity ? -1 : Math.max(0, Math.ceil(this.#nextExpiry - performance.now()));
  }

  /** Gives up the waits whose deadline has passed. */
  expire(expired: (request: ParkedRequest) => void): void {
    const now = performance.now();
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Infinity;
    const late: [number, Entry][] = [];
    for (const [unique, entry] of this.#byUnique) {
      if (entry.expires <= now) late.push([unique, entry]);
      else if (entry.expires < this.#nextExpiry) this.#nextExpiry = entry.expires;
    }
    late.sort(([, a], [, b]) => a.expires - b.expires);
    for (const [unique, entry] of late) {
      // Giving up one may have settled another.
      if (!this.#byUnique.delete(unique)) continue;
      entry.waiting.abort();
      expired(entry);
    }
  }

  /** Gives up all waits, without a word. */
  abandon(): void {
    for (const { waiting } of this.#byUnique.values()) waiting.abort();
    this.#byUnique.clear();
  }
}
