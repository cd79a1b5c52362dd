import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHUNK_SIZE } from '../../cache/contract.js';
import { coveredRequest } from './coverage.js';
import { DigestsFile } from './digests-file.js';
import { keyOf } from './digests-format.js';
import type { WholeAlgorithm } from './digests-format.js';
import { hashFile } from './hash-file.js';
import { KnownFiles } from './known-files.js';
import { PublishedContents } from './published-contents.js';
import { writeDigests } from './write-digests.js';

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'butlerfs-digests-'));
});
afterAll(() => rmSync(place, { recursive: true }));

interface Made {
  readonly location: string;
  readonly size: number;
  readonly algorithm: WholeAlgorithm;
  readonly whole: Buffer;
  readonly chunks: Buffer;
}

/** Files with made-up digests. */
function made(count: number): Made[] {
  return Array.from({ length: count }, (_, number) => {
    const algorithm = number % 2 === 0 ? 'sha256' : 'blake2b512';
    const size = [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE][number % 5]!;
    const chunks = randomBytes(32 * Math.ceil(size / CHUNK_SIZE));
    const isSame = algorithm === 'sha256' && chunks.length === 32;
    const whole = isSame ? Buffer.from(chunks) : randomBytes(algorithm === 'sha256' ? 32 : 64);
    return { location: `run/é ${number}.fits`, size, algorithm, whole, chunks };
  });
}

async function written(files: readonly Made[], name: string): Promise<{ file: string; sha256: string }> {
  const known = new KnownFiles(join(place, `${name}.sqlite3`));
  try {
    for (const { location, ...content } of files) known.put(keyOf(location), { stamp: '', hashedAt: 0, ...content });
    const file = join(place, name);
    const { sha256, size, chunks } = await writeDigests(known, file);
    expect(size).toBe(statSync(file).size);
    expect(sha256).toBe(createHash('sha256').update(readFileSync(file)).digest('hex'));
    expect(chunks).toBe(files.reduce((sum, one) => sum + one.chunks.length / 32, 0));
    return { file, sha256 };
  } finally {
    known.close();
  }
}

