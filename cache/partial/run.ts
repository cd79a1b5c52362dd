/** One transfer of neighbouring chunks: bytes of the origin as they come, cut into chunks. */

import { ButlerfsError } from '../../common/errors.js';
import type { RemoteBody } from '../../proxy/contract.js';

export interface RunSettings {
  /** First chunk, and the one after the last. */
  readonly first: number;
  readonly end: number;
  readonly chunkSize: number;
  /** Bytes of the object. */
  readonly size: number;
  /** Opens the origin's bytes from `offset`, `length` of them, all of one version. */
  open(offset: number, length: number, signal: AbortSignal): Promise<RemoteBody>;
  /** Takes a whole chunk. `bytes` may be used until the promise settles. */
  take(chunk: number, bytes: Buffer): Promise<void>;
}

/** Buffers of one run: one is filled while the other is being taken. */
const BUFFERS = 2;

export class Run {
  readonly end: number;
  readonly #settings: RunSettings;
  readonly #controller = new AbortController();
  /** The chunk that is coming in now. */
  position: number;

  constructor(settings: RunSettings) {
    this.#settings = settings;
    this.position = settings.first;
    this.end = settings.end;
  }

  abort(): void {
    this.#controller.abort();
  }

  /** Resolves when every chunk was taken. Rejects with what the origin or the taker failed with; {@link position} then is the first chunk not taken. */
  async transfer(): Promise<void> {
    const { chunkSize, size, end, open, take } = this.#settings;
    const from = this.position * chunkSize;
    const { bytes } = await open(from, Math.min(end * chunkSize, size) - from, this.#controller.signal);
    const lengthOf = (chunk: number): number => Math.min(chunkSize, size - chunk * chunkSize);
    const buffers = Array.from({ length: Math.min(BUFFERS, end - this.position) }, () => Buffer.allocUnsafeSlow(chunkSize));
    let taking: Promise<void> = Promise.resolve();
    let [coming, filled] = [this.position, 0];
    try {
      for await (const piece of bytes) {
        for (let at = 0; at < piece.length;) {
          const buffer = buffers[coming % buffers.length]!;
          const count = Math.min(piece.length - at, lengthOf(coming) - filled);
          buffer.set(piece.subarray(at, at + count), filled);
          at += count;
          filled += count;
          if (filled < lengthOf(coming)) continue;
          // Not before the one before it was taken: its buffer is filled next, and a failure ends the run.
          await taking;
          const chunk = coming;
          taking = take(chunk, buffer.subarray(0, filled)).then(() => {
            this.position = chunk + 1;
          });
          taking.catch(() => undefined);
          coming++;
          filled = 0;
        }
      }
    } finally {
      await taking;
    }
    if (coming < end)
      throw new ButlerfsError('remote-failed', {
        what: 'reading a range',
        why: `it ended after ${coming * chunkSize + filled - from} bytes`,
      });
  }
}
