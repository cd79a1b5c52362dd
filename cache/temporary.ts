/** Content on its way into the cache. */

import { closeSync, openSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, writeAll } from '../common/atomic.js';
import type { Digest } from './contract.js';
import type { Layout } from './layout.js';
import { lockExclusive, lockShared } from './locks.js';

let count = 0;

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
      const path = join(layout.temporary, `${process.pid}-${processStart()}-${++count}.part`);
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

  /** Gives the content its name, durably, and closes. Returns whether it is new: false where the object was there already. */
  async publish(digest: Digest): Promise<boolean> {
    const target = this.#layout.object(digest);
    const directory = dirname(target);
    try {
      await this.#handle.sync();
      const made = await mkdir(directory, { recursive: true, mode: 0o700 });
      const present = await stat(target).catch(() => undefined);
      // One of another size was damaged on disk: it is replaced.
      if (present?.size === this.#size) {
        await this.discard();
        return false;
      }
      await rename(this.#path, target);
      await syncDirectory(directory);
      if (made !== undefined) {
        await syncDirectory(dirname(directory));
        await syncDirectory(this.#layout.objects);
      }
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

/** Start time of this process in clock ticks since boot (proc(5), stat field 22): with the pid it names the process for good. */
function processStart(): string {
  try {
    const text = readFileSync('/proc/self/stat', 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}
