/** One direction of a link: so many bytes a second, and so long on the way. */

/** Bytes that go onto a line in one piece, at most: the grain of its timing. */
const SEGMENT = 16 * 1024;

export interface LineSettings {
  /** Milliseconds from one end to the other. */
  readonly delay: number;
  /** Bytes a second of all connections together. */
  readonly bandwidth: number;
}

interface InFlight {
  /** When it arrives, on the clock of `performance.now()`. */
  readonly due: number;
  readonly deliver: () => void;
}

/**
 * Delivers what it is given in order, each piece when its last byte would have arrived. Times are absolute, so that timers that fire late do not add up; between
 * deliveries nothing runs. There is no loss and no slow start.
 */
export class Line {
  readonly #delay: number;
  /** Milliseconds a byte. */
  readonly #cost: number;
  /** When the last byte that was given to the line has left. */
  #free = 0;
  readonly #inFlight: InFlight[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ delay, bandwidth }: LineSettings) {
    this.#delay = delay;
    this.#cost = 1000 / bandwidth;
  }

  /** Calls `deliver` with `bytes`, in pieces. Returns the milliseconds until the line is free again: who sends waits for about as long. */
  send(bytes: Buffer, deliver: (bytes: Buffer) => void): number {
    const now = performance.now();
    for (let offset = 0; offset < bytes.length; offset += SEGMENT) {
      const piece = bytes.subarray(offset, offset + SEGMENT);
      this.#free = Math.max(now, this.#free) + piece.length * this.#cost;
      this.#inFlight.push({ due: this.#free + this.#delay, deliver: () => deliver(piece) });
    }
    this.#arm();
    return this.#free - now;
  }

  /** Calls `deliver` after everything that was sent before. */
  after(deliver: () => void): void {
    this.#inFlight.push({ due: Math.max(performance.now(), this.#free) + this.#delay, deliver });
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#inFlight.length = 0;
  }

  #arm(): void {
    const next = this.#inFlight[0];
    if (this.#timer !== undefined || next === undefined) return;
    this.#timer = setTimeout(() => this.#deliver(), Math.max(1, Math.round(next.due - performance.now())));
  }

  #deliver(): void {
    this.#timer = undefined;
    // Timers know whole milliseconds: half of one early is as near as half of one late.
    const now = performance.now() + 0.5;
    let count = 0;
    while (count < this.#inFlight.length && this.#inFlight[count]!.due <= now) count++;
    for (const { deliver } of this.#inFlight.splice(0, count)) deliver();
    this.#arm();
  }
}
