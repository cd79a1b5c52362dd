/**
 * How far to read ahead. Whoever reads in order gets twice as many chunks ahead each time, up to a limit; whoever jumps gets what is asked for. Several readers
 * of one object are told apart by where they are.
 */

/** Chunks ahead of a reader in order, at most. */
const FARTHEST = 32;
/** Readers in order that are followed. */
const READERS = 8;
/** The first read of a reader brings one chunk and no more: it may only want a header. */
const FIRST = 1;

interface Reader {
  /** The chunk that it came to last. */
  at: number;
  /** Chunks wanted from there on. */
  ahead: number;
}

export class ReadingAhead {
  /** The latest last. */
  readonly #readers: Reader[] = [];

  /** A reader came to this chunk. How many chunks, from this one on, should be here or on their way. */
  cameTo(chunk: number): number {
    const index = this.#readers.findIndex(({ at, ahead }) => chunk >= at && chunk <= at + ahead);
    const reader = index < 0 ? { at: chunk, ahead: FIRST } : this.#readers.splice(index, 1)[0]!;
    if (chunk > reader.at) {
      reader.ahead = Math.min(FARTHEST, 2 * reader.ahead);
      reader.at = chunk;
    }
    this.#readers.push(reader);
    if (this.#readers.length > READERS) this.#readers.shift();
    return reader.ahead;
  }
}
