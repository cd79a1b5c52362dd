/** So that of several processes that want one source, one reads it and the others wait for what it makes. */

import { open } from 'node:fs/promises';
import { lockExclusive } from '../cache/locks.js';
import { sleep } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';

export interface SourceLockOptions {
  readonly signal: AbortSignal;
  /** Called once where another process holds the lock. */
  readonly onWait: () => void;
  /** Milliseconds to wait at most. Default: half an hour, since a large registry takes its time to arrive. */
  readonly deadline?: number;
}

const LOOK_INTERVAL = 100;

/** Takes the lock; resolves to what releases it. It ends with the process, however that ends. Rejects with `cache-failed` or `interrupted`. */
export async function lockSource(
  file: string,
  { signal, onWait, deadline = 30 * 60_000 }: SourceLockOptions,
): Promise<() => Promise<void>> {
  const handle = await open(file, 'a', 0o600);
  const end = Date.now() + deadline;
  let isWaiting = false;
  try {
    while (!lockExclusive(handle.fd)) {
      if (Date.now() >= end) {
        throw new ButlerfsError('cache-failed', {
          what: `lock ${file}`,
          why: `another process has held it for ${Math.round(deadline / 1000)} s`,
          advice: `fuser ${file} tells which`,
        });
      }
      if (!isWaiting) onWait();
      isWaiting = true;
      await sleep(LOOK_INTERVAL, signal, `waiting for lock ${file}`);
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return () => handle.close();
}
