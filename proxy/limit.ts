/** At most so many open bodies at a time; the others wait their turn. */

import { interrupted, linkSignals, longLivedController, throwIfAborted } from '../common/deadline.js';
import { closingBytes } from './body.js';
import type { Remote, RemoteBody } from './contract.js';
import { delegateRemote } from './delegate.js';

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

/** `inner` with at most `bodies` open bodies. A body holds its slot until it is read to the end, fails or is left early. */
export function limitRemote(inner: Remote, bodies: number): Remote {
  const slots = new Semaphore(bodies);
  const closing = longLivedController();
  return {
    ...delegateRemote(inner),
    async open(path, options): Promise<RemoteBody> {
      const what = `reading ${inner.urlOf(path)}`;
      const { signal, unlink } = linkSignals(options?.signal, closing.signal);
      const release = await slots.acquire(signal, what).finally(unlink);
      try {
        const body = await inner.open(path, options);
        return { ...body, bytes: closingBytes(body.bytes, release) };
      } catch (error) {
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
