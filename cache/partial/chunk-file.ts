/** The files of a partial object: a sparse one with its chunks, and its {@link ChunkMap}. */

import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sleep } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { lockExclusive, lockShared, unlock } from '../locks.js';
import { mark, type Marks } from '../marks.js';
import { ChunkMap, chunkHash } from './chunk-map.js';

export interface ChunkFilePaths {
  readonly data: string;
  readonly map: string;
}

/** Between opening and locking an object may be evicted; that does not go on for ever. */
const ATTEMPTS = 5;
/** A chunk waits at most for the product, in milliseconds, for other processes that write. */
const LOCK_ATTEMPTS = 200;
const LOCK_INTERVAL = 2;

export class ChunkFile {
  readonly #paths: ChunkFilePaths;
  readonly #data: FileHandle;
  readonly #map: ChunkMap;
  readonly #chunkSize: number;
  readonly #size: number;
  /** Writes, one after the other. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(paths: ChunkFilePaths, data: FileHandle, map: ChunkMap, size: number, chunkSize: number) {
    this.#paths = paths;
    this.#data = data;
    this.#map = map;
    this.#size = size;
    this.#chunkSize = chunkSize;
  }

  /** Opens or makes them; a shared lock keeps them from eviction until {@link close}. Errors are those of the disk. */
  static async open(paths: ChunkFilePaths, size: number, chunkSize: number, marks: Marks = {}): Promise<ChunkFile> {
    await mkdir(dirname(paths.data), { recursive: true, mode: 0o700 });
    const data = await openLocked(paths.data);
    try {
      if ((await data.stat()).size !== size) {
        await data.truncate(size);
        mark(data.fd, marks);
      }
      return new ChunkFile(paths, data, await ChunkMap.open(paths.map, Math.ceil(size / chunkSize)), size, chunkSize);
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  get path(): string {
    return this.#paths.data;
  }

  /** Takes in what other processes wrote. */
  async refresh(): Promise<void> {
    await this.#map.refresh();
  }

  /** Whether the chunk is said to be here: {@link verify} finds out. */
  claims(chunk: number): boolean {
    return this.#map.hashOf(chunk) !== undefined;
  }

  /** Whether the bytes of a chunk are those that were written. One that fails is no longer claimed. */
  async verify(chunk: number): Promise<boolean> {
    const hash = this.#map.hashOf(chunk);
    if (hash === undefined) return false;
    const length = Math.min(this.#chunkSize, this.#size - chunk * this.#chunkSize);
    const bytes = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await this.#data.read(bytes, 0, length, chunk * this.#chunkSize);
    if (bytesRead === length && chunkHash(bytes) === hash) return true;
    this.#map.withdraw(chunk);
    return false;
  }

  /**
   * Writes a chunk that is not here yet; whether the file then holds it. Never over one that is here: of several processes one alone writes a chunk, so that
   * what was checked once stays what it is, under whatever name. False, too, where another goes on writing for long, or the object has become whole.
   */
  write(chunk: number, bytes: Uint8Array): Promise<boolean> {
    const writing = this.#tail.then(() => this.#writeAlone(chunk, bytes));
    this.#tail = writing.catch(() => undefined);
    return writing;
  }

  async #writeAlone(chunk: number, bytes: Uint8Array): Promise<boolean> {
    if (!(await this.#lock())) return false;
    try {
      if (!(await this.#map.refresh())) return false;
      if (this.claims(chunk)) return await this.verify(chunk);
      await this.#writeClaimed(chunk, bytes);
      return true;
    } finally {
      unlock(this.#map.fd);
    }
  }

  /** Another process holds it for as long as writing one chunk takes. */
  async #lock(): Promise<boolean> {
    for (let attempt = 0; !lockExclusive(this.#map.fd); attempt++) {
      if (attempt === LOCK_ATTEMPTS) return false;
      await sleep(LOCK_INTERVAL);
    }
    return true;
  }

  async #writeClaimed(chunk: number, bytes: Uint8Array): Promise<void> {
    const writing = this.#writeData(chunk * this.#chunkSize, bytes);
    writing.catch(() => undefined);
    const hash = chunkHash(bytes);
    await writing;
    this.#map.append(chunk, hash);
  }

  /** Bytes that are here, for those who have no descriptor of their own. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await this.#data.read(bytes, 0, length, offset);
    if (bytesRead === length) return bytes;
    throw new ButlerfsError('cache-failed', { what: `reading ${this.#paths.data}`, why: `it ends at ${offset + bytesRead}` });
  }

  /** Makes the whole file an object of this name; false where there was one already. Open descriptors go on reading it. */
  async publish(target: string): Promise<boolean> {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const present = await stat(target).catch(() => undefined);
    const isNew = present?.size !== this.#size;
    if (isNew) await rename(this.#paths.data, target);
    else await rm(this.#paths.data, { force: true });
    await rm(this.#paths.map, { force: true });
    return isNew;
  }

  /** Removes what is here, for all processes. */
  async remove(): Promise<void> {
    await rm(this.#paths.map, { force: true });
    await rm(this.#paths.data, { force: true });
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#map.close();
    await this.#data.close();
  }

  async #writeData(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.#data.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  }
}

async function openLocked(path: string): Promise<FileHandle> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    if (lockShared(handle.fd) && (await handle.stat()).nlink > 0) return handle;
    await handle.close();
  }
  throw new ButlerfsError('cache-failed', { what: `opening ${path}`, why: 'it is being evicted again and again' });
}
