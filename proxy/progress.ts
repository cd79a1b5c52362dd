/** Tells a transfer that moves from one that does not. */

import { ButlerfsError } from '../common/errors.js';
import { within } from '../common/deadline.js';

/** Bytes per second below which a transfer counts as standing still. */
export const MINIMUM_RATE = 1000;

/**
 * Counts bytes against time spent waiting for them. Time that the consumer takes does not count. As long as the average since the last progress
 * stays below {@link MINIMUM_RATE} there is no progress, whatever trickles in.
 */
export class ProgressMeter {
  #waited = 0;
  #bytes = 0;

  /** Milliseconds waited since the last progress. */
  get waited(): number {
    return this.#waited;
  }

  /** Takes in a chunk and the milliseconds waited for it; returns whether it was progress. */
  add(bytes: number, waited: number): boolean {
    this.#waited += waited;
    this.#bytes += bytes;
    if (bytes === 0 || this.#bytes * 1000 < MINIMUM_RATE * this.#waited) return false;
    this.#waited = 0;
    this.#bytes = 0;
    return true;
  }
}

/**
 * Passes `bytes` on, failing with `remote-timeout` when `idleTimeout` milliseconds of waiting brought no progress. `onIdle` then tears the source down,
 * which may be stuck and is not waited for.
 */
export async function* guardProgress(
  bytes: AsyncIterable<Uint8Array>,
  { idleTimeout, where, onIdle }: { readonly idleTimeout: number; readonly where: string; readonly onIdle: () => void },
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = bytes[Symbol.asyncIterator]();
  const meter = new ProgressMeter();
  let stuck = false;
  try {
    for (;;) {
      const began = performance.now();
      const next = await within(iterator.next(), idleTimeout - meter.waited, () => {
        stuck = true;
        return idleError(where, idleTimeout);
      });
      if (next.done === true) return;
      if (!meter.add(next.value.length, performance.now() - began) && meter.waited >= idleTimeout) {
        stuck = true;
        throw idleError(where, idleTimeout);
      }
      yield next.value;
    }
  } finally {
    if (stuck) onIdle();
    else await iterator.return?.();
  }
}

function idleError(where: string, idleTimeout: number): ButlerfsError {
  return new ButlerfsError('remote-timeout', {
    what: `reading ${where}`,
    why: `less than ${MINIMUM_RATE} bytes/s arrived for ${idleTimeout / 1000} s`,
  });
}
