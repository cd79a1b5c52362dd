/** So many bytes a second for all transfers together. */

import { interrupted, linkSignals, longLivedController, throwIfAborted } from '../common/deadline.js';
import { closingBytes } from './body.js';
import type { Remote, RemoteBody } from './contract.js';
import { delegateRemote } from './delegate.js';

/** Milliseconds whose bytes may pass at once after a pause. */
const BURST = 100;
/** Bytes that are asked for at a time: a transfer of large chunks gets no more turns than one of small ones. */
const PORTION = 64 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
}

/**
 * A token bucket: fair to those who wait (each gets a portion in its turn), and exact over any second but for a burst of a tenth of one. Shared by all remotes of a mount.
 */
export class RateLimiter {
  readonly bytesPerSecond: number;
  readonly #waiting = new Set<Waiter>();
  /** Bytes that may pass; below zero after a portion that was larger than what was left. */
  #tokens: number;
  #filledAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** `bytesPerSecond` is positive. */
  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#tokens = this.#capacity;
  }

  /** Resolves when so many bytes may pass. Rejects with `interrupted`; then they count for nobody. */
  async take(bytes: number, signal: AbortSignal | undefined, what: string): Promise<void> {
    for (let left = bytes; left > 0; left -= PORTION) await this.#takePortion(Math.min(left, PORTION), signal, what);
  }

  #takePortion(bytes: number, signal: AbortSignal | undefined, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal, what);
      const onAbort = (): void => {
        this.#waiting.delete(waiter);
        reject(interrupted(what, signal?.reason));
      };
      const waiter: Waiter = {
        bytes,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
      if (this.#timer === undefined) this.#serve();
    });
  }

  #serve(): void {
    this.#timer = undefined;
    const now = performance.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#filledAt) * this.bytesPerSecond) / 1000);
    this.#filledAt = now;
    for (const waiter of this.#waiting) {
      if (this.#tokens <= 0) break;
      this.#tokens -= waiter.bytes;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => this.#serve(), Math.max(1, (-this.#tokens * 1000) / this.bytesPerSecond));
  }

  get #capacity(): number {
    return (this.bytesPerSecond * BURST) / 1000;
  }
}

/** `inner` with bodies no quicker than the limiter lets them be. */
export function rateLimitRemote(inner: Remote, limiter: RateLimiter): Remote {
  const closing = longLivedController();
  return {
    ...delegateRemote(inner),
    async open(path, options): Promise<RemoteBody> {
      const body = await inner.open(path, options);
      const control = linkSignals(options?.signal, closing.signal);
      const what = `reading ${inner.urlOf(path)}`;
      return { ...body, bytes: closingBytes(slowed(body.bytes, limiter, control.signal, what), () => control.unlink()) };
    },
    async close() {
      closing.abort();
      await inner.close();
    },
  };
}

async function* slowed(
  bytes: AsyncIterable<Uint8Array>,
  limiter: RateLimiter,
  signal: AbortSignal,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    await limiter.take(chunk.length, signal, what);
    yield chunk;
  }
}
