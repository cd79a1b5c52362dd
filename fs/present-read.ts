/**
 * Reading what is in memory, without ever waiting for a disk: preadv2(2) with RWF_NOWAIT. The thread that talks to the kernel reads this way, so that a file on
 * a slow or sleeping disk does not hold up everybody else; what is not in memory is loaded elsewhere first.
 */

import koffi from 'koffi';
import { Errno, systemCallError } from '../common/errors.js';
import { readFully } from './read-fully.js';

const libc = koffi.load('libc.so.6');
const preadv2 = libc.func('long preadv2(int fd, void *vectors, int count, long offset, int flags)') as (
  fd: number,
  vectors: Buffer,
  count: number,
  offset: number,
  flags: number,
) => number;

const RWF_NOWAIT = 8;
const WORD = 2 ** 32;

/** One iovec, and the buffer whose address it was made from. */
const vector = Buffer.from(new ArrayBuffer(16));
const vectorWords = new Uint32Array(vector.buffer);
let addressed: Buffer | undefined;
/** Below 2^53: addresses have 47 bits, 56 at most. */
let address = 0;

/** File systems that cannot say whether something is in memory: then reading waits. */
let isSupported = true;

/**
 * Reads `size` bytes at `offset` into `into` at `at`, fewer only at the end of the file; -1 where not all of it is in memory. `into` must be memory that stays
 * where it is: not a slice of a pool. Throws SystemCallError.
 */
export function readPresent(fd: number, into: Buffer, at: number, size: number, offset: number): number {
  if (!isSupported) return readFully(fd, into, at, size, offset);
  if (into !== addressed) {
    address = Number(koffi.address(into));
    addressed = into;
  }
  let done = 0;
  while (done < size) {
    const target = address + at + done;
    vectorWords[0] = target;
    vectorWords[1] = target / WORD;
    vectorWords[2] = size - done;
    const got = preadv2(fd, vector, 1, offset + done, RWF_NOWAIT);
    if (got === 0) break;
    if (got < 0) {
      const errno = koffi.errno();
      if (errno === Errno.EAGAIN) return -1;
      if (errno !== Errno.EOPNOTSUPP && errno !== Errno.EINVAL) throw systemCallError(errno);
      isSupported = false;
      return readFully(fd, into, at, size, offset);
    }
    done += got;
  }
  return done;
}
