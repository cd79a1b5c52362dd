/** Which objects are read by chunk, and what each of them is made of. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import { discard } from '../../proxy/body.js';
import type { ObjectStat, RemoteBody } from '../../proxy/contract.js';
import {
  CHUNK_SIZE,
  type ChunkDigestLookup,
  type ChunkDigests,
  type Digest,
  type ObjectRequest,
  type OriginOpener,
  type PartialContent,
} from '../contract.js';
import { formatDigest } from '../digest.js';
import { pinName, type Layout } from '../layout.js';
import { createPin, readPin } from '../pins.js';
import { ChunkFile } from './chunk-file.js';
import { OpenedContents, type ReadableContent } from './opened.js';
import { PartialObject } from './partial-object.js';
import { HashThread } from './whole-check.js';

export interface LargeSettings {
  readonly layout: Layout;
  readonly openOrigin: OriginOpener;
  readonly chunkDigests: ChunkDigestLookup | undefined;
  /** Bytes up to which content is brought here whole before its first byte is served. */
  readonly wholeSize: number;
  /** Name of the mount that brings it. */
  readonly mount: string | undefined;
  readonly observer: LargeObserver;
}

/** What reading by chunk tells the cache. */
export interface LargeObserver {
  received(bytes: number): void;
  room(bytes: number): Promise<boolean>;
  /** What became of room that was given: the bytes are on the disk now, or are not. Once for each. */
  tookRoom(bytes: number, isStored: boolean): void;
  /** As {@link FetchObserver.naming}. */
  naming(): Promise<void> | undefined;
  /** What was stored by chunk is now an object at `path`. */
  completed(path: string, size: number): void;
  wrong(error: ButlerfsError): void;
  diskFailed(error: unknown): void;
  /** The content of an open one turned out to be wrong: nothing of it may be shown any more. */
  broken(id: number, error: ButlerfsError): void;
}

/** Names of partial objects that turned out wrong: they are fetched whole from now on, and checked before they are served. */
const MOST_WRONG = 10_000;

export class LargeObjects {
  readonly #settings: LargeSettings;
  readonly #opened = new OpenedContents();
  readonly #hashing = new HashThread();
  readonly #wrong = new Set<string>();

  constructor(settings: LargeSettings) {
    this.#settings = settings;
  }

