/**
 * A large object that is read before all of it is here. Chunks come in runs: the one that is asked for with those that a reader in order will want next. Each
 * is checked as far as it can be, written to the sparse file, and only then said to be present. Once more than half of it is here, the rest is fetched behind,
 * and the whole is checked and becomes an object like any other.
 */

import { LRUCache } from 'lru-cache';
import { abortable, interrupted } from '../../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import type { RemoteBody } from '../../proxy/contract.js';
import type { ChunkDigests, Digest } from '../contract.js';
import { createHasher, formatDigest, sameDigest } from '../digest.js';
import type { ChunkFile } from './chunk-file.js';
import type { ReadableContent } from './opened.js';
import { ReadingAhead } from './reading-ahead.js';
import { Run } from './run.js';
import type { HashThread, WholeCheck } from './whole-check.js';

export interface PartialSettings {
  /** For messages: the URL of the object. */
  readonly name: string;
  readonly size: number;
  readonly chunkSize: number;
  /** Null where the disk takes nothing: chunks then stay in memory for a while. Closed by the object. */
  readonly file: ChunkFile | null;
  readonly digests: ChunkDigests | undefined;
  /** What the whole must be; undefined where nothing is published or pinned. */
  readonly expected: Digest | undefined;
  readonly hashing: HashThread;
  /** Opens a range of the origin, always of the same version. `fresh`: past whatever gave wrong bytes. */
  open(offset: number, length: number, fresh: boolean, signal: AbortSignal): Promise<RemoteBody>;
  readonly observer: PartialObserver;
}

export interface PartialObserver {
  received(bytes: number): void;
  /** Whether the cache takes so many bytes more; it may evict others for them. */
  room(bytes: number): Promise<boolean>;
  /** What became of room that was given: the bytes are on the disk now, or are not. Once for each. */
  tookRoom(bytes: number, isStored: boolean): void;
  wrong(error: ButlerfsError): void;
  /** The disk failed; reads go on without it. */
  diskFailed(error: unknown): void;
  /** The whole is here and checked: gives it its name. */
  complete(file: ChunkFile, digest: Digest): Promise<void>;
  /** The whole is not what it must be: its readers fail from now on. */
  broken(error: ButlerfsError): void;
}

interface Pending {
  readonly run: Run | undefined;
  /** Resolves with the bytes where they are in no file. */
  readonly arrival: Promise<Buffer | undefined>;
  resolve(bytes: Buffer | undefined): void;
  reject(error: unknown): void;
}

/** Content without a published digest is stored under this one. */
const UNPUBLISHED_ALGORITHM = 'sha256';
/** Chunks kept in memory where the disk takes none. */
const HELD = 32;
/** A reader does not wait for a run that is farther behind than this many chunks: it gets a run of its own. */
const PATIENCE = 3;
/** Chunks of a run that fetches what nobody asked for yet. */
const BEHIND = 16;
/** Present chunks from which on the whole is being hashed: a header alone is not worth it. */
const HASH_FROM = 8;

export class PartialObject implements ReadableContent {
  readonly size: number;
  readonly chunkSize: number;
  readonly present: Uint8Array<SharedArrayBuffer>;
  readonly #settings: PartialSettings;
  readonly #chunks: number;
  readonly #ahead = new ReadingAhead();
  readonly #pending = new Map<number, Pending>();
  readonly #held = new LRUCache<number, Buffer>({ max: HELD });
  readonly #runs = new Map<Run, Promise<void>>();
  #file: ChunkFile | null;
  #here = 0;
  #check: WholeCheck | undefined;
  #prefix = 0;
  #completing: Promise<void> | undefined;
  #broken: ButlerfsError | undefined;
  #closed = false;

