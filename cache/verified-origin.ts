/** Origins whose every byte is checked against published chunk digests before it is passed on, whatever range is asked for. */

import { createHash } from 'node:crypto';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes, discard } from '../proxy/body.js';
import type { ReadOptions, RemoteBody } from '../proxy/contract.js';
import type { ChunkDigestLookup, ChunkDigests, OriginObject, OriginOpener } from './contract.js';

/**
 * Objects that read whole chunks around what is asked for. A range that is wrong fails with `wrong-digest` or `wrong-size` before a byte of the wrong chunk
 * is given; objects without published digests cannot be opened (`untrusted`).
 */
export function verifyingOpener(openOrigin: OriginOpener, chunkDigests: ChunkDigestLookup): OriginOpener {
  return (origin): OriginObject => {
    const object = openOrigin(origin);
    return {
      stat: (options) => object.stat(options),
      open: (options = {}) => openVerified(origin, object, chunkDigests(origin), options),
    };
  };
}

async function openVerified(
  origin: string,
  object: OriginObject,
  digests: ChunkDigests | undefined,
  { offset = 0, length = Infinity, ...options }: ReadOptions,
): Promise<RemoteBody> {
  if (digests === undefined) {
    throw new ButlerfsError('untrusted', {
      what: `a part of ${origin}`,
      why: 'no digests of its chunks are published, so it cannot be checked',
      advice: 'read the whole file',
    });
  }
  const { size, chunkSize } = digests;
  const end = Math.min(size, offset + length);
  const first = Math.floor(offset / chunkSize);
  const from = first * chunkSize;
  const to = Math.min(size, Math.ceil(end / chunkSize) * chunkSize);
  const body = await object.open({ ...options, offset: from, length: Math.max(0, to - from) });
  if (body.stat.size !== null && body.stat.size !== size) {
    await discard(body.bytes);
    throw new ButlerfsError('wrong-size', { what: origin, why: `${size} bytes were published, the origin has ${body.stat.size}` });
  }
  const verified = verifiedChunks(origin, digests, body.bytes, first, to);
  const bytes = cut(verified, from, offset, end);
  return { stat: { ...body.stat, size }, bytes: closingBytes(bytes, () => discard(body.bytes)) };
}

/** Whole chunks from `first` on, up to the byte `to`, each checked. */
async function* verifiedChunks(
  origin: string,
  { chunkSize, digest }: ChunkDigests,
  bytes: AsyncIterable<Uint8Array>,
  first: number,
  to: number,
): AsyncGenerator<Buffer, void, undefined> {
  let index = first;
  let parts: Buffer[] = [];
  let missing = Math.min(chunkSize, to - index * chunkSize);
  for await (let arrived of bytes) {
    while (arrived.length > 0 && missing > 0) {
      const part = Buffer.from(arrived.subarray(0, missing));
      arrived = arrived.subarray(part.length);
      parts.push(part);
      missing -= part.length;
      if (missing > 0) continue;
      const chunk = parts.length === 1 ? part : Buffer.concat(parts);
      if (!createHash('sha256').update(chunk).digest().equals(digest(index))) {
        throw new ButlerfsError('wrong-digest', {
          what: origin,
          why: `chunk ${index}, from byte ${index * chunkSize} on, is not what was published`,
          advice: 'tell whoever keeps the repository: the file is damaged, or not the one that was published',
        });
      }
      yield chunk;
      index++;
      parts = [];
      missing = Math.max(0, Math.min(chunkSize, to - index * chunkSize));
    }
  }
  if (missing > 0) throw new ButlerfsError('remote-failed', { what: origin, why: `it ended within chunk ${index}` });
}

/** The bytes from `offset` to `end` of chunks that begin at `from`. */
async function* cut(chunks: AsyncIterable<Buffer>, from: number, offset: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
  let at = from;
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.max(0, offset - at), Math.max(0, end - at));
    at += chunk.length;
    if (part.length > 0) yield part;
  }
}
