/** What the errors of the local disk mean. */

import { statfsSync } from 'node:fs';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';

export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The error as a ButlerfsError: itself, `cache-full` (with the bytes needed, where known, and free), `cache-failed`, or `internal` for what no disk says. */
export function diskError(error: unknown, what: string, directory: string, needed?: number): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  if (isDiskFull(error)) {
    return new ButlerfsError('cache-full', {
      what,
      where: directory,
      why: `no space left${needed === undefined ? '' : `: ${needed} bytes are needed`}, ${freeBytes(directory) ?? 'an unknown number of'} bytes are free`,
      advice: 'free some space, or put the cache on a larger disk with --cache',
      cause: error,
    });
  }
  if (typeof (error as NodeJS.ErrnoException | undefined)?.errno !== 'number') return asButlerfsError(error);
  return new ButlerfsError('cache-failed', {
    what,
    where: directory,
    why: error instanceof Error ? error.message : String(error),
    advice: 'check the disk and the permissions of the cache directory, or use another with --cache',
    cause: error,
  });
}

function freeBytes(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
