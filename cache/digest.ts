/** Digests by name: published ones as text, and incremental hashers. */

import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import xxhash from 'xxhash-wasm';
import { ButlerfsError } from '../common/errors.js';
import { DIGEST_ALGORITHMS, type Digest, type DigestAlgorithm } from './contract.js';

/** Hexadecimal digits of a digest. */
const HEX_LENGTHS: Readonly<Record<DigestAlgorithm, number>> = { blake2b512: 128, sha256: 64, sha1: 40, md5: 32, xxh64: 16 };
const CHUNK_BYTES = 1 << 20;
const { create64 } = await xxhash();

export interface Hasher {
  /** Takes the bytes in before it returns: the buffer may be used again. */
  update(bytes: Uint8Array): void;
  /** Ends the hasher. */
  digest(): Digest;
}

export function createHasher(algorithm: DigestAlgorithm): Hasher {
  if (algorithm === 'xxh64') {
    const state = create64();
    return {
      update: (bytes) => void state.update(bytes),
      digest: () => ({ algorithm, hex: state.digest().toString(16).padStart(16, '0') }),
    };
  }
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => ({ algorithm, hex: hash.digest('hex') }) };
}

/** Whether the digest is one that may be part of a path: a known algorithm, lower-case hexadecimal, full length. */
export function isDigest({ algorithm, hex }: Digest): boolean {
  return hex.length === HEX_LENGTHS[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** `blake2b512:<128 hex digits>` and so on for every algorithm; capitals are taken. Throws `invalid-value`. */
export function parseDigest(text: string): Digest {
  const [name, hex = ''] = text.split(':', 2);
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === name);
  const digest = algorithm === undefined ? undefined : { algorithm, hex: hex.toLowerCase() };
  if (digest !== undefined && isDigest(digest) && text.length === digest.algorithm.length + 1 + hex.length) return digest;
  throw new ButlerfsError('invalid-value', {
    what: `digest '${text.slice(0, 200)}'`,
    why: algorithm === undefined ? 'the algorithm is unknown' : `${algorithm} has ${HEX_LENGTHS[algorithm]} hexadecimal digits`,
    advice: `write ALGORITHM:HEX with one of ${DIGEST_ALGORITHMS.join(', ')}`,
  });
}

export function formatDigest({ algorithm, hex }: Digest): string {
  return `${algorithm}:${hex}`;
}

export function sameDigest(a: Digest, b: Digest): boolean {
  return a.algorithm === b.algorithm && a.hex === b.hex;
}

/** The digest of an open file, from its beginning; synchronous. */
export function digestOfFile(fd: number, algorithm: DigestAlgorithm): Digest {
  const hasher = createHasher(algorithm);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ;) {
    const count = readSync(fd, buffer, 0, buffer.length, at);
    if (count === 0) return hasher.digest();
    hasher.update(buffer.subarray(0, count));
    at += count;
  }
}
