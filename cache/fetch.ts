/** One fetch: bytes from a source, checked against what was published or pinned, published under their digest. */

import { ButlerfsError, type ErrorCode } from '../common/errors.js';
import { throwIfAborted } from '../common/deadline.js';
import { discard } from '../proxy/body.js';
import { BrokenOffError } from '../proxy/retry.js';
import type { Digest, ObjectRequest } from './contract.js';
import { createHasher, formatDigest, sameDigest } from './digest.js';
import { diskError } from './errors.js';
import { pinName, type Layout, type Pin } from './layout.js';
import { mark } from './marks.js';
import { createPin, readPin } from './pins.js';
import type { Reservation } from './room.js';
import { publishSmall, TemporaryFile } from './temporary.js';

/** Content without a published digest is stored under this one. */
const UNPUBLISHED_ALGORITHM = 'sha256';
/** A transfer that broke off and could not be continued begins again this often. */
const RESTARTS = 2;
/** Bytes up to which content whose size is known is gathered in memory and written at once. */
const SMALL = 256 * 1024;

/** Where the bytes come from. */
export interface Source {
  /** For messages: a URL, or a member of one. */
  readonly name: string;
  /** `fresh`: past whatever gave wrong bytes the first time. */
  open(fresh: boolean, signal: AbortSignal): Promise<SourceBody>;
}

export interface SourceBody {
  /** Bytes promised, or null where the source does not say. */
  readonly size: number | null;
  readonly validator: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What a fetch tells the cache. */
export interface FetchObserver {
  began(): void;
  received(bytes: number): void;
  wrong(error: ButlerfsError): void;
  /** To be awaited before an object gets its name: what may not be on the disk yet is noted there. */
  naming(): Promise<void> | undefined;
  published(path: string, size: number): void;
  /** Room for so many bytes, made by evicting where it must be. Rejects with `cache-full` where there is none. */
  reserve(bytes: number): Promise<Reservation>;
  /** The disk is full: evicts to make room, where it can, for this many bytes. */
  makeRoom(bytes: number): Promise<void>;
  /** Name of the mount that brings it. */
  readonly mount?: string | undefined;
}

/** Where content goes while it is checked. */
export interface Sink {
  /** Bytes written. */
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  /** The content passed its check. Returns whether it is new. */
  publish(digest: Digest): Promise<boolean>;
  /** Idempotent. */
  discard(): Promise<void>;
}

/** Where checked content is kept, and what unpublished content was pinned to. */
export interface Keeper {
  /** `size` in bytes, null where nobody says it. */
  createSink(size: number | null): Promise<Sink>;
  readPin(): Promise<Pin | undefined>;
  /** The pin that counts now. */
  createPin(content: Pick<Pin, 'validator' | 'size' | 'digest'>): Promise<Pin>;
}

/**
 * Brings the content of `request` into the cache. Wrong or changed content is fetched once more, afresh; a full disk is tried again after an eviction.
 * `fresh`: begin afresh.
 */
export async function fetchObject(
  layout: Layout,
  request: ObjectRequest,
  source: Source,
  observer: FetchObserver,
  signal: AbortSignal,
  fresh = false,
): Promise<void> {
  await fetchInto(diskKeeper(layout, request, observer), layout, request, source, observer, signal, fresh);
}

/** As {@link fetchObject}, into whatever `keeper` is; `layout` is for messages. */
export async function fetchInto(
  keeper: Keeper,
  layout: Layout,
  request: ObjectRequest,
  source: Source,
  observer: FetchObserver,
  signal: AbortSignal,
  fresh = false,
): Promise<void> {
  const cured = { fresh, room: false, restarts: RESTARTS };
  for (;;) {
    const attempt = new Attempt(keeper, layout, request, source, observer, signal);
    try {
      await attempt.run(cured.fresh);
      return;
    } catch (error) {
      const failure = diskError(error, `storing ${source.name}`, layout.directory, request.size);
      if (signal.aborted) throw failure;
      if (isWrong(failure.code)) {
        observer.wrong(failure);
        if (cured.fresh) throw failure;
        cured.fresh = true;
      } else if (failure.code === 'cache-full') {
        if (cured.room) throw failure;
        cured.room = true;
        await observer.makeRoom(request.size ?? 2 * attempt.received);
      } else if (!(failure instanceof BrokenOffError) || cured.restarts-- === 0) throw failure;
    }
  }
}

function diskKeeper(layout: Layout, request: ObjectRequest, observer: FetchObserver): Keeper {
  return {
    createSink: async (size) => {
      const reservation = await observer.reserve(size ?? 0);
      const prepare = (fd: number): void => mark(fd, { mount: observer.mount, origin: originOf(request) });
      if (size !== null && size <= SMALL) return new GatheredContent(size, request.origin, layout, reservation, observer, prepare);
      try {
        const file = await TemporaryFile.create(layout);
        prepare(file.fd);
        return new ReservedFile(layout, file, reservation, observer);
      } catch (error) {
        reservation.end();
        throw error;
      }
    },
    readPin: () => readPin(layout, request),
    createPin: (content) => createPin(layout, request, content),
  };
}

/** Gives an object its name by `work`, which says whether it is new, with all that others must hear of it. */
async function named(
  path: string,
  size: number,
  observer: FetchObserver,
  reservation: Reservation,
  work: () => boolean | Promise<boolean>,
): Promise<boolean> {
  try {
    await observer.naming();
    const isNew = await work();
    if (isNew) observer.published(path, size);
    return isNew;
  } finally {
    reservation.end();
  }
}

/** A temporary file for which there is room. */
class ReservedFile implements Sink {
  readonly #layout: Layout;
  readonly #file: TemporaryFile;
  readonly #reservation: Reservation;
  readonly #observer: FetchObserver;

