/** How one mirror is: what it failed, when to ask it again, and how quick it is. */

import type { ButlerfsError } from '../common/errors.js';
import type { MirrorHealth } from './contract.js';
import { isRetryable, RetryLaterError, UnusableAnswerError } from './errors.js';

/** Milliseconds that a mirror is left alone after its first failure; they double with each that follows. */
const FIRST_REST = 2_000;
const LONGEST_REST = 300_000;
/** Milliseconds after which a measure says nothing any more. */
const MEASURE_AGE = 600_000;
/** Weight of the newest value in a moving average. */
const NEWEST = 0.3;
/** Bytes from which on a body says how quick its mirror is. */
const TELLING_BYTES = 64 * 1024;
/** Bytes whose time is compared. */
const COMPARED_BYTES = 2 ** 20;

/** One request, or one body, of a mirror; told how it went. */
export interface Trial {
  /** An answer came. */
  answered(): void;
  /** All went well, after so many milliseconds of waiting for so many bytes of a body. */
  succeeded(bytes: number, waited: number): void;
  failed(error: ButlerfsError): void;
  /** It was left before it showed anything. Idempotent, and nothing after one of the others. */
  left(): void;
}

export class MirrorRecord {
  readonly #url: string;
  readonly #random: () => number;
  #failures = 0;
  /** By Date.now(). */
  #restsUntil = 0;
  #failedAt = 0;
  #isOnTrial = false;
  #latency: number | null = null;
  #throughput: number | null = null;
  #measuredAt = 0;
  #problem: string | null = null;

  constructor(url: string, random: () => number = Math.random) {
    this.#url = url;
    this.#random = random;
  }

  get health(): MirrorHealth {
    return {
      url: this.#url,
      failures: this.#failures,
      restsUntil: this.#failures === 0 ? null : this.#restsUntil,
      latency: this.#latency,
      throughput: this.#throughput,
      problem: this.#problem,
    };
  }

  /** By Date.now(). */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** Whether others are to be asked first. When its rest is over, one request shows whether it is well again; the others do not wait for that. */
  isResting(now: number): boolean {
    return now < this.#restsUntil || this.#isOnTrial;
  }

  /**
   * Log2 of the milliseconds that a MiB takes, in whole steps: mirrors of about the same speed keep the order they were given in. One that was not measured
   * counts as the quickest, so that it will be.
   */
  slowness(now: number): number {
    if (this.#latency === null || now - this.#measuredAt > MEASURE_AGE) return -Infinity;
    const transfer = this.#throughput === null ? 0 : (COMPARED_BYTES / this.#throughput) * 1000;
    return Math.round(Math.log2(Math.max(1, this.#latency + transfer)));
  }

  begin(): Trial {
    const began = Date.now();
    const start = performance.now();
    const holdsTrial = this.#failures > 0 && !this.isResting(began);
    if (holdsTrial) this.#isOnTrial = true;
    let isOpen = true;
    const end = (): boolean => {
      const was = isOpen;
      isOpen = false;
      if (was && holdsTrial) this.#isOnTrial = false;
      return was;
    };
    return {
      answered: () => {
        this.#latency = average(this.#latency, performance.now() - start);
        this.#measuredAt = Date.now();
      },
      succeeded: (bytes, waited) => {
        if (!end()) return;
        if (bytes >= TELLING_BYTES) this.#throughput = average(this.#throughput, (bytes * 1000) / Math.max(1, waited));
        // What began before it failed does not show that it is well again.
        if (began < this.#failedAt) return;
        this.#failures = 0;
        this.#restsUntil = 0;
        this.#problem = null;
      },
      failed: (error) => {
        if (end() && isFault(error)) this.noteFailure(error, began);
      },
      left: () => void end(),
    };
  }

  /** A failure of a request that began then (by Date.now()). Those that ran at the same time count as one; default: it ran alone. */
  noteFailure(error: ButlerfsError, began = Infinity): void {
    const now = Date.now();
    this.#problem = error.detail.why ?? error.message;
    const asked = error instanceof RetryLaterError ? error.delay : 0;
    if (this.#failures > 0 && began <= this.#failedAt) {
      this.#restsUntil = Math.max(this.#restsUntil, now + asked);
      return;
    }
    const rest = Math.min(LONGEST_REST, FIRST_REST * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#failedAt = now;
    // A fifth more or less: mirrors, and clients, that failed together must not be tried together.
    this.#restsUntil = now + Math.max(asked, Math.round(rest * (0.8 + 0.4 * this.#random())));
  }
}

/** Whether it is the mirror that is at fault, not the one object: a mirror that lacks a file is well. */
function isFault(error: ButlerfsError): boolean {
  return error instanceof UnusableAnswerError || isRetryable(error);
}

function average(before: number | null, value: number): number {
  return before === null ? value : before + NEWEST * (value - before);
}
