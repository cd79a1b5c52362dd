/** Runs errands on Node's thread pool. For a thread with an event loop. */

import koffi from 'koffi';
import { closeSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { systemCallError } from '../common/errors.js';
import type { Errand } from './errands.js';

const libc = koffi.load('libc.so.6');
const fsync = libc.func('int fsync(int fd)');
const fdatasync = libc.func('int fdatasync(int fd)');
const syncfs = libc.func('int syncfs(int fd)');
const fallocate = libc.func('int fallocate64(int fd, int mode, long offset, long length)');
const copyFileRange = libc.func(
  'long copy_file_range(int from, int64_t *offset, int to, int64_t *toOffset, unsigned long length, unsigned int flags)',
);

/** Rejects with the SystemCallError of the call's errno. The errand's descriptors are closed in any case. */
export async function runErrand(errand: Errand): Promise<number> {
  try {
    return await start(errand);
  } finally {
    closeSync(errand.fd);
    if (errand.call === 'copy_file_range') closeSync(errand.to);
  }
}

function start(errand: Errand): Promise<number> {
  switch (errand.call) {
    case 'fsync':
      return call(fsync, errand.fd);
    case 'fdatasync':
      return call(fdatasync, errand.fd);
    case 'syncfs':
      return call(syncfs, errand.fd);
    case 'load':
      return load(errand.fd, errand.offset, errand.length);
    case 'fallocate':
      return call(fallocate, errand.fd, errand.mode, errand.offset, errand.length);
    case 'copy_file_range':
      return call(copyFileRange, errand.fd, [errand.offset], errand.to, [errand.toOffset], errand.length, 0);
  }
}

const readAsync = promisify(read);

/** Reading brings it into the page cache, and what follows it, as the system reads ahead. The bytes themselves are of no use here. */
async function load(fd: number, offset: number, length: number): Promise<number> {
  try {
    const { bytesRead } = await readAsync(fd, Buffer.allocUnsafeSlow(length), 0, length, offset);
    return bytesRead;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw typeof errno === 'number' ? systemCallError(-errno) : error;
  }
}

function call(call: ReturnType<typeof libc.func>, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: Error | null, result: number) => {
      // errno is that of the pool's thread, carried over to this one for the time of the callback.
      if (error !== null) reject(error);
      else if (result < 0) reject(systemCallError(koffi.errno()));
      else resolve(result);
    });
  });
}