  constructor(layout: Layout, file: TemporaryFile, reservation: Reservation, observer: FetchObserver) {
    this.#layout = layout;
    this.#file = file;
    this.#reservation = reservation;
    this.#observer = observer;
  }

  get size(): number {
    return this.#file.size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes);
    this.#reservation.wrote(bytes.length);
  }

  async publish(digest: Digest): Promise<boolean> {
    const work = (): Promise<boolean> => this.#file.publish(digest);
    return await named(this.#layout.object(digest), this.size, this.#observer, this.#reservation, work);
  }

  async discard(): Promise<void> {
    this.#reservation.end();
    await this.#file.discard();
  }
}

/** Little content, in memory until it is published. */
class GatheredContent implements Sink {
  readonly #promised: number;
  readonly #name: string;
  readonly #layout: Layout;
  readonly #reservation: Reservation;
  readonly #observer: FetchObserver;
  readonly #prepare: (fd: number) => void;
  #content: Buffer;
  size = 0;

  /** `promised`: the bytes to expect; `name` of the content, for messages. */
  constructor(
    promised: number,
    name: string,
    layout: Layout,
    reservation: Reservation,
    observer: FetchObserver,
    prepare: (fd: number) => void,
  ) {
    this.#promised = promised;
    this.#name = name;
    this.#content = Buffer.allocUnsafe(promised);
    this.#layout = layout;
    this.#reservation = reservation;
    this.#observer = observer;
    this.#prepare = prepare;
  }

