/**
 * What may not have reached the disk when the power goes.
 *
 * Objects get their names without waiting for the disk: many small files would spend most of their time in fsync(2). Instead, before the first of them does,
 * a note in `unsynced/` says since when; moments later the file system is synced as a whole, and the note says so. A note of an earlier boot therefore tells which
 * objects, by the time of their last change, may be damaged: each of them is read and checked before it is served for the first time. A crash of the process
 * alone loses nothing, since what it wrote belongs to the kernel.
 */

import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../common/atomic.js';
import { bootId } from '../common/process.js';
import { parseJson, type Layout } from './layout.js';
import { lockExclusive, lockShared } from './locks.js';
import { ownName } from './temporary.js';

const DELAY = 2_000;
/** Milliseconds by which the times of files may lag behind the clock. */
const MARGIN = 2_000;

const noteSchema = z.object({
  /** Names the boot of the machine: `/proc/sys/kernel/random/boot_id`. */
  boot: z.string(),
  /** Milliseconds since 1970: what was published from then on may be missing, or damaged, after that boot ended. */
  since: z.number(),
});
type Note = z.infer<typeof noteSchema>;

/** A time for which the machine has been running without interruption. */
export interface Boot {
  readonly id: string;
  /** Milliseconds since 1970 at which it began. */
  readonly at: number;
}

/** Objects are doubtful whose last change lies in one of these times. */
export class Doubts {
  readonly #from: number;
  readonly #until: number;

  /** Reads the notes; quick, whatever the cache holds. `present`: the boot that is now, by default that of this machine. */
  constructor(layout: Layout, present: Boot = presentBoot()) {
    const notes = readNotes(layout).filter((note) => note.boot !== present.id);
    this.#from = Math.min(...notes.map(({ since }) => since)) - MARGIN;
    this.#until = present.at + MARGIN;
  }

  /** `changed`: time of the last change of the inode, in milliseconds since 1970. */
  covers(changed: number): boolean {
    return changed >= this.#from && changed <= this.#until;
  }
}

export interface UnsyncedSettings {
  /** The disk did not take some objects after all, which were removed: they are fetched again when they are wanted again. */
  readonly onLost: (error: unknown) => void;
  /** Milliseconds from the first object that is not synced to the sync; default 2000. */
  readonly delay?: number;
}

/**
 * Keeps the note of one cache of this process. It stays as long as the cache is open: between the question for it and the name of an object any time may pass. A
 * shared lock on it says that its process lives.
 */
export class Unsynced {
  readonly #layout: Layout;
  readonly #settings: UnsyncedSettings;
  readonly #path: string;
  /** Published since the last sync began. */
  #paths: string[] = [];
  #note: FileHandle | undefined;
  #noting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;

  constructor(layout: Layout, settings: UnsyncedSettings) {
    this.#layout = layout;
    this.#settings = settings;
    this.#path = join(layout.unsynced, ownName());
    void adoptNotes(layout);
  }

