/**
 * The digests file of a publication: which content every file of a repository has. All numbers are little-endian.
 *
 *     header     64 bytes: magic, chunk size (u32), bits b of the fan-out (u32), files n (u64), units (u64), zeros
 *     fan-out    2^b u32: how many files have a key whose first b bits are at most i; filled with zeros to a multiple of 32 bytes
 *     files      n records of 32 bytes, sorted by key: key (16), size (u64), first unit (u48), algorithm of the whole digest (u8), zero
 *     units      32 bytes each
 *
 * The key of a file is the first half of the SHA-256 of its location: a path below the repository's root, or an absolute URL. Its units are its whole digest
 * (one unit for SHA-256, two for BLAKE2b-512), then the SHA-256 of each chunk. Of a file of one chunk whose whole digest is SHA-256 the two are the same, and
 * stand there once. So a file takes 32 bytes, its digest, and 32 bytes for each chunk; names are in the catalogue.
 *
 * A look-up reads one bucket of about 64 records. The content is determined by that of the repository.
 */

import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../../cache/contract.js';

export const MAGIC = Buffer.from('bfsDIG1\n', 'latin1');
export const HEADER_BYTES = 64;
export const RECORD_BYTES = 32;
export const UNIT_BYTES = 32;
export const KEY_BYTES = 16;
const RECORDS_IN_BUCKET = 64;
const MOST_FANOUT_BITS = 16;

/** By their numbers in a record. */
export const WHOLE_ALGORITHMS = ['sha256', 'blake2b512'] as const satisfies readonly DigestAlgorithm[];
export type WholeAlgorithm = (typeof WHOLE_ALGORITHMS)[number];

/** Units of a whole digest that stand before those of the chunks. */
export function wholeUnits(algorithm: WholeAlgorithm, chunks: number): number {
  if (algorithm === 'blake2b512') return 2;
  return chunks === 1 ? 0 : 1;
}

export function chunkCount(size: number, chunkSize: number): number {
  return Math.ceil(size / chunkSize);
}

export function fanoutBits(files: number): number {
  return Math.min(MOST_FANOUT_BITS, Math.max(0, Math.ceil(Math.log2(Math.max(1, files / RECORDS_IN_BUCKET)))));
}

export function fanoutBytes(bits: number): number {
  return Math.ceil((4 * 2 ** bits) / UNIT_BYTES) * UNIT_BYTES;
}

/** The bucket of a key: its first `bits` bits. */
export function bucketOf(key: Uint8Array, bits: number): number {
  return ((key[0]! << 8) | key[1]!) >> (16 - bits);
}

/** The key of a file by its recorded location: see above. An absolute location is taken without a user's name and password. */
export function keyOf(location: string): Buffer {
  return createHash('sha256').update(canonicalLocation(location)).digest().subarray(0, KEY_BYTES);
}

function canonicalLocation(location: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(location) || !URL.canParse(location)) return location;
  const url = new URL(location);
  url.username = '';
  url.password = '';
  return url.href;
}
