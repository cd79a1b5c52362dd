/** Tries again what another attempt may cure, until the deadline has passed without anything new. */

import { linkSignals, longLivedController, sleep, type LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes } from './body.js';
import type { ReadOptions, Remote, RemoteBody, RemotePath } from './contract.js';
import { delegateRemote } from './delegate.js';
import { isRetryable, RetryLaterError } from './errors.js';
import { MINIMUM_RATE } from './progress.js';

/** A body of which bytes were handed on broke off and cannot be continued: it may be begun anew. */
export class BrokenOffError extends ButlerfsError {}

export interface RetrySettings {
  /** Milliseconds of waiting without progress after which an operation fails. */
  readonly deadline: number;
  /** Milliseconds after which an origin that cannot even be connected to is given up; default: the deadline. */
  readonly unreachable?: number | undefined;
  /** Milliseconds: the longest pause before the second attempt (default 200); it doubles with each that fails, up to `maximumDelay` (default 5000). */
  readonly baseDelay?: number | undefined;
  readonly maximumDelay?: number | undefined;
  /** Hears of every attempt that failed and is followed by another. */
  readonly onRetry?: ((message: string) => void) | undefined;
}

/**
 * `inner` with retries. A body that breaks off is continued at the byte it had reached, of the same version or not at all: where the origin gives no strong
 * validator, a body of which bytes were handed on is not continued ({@link BrokenOffError}).
 */
export function retryRemote(inner: Remote, settings: RetrySettings): Remote {
  const closing = longLivedController();
  const ask = async <T>(signal: AbortSignal | undefined, question: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const control = linkSignals(signal, closing.signal);
    try {
      const budget = new Budget(settings, control.signal);
      return await budget.attempt((attempt) => question(attempt.signal).finally(attempt.unlink));
    } finally {
      control.unlink();
    }
  };
  return {
    ...delegateRemote(inner),
    stat: (path, options) => ask(options?.signal, (signal) => inner.stat(path, { signal })),
    ...(inner.list === undefined ? {} : { list: (path, options) => ask(options?.signal, (signal) => inner.list!(path, { signal })) }),
    async open(path, options = {}) {
      const control = linkSignals(options.signal, closing.signal);
      try {
        const transfer = new Transfer(inner, path, options, new Budget(settings, control.signal));
        const stat = await transfer.begin();
        const bytes = closingBytes(transfer.bytes(), async () => {
          await transfer.end();
          control.unlink();
        });
        return { stat, bytes };
      } catch (error) {
        control.unlink();
        throw error;
      }
    },
    async close() {
      closing.abort();
      await inner.close();
    },
  };
}

/** The attempts of one operation, and the time that they have spent without progress. */
class Budget {
  readonly #settings: RetrySettings;
  readonly signal: AbortSignal;
  #spent = 0;
  #attempts = 0;
  /** Failures since the last progress. */
  #failures = 0;
  /** Bytes since the last progress. */
  #received = 0;
  #last: ButlerfsError | undefined;

  constructor(settings: RetrySettings, signal: AbortSignal) {
    this.#settings = settings;
    this.signal = signal;
  }

  /**
   * New bytes arrived. Where they are enough for all the time spent since the last progress, whatever it was spent on, the deadline begins anew: an origin that
   * gives a few bytes to every attempt does not go on for ever.
   */
  received(bytes: number): void {
    this.#received += bytes;
    if (this.#received * 1000 < MINIMUM_RATE * this.#spent) return;
    this.#spent = 0;
    this.#received = 0;
    this.#failures = 0;
    this.#last = undefined;
  }

  /** Runs `work` until it succeeds, fails for good or the deadline passes. Where it succeeds, unlinking its controller is the caller's. */
  async attempt<T>(work: (control: LinkedController) => Promise<T>): Promise<T> {
    for (;;) {
      const control = linkSignals(this.signal);
      try {
        return await this.timed(control, () => work(control));
      } catch (error) {
        control.unlink();
        await this.recover(error);
      }
    }
  }

  /** One wait: `control` is aborted when the deadline passes meanwhile. */
  async timed<T>(control: LinkedController, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      control.abort();
    }, this.#settings.deadline - this.#spent);
    try {
      return await work();
    } catch (error) {
      if (!expired || this.signal.aborted || !(error instanceof ButlerfsError)) throw error;
      throw new ButlerfsError('remote-timeout', { what: error.detail.what, why: 'nothing new arrived', cause: error });
    } finally {
      clearTimeout(timer);
      this.#spent += performance.now() - began;
    }
  }

