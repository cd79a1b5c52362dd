/**
 * Scrubbing: every object is read from the disk and hashed again. What is no longer what its name says is set aside, and the next reader fetches it again.
 * Parts of large objects need none of this: each is checked when a process first reads it.
 */

import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { sleep, throwIfAborted } from '../common/deadline.js';
import type { Digest } from './contract.js';
import { createHasher, formatDigest, sameDigest } from './digest.js';
import type { Layout } from './layout.js';
import { lockExclusive, lockShared } from './locks.js';
import { boundQuarantine, quarantine } from './quarantine.js';
import { objectGroups, scanGroup, type Stored } from './scan.js';

const CHUNK_BYTES = 1 << 20;
/** Milliseconds that a scrub may run ahead of its rate before it pauses. */
const SLACK = 50;
/** <fcntl.h> */
const POSIX_FADV_DONTNEED = 4;

export interface ScrubProgress {
  /** Looked through so far. */
  readonly objects: number;
  readonly bytes: number;
  readonly damaged: number;
}

export interface Damaged {
  readonly digest: Digest;
  /** What the bytes hash to; undefined where the disk does not give them. */
  readonly found: Digest | undefined;
}

export interface ScrubSettings {
  readonly layout: Layout;
  /** Bytes a second; Infinity for as fast as the disk. */
  readonly rate: number;
  /** Groups of objects as `objectGroups` names them; absent: all. */
  readonly groups?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly onDamaged?: ((damaged: Damaged) => void) | undefined;
  /** Called after each object. */
  readonly onProgress?: ((progress: ScrubProgress) => void) | undefined;
}

/** Goes through the objects once. Rejects with `interrupted` when the signal fires, and with what the directory fails with. */
export async function scrub({ layout, rate, groups, signal, onDamaged, onProgress }: ScrubSettings): Promise<ScrubProgress> {
  const pace = new Pace(rate, signal);
  let [objects, bytes, damaged] = [0, 0, 0];
  for (const group of groups ?? (await objectGroups(layout))) {
    for await (const found of scanGroup(layout, group)) {
      throwIfAborted(signal, 'scrubbing');
      const verdict = await check(layout, found, pace);
      if (verdict === undefined) continue;
      objects++;
      bytes += found.size;
      if (verdict !== 'sound') {
        damaged++;
        onDamaged?.(verdict);
      }
      onProgress?.({ objects, bytes, damaged });
    }
  }
  if (damaged > 0) boundQuarantine(layout);
  return { objects, bytes, damaged };
}

/** Undefined for an object that went meanwhile. */
async function check(
  layout: Layout,
  { path, digest }: Stored & { readonly digest: Digest },
  pace: Pace,
): Promise<'sound' | Damaged | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    // Somebody holds it exclusively: it is being evicted.
    if (!lockShared(handle.fd)) return undefined;
    const info = fstatSync(handle.fd);
    if (info.nlink === 0) return undefined;
    const found = await digestFromDisk(handle, digest.algorithm, pace);
    if (found !== undefined && sameDigest(found, digest)) return 'sound';
    if (statSync(path, { throwIfNoEntry: false })?.ino !== info.ino) return undefined;
    quarantine(layout, path, digest);
    return { digest, found };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

/** Undefined where the disk does not give the bytes. */
async function digestFromDisk(handle: FileHandle, algorithm: Digest['algorithm'], pace: Pace): Promise<Digest | undefined> {
  const hasher = createHasher(algorithm);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  // What is in memory may be better than what is on the disk.
  forgetPages(handle.fd);
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return hasher.digest();
      hasher.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
      await pace.spent(bytesRead);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return undefined;
    throw error;
  } finally {
    // A scrub leaves no other files' pages pushed out by its own.
    forgetPages(handle.fd);
  }
}

/** Keeps to a rate of bytes a second. */
class Pace {
  readonly #rate: number;
  readonly #signal: AbortSignal;
  #due = performance.now();

  constructor(rate: number, signal: AbortSignal) {
    this.#rate = rate;
    this.#signal = signal;
  }

  async spent(bytes: number): Promise<void> {
    throwIfAborted(this.#signal, 'scrubbing');
    const now = performance.now();
    this.#due = Math.max(this.#due, now - SLACK) + (bytes / this.#rate) * 1000;
    if (this.#due - now > SLACK) await sleep(this.#due - now, this.#signal, 'scrubbing');
  }
}

/** Runs `work` as the one process that scrubs the cache; undefined where another does. */
export async function scrubAlone<T>(layout: Layout, work: () => Promise<T>): Promise<T | undefined> {
  const lock = openSync(layout.scrubLock, 'a', 0o600);
  try {
    return lockExclusive(lock) ? await work() : undefined;
  } finally {
    closeSync(lock);
  }
}

/** One line for logs. */
export function describeDamage({ digest, found }: Damaged): string {
  const what = found === undefined ? 'the disk does not give its bytes' : `its bytes now have ${formatDigest(found)}`;
  return `the object ${formatDigest(digest)} is damaged: ${what}; it was set aside, and the next reader fetches it again`;
}

type Advise = (fd: number, offset: number, length: number, advice: number) => number;
let advise: Advise | null | undefined;

function forgetPages(fd: number): void {
  if (advise === undefined) {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
      advise = koffi.load(null).func('int posix_fadvise64(int fd, int64_t offset, int64_t length, int advice)');
    } catch {
      // Without koffi what is in memory is checked where it is.
      advise = null;
    }
  }
  advise?.(fd, 0, 0, POSIX_FADV_DONTNEED);
}
