/**
 * flock(2). A lock belongs to the open file description: it ends with the last descriptor of it, so also with the process, however that ends.
 * Nothing here waits.
 */

import { createRequire } from 'node:module';

/** <sys/file.h> */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

type Flock = (fd: number, operation: number) => number;

let flock: Flock | undefined;

/** Loaded at the first lock: a command that needs none does not pay for it. Works in every thread. */
function libc(): Flock {
  if (flock !== undefined) return flock;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  flock = koffi.load(null).func('int flock(int fd, int operation)');
  return flock;
}

/** Whether `fd` now holds a shared lock; false where another holds an exclusive one. */
export function lockShared(fd: number): boolean {
  return libc()(fd, LOCK_SH | LOCK_NB) === 0;
}

/** Whether `fd` now holds the exclusive lock; false where another holds any. */
export function lockExclusive(fd: number): boolean {
  return libc()(fd, LOCK_EX | LOCK_NB) === 0;
}
