/** Reads of an open file with many requests on their way, handed on in order. */

import { abortable } from '../../common/deadline.js';
import type { Handle, RequestOptions, SftpSession } from './sftp.js';
import type { Attributes } from './wire.js';

interface Part {
  readonly offset: number;
  readonly length: number;
  readonly data: Promise<Buffer>;
}

/** Bytes of an open file, and what it was like when the last of them had been read. */
export interface Range {
  readonly handle: Handle;
  readonly begin: number;
  /** Where it ends; Infinity: wherever the file does. */
  readonly end: number;
}

/**
 * The bytes from `begin` to `end`, or to the end of the file where that comes first. Requests go out as the bytes are taken, so that no more than the session's
 * window waits for the consumer. Before the last chunk `check` gets the file's attributes as they were after the last read (the protocol has a server work on one
 * file in the order it was asked), and `isWhole`: whether all bytes came. What it throws ends the bytes. A chunk is valid until the next is asked for.
 */
export async function* readRange(
  session: SftpSession,
  { handle, begin, end }: Range,
  { what, signal }: RequestOptions,
  check: (after: Attributes, isWhole: boolean) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parts: Part[] = [];
  let asked = begin;
  let onItsWay = 0;
  let attributes: Promise<Attributes> | undefined;
  const ask = (offset: number, length: number): Part => {
    onItsWay += length;
    // Without the signal, which is heard once for all of them below.
    const data = session.read(handle, offset, length, { what });
    data.catch(() => undefined);
    return { offset, length, data };
  };
  const fill = (): void => {
    while (asked < end && (parts.length === 0 || onItsWay < session.pace.window)) {
      const length = Math.min(session.pace.request, end - asked);
      parts.push(ask(asked, length));
      asked += length;
    }
    if (asked >= end && attributes === undefined) {
      attributes = session.fstat(handle, { what });
      attributes.catch(() => undefined);
    }
  };
  let reached = begin;
  let shortened: number | undefined;
  while (reached < end) {
    fill();
    const { offset, length, data } = parts.shift()!;
    const chunk = await abortable(data, signal, what);
    onItsWay -= length;
    reached = offset + chunk.length;
    const isEnd = chunk.length === 0;
    // More came after fewer bytes than were asked for: so it was not the end of the file, but all that the server sends at a time.
    if (shortened !== undefined && !isEnd) session.pace.limitedTo(shortened);
    shortened = undefined;
    if (!isEnd && chunk.length < length) {
      // The rest of it comes first; whatever was asked of the file's attributes was so before that.
      shortened = chunk.length;
      parts.unshift(ask(reached, length - chunk.length));
      attributes = undefined;
    }
    if (isEnd || reached >= end) check(await abortable(attributes ?? session.fstat(handle, { what }), signal, what), !isEnd);
    if (isEnd) return;
    yield chunk;
    session.release(chunk);
  }
}
