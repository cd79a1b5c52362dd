/** Opens what is here. Synchronous and quick: it runs in the thread that talks to the kernel. */

import { closeSync, fstatSync, futimesSync, openSync, statSync } from 'node:fs';
import type { Digest, ObjectReader, ObjectRequest, OpenObject, PartialContent } from './contract.js';
import { digestOfFile, isDigest, sameDigest } from './digest.js';
import { Layout } from './layout.js';
import { lockShared } from './locks.js';
import { PinReader } from './pins.js';
import { quarantine } from './quarantine.js';
import { Doubts } from './unsynced.js';

/** An object used again within this many milliseconds is not touched again. */
const TOUCH_INTERVAL = 60_000;
/** Between opening and locking an object may be evicted and fetched again; that does not go on for ever. */
const OPEN_ATTEMPTS = 3;

export interface ReaderSettings {
  readonly directory: string;
  /** `open`: the content is hashed at every open, and an object that fails is moved to `quarantine/`. */
  readonly verify: 'fetch' | 'open';
  /** Default: those that the cache's notes say. */
  readonly doubts?: Doubts | undefined;
}

export function openReader({ directory, verify, doubts }: ReaderSettings): ObjectReader {
  const layout = new Layout(directory);
  return new DiskReader(layout, verify, doubts ?? new Doubts(layout));
}

/** Where the content of a request must be, as far as is known. */
interface Expected {
  readonly digest: Digest;
  readonly size: number | undefined;
}

class DiskReader implements ObjectReader {
  readonly #layout: Layout;
  readonly #verify: 'fetch' | 'open';
  readonly #pins: PinReader;
  readonly #doubts: Doubts;

  constructor(layout: Layout, verify: 'fetch' | 'open', doubts: Doubts) {
    this.#layout = layout;
    this.#verify = verify;
    this.#pins = new PinReader(layout);
    this.#doubts = doubts;
  }

  openIfPresent(request: ObjectRequest): OpenObject | undefined {
    try {
      const expected = this.#expected(request);
      if (expected === undefined) return undefined;
      const path = this.#layout.object(expected.digest);
      for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        const found = this.#open(path, expected);
        if (found !== 'replaced') return found;
      }
    } catch {
      // Whatever is wrong with the cache, the object is not here.
    }
    return undefined;
  }

  isPresent(request: ObjectRequest): boolean {
    try {
      const expected = this.#expected(request);
      if (expected === undefined) return false;
      const info = statSync(this.#layout.object(expected.digest), { throwIfNoEntry: false });
      return info?.isFile() === true && (expected.size === undefined || info.size === expected.size);
    } catch {
      return false;
    }
  }

  openPartial({ path }: Pick<PartialContent, 'path'>): Pick<OpenObject, 'fd'> | undefined {
    if (path === null) return undefined;
    try {
      const fd = openSync(path, 'r');
      if (lockShared(fd) && fstatSync(fd).nlink > 0) return { fd };
      closeSync(fd);
    } catch {
      // It became an object, or was evicted.
    }
    return undefined;
  }

  pinnedSize(request: ObjectRequest): number | undefined {
    try {
      return this.#pins.find(request)?.size;
    } catch {
      return undefined;
    }
  }

  close({ fd }: Pick<OpenObject, 'fd'>): void {
    closeSync(fd);
  }

  #expected({ digest, size, ...request }: ObjectRequest): Expected | undefined {
    if (digest !== undefined) return isDigest(digest) ? { digest, size } : undefined;
    const pin = this.#pins.find(request);
    if (pin === undefined || (size !== undefined && size !== pin.size)) return undefined;
    return pin;
  }

  #open(path: string, { digest, size }: Expected): OpenObject | 'replaced' | undefined {
    const fd = openSync(path, 'r');
    let kept = false;
    try {
      // Somebody holds it exclusively: it is being evicted.
      if (!lockShared(fd)) return undefined;
      const info = fstatSync(fd);
      if (info.nlink === 0) return 'replaced';
      if (!info.isFile() || (size !== undefined && info.size !== size)) return undefined;
      const isDoubtful = this.#doubts.covers(info.ctimeMs);
      if ((isDoubtful || this.#verify === 'open') && !sameDigest(digestOfFile(fd, digest.algorithm), digest)) {
        quarantine(this.#layout, path, digest);
        return undefined;
      }
      // Checked, it is doubtful no longer: the touch changes its inode.
      touch(fd, isDoubtful ? -Infinity : info.mtimeMs);
      kept = true;
      return { fd, size: info.size, digest };
    } finally {
      if (!kept) closeSync(fd);
    }
  }
}

function touch(fd: number, modified: number): void {
  const now = Date.now();
  if (now - modified < TOUCH_INTERVAL && now >= modified) return;
  try {
    futimesSync(fd, now / 1000, now / 1000);
  } catch {
    // On a read-only or foreign cache the order of eviction is somebody else's business.
  }
}
