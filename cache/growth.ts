/**
 * How much the processes that share a cache add to it and evict from it: a file that each appends to and reads on from where it was. So each knows what all of
 * them did, without looking through the directory.
 *
 * A record is two little-endian doubles: bytes added and objects added, negative for what went. The file is a help, not a truth: who misses a part of it (it was
 * replaced, or cannot be read) counts the directory again.
 */

import { closeSync, fstatSync, openSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs';

const RECORD = 16;
/** Bytes at which the file is begun anew. */
const LONGEST = 2 ** 20;

export interface Grown {
  readonly bytes: number;
  readonly objects: number;
}

export class Growth {
  readonly #path: string;
  #fd: number | undefined;
  #inode = 0;
  #at = 0;
  /** Whether the file was opened since the last {@link read}: what was in it before is not known. */
  #isNew = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Notes what this process did; returns whether it is noted. */
  append({ bytes, objects }: Grown): boolean {
    const record = Buffer.alloc(RECORD);
    record.writeDoubleLE(bytes);
    record.writeDoubleLE(objects, 8);
    let fd: number | undefined;
    try {
      // Not kept open: a disk that somebody wants to make read-only would be busy.
      fd = openSync(this.#path, 'a', 0o600);
      return writeSync(fd, record) === RECORD;
    } catch {
      // A full or read-only disk: the others will find out when they count.
      return false;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  /** The sum of what was noted since the last call, by this process and others; undefined where a part of it was missed. */
  read(): Grown | undefined {
    try {
      this.#open();
      const isNew = this.#isNew;
      this.#isNew = false;
      if (this.#fd === undefined) return undefined;
      const { size } = fstatSync(this.#fd);
      const bytes = Buffer.alloc(Math.max(0, Math.floor((size - this.#at) / RECORD) * RECORD));
      const length = bytes.length === 0 ? 0 : readSync(this.#fd, bytes, 0, bytes.length, this.#at);
      this.#at += length;
      if (isNew) return undefined;
      const sum = { bytes: 0, objects: 0 };
      for (let at = 0; at + RECORD <= length; at += RECORD) {
        sum.bytes += bytes.readDoubleLE(at);
        sum.objects += bytes.readDoubleLE(at + 8);
      }
      return Number.isFinite(sum.bytes) && Number.isFinite(sum.objects) ? sum : undefined;
    } catch {
      return undefined;
    }
  }

  /** Begins the file anew where it has become long. Under the lock of those who evict. */
  shorten(): void {
    try {
      if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= LONGEST) unlinkSync(this.#path);
    } catch {
      // It stays long.
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Opens the file that has the name now. */
  #open(): void {
    const inode = statSync(this.#path, { throwIfNoEntry: false })?.ino;
    if (this.#fd !== undefined && inode === this.#inode) return;
    this.close();
    this.#fd = openSync(this.#path, 'r');
    this.#inode = fstatSync(this.#fd).ino;
    this.#at = 0;
    this.#isNew = true;
  }
}
