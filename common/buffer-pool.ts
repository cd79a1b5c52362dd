/** Memory that is used again: a transfer that takes new memory for every piece makes V8 collect again and again. */

export class BufferPool {
  readonly #size: number;
  readonly #most: number;
  readonly #free: ArrayBuffer[] = [];

  /** Keeps at most `most` buffers of `size` bytes. */
  constructor(size: number, most: number) {
    this.#size = size;
    this.#most = most;
  }

  /** Bytes of any content; of memory that is kept where they fit and are more than half of it. */
  take(length: number): Buffer {
    if (length > this.#size || 2 * length <= this.#size) return Buffer.allocUnsafe(length);
    return Buffer.from(this.#free.pop() ?? new ArrayBuffer(this.#size), 0, length);
  }

  /**
   * Whoever took the memory under `bytes` has no more use for it, nor has anybody else: it is given to others now. Memory that is not of the size of the pool is left
   * to the collector.
   */
  give({ buffer }: Uint8Array): void {
    if (buffer.byteLength === this.#size && buffer instanceof ArrayBuffer && this.#free.length < this.#most) this.#free.push(buffer);
  }
}