  constructor(settings: PartialSettings) {
    this.#settings = settings;
    this.#file = settings.file;
    this.size = settings.size;
    this.chunkSize = settings.chunkSize;
    this.#chunks = Math.ceil(settings.size / settings.chunkSize);
    this.present = new Uint8Array(new SharedArrayBuffer(this.#chunks));
  }

  get path(): string | null {
    return this.#file?.path ?? null;
  }

  async read(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    const [first, last] = [Math.floor(offset / this.chunkSize), Math.floor((end - 1) / this.chunkSize)];
    this.#refuseEnded();
    if (!this.#isHere(first, last)) await this.#file?.refresh().catch((error: unknown) => this.#loseFile(error));
    this.#refuseEnded();
    for (let chunk = first; chunk <= last; chunk++) this.#demand(chunk, this.#ahead.cameTo(chunk), chunk === first);
    const arrivals: (Buffer | undefined)[] = [];
    for (let chunk = first; chunk <= last; chunk++) arrivals.push(await this.#arrival(chunk, signal));
    this.#refuseEnded();
    if (arrivals.every((bytes) => bytes === undefined)) return undefined;
    return this.#assemble(first, arrivals, offset, end);
  }

  advance(chunk: number): void {
    if (this.#closed || this.#broken !== undefined || chunk >= this.#chunks) return;
    const ahead = this.#ahead.cameTo(chunk);
    const end = Math.min(chunk + ahead, this.#chunks);
    let missing = chunk;
    while (missing < end && this.#isOnItsWay(missing)) missing++;
    // As long as half of it is here or coming, nothing is begun: few long runs, not many short ones.
    if (missing < end && missing - chunk <= ahead / 2) this.#begin(missing, end);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const run of this.#runs.keys()) run.abort();
    await Promise.allSettled([...this.#runs.values(), this.#completing]);
    this.#check?.drop();
    await this.#file?.close();
  }

  #isHere(first: number, last: number): boolean {
    for (let chunk = first; chunk <= last; chunk++) if (this.present[chunk] === 0) return false;
    return true;
  }

  #isOnItsWay(chunk: number): boolean {
    return this.present[chunk] === 1 || this.#pending.has(chunk) || this.#held.has(chunk);
  }

  #refuseEnded(): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#closed) throw this.#wasClosed();
  }

  #wasClosed(): ButlerfsError {
    return interrupted(`reading ${this.#settings.name}`, new Error('it was closed'));
  }

  /** Sees to it that a chunk comes, with those after it that are wanted ahead. `isNext`: nothing else is waited for before it. */
  #demand(chunk: number, ahead: number, isNext: boolean): void {
    if (this.present[chunk] === 1 || this.#held.has(chunk)) {
      this.advance(chunk);
      return;
    }
    const pending = this.#pending.get(chunk);
    if (pending === undefined) this.#begin(chunk, Math.min(chunk + ahead, this.#chunks));
    else if (isNext && pending.run !== undefined && chunk - pending.run.position > PATIENCE) this.#transfer(chunk, chunk + 1, false);
  }

  async #arrival(chunk: number, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    if (this.present[chunk] === 1) return undefined;
    const held = this.#held.get(chunk);
    if (held !== undefined) return held;
    const pending = this.#pending.get(chunk);
    if (pending === undefined) throw new ButlerfsError('cache-failed', { what: this.#settings.name, why: `chunk ${chunk} was lost` });
    return abortable(pending.arrival, signal, `reading ${this.#settings.name}`);
  }

  /** Begins with what is missing in [first, end): what the file claims is verified, the rest is transferred. */
  #begin(first: number, end: number): void {
    for (let chunk = first; chunk < end;) {
      if (this.#isOnItsWay(chunk)) chunk++;
      else if (this.#file?.claims(chunk) === true) this.#verify(chunk++);
      else {
        let to = chunk + 1;
        while (to < end && !this.#isOnItsWay(to) && this.#file?.claims(to) !== true) to++;
        this.#transfer(chunk, to, false);
        chunk = to;
      }
    }
  }

  #verify(chunk: number): void {
    const pending = this.#expect(chunk, undefined);
    this.#file!.verify(chunk).then(
      (isGood) => {
        if (isGood) {
          this.#arrived(chunk, pending);
          return;
        }
        this.#settings.observer.wrong(
          new ButlerfsError('wrong-digest', {
            what: `chunk ${chunk} of ${this.#settings.name}`,
            where: this.path ?? '',
            why: 'it was damaged on disk',
          }),
        );
        this.#transfer(chunk, chunk + 1, false);
      },
      (error: unknown) => {
        this.#loseFile(error);
        this.#transfer(chunk, chunk + 1, false);
      },
    );
  }

  /** Transfers [first, end), taking over whoever waits for these chunks. */
  #transfer(first: number, end: number, fresh: boolean): void {
    const { chunkSize, size, open } = this.#settings;
    const run = new Run({
      first,
      end,
      chunkSize,
      size,
      open: (offset, length, signal) => open(offset, length, fresh, signal),
      take: (chunk, bytes) => this.#take(chunk, bytes),
    });
    for (let chunk = first; chunk < end; chunk++) this.#expect(chunk, run);
    const done = run.transfer().then(
      () => {
        this.#runs.delete(run);
        this.#fetchBehind();
      },
      (error: unknown) => {
        this.#runs.delete(run);
        this.#failed(run, asButlerfsError(error), fresh);
      },
    );
    this.#runs.set(run, done);
  }

  #failed(run: Run, error: ButlerfsError, fresh: boolean): void {
    if (error.code === 'wrong-digest' && !fresh && !this.#closed) {
      this.#settings.observer.wrong(error);
      this.#transfer(run.position, run.end, true);
      return;
    }
    for (let chunk = run.position; chunk < run.end; chunk++) {
      const pending = this.#pending.get(chunk);
      if (pending?.run !== run) continue;
      this.#pending.delete(chunk);
      pending.reject(error);
    }
  }

  /** Somebody will want the chunk: the same promise whichever run brings it. */
  #expect(chunk: number, run: Run | undefined): Pending {
    const former = this.#pending.get(chunk);
    let resolve!: Pending['resolve'];
    let reject!: Pending['reject'];
    const arrival =
      former?.arrival ??
      new Promise<Buffer | undefined>((resolveIt, rejectIt) => {
        [resolve, reject] = [resolveIt, rejectIt];
      });
    arrival.catch(() => undefined);
    const pending = { run, arrival, resolve: former?.resolve ?? resolve, reject: former?.reject ?? reject };
    this.#pending.set(chunk, pending);
    return pending;
  }

  async #take(chunk: number, bytes: Buffer): Promise<void> {
    const { observer, digests, name } = this.#settings;
    observer.received(bytes.length);
    if (this.present[chunk] === 1) return;
    if (digests !== undefined && !isChunk(bytes, digests.digest(chunk))) {
      throw new ButlerfsError('wrong-digest', {
        what: name,
        why: `chunk ${chunk} is not what the manifest signs`,
        advice: 'tell whoever keeps the repository: the file is damaged, or was changed after it was published',
      });
    }
    const stored = await this.#store(chunk, bytes);
    const pending = this.#pending.get(chunk);
    if (stored) this.#arrived(chunk, pending);
    else {
      const copy = Buffer.from(bytes);
      this.#held.set(chunk, copy);
      this.#pending.delete(chunk);
      pending?.resolve(copy);
    }
  }

