/** Content on its way into the cache. */

import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeAll } from '../common/atomic.js';
import { startTicksOf } from '../common/process.js';
import type { Digest } from './contract.js';
import type { Layout } from './layout.js';
import { lockExclusive, lockShared } from './locks.js';

let count = 0;
let ownTicks: string | undefined;

/** `<pid>-<start>-<n>`: a name that no other process uses, now or later. */
export function ownName(): string {
  ownTicks ??= startTicksOf(process.pid) ?? '0';
  return `${process.pid}-${ownTicks}-${++count}`;
}

function temporaryName({ temporary }: Layout): string {
  return join(temporary, `${ownName()}.part`);
}

/** A file in `temporary/`, until it is published or discarded. Errors are those of the disk. */
export class TemporaryFile {
  readonly #layout: Layout;
  readonly #path: string;
  readonly #handle: FileHandle;
  #size = 0;

  private constructor(layout: Layout, path: string, handle: FileHandle) {
    this.#layout = layout;
    this.#path = path;
    this.#handle = handle;
  }

  static async create(layout: Layout): Promise<TemporaryFile> {
    for (;;) {
      const path = temporaryName(layout);
      const handle = await open(path, 'wx', 0o600);
      // Until the lock is held another process may take the file for a dead one's and remove it: then there is another try.
      if (lockShared(handle.fd) && (await handle.stat()).nlink > 0) return new TemporaryFile(layout, path, handle);
      await handle.close();
    }
  }

  get size(): number {
    return this.#size;
  }

  get fd(): number {
    return this.#handle.fd;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, bytes);
    this.#size += bytes.length;
  }

  /** Gives the content its name, and closes. Returns whether it is new: false where the object was there already. */
  async publish(digest: Digest): Promise<boolean> {
    const target = this.#layout.object(digest);
    try {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      const present = await stat(target).catch(() => undefined);
      // One of another size was damaged on disk: it is replaced.
      if (present?.size === this.#size) {
        await this.discard();
        return false;
      }
      await rename(this.#path, target);
      await this.#handle.close();
      return true;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Idempotent; after {@link publish} it does nothing. */
  async discard(): Promise<void> {
    await rm(this.#path, { force: true });
    await this.#handle.close();
  }
}

/**
 * Makes an object of content that is in memory, all at once: for small ones the way through the thread pool takes longer than the work. `prepare` is given the
 * descriptor before the object has its name. Returns whether it is new. Throws errors of the disk.
 */
export function publishSmall(layout: Layout, digest: Digest, content: Uint8Array, prepare: (fd: number) => void): boolean {
  const target = layout.object(digest);
  if (statSync(target, { throwIfNoEntry: false })?.size === content.length) return false;
  for (;;) {
    const path = temporaryName(layout);
    const fd = openSync(path, 'wx', 0o600);
    try {
      // As in TemporaryFile.create.
      if (!lockShared(fd) || fstatSync(fd).nlink === 0) continue;
      for (let done = 0; done < content.length;) done += writeSync(fd, content, done);
      prepare(fd);
      renameInto(path, target);
      return true;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}

function renameInto(path: string, target: string): void {
  try {
    renameSync(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    renameSync(path, target);
  }
}

/** Removes what dead processes left; a living one holds a lock on its file. Returns how many files went. */
export function removeAbandoned(layout: Layout): number {
  let removed = 0;
  for (const name of readdirSync(layout.temporary)) {
    if (name.endsWith('.part') && removeUnlessLocked(join(layout.temporary, name))) removed++;
  }
  return removed;
}

function removeUnlessLocked(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (!lockExclusive(fd)) return false;
    unlinkSync(path);
    return true;
  } catch {
    // It was published or removed meanwhile.
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
