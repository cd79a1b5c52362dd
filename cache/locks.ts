/**
 * flock(2). A lock belongs to the open file description: it ends with the last descriptor of it, so also with the process, however that ends.
 * Nothing here waits.
 */

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { ButlerfsError } from '../common/errors.js';

/** <sys/file.h> */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
/** Milliseconds. */
const PROGRAM_DEADLINE = 5_000;

type Flock = (fd: number, operation: number) => number;

let flock: Flock | undefined;

/** Loaded at the first lock: a command that needs none does not pay for it. Works in every thread. */
function libc(): Flock {
  flock ??= loadFlock();
  return flock;
}

function loadFlock(): Flock {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return koffi.load(null).func('int flock(int fd, int operation)');
  } catch {
    return flockByProgram;
  }
}

/**
 * For systems where koffi cannot be loaded: flock(1), which takes some milliseconds. It locks the open file description that it shares with this process, and
 * so the lock outlives it.
 */
function flockByProgram(fd: number, operation: number): number {
  const kind = (operation & LOCK_UN) !== 0 ? '-u' : (operation & LOCK_EX) === 0 ? '-s' : '-x';
  const { status, error } = spawnSync('flock', ['-n', kind, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd], timeout: PROGRAM_DEADLINE });
  if (error === undefined) return status === 0 ? 0 : -1;
  throw new ButlerfsError('unsupported', {
    what: 'locking files of the cache',
    why: `neither the library koffi nor the program flock can be used (${error.message})`,
    advice: 'install the package util-linux',
    cause: error,
  });
}

/** Whether `fd` now holds a shared lock; false where another holds an exclusive one. */
export function lockShared(fd: number): boolean {
  return libc()(fd, LOCK_SH | LOCK_NB) === 0;
}

/** Whether `fd` now holds the exclusive lock; false where another holds any. */
export function lockExclusive(fd: number): boolean {
  return libc()(fd, LOCK_EX | LOCK_NB) === 0;
}

/** Gives back what the open file holds. */
export function unlock(fd: number): void {
  libc()(fd, LOCK_UN);
}
