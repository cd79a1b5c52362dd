/** Waits that end: abortable sleeps and promises, linked signals. */

import { setMaxListeners } from 'node:events';
import { ButlerfsError } from './errors.js';

/** The error of a wait that its caller aborted. */
export function interrupted(what: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('interrupted', { what, why: 'interrupted', cause });
}

/** Throws `interrupted` where the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw interrupted(what, signal.reason);
}

/** Resolves after `milliseconds`; rejects with `interrupted` as soon as `signal` fires. */
export function sleep(milliseconds: number, signal?: AbortSignal, what = 'a wait'): Promise<void> {
  return new Promise((resolve, reject) => {
    throwIfAborted(signal, what);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(interrupted(what, signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * The outcome of `work`, or `interrupted` as soon as `signal` fires. The work itself goes on: hand it the signal too where it should end.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = (): void => reject(interrupted(what, signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort!);
    // The loser of the race may still fail; nobody is left to hear it.
    work.catch(() => undefined);
    aborted.catch(() => undefined);
  }
}

/** The outcome of `work`, or the error that `late` makes where it takes longer than `milliseconds`. */
export async function within<T>(work: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** An abort controller that also fires when one of `signals` does, until {@link unlink}. */
export interface LinkedController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Takes the listeners off the signals; a long-lived signal must not collect them. Idempotent. */
  unlink(): void;
}

export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): LinkedController {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    if (signal.aborted) controller.abort(signal.reason);
    const onAbort = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    undo.push(() => signal.removeEventListener('abort', onAbort));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => undo.splice(0).forEach((remove) => remove()),
  };
}

/** A controller whose signal may have any number of listeners at a time: one for all operations of an object that can be closed. */
export function longLivedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