  /** Whether the file now holds the chunk. */
  async #store(chunk: number, bytes: Buffer): Promise<boolean> {
    const { observer } = this.#settings;
    const file = this.#file;
    if (file === null || !(await observer.room(bytes.length))) return false;
    let isStored = false;
    try {
      isStored = await file.write(chunk, bytes);
    } catch (error) {
      this.#loseFile(error);
    }
    observer.tookRoom(bytes.length, isStored);
    return isStored;
  }

  /** The disk does not take more; what is present stays readable. */
  #loseFile(error: unknown): void {
    if (!this.#closed) this.#settings.observer.diskFailed(error);
  }

  #arrived(chunk: number, pending: Pending | undefined): void {
    if (this.#broken !== undefined || this.#closed) {
      pending?.reject(this.#broken ?? this.#wasClosed());
      this.#pending.delete(chunk);
      return;
    }
    if (this.present[chunk] === 0) {
      Atomics.store(this.present, chunk, 1);
      this.#here++;
    }
    this.#pending.delete(chunk);
    pending?.resolve(undefined);
    this.#hashOn();
    if (this.#here === this.#chunks) this.#completing ??= this.#complete();
  }

  /** Tells the thread that hashes how far the file is good from its beginning. */
  #hashOn(): void {
    if (this.#settings.digests !== undefined || this.#file === null) return;
    if (this.#here < Math.min(HASH_FROM, this.#chunks)) return;
    const from = this.#prefix;
    while (this.#prefix < this.#chunks && this.present[this.#prefix] === 1) this.#prefix++;
    if (this.#prefix === from) return;
    this.#check ??= this.#settings.hashing.begin(this.#file.path, this.#settings.expected?.algorithm ?? UNPUBLISHED_ALGORITHM);
    this.#check.grown(Math.min(this.#prefix * this.chunkSize, this.size));
  }

  async #complete(): Promise<void> {
    const { observer, digests, expected, name } = this.#settings;
    const file = this.#file!;
    try {
      const digest = digests?.whole ?? (await this.#wholeDigest());
      if (expected !== undefined && !sameDigest(digest, expected)) {
        const why = `the registry publishes ${formatDigest(expected)}, the origin sends ${formatDigest(digest)}`;
        const advice = 'tell whoever keeps the repository: the file is damaged, or not the one that was registered';
        await this.#break(new ButlerfsError('wrong-digest', { what: name, why, advice }), file);
        return;
      }
      await observer.complete(file, digest);
    } catch (error) {
      const failure = asButlerfsError(error);
      // Content that was fetched before as something else is as wrong as what has the wrong digest.
      if (failure.code === 'remote-changed') await this.#break(failure, file);
      else if (!this.#closed) observer.diskFailed(error);
    }
  }

  async #wholeDigest(): Promise<Digest> {
    const check = this.#check!;
    this.#check = undefined;
    const { digest, bytes } = await check.finish();
    if (bytes === this.size) return digest;
    throw new ButlerfsError('cache-failed', {
      what: `hashing ${this.#settings.name}`,
      why: `only ${bytes} of ${this.size} bytes were hashed`,
    });
  }

  async #break(error: ButlerfsError, file: ChunkFile): Promise<void> {
    this.#broken = error;
    this.present.fill(0);
    this.#settings.observer.wrong(error);
    this.#settings.observer.broken(error);
    await file.remove().catch(() => undefined);
  }

  /** Where most of it is here, the rest is worth having: only the whole can be checked. */
  #fetchBehind(): void {
    if (this.#closed || this.#broken !== undefined || this.#runs.size > 0 || this.#file === null) return;
    if (this.#here * 2 < this.#chunks || this.#here === this.#chunks) return;
    let missing = 0;
    while (missing < this.#chunks && this.#isOnItsWay(missing)) missing++;
    if (missing < this.#chunks) this.#begin(missing, Math.min(missing + BEHIND, this.#chunks));
  }

  async #assemble(first: number, arrivals: readonly (Buffer | undefined)[], offset: number, end: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(end - offset);
    for (const [index, arrival] of arrivals.entries()) {
      const begin = (first + index) * this.chunkSize;
      const [from, to] = [Math.max(begin, offset), Math.min(begin + this.chunkSize, end)];
      const part = arrival?.subarray(from - begin, to - begin) ?? (await this.#file!.read(from, to - from));
      bytes.set(part, from - offset);
    }
    return bytes;
  }
}

function isChunk(bytes: Uint8Array, digest: Uint8Array): boolean {
  const hasher = createHasher('sha256');
  hasher.update(bytes);
  return hasher.digest().hex === Buffer.from(digest).toString('hex');
}
