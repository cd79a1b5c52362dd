/** Hashes one file as a publication needs it: its whole, and every chunk. Synchronous; runs in threads of its own. */

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { CHUNK_SIZE } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { WholeAlgorithm } from './digests-format.js';

export interface HashedFile {
  /** Bytes. */
  readonly size: number;
  /** {@link stampOf} the file, before and after. */
  readonly stamp: string;
  readonly whole: Uint8Array;
  /** SHA-256 of every chunk, 32 bytes each, one after the other. */
  readonly chunks: Uint8Array;
}

/** Size, time of modification in nanoseconds and inode: what tells that a file was not touched. */
export function stampOf({ size, mtimeNs, ino }: Pick<BigIntStats, 'size' | 'mtimeNs' | 'ino'>): string {
  return `${size} ${mtimeNs} ${ino}`;
}

/** Reads the file once. Throws `remote-not-found`, `remote-failed` where it cannot be read, `remote-changed` where it changes meanwhile. */
export function hashFile(path: string, algorithm: WholeAlgorithm): HashedFile {
  try {
    return hash(path, algorithm);
  } catch (error) {
    if (error instanceof ButlerfsError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new ButlerfsError(isMissing ? 'remote-not-found' : 'remote-failed', {
      what: path,
      why: isMissing ? 'there is no such file' : `it cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    });
  }
}

function hash(path: string, algorithm: WholeAlgorithm): HashedFile {
  // O_NONBLOCK: a named pipe must not hold us until somebody writes to it.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) throw new ButlerfsError('remote-failed', { what: path, why: 'it is not a regular file' });
    const size = Number(before.size);
    const whole = createHash(algorithm);
    const digests: Buffer[] = [];
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, Math.max(1, size)));
    for (let at = 0; at < size; at += CHUNK_SIZE) {
      const bytes = chunk.subarray(0, Math.min(CHUNK_SIZE, size - at));
      for (let done = 0; done < bytes.length;) {
        const count = readSync(fd, bytes, done, bytes.length - done, at + done);
        if (count === 0) throw changed(path);
        done += count;
      }
      whole.update(bytes);
      digests.push(createHash('sha256').update(bytes).digest());
    }
    const stamp = stampOf(before);
    // By its name as well: another file may have taken its place.
    const after = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true })];
    if (after.some((info) => stampOf(info) !== stamp)) throw changed(path);
    return { size, stamp, whole: whole.digest(), chunks: Buffer.concat(digests) };
  } finally {
    closeSync(fd);
  }
}

function changed(path: string): ButlerfsError {
  return new ButlerfsError('remote-changed', {
    what: path,
    why: 'it changed while it was read',
    advice: 'publish when nobody writes to the repository',
  });
}
