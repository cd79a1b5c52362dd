import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ReadOptions } from '../proxy/contract.js';
import type { ChunkDigests, OriginObject } from './contract.js';
import { verifyingOpener } from './verified-origin.js';

const CHUNK = 4096;
const content = randomBytes(3 * CHUNK + 100);

const digests: ChunkDigests = {
  size: content.length,
  chunkSize: CHUNK,
  whole: { algorithm: 'sha256', hex: createHash('sha256').update(content).digest('hex') },
  digest: (index) =>
    createHash('sha256')
      .update(content.subarray(index * CHUNK, (index + 1) * CHUNK))
      .digest(),
};

/** An object that sends `bytes` in pieces of `piece`, and notes which ranges were asked for. */
function origin(bytes: Uint8Array, piece: number, asked: ReadOptions[] = []): OriginObject {
  const stat = { size: bytes.length, validator: 'v', modified: null };
  return {
    stat: () => Promise.resolve(stat),
    open: (options = {}) => {
      asked.push(options);
      const { offset = 0, length = Infinity } = options;
      async function* pieces(): AsyncGenerator<Uint8Array> {
        const end = Math.min(bytes.length, offset + length);
        for (let at = offset; at < end; at += piece) yield await Promise.resolve(bytes.subarray(at, Math.min(end, at + piece)));
      }
      return Promise.resolve({ stat, bytes: pieces() });
    },
  };
}

async function read(object: OriginObject, options: ReadOptions): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of (await object.open(options)).bytes) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

describe('an origin with published chunks', () => {
  it.each([
    [0, undefined],
    [0, 1],
    [CHUNK - 1, 2],
    [CHUNK, CHUNK],
    [100, 2 * CHUNK],
    [3 * CHUNK + 99, 500],
    [content.length, 10],
    [content.length + CHUNK, 10],
    [5, 0],
  ])('gives the range from %d of %s bytes, in whatever pieces it comes', async (offset, length) => {
    for (const piece of [1000, CHUNK, 2 * CHUNK + 1, 1e6]) {
      const object = verifyingOpener(
        () => origin(content, piece),
        () => digests,
      )('u');
      const wanted = content.subarray(offset, length === undefined ? undefined : offset + length);
      expect((await read(object, { offset, length })).equals(wanted)).toBe(true);
    }
  });

  it('asks for whole chunks only', async () => {
    const asked: ReadOptions[] = [];
    const object = verifyingOpener(
      () => origin(content, 1000, asked),
      () => digests,
    )('u');
    await read(object, { offset: CHUNK + 5, length: CHUNK, validator: 'v', fresh: true });
    expect(asked).toEqual([{ offset: CHUNK, length: 2 * CHUNK, validator: 'v', fresh: true }]);
  });

  it('gives no byte of a wrong chunk, and those of others', async () => {
    const wrong = Buffer.from(content);
    wrong[CHUNK + 7]! ^= 1;
    const object = verifyingOpener(
      () => origin(wrong, 1000),
      () => digests,
    )('u');
    expect((await read(object, { length: CHUNK })).equals(content.subarray(0, CHUNK))).toBe(true);
    await expect(read(object, { offset: CHUNK, length: 1 })).rejects.toMatchObject({ code: 'wrong-digest', message: /chunk 1/ });
    expect((await read(object, { offset: 2 * CHUNK })).equals(content.subarray(2 * CHUNK))).toBe(true);
  });

  it('refuses another size, and what has no digests', async () => {
    const shorter = verifyingOpener(
      () => origin(content.subarray(0, -1), 1000),
      () => digests,
    )('u');
    await expect(read(shorter, {})).rejects.toMatchObject({ code: 'wrong-size' });
    const uncovered = verifyingOpener(
      () => origin(content, 1000),
      () => undefined,
    )('u');
    await expect(read(uncovered, {})).rejects.toMatchObject({ code: 'untrusted' });
  });
});
