/** At most so many open bodies at a time; the others wait their turn, for as long as those before them get on. */

import { interrupted, linkSignals, longLivedController, throwIfAborted } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes, discard } from './body.js';
import type { Remote, RemoteBody } from './contract.js';
import { delegateRemote } from './delegate.js';
import { isRetryable } from './errors.js';

/** A number of slots, given out in the order asked for. */
export class Semaphore {
  #free: number;
  readonly #waiting: Set<() => void> = new Set();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Resolves, when a slot is free, to the function that gives it back (idempotent). Rejects with `interrupted`. */
  acquire(signal: AbortSignal | undefined, what: string): Promise<() => void> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal, what);
      const take = (): void => {
        signal?.removeEventListener('abort', onAbort);
        let held = true;
        resolve(() => {
          if (held) this.#release();
          held = false;
        });
      };
      const onAbort = (): void => {
        this.#waiting.delete(take);
        reject(interrupted(what, signal?.reason));
      };
      if (this.#free > 0) {
        this.#free--;
        take();
        return;
      }
      this.#waiting.add(take);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #release(): void {
    const next = this.#waiting.values().next();
    if (next.done === true) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next.value);
    next.value();
  }
}

/**
 * `inner` with at most `bodies` open bodies. A body holds its slot until it is read to the end, fails or is left early. Who waits for a slot fails with
 * `remote-timeout` where the remote has given neither an answer nor a byte for `deadline` milliseconds: waiting in line for an origin that stands still is waiting for
 * it, too.
 */
export function limitRemote(inner: Remote, bodies: number, deadline: number): Remote {
  const slots = new Semaphore(bodies);
  const closing = longLivedController();
  let progressAt = -Infinity;
  const turn = async (what: string, given: AbortSignal | undefined): Promise<() => void> => {
    const control = linkSignals(given, closing.signal);
    const since = performance.now();
    let late: ButlerfsError | undefined;
    const look = (): void => {
      const left = Math.max(since, progressAt) + deadline - performance.now();
      if (left > 0) {
        timer = setTimeout(look, left);
        return;
      }
      const why = `waiting for its turn: the ${bodies} transfers before it have brought nothing for ${deadline / 1000} s`;
      late = new ButlerfsError('remote-timeout', { what, why });
      control.abort(late);
    };
    let timer = setTimeout(look, deadline);
    try {
      return await slots.acquire(control.signal, what);
    } catch (error) {
      throw late ?? error;
    } finally {
      clearTimeout(timer);
      control.unlink();
    }
  };
  return {
    ...delegateRemote(inner),
    async open(path, options): Promise<RemoteBody> {
      const release = await turn(`reading ${inner.urlOf(path)}`, options?.signal);
      try {
        const body = await inner.open(path, options);
        progressAt = performance.now();
        const noted = noting(body.bytes, () => (progressAt = performance.now()));
        const end = async (): Promise<void> => {
          release();
          // Where it is left before its first chunk, nothing else lets go of the body.
          await discard(body.bytes);
        };
        return { ...body, bytes: closingBytes(noted, end) };
      } catch (error) {
        // An answer is progress, whatever it says.
        if (error instanceof ButlerfsError && !isRetryable(error)) progressAt = performance.now();
        release();
        throw error;
      }
    },
    async close() {
      closing.abort();
      await inner.close();
    },
  };
}

async function* noting(bytes: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    onBytes();
    yield chunk;
  }
}