  /** Returns when the next attempt may begin; throws where there is to be none. */
  async recover(error: unknown): Promise<void> {
    this.#attempts++;
    if (!isRetryable(error)) throw error;
    const { baseDelay = 200, maximumDelay = 5000, onRetry } = this.#settings;
    const deadline = this.#deadlineFor(error);
    // Full jitter: many clients that failed together must not come back together.
    const jittered = Math.random() * Math.min(maximumDelay, baseDelay * 2 ** this.#failures++);
    const delay = error instanceof RetryLaterError ? Math.max(error.delay, jittered) : jittered;
    if (this.#spent + delay >= deadline) throw this.#exhausted(error);
    this.#last = error;
    onRetry?.(`attempt ${this.#attempts} failed, next in ${Math.round(delay)} ms: ${error.message}`);
    await sleep(delay, this.signal, error.detail.what);
    this.#spent += delay;
  }

  #deadlineFor({ code }: ButlerfsError): number {
    const { deadline, unreachable = deadline } = this.#settings;
    return code === 'remote-unreachable' ? Math.min(deadline, unreachable) : deadline;
  }

  #exhausted(final: ButlerfsError): ButlerfsError {
    // That the deadline cut the last attempt short says less than why the one before it failed.
    const error = final.code === 'remote-timeout' ? (this.#last ?? final) : final;
    const { why = 'it failed', ...detail } = error.detail;
    const count = `${this.#attempts} ${this.#attempts === 1 ? 'attempt' : 'attempts'}`;
    const later = error instanceof RetryLaterError && error.isAsked ? ` and asks to wait ${Math.ceil(error.delay / 1000)} s` : '';
    const told = `${why}${later} (given up after ${count}; the deadline is ${this.#deadlineFor(error) / 1000} s)`;
    return new ButlerfsError(error.code, { ...detail, why: told, cause: error });
  }
}

interface Current {
  readonly control: LinkedController;
  readonly body: RemoteBody;
  readonly iterator: AsyncIterator<Uint8Array>;
}

/** One body over as many attempts as it takes. */
class Transfer {
  readonly #inner: Remote;
  readonly #path: RemotePath;
  readonly #options: ReadOptions;
  readonly #budget: Budget;
  readonly #first: number;
  #offset: number;
  #current: Current | undefined;

  constructor(inner: Remote, path: RemotePath, options: ReadOptions, budget: Budget) {
    this.#inner = inner;
    this.#path = path;
    this.#options = options;
    this.#budget = budget;
    this.#first = this.#offset = options.offset ?? 0;
  }

  async begin(): Promise<RemoteBody['stat']> {
    this.#current = await this.#open(this.#options);
    return this.#current.body.stat;
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const { stat } = this.#current!.body;
    const last = this.#options.length === undefined ? (stat.size ?? Infinity) : this.#first + this.#options.length;
    for (;;) {
      try {
        yield* this.#received();
        return;
      } catch (error) {
        if (this.#offset >= last) return;
        if (isRetryable(error) && !this.#isResumable(stat.validator)) throw notResumable(error, this.#offset - this.#first);
        await this.#budget.recover(error);
      }
      const length = this.#options.length === undefined ? undefined : last - this.#offset;
      this.#current = await this.#open({ ...this.#options, offset: this.#offset, length, validator: stat.validator });
      if (this.#current.body.stat.size !== stat.size) {
        throw new ButlerfsError('remote-changed', {
          what: `reading ${this.#inner.urlOf(this.#path)}`,
          why: 'its size changed at the origin',
        });
      }
    }
  }

  async end(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.iterator.return?.();
    current?.control.unlink();
  }

  async *#received(): AsyncGenerator<Uint8Array, void, undefined> {
    const { iterator, control } = this.#current!;
    try {
      for (;;) {
        const next = await this.#budget.timed(control, () => iterator.next());
        if (next.done === true) return;
        this.#budget.received(next.value.length);
        this.#offset += next.value.length;
        yield next.value;
      }
    } finally {
      control.unlink();
    }
  }

  /** Without a strong validator the rest could be of another version; nothing handed on is nothing to be mixed with. */
  #isResumable(validator: string | null): boolean {
    return this.#offset === this.#first || (validator !== null && !validator.startsWith('W/'));
  }

  #open(options: ReadOptions): Promise<Current> {
    return this.#budget.attempt(async (control) => {
      const body = await this.#inner.open(this.#path, { ...options, signal: control.signal });
      return { control, body, iterator: body.bytes[Symbol.asyncIterator]() };
    });
  }
}

function notResumable(error: ButlerfsError, received: number): BrokenOffError {
  const why = `${error.detail.why ?? 'it failed'} after ${received} bytes, and the origin gives no strong validator to go on with`;
  return new BrokenOffError(error.code, { ...error.detail, why, cause: error });
}
