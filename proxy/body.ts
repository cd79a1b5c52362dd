/** Bodies that free what they hold, however they end. */

/**
 * `bytes`, calling `onEnd` exactly once when they end, fail or are left early: also when they are left before the first chunk, where the `finally` of a
 * generator would not run.
 */
export function closingBytes(bytes: AsyncIterable<Uint8Array>, onEnd: () => void | Promise<void>): AsyncIterable<Uint8Array> {
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    await onEnd();
  };
  return {
    [Symbol.asyncIterator]() {
      const inner = bytes[Symbol.asyncIterator]();
      return {
        async next() {
          if (ended) return { done: true, value: undefined };
          try {
            const next = await inner.next();
            if (next.done === true) await end();
            return next;
          } catch (error) {
            await end();
            throw error;
          }
        },
        async return() {
          try {
            await inner.return?.();
          } finally {
            await end();
          }
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Leaves a body unread. */
export async function discard(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await bytes[Symbol.asyncIterator]().return?.();
}

/** No bytes. */
export const noBytes: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};
