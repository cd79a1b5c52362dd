/** Work on the main thread as something that a file system waits for. */

import type { Waiting } from '../fs/contract.js';

/** Begun when it is waited for. `work` has deadlines of its own, and its signal is aborted when nobody waits any more. */
export function waitFor<T>(work: (signal: AbortSignal) => Promise<T>): Waiting<T> {
  const controller = new AbortController();
  return {
    begin: (settle) => {
      work(controller.signal).then(
        (value) => {
          if (!controller.signal.aborted) settle({ value });
        },
        (error: unknown) => {
          if (!controller.signal.aborted) settle({ error });
        },
      );
    },
    abort: () => {
      controller.abort();
    },
    deadline: Infinity,
  };
}
