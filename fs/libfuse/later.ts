/** Answers that come at once where they can, else as promises; and waits with their deadlines. */

import { Errno, systemCallError } from '../../common/errors.js';
import { type Answer, isWaiting, type Waiting } from '../contract.js';

/** At once, or later. */
export type Later<T> = T | Promise<T>;

/** What comes after an answer: at once where the answer is there. */
export function andThen<T, U>(later: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return later instanceof Promise ? later.then(next) : next(later);
}

/** Does `work`, and `last` when it has ended, whichever way. */
export function finallyDo<T>(work: () => Later<T>, last: () => void): Later<T> {
  let later: Later<T>;
  try {
    later = work();
  } catch (error) {
    last();
    throw error;
  }
  if (later instanceof Promise) return later.finally(last);
  last();
  return later;
}

/** Does `work`; where it fails, at once or later, `otherwise` has the last word. */
export function orElse<T>(work: () => Later<T>, otherwise: (error: unknown) => Later<T>): Later<T> {
  try {
    const later = work();
    return later instanceof Promise ? later.catch(otherwise) : later;
  } catch (error) {
    return otherwise(error);
  }
}

/** Waits of a file system. */
export class Waits {
  readonly #deadline: number;
  #count = 0;

  /** `deadline`: milliseconds for waits that have none of their own. */
  constructor(deadline: number) {
    this.#deadline = deadline;
  }

  /** Waits that are under way. */
  get size(): number {
    return this.#count;
  }

  /**
   * What `read` makes of an answer. It is called as soon as the answer is there and before anything else is asked, since objects that carry answers are
   * used again. Rejects with ETIMEDOUT after the deadline.
   */
  when<T, U>(answer: Answer<T>, read: (value: T) => U): Later<U> {
    return isWaiting<T>(answer) ? this.#begin(answer, read) : read(answer);
  }

  #begin<T, U>(waiting: Waiting<T>, read: (value: T) => U): Promise<U> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(error instanceof Error ? error : new Error(String(error)));
      const milliseconds = waiting.deadline ?? this.#deadline;
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      const end = (): boolean => {
        if (isOver) return false;
        isOver = true;
        this.#count--;
        clearTimeout(timer);
        return true;
      };
      if (milliseconds !== Infinity) {
        timer = setTimeout(() => {
          if (!end()) return;
          waiting.abort();
          reject(systemCallError(Errno.ETIMEDOUT));
        }, milliseconds);
      }
      this.#count++;
      waiting.begin((outcome) => {
        if (!end()) return;
        if ('error' in outcome) {
          fail(outcome.error);
          return;
        }
        try {
          resolve(read(outcome.value));
        } catch (error) {
          fail(error);
        }
      });
    });
  }
}
