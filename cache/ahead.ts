/** What will probably be wanted, fetched ahead: a few at a time, so that what is wanted now does not wait behind it. Failures are for the reader to meet. */

import type { ObjectCache, ObjectRequest } from './contract.js';
import { keyOf } from './requests.js';

const AT_A_TIME = 10;
/** Beyond this many the oldest are given up: whoever wanted them has gone elsewhere, or fetches them himself. */
const LONGEST = 256;

export class FetchingAhead {
  readonly #cache: Pick<ObjectCache, 'ensure' | 'isPresent'>;
  readonly #closing = new AbortController();
  /** By key, the oldest first: what is named again is wanted once. */
  readonly #queue = new Map<string, ObjectRequest>();
  #running = 0;

  constructor(cache: Pick<ObjectCache, 'ensure' | 'isPresent'>) {
    this.#cache = cache;
  }

  expect(requests: readonly ObjectRequest[]): void {
    for (const request of requests) this.#queue.set(keyOf(request), request);
    for (const key of this.#queue.keys()) {
      if (this.#queue.size <= LONGEST) break;
      this.#queue.delete(key);
    }
    while (this.#running < AT_A_TIME && this.#queue.size > 0) void this.#work();
  }

  close(): void {
    this.#queue.clear();
    this.#closing.abort();
  }

  async #work(): Promise<void> {
    this.#running++;
    for (const [key, request] of this.#queue) {
      this.#queue.delete(key);
      if (this.#cache.isPresent(request)) continue;
      await this.#cache.ensure(request, { signal: this.#closing.signal }).catch(() => undefined);
    }
    this.#running--;
  }
}