  /** Opens content for reading by chunk; undefined where it is to be brought here whole. `pinnedSize` is that of an earlier fetch, if any. */
  async open(request: ObjectRequest, pinnedSize: number | undefined, signal: AbortSignal | undefined): Promise<PartialContent | undefined> {
    const known = request.size ?? pinnedSize;
    const isKnownSmall = known !== undefined && known <= this.#settings.wholeSize;
    const key = keyOf(request);
    if (isKnownSmall || request.member !== undefined || this.#wrong.has(key)) return undefined;
    if (this.#opened.has(key)) return this.#opened.open(key, () => Promise.reject(new Error('it is open')));
    const stat = await this.#settings.openOrigin(request.origin).stat({ signal });
    const { chunkDigests } = this.#settings;
    const digests = chunkDigests?.(request.origin);
    // Where chunks are published, one that cannot be checked is not shown.
    if (chunkDigests !== undefined && digests === undefined) return undefined;
    if (!isReadableByChunk(stat, known, digests, this.#settings.wholeSize)) return undefined;
    return this.#opened.open(key, () => this.#make(request, key, stat, digests));
  }

  read(id: number, offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    return this.#opened.read(id, offset, length, signal);
  }

  advance(id: number, chunk: number): void {
    this.#opened.advance(id, chunk);
  }

  closeOne(id: number): void {
    this.#opened.close(id);
  }

  async close(): Promise<void> {
    await this.#opened.closeAll();
    await this.#hashing.close();
  }

  async #make(request: ObjectRequest, key: string, stat: ObjectStat, digests: ChunkDigests | undefined): Promise<ReadableContent> {
    const { layout, observer } = this.#settings;
    const size = stat.size!;
    const chunkSize = digests?.chunkSize ?? CHUNK_SIZE;
    const file = await this.#openFile(nameOf(key, stat, chunkSize, digests !== undefined), size, chunkSize, request.origin);
    const origin = this.#settings.openOrigin(request.origin);
    const object: PartialObject = new PartialObject({
      name: request.origin,
      size,
      chunkSize,
      file,
      digests,
      expected: await this.#expected(request),
      hashing: this.#hashing,
      open: async (offset, length, fresh, signal) => {
        const body = await origin.open({ offset, length, validator: stat.validator, fresh, signal });
        return sameVersion(body, stat, request.origin);
      },
      observer: {
        received: (bytes) => observer.received(bytes),
        room: (bytes) => observer.room(bytes),
        tookRoom: (bytes, isStored) => observer.tookRoom(bytes, isStored),
        wrong: (error) => observer.wrong(error),
        diskFailed: (error) => observer.diskFailed(error),
        complete: async (whole, digest) => {
          await this.#pin(request, stat, digest);
          const target = layout.object(digest);
          await observer.naming();
          if (await whole.publish(target)) observer.completed(target, size);
        },
        broken: (error) => {
          if (this.#wrong.size < MOST_WRONG) this.#wrong.add(key);
          const id = this.#opened.idOf(key);
          if (id !== undefined) observer.broken(id, error);
          // Whoever opens it now gets the whole, checked first.
          this.#opened.forget(key);
        },
      },
    });
    return object;
  }

  /** Null where the disk does not take it: then it is read without. */
  async #openFile(name: string, size: number, chunkSize: number, origin: string): Promise<ChunkFile | null> {
    const { layout, observer, mount } = this.#settings;
    try {
      return await ChunkFile.open(
        { data: join(layout.partial, `${name}.data`), map: join(layout.partial, `${name}.map`) },
        size,
        chunkSize,
        { mount, origin },
      );
    } catch (error) {
      observer.diskFailed(error);
      return null;
    }
  }

  async #expected(request: ObjectRequest): Promise<Digest | undefined> {
    if (request.digest !== undefined) return request.digest;
    const pin = await readPin(this.#settings.layout, request).catch(() => undefined);
    return pin?.digest;
  }

  /** Content without a published digest must go on being what it is now. */
  async #pin(request: ObjectRequest, stat: ObjectStat, digest: Digest): Promise<void> {
    if (request.digest !== undefined) return;
    const pin = await createPin(this.#settings.layout, request, { validator: stat.validator, size: stat.size!, digest });
    if (formatDigest(pin.digest) === formatDigest(digest)) return;
    throw new ButlerfsError('remote-changed', {
      what: request.origin,
      why: `the first fetch brought ${formatDigest(pin.digest)}, the origin now sends ${formatDigest(digest)}`,
      advice: `to take the new content, evict the pin: remove ${this.#settings.layout.pin(pinName(request))}`,
    });
  }
}

/** A size that is not the published one is for the whole fetch to refuse. Without a validator, parts of two versions could not be told apart. */
function isReadableByChunk(
  { size, validator }: ObjectStat,
  known: number | undefined,
  digests: ChunkDigests | undefined,
  wholeSize: number,
): boolean {
  if (size === null || size <= wholeSize || (known !== undefined && known !== size)) return false;
  return digests === undefined ? validator !== null : digests.size === size;
}

/** The same for requests that the same content satisfies. */
function keyOf(request: ObjectRequest): string {
  return JSON.stringify([
    request.origin,
    request.identity,
    request.digest === undefined ? null : formatDigest(request.digest),
    request.size ?? null,
  ]);
}

/** Another version of the origin is another partial object; so is one whose chunks were not checked when they came. */
function nameOf(key: string, { size, validator }: ObjectStat, chunkSize: number, isVerified: boolean): string {
  return createHash('sha256')
    .update(JSON.stringify([key, size, validator, chunkSize, isVerified]))
    .digest('hex');
}

async function sameVersion(body: RemoteBody, wanted: ObjectStat, origin: string): Promise<RemoteBody> {
  const { size, validator } = body.stat;
  if ((size === null || size === wanted.size) && (validator === wanted.validator || validator === null || wanted.validator === null))
    return body;
  await discard(body.bytes);
  throw new ButlerfsError('remote-changed', {
    what: `reading ${origin}`,
    why: `it changed at the origin (version ${wanted.validator ?? 'unknown'} was opened, ${validator ?? 'another'} is there now)`,
    advice: 'open it again',
  });
}
