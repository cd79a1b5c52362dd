/** How much may be on its way at a time: little on a slow line, enough to fill a quick one. */

const SMALLEST_REQUEST = 32 * 1024;
const SMALLEST_WINDOW = 2 * SMALLEST_REQUEST;
/** However few bytes came for one request: it may have been by chance. */
const SMALLEST_LIMIT = 4 * 1024;

/** Bytes; 4 MiB fill a line of 600 Mbit/s at 50 ms. */
const LARGEST_WINDOW = 4 * 1024 * 1024;

/** Milliseconds from a request to its answer, beyond which less is asked for at a time; a reader is given up after some seconds without an answer. */
const SLOW = 2_000;
const QUICK = 500;

/** Requests that a window is made of, at least: the server reads the next while one is on its way. */
const REQUESTS = 8;

/** Adapts to the answers of one connection, for all its readers. */
export class Pace {
  #window = 16 * SMALLEST_REQUEST;
  #largestRequest: number;

  /** `largestRequest`: bytes that the server sends for one request at most. */
  constructor(largestRequest: number) {
    this.#largestRequest = largestRequest;
  }

  /** Bytes that one reader may have on their way. */
  get window(): number {
    return this.#window;
  }

  /** Bytes to ask for at a time. */
  get request(): number {
    return Math.min(this.#largestRequest, Math.max(SMALLEST_REQUEST, Math.floor(this.#window / REQUESTS)));
  }

  /** An answer came, of so many bytes, so many milliseconds after its request. */
  answered(bytes: number, milliseconds: number): void {
    if (milliseconds > SLOW) this.#window = Math.max(SMALLEST_WINDOW, Math.floor(this.#window / 2));
    else if (milliseconds < QUICK) this.#window = Math.min(LARGEST_WINDOW, this.#window + bytes);
  }

  /** The server sent only so many bytes of a request for more, in the middle of a file. */
  limitedTo(bytes: number): void {
    this.#largestRequest = Math.min(this.#largestRequest, Math.max(SMALLEST_LIMIT, bytes));
  }
}