  write(bytes: Uint8Array): Promise<void> {
    const end = this.size + bytes.length;
    if (end > SMALL) {
      const why = `it sends more than ${SMALL} bytes where it promised ${this.#promised}`;
      return Promise.reject(new ButlerfsError('remote-failed', { what: this.#name, why }));
    }
    // More than was promised: some origins promise wrongly, and where nothing is published the digest decides.
    if (end > this.#content.length) this.#content = Buffer.concat([this.#content.subarray(0, this.size)], 2 * end);
    this.#content.set(bytes, this.size);
    this.size = end;
    return Promise.resolve();
  }

  async publish(digest: Digest): Promise<boolean> {
    const work = (): boolean => publishSmall(this.#layout, digest, this.#content.subarray(0, this.size), this.#prepare);
    return await named(this.#layout.object(digest), this.size, this.#observer, this.#reservation, work);
  }

  discard(): Promise<void> {
    this.#reservation.end();
    return Promise.resolve();
  }
}

function originOf({ origin, member }: ObjectRequest): string {
  return member === undefined ? origin : `${origin}#zip-path=${member}`;
}

function isWrong(code: ErrorCode): boolean {
  return code === 'wrong-digest' || code === 'wrong-size' || code === 'remote-changed';
}

class Attempt {
  readonly #keeper: Keeper;
  readonly #layout: Layout;
  readonly #request: ObjectRequest;
  readonly #source: Source;
  readonly #observer: FetchObserver;
  readonly #signal: AbortSignal;
  received = 0;

  constructor(keeper: Keeper, layout: Layout, request: ObjectRequest, source: Source, observer: FetchObserver, signal: AbortSignal) {
    this.#keeper = keeper;
    this.#layout = layout;
    this.#request = request;
    this.#source = source;
    this.#observer = observer;
    this.#signal = signal;
  }

  async run(fresh: boolean): Promise<void> {
    throwIfAborted(this.#signal, `fetching ${this.#source.name}`);
    const pin = this.#request.digest === undefined ? await this.#keeper.readPin() : undefined;
    this.#observer.began();
    const body = await this.#source.open(fresh, this.#signal);
    const file = await this.#createSink(body);
    try {
      const digest = await this.#receive(body, file, this.#request.digest?.algorithm ?? pin?.digest.algorithm ?? UNPUBLISHED_ALGORITHM);
      this.#check(digest, file.size, pin);
      const size = file.size;
      await file.publish(digest);
      if (this.#request.digest !== undefined || pin !== undefined) return;
      this.#check(digest, size, await this.#keeper.createPin({ validator: body.validator, size, digest }));
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  async #createSink(body: SourceBody): Promise<Sink> {
    try {
      this.#checkSize(body.size, false);
      return await this.#keeper.createSink(body.size ?? this.#request.size ?? null);
    } catch (error) {
      await discard(body.bytes);
      throw error;
    }
  }

  async #receive({ bytes }: SourceBody, file: Sink, algorithm: Digest['algorithm']): Promise<Digest> {
    const hasher = createHasher(algorithm);
    for await (const chunk of bytes) {
      throwIfAborted(this.#signal, `fetching ${this.#source.name}`);
      this.received += chunk.length;
      this.#observer.received(chunk.length);
      if (this.received > (this.#request.size ?? Infinity)) this.#checkSize(this.received, true);
      const written = file.write(chunk);
      try {
        hasher.update(chunk);
      } finally {
        await written;
      }
    }
    return hasher.digest();
  }

  #checkSize(size: number | null, isMore: boolean): void {
    const published = this.#request.size;
    if (published === undefined || size === null || size === published) return;
    throw new ButlerfsError('wrong-size', {
      what: this.#source.name,
      why: `the registry publishes ${published} bytes, the origin sends ${isMore ? 'at least ' : ''}${size}`,
      advice: 'tell whoever keeps the repository: the file is not the one that was registered',
    });
  }

  #check(digest: Digest, size: number, pin: Pin | undefined): void {
    this.#checkSize(size, false);
    const published = this.#request.digest;
    if (published !== undefined && !sameDigest(digest, published)) {
      throw new ButlerfsError('wrong-digest', {
        what: this.#source.name,
        why: `the registry publishes ${formatDigest(published)}, the origin sends ${formatDigest(digest)}`,
        advice: 'tell whoever keeps the repository: the file is damaged, or not the one that was registered',
      });
    }
    if (pin !== undefined && !sameDigest(digest, pin.digest)) {
      throw new ButlerfsError('remote-changed', {
        what: this.#source.name,
        why: `the first fetch brought ${formatDigest(pin.digest)}, the origin now sends ${formatDigest(digest)}`,
        advice: `to take the new content, evict the pin: remove ${this.#layout.pin(pinName(this.#request))}`,
      });
    }
  }
}
