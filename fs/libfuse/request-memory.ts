/**
 * Memory for the requests of libfuse's threads. What belongs to a thread that has ended is never given back, and the event loop walks over it, in the order in
 * which it was given: it lies side by side, so that walking is quick.
 */

const CHUNK = 256 * 1024;
/** Of every structure of C. */
const ALIGNMENT = 16;

export class RequestMemory {
  readonly #chunks: ArrayBuffer[] = [];
  #at = CHUNK;
  #used = 0;

  /** How often memory was given. */
  get used(): number {
    return this.#used;
  }

  /** Zeroed, and kept for ever. `size`: bytes, a few hundred. */
  allocate(size: number): Buffer {
    if (this.#at + size > CHUNK) {
      this.#chunks.push(new ArrayBuffer(CHUNK));
      this.#at = 0;
    }
    const memory = Buffer.from(this.#chunks.at(-1)!, this.#at, size);
    this.#at += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    this.#used++;
    return memory;
  }
}