  /** To be awaited, where it is not undefined, before an object gets its name. Rejects with errors of the disk. */
  begin(): Promise<void> | undefined {
    if (this.#note !== undefined) return undefined;
    this.#noting ??= this.#begin().finally(() => (this.#noting = undefined));
    return this.#noting;
  }

  async #begin(): Promise<void> {
    await mkdir(this.#layout.unsynced, { recursive: true, mode: 0o700 });
    const beginning = `${this.#path}.part`;
    const handle = await open(beginning, 'w', 0o600);
    try {
      lockShared(handle.fd);
      await writeNote(handle, Date.now());
      await rename(beginning, this.#path);
      await syncDirectory(this.#layout.unsynced);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#note = handle;
  }

  /** An object has its name. */
  published(path: string): void {
    this.#paths.push(path);
    if (this.#timer === undefined) this.#schedule();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#sync(), this.#settings.delay ?? DELAY).unref();
  }

  /** Syncs what is not yet. Nothing may be published afterwards. */
  async close(): Promise<void> {
    await this.#syncing;
    await this.#sync();
    clearTimeout(this.#timer);
    // Where a sync failed, what it was for is gone.
    if (this.#note !== undefined) await rm(this.#path, { force: true }).catch(() => undefined);
    await this.#note?.close();
  }

  #sync(): Promise<void> {
    this.#syncing ??= this.#syncNow().finally(() => {
      this.#syncing = undefined;
      this.#timer = undefined;
      if (this.#paths.length > 0) this.#schedule();
    });
    return this.#syncing;
  }

  async #syncNow(): Promise<void> {
    const [began, paths] = [Date.now(), this.#paths];
    this.#paths = [];
    if (paths.length === 0) return;
    try {
      await syncFileSystem(this.#layout.directory, paths);
    } catch (error) {
      for (const path of paths) await rm(path, { force: true }).catch(() => undefined);
      this.#settings.onLost(error);
      return;
    }
    // Where it cannot be written, the note there is says more than it must.
    if (this.#note !== undefined) await writeNote(this.#note, began).catch(() => undefined);
  }
}

/** In place: a note has the same length whenever it was written, and one that was torn makes everything doubtful. */
async function writeNote(note: FileHandle, since: number): Promise<void> {
  await note.write(`${JSON.stringify({ boot: bootId(), since } satisfies Note)}\n`, 0);
  await note.datasync();
}

/** Syncs in place of processes of this boot that were killed. */
async function adoptNotes(layout: Layout): Promise<void> {
  try {
    const boot = bootId();
    const abandoned = readdirSync(layout.unsynced)
      .map((name) => join(layout.unsynced, name))
      .filter((path) => isAbandoned(path) && (path.endsWith('.part') || readNote(path)?.boot === boot));
    if (abandoned.length === 0) return;
    await syncFileSystem(layout.directory, []);
    for (const path of abandoned) await rm(path, { force: true });
  } catch {
    // There are none, or the disk fails: then the notes stay.
  }
}

function isAbandoned(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    return lockExclusive(fd);
  } finally {
    closeSync(fd);
  }
}

/** Every object was read and checked since `began`, in milliseconds since 1970: where that was after the last boot, what notes of earlier ones say is settled. */
export function settleDoubts(layout: Layout, began: number, present: Boot = presentBoot()): void {
  if (began < present.at) return;
  for (const name of namesIn(layout.unsynced)) {
    const path = join(layout.unsynced, name);
    const note = readNote(path);
    if (note !== undefined && note.boot !== present.id) rmSync(path, { force: true });
  }
}

function readNotes(layout: Layout): Note[] {
  return namesIn(layout.unsynced).flatMap((name) => readNote(join(layout.unsynced, name)) ?? []);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** A note that cannot be read says nothing of when: then everything is doubtful. One that is being written does not count yet. */
function readNote(path: string): Note | undefined {
  if (path.endsWith('.part')) return undefined;
  try {
    return noteSchema.safeParse(parseJson(readFileSync(path, 'utf8'))).data ?? { boot: '', since: 0 };
  } catch {
    return undefined;
  }
}

function presentBoot(): Boot {
  return { id: bootId(), at: Date.now() - uptime() * 1000 };
}

type SyncFileSystem = { async(fd: number, done: (error: unknown, result: number) => void): void };
let syncfs: SyncFileSystem | null | undefined;

function loadSync(): SyncFileSystem | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return koffi.load(null).func('int syncfs(int fd)');
  } catch {
    return null;
  }
}

/** syncfs(2) of the file system that holds `directory`; where it cannot be called, fsync(2) of each path. */
async function syncFileSystem(directory: string, paths: readonly string[]): Promise<void> {
  if (syncfs === undefined) syncfs = loadSync();
  const call = syncfs;
  if (call === null) {
    for (const path of paths) await syncFile(path);
    return;
  }
  const fd = openSync(directory, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      call.async(fd, (error, result) => {
        if (error instanceof Error) reject(error);
        else if (result !== 0) reject(new Error(`syncing the file system of ${directory} failed`));
        else resolve();
      });
    });
  } finally {
    closeSync(fd);
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}
