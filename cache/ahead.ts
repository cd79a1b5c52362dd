/** What will probably be wanted, fetched ahead: a few at a time, so that what is wanted now does not wait behind it. Failures are for the reader to meet. */

import type { ObjectCache, ObjectRequest } from './contract.js';

const AT_A_TIME = 6;
/** Beyond this many the oldest are given up: whoever wanted them has gone elsewhere, or fetches them himself. */
const LONGEST = 256;

export class FetchingAhead {
  readonly #cache: Pick<ObjectCache, 'ensure' | 'isPresent'>;
  readonly #closing = new AbortController();
  readonly #queue: ObjectRequest[] = [];
  #running = 0;

  constructor(cache: Pick<ObjectCache, 'ensure' | 'isPresent'>) {
    this.#cache = cache;
  }

  expect(requests: readonly ObjectRequest[]): void {
    this.#queue.push(...requests);
    this.#queue.splice(0, this.#queue.length - LONGEST);
    while (this.#running < AT_A_TIME && this.#queue.length > 0) void this.#work();
  }

  close(): void {
    this.#queue.length = 0;
    this.#closing.abort();
  }

  async #work(): Promise<void> {
    this.#running++;
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) {
      if (this.#cache.isPresent(request)) continue;
      await this.#cache.ensure(request, { signal: this.#closing.signal }).catch(() => undefined);
    }
    this.#running--;
  }
}
