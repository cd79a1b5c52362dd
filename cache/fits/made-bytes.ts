/** The bytes of a file that is made of pieces of another. */

import { linkSignals } from '../../common/deadline.js';
import type { MadeFile, Pieces } from '../../sky/fits/part.js';
import { type FileBytes, readBytes } from './file-bytes.js';

/** Bytes that are read along with what is wanted rather than asking again: about what comes in the time that one more question takes. */
const MERGED_GAP = 2 ** 16;
/** Pieces that are asked for at a time where each is asked for by itself, and the bytes of one up to which that is done. */
const PIECES_AT_ONCE = 6;
const SMALL_PIECE = 2 ** 20;

/** The file's bytes in order; memory does not grow with them. `from` is the file that it is made of. */
export async function* madeBytes(
  { head, pieces, size }: MadeFile,
  from: FileBytes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield head;
  let sent = head.length;
  for (const piece of pieces) {
    for await (const chunk of bytesOf(piece, from, signal)) {
      sent += chunk.length;
      yield chunk;
    }
  }
  if (sent < size) yield Buffer.alloc(size - sent);
}

function bytesOf(pieces: Pieces, from: FileBytes, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const { offset, length, stride, count } = pieces;
  if (count === 1) return from.stream(offset, length, signal);
  if (stride - length <= MERGED_GAP) return merged(pieces, from, signal);
  return length <= SMALL_PIECE ? severalAtOnce(pieces, from, signal) : oneByOne(pieces, from, signal);
}

/** All in one stream, of which what lies between is left out. */
async function* merged(
  { offset, length, stride, count }: Pieces,
  from: FileBytes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = 0;
  for await (const chunk of from.stream(offset, (count - 1) * stride + length, signal)) {
    for (let at = 0; at < chunk.length;) {
      const within = (position + at) % stride;
      if (within < length) yield chunk.subarray(at, at + length - within);
      at += within < length ? Math.min(length - within, chunk.length - at) : stride - within;
    }
    position += chunk.length;
  }
}

async function* severalAtOnce(
  { offset, length, stride, count }: Pieces,
  from: FileBytes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const control = linkSignals(signal);
  const coming: Promise<Uint8Array>[] = [];
  try {
    for (let next = 0; next < count || coming.length > 0;) {
      while (next < count && coming.length < PIECES_AT_ONCE) {
        const piece = readBytes(from, offset + next++ * stride, length, control.signal);
        // Heard when its turn comes, or not at all.
        piece.catch(() => undefined);
        coming.push(piece);
      }
      yield await coming.shift()!;
    }
  } finally {
    control.abort();
    control.unlink();
  }
}

async function* oneByOne(
  { offset, length, stride, count }: Pieces,
  from: FileBytes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = 0; piece < count; piece++) yield* from.stream(offset + piece * stride, length, signal);
}
