import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from './contract.js';
import { createHasher, digestOfFile, formatDigest, isDigest, parseDigest } from './digest.js';

/** Digests of `abc`: FIPS 180-4, RFC 1321, RFC 7693 appendix A, xxHash's own tool. */
const ABC: Record<DigestAlgorithm, string> = {
  blake2b512:
    'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
  md5: '900150983cd24fb0d6963f7d28e17f72',
  xxh64: '44bc2cf5ad770999',
};

describe('digests', () => {
  it.each(DIGEST_ALGORITHMS)('%s of the empty text and of abc, in any pieces, and of a file', (algorithm) => {
    expect(ABC[algorithm]).toBe(createHasherOf(algorithm, ['abc']));
    expect(createHasherOf(algorithm, ['a', '', 'bc'])).toBe(ABC[algorithm]);
    const directory = mkdtempSync(join(tmpdir(), 'butlerfs-digest-'));
    writeFileSync(join(directory, 'abc'), 'abc');
    const fd = openSync(join(directory, 'abc'), 'r');
    expect(digestOfFile(fd, algorithm)).toEqual({ algorithm, hex: ABC[algorithm] });
    closeSync(fd);
    rmSync(directory, { recursive: true });
    const text = `${algorithm}:${ABC[algorithm]}`;
    expect(formatDigest(parseDigest(text))).toBe(text);
    expect(parseDigest(`${algorithm}:${ABC[algorithm].toUpperCase()}`).hex).toBe(ABC[algorithm]);
  });

  it('the empty xxh64 keeps its leading zeros', () => {
    expect(createHasherOf('xxh64', [])).toBe('ef46db3751d8e999');
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (pieces) => {
        const hasher = createHasher('xxh64');
        const whole = createHasher('xxh64');
        for (const piece of pieces) hasher.update(piece);
        whole.update(Buffer.concat(pieces));
        const digest = hasher.digest();
        expect(digest).toEqual(whole.digest());
        expect(isDigest(digest)).toBe(true);
      }),
    );
  });

  it('takes in a buffer before it returns', () => {
    for (const algorithm of DIGEST_ALGORITHMS) {
      const [hasher, buffer] = [createHasher(algorithm), Buffer.from('abc')];
      hasher.update(buffer);
      buffer.fill(0);
      expect(hasher.digest().hex).toBe(ABC[algorithm]);
    }
  });

  it.each([
    '',
    'md5',
    'md5:',
    'md4:00',
    'md5:../../../../../../../../etc/passwd',
    `md5:${'g'.repeat(32)}`,
    `md5:${'0'.repeat(32)}:x`,
    `sha1:${'0'.repeat(32)}`,
  ])('refuses %j', (text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'invalid-value' }) as Error);
  });
});

function createHasherOf(algorithm: DigestAlgorithm, pieces: string[]): string {
  const hasher = createHasher(algorithm);
  for (const piece of pieces) hasher.update(Buffer.from(piece));
  const { hex } = hasher.digest();
  if (algorithm !== 'xxh64') expect(hex).toBe(createHash(algorithm).update(pieces.join('')).digest('hex'));
  return hex;
}
