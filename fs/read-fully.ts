/** Reading from a descriptor until there is what was asked for. */

import { readSync } from 'node:fs';

/** Reads `size` bytes at `offset` into `into` at `at`, fewer only at the end of the file; returns how many. Throws as readSync does. */
export function readFully(fd: number, into: Buffer, at: number, size: number, offset: number): number {
  let done = 0;
  while (done < size) {
    const got = readSync(fd, into, at + done, size - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