describe('a digests file', () => {
  it.each([0, 1, 7, 5000])('of %d files finds each of them, and nothing else', async (count) => {
    const files = made(count);
    const { file } = await written(files, `of-${count}`);
    const digests = new DigestsFile(file);
    try {
      expect(digests.files).toBe(count);
      for (const { location, size, algorithm, whole, chunks } of files) {
        expect(digests.find(location)).toEqual({ size, whole: { algorithm, hex: whole.toString('hex') } });
        const found = digests.chunks(location)!;
        expect(found).toMatchObject({ size, chunkSize: CHUNK_SIZE, whole: { algorithm, hex: whole.toString('hex') } });
        const count = chunks.length / 32;
        expect(Buffer.concat(Array.from({ length: count }, (_, index) => found.digest(index))).equals(chunks)).toBe(true);
        expect(() => found.digest(count)).toThrow(RangeError);
      }
      expect(digests.find('run/absent.fits')).toBeUndefined();
      expect(digests.chunks('')).toBeUndefined();
    } finally {
      digests.close();
    }
  });

  it('is the same whatever order the files came in', async () => {
    const files = made(300);
    const { sha256 } = await written(files, 'forwards');
    expect((await written([...files].reverse(), 'backwards')).sha256).toBe(sha256);
  });

  it('that is cut off, longer, or of another format is refused', async () => {
    const { file } = await written(made(10), 'damaged');
    const content = readFileSync(file);
    const refused = (): void => expect(() => new DigestsFile(file).close()).toThrow(/not of a known format/);
    for (const length of [0, 10, 64, 100, content.length - 1]) {
      writeFileSync(file, content);
      truncateSync(file, length);
      refused();
    }
    writeFileSync(file, content);
    appendFileSync(file, 'x');
    refused();
    for (let at = 0; at < 32; at++) {
      const changed = Buffer.from(content);
      changed[at]! ^= 0x80;
      writeFileSync(file, changed);
      refused();
    }
  });

  it('never reads beyond itself, whatever stands in it', async () => {
    const files = made(40);
    const { file } = await written(files, 'hostile');
    const content = readFileSync(file);
    for (let at = 64; at < Math.min(content.length, 64 + 32 + 40 * 32); at++) {
      const changed = Buffer.from(content);
      changed[at] = 0xff;
      writeFileSync(file, changed);
      try {
        const digests = new DigestsFile(file);
        try {
          for (const { location } of files) digests.find(location);
        } finally {
          digests.close();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt-repository' });
      }
    }
  });

  it('is asked by URL, and what it gave stays good when another takes its place', async () => {
    const files = made(8);
    const { file } = await written(files, 'first');
    const { file: next } = await written(files.slice(0, 1), 'next');
    const contents = new PublishedContents('https://host/repo', file);
    const url = (location: string): string => `https://host/repo/${location.split('/').map(encodeURIComponent).join('/')}`;
    const kept = contents.lookup(url(files[4]!.location))!;
    contents.replace(next);
    expect(Buffer.from(kept.digest(4)).equals(files[4]!.chunks.subarray(128))).toBe(true);
    expect(contents.lookup(url(files[4]!.location))).toBeUndefined();
    expect(contents.lookup(url(files[0]!.location))?.size).toBe(0);
    contents.close();
  });

  it('knows a file elsewhere by its URL, whoever reads it', () => {
    expect(keyOf('https://me:secret@host/a b').equals(keyOf('https://host/a%20b'))).toBe(true);
    expect(keyOf('run/a%20b').equals(keyOf('run/a b'))).toBe(false);
  });
});

describe('hashing a file', () => {
  it.each([0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 3])('of %d bytes', (size) => {
    const content = randomBytes(size);
    const file = join(place, 'hashed');
    writeFileSync(file, content);
    const hashed = hashFile(file, 'blake2b512');
    expect(hashed.size).toBe(size);
    expect(Buffer.from(hashed.whole).equals(createHash('blake2b512').update(content).digest())).toBe(true);
    const expected: Buffer[] = [];
    for (let at = 0; at < size; at += CHUNK_SIZE)
      expected.push(
        createHash('sha256')
          .update(content.subarray(at, at + CHUNK_SIZE))
          .digest(),
      );
    expect(Buffer.from(hashed.chunks).equals(Buffer.concat(expected))).toBe(true);
  });

  it('says what is not there, or no file', () => {
    expect(() => hashFile(join(place, 'absent'), 'sha256')).toThrow(/no such file/);
    expect(() => hashFile(place, 'sha256')).toThrow(/not a regular file/);
  });
});

describe('a covered request', () => {
  const whole = { algorithm: 'sha256', hex: 'c'.repeat(64) } as const;
  const origin = 'https://host/repo/a.zip';
  const published = () => ({ size: 9, whole });
  const nothing = () => undefined;

  it('keeps what the catalogue publishes', () => {
    const digest = { algorithm: 'blake2b512', hex: 'd'.repeat(128) } as const;
    expect(coveredRequest({ origin, identity: 'u', digest }, nothing)).toMatchObject({ origin, digest });
  });

  it('takes digest and size of a file without', () => {
    expect(coveredRequest({ origin, identity: 'u' }, published)).toMatchObject({ digest: whole, size: 9 });
    expect(() => coveredRequest({ origin, identity: 'u', size: 8 }, published)).toThrow(/8 bytes/);
  });

  it('pins a member under the digest of its archive, apart from what an unsigned mount pinned', () => {
    const request = coveredRequest({ origin, identity: 'u', member: 'm', size: 3 }, published);
    expect(request).toMatchObject({ member: 'm', size: 3 });
    expect(request.digest).toBeUndefined();
    expect(request.identity).toContain(whole.hex);
  });

  it('is refused where nothing is published', () => {
    for (const member of [undefined, 'm'])
      expect(() => coveredRequest({ origin, identity: 'u', member }, nothing)).toThrow(expect.objectContaining({ code: 'untrusted' }));
  });
});
