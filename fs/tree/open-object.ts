/** Opening verified content: at once where it is in the cache, else after it was fetched, or as far as it is needed, by chunk. */

import type { ObjectRequest, PartialContent, WholeContent } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { ContentSource } from '../content.js';
import { type Answer, mapWaiting, type OpenedFile, type Waiting } from '../contract.js';

/** An open object of the cache: content that never changes. */
export class OpenedObject implements OpenedFile {
  readonly keepCache = true;
  readonly shareable = true;
  readonly backing: number;
  readonly size: number;

  constructor({ fd, size }: { readonly fd: number; readonly size: number }) {
    this.backing = fd;
    this.size = size;
  }
}

/** Content that is open before all of it is here. Pages that the kernel has of it are dropped with the next open: the whole may since have turned out wrong. */
export class OpenedPartial implements OpenedFile {
  readonly keepCache = false;
  readonly size: number;
  readonly id: number;
  readonly #content: PartialContent;
  readonly #source: ContentSource;
  readonly #fd: number | undefined;
  /** Bytes that no file holds, for the read that waited for them. By offset. */
  readonly #given = new Map<number, Uint8Array>();
  #lastChunk = -1;

  constructor(content: PartialContent, source: ContentSource, fd: number | undefined) {
    this.#content = content;
    this.#source = source;
    this.#fd = fd;
    this.id = content.id;
    this.size = content.size;
  }

  /** As {@link FileSystem.read}. */
  read(into: Buffer, at: number, size: number, offset: number): number | Waiting<unknown> {
    const end = Math.min(offset + size, this.size);
    if (end <= offset) return 0;
    const given = this.#given.get(offset);
    if (given !== undefined) {
      this.#given.delete(offset);
      const part = given.subarray(0, end - offset);
      into.set(part, at);
      return part.length;
    }
    if (this.#fd !== undefined && this.#isPresent(offset, end)) return this.#source.read(this.#fd, into, at, end - offset, offset);
    return mapWaiting(this.#source.readPartial(this.id, offset, end - offset), (bytes) => {
      if (bytes !== undefined) this.#given.set(offset, bytes);
    });
  }

  close(): void {
    if (this.#fd !== undefined) this.#source.reader.close({ fd: this.#fd });
    this.#source.closePartial(this.id);
  }

  #isPresent(offset: number, end: number): boolean {
    const { present, chunkSize } = this.#content;
    const last = Math.floor((end - 1) / chunkSize);
    for (let chunk = Math.floor(offset / chunkSize); chunk <= last; chunk++) if (Atomics.load(present, chunk) === 0) return false;
    if (last !== this.#lastChunk) this.#source.advance(this.id, last);
    this.#lastChunk = last;
    return true;
  }
}

export type OpenedContent = OpenedObject | OpenedPartial;

export function fetchAndOpen(content: ContentSource, request: ObjectRequest): Answer<OpenedContent> {
  const present = content.reader.openIfPresent(request);
  if (present !== undefined) {
    content.onHit();
    return new OpenedObject(present);
  }
  return mapWaiting(content.open(request), (fetched) => openFetched(content, request, fetched));
}

function openFetched(content: ContentSource, request: ObjectRequest, fetched: WholeContent | PartialContent): OpenedContent {
  if (fetched.kind === 'partial') {
    const opened = content.reader.openPartial(fetched);
    if (opened !== undefined || fetched.path === null) return new OpenedPartial(fetched, content, opened?.fd);
    // It became whole a moment ago.
    content.closePartial(fetched.id);
  }
  const object = content.reader.openIfPresent(request);
  if (object === undefined) throw evictedAtOnce(request);
  return new OpenedObject(object);
}

function evictedAtOnce(request: ObjectRequest): ButlerfsError {
  return new ButlerfsError('cache-failed', {
    what: `opening '${request.origin}'`,
    why: 'it left the cache before it could be opened',
    advice: 'give the cache more room with --cache-size',
  });
}
