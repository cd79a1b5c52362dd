/** Lists the directories of a repository that templates reach, several at a time, into a store that keeps what was listed. */

import { setMaxListeners } from 'node:events';
import { linkSignals, throwIfAborted } from '../../common/deadline.js';
import type { LinkedController } from '../../common/deadline.js';
import type { Remote } from '../../proxy/contract.js';
import type { ListedEntry, ListingStore } from '../../registry/open.js';
import type { DirectoryListing } from './gen2-listing.js';

/** Which directories are listed. */
export interface WalkedLayout<Directory extends WalkedDirectory> {
  directory(path: ''): Directory | undefined;
  /** A directory below one; undefined where nothing in it is asked for. */
  below(directory: Directory, name: string): Directory | undefined;
}

export interface WalkedDirectory {
  /** Below the root. */
  readonly path: string;
}

export interface WalkSettings<Directory extends WalkedDirectory> {
  readonly remote: Remote;
  readonly layout: WalkedLayout<Directory>;
  readonly store: ListingStore;
  /** Lists into that store. */
  readonly listing: DirectoryListing;
  readonly signal: AbortSignal;
  /** Told how far it is, as a line that the next one replaces. */
  readonly onProgress: (line: string) => void;
}

export interface WalkResult {
  readonly directories: number;
  readonly files: number;
  /** Directories that were asked for; of the others what is known still holds. */
  readonly listed: number;
  /** Directories that may not be read, and so are left out. */
  readonly unreadable: readonly string[];
}

/** Directories that are listed at a time. */
const CONCURRENCY = 12;

/**
 * Milliseconds that a directory must have been left alone before its listing for its time to tell later that nothing changed: servers show times to the
 * minute, by clocks of their own.
 */
const SETTLED = 10 * 60_000;

/** Milliseconds between lines of progress. */
const PROGRESS_INTERVAL = 500;

/** How many unreadable directories are named. */
const NAMED = 3;

interface Waiting<Directory> {
  readonly directory: Directory;
  /** Its time as the listing of its parent says. */
  readonly modified: number | null;
}

/**
 * Walks from the root down. What an interrupted walk has seen is not listed again; likewise directories without further ones whose time, in the listing of
 * their parent, is the one that they had. Rejects with `remote-*` or `interrupted`; what was listed until then is kept.
 */
export async function walk<Directory extends WalkedDirectory>(settings: WalkSettings<Directory>): Promise<WalkResult> {
  const walking = new Walk(settings);
  return await walking.run();
}

class Walk<Directory extends WalkedDirectory> {
  readonly #settings: WalkSettings<Directory>;
  /** Taken from the end: depth first, so that few wait at a time. */
  readonly #waiting: Waiting<Directory>[] = [];
  readonly #begun = Date.now();
  #directories = 0;
  #files = 0;
  #told = 0;

  constructor(settings: WalkSettings<Directory>) {
    this.#settings = settings;
  }

  async run(): Promise<WalkResult> {
    const { store, layout, remote, listing, signal } = this.#settings;
    store.begin(remote.url);
    const root = layout.directory('');
    if (root !== undefined) this.#waiting.push({ directory: root, modified: null });
    // One failure ends the other listings too: nothing is under way any more when this returns.
    const control = linkSignals(signal);
    setMaxListeners(0, control.signal);
    try {
      await this.#visitAll(control);
    } finally {
      control.unlink();
    }
    throwIfAborted(signal, `listing ${remote.url}`);
    store.finish();
    this.#tell();
    return { directories: this.#directories, files: this.#files, listed: listing.listed, unreadable: [...listing.unreadable] };
  }

  async #visitAll(control: LinkedController): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const running = new Set<Promise<void>>();
    while (running.size > 0 || (failure === undefined && this.#waiting.length > 0)) {
      while (failure === undefined && running.size < CONCURRENCY && this.#waiting.length > 0) {
        const visit: Promise<void> = this.#visit(this.#waiting.pop()!, control.signal)
          .catch((error: unknown) => {
            failure ??= { error };
            control.abort(error);
          })
          .finally(() => running.delete(visit));
        running.add(visit);
      }
      await Promise.race(running);
    }
    if (failure !== undefined) throw failure.error;
  }

  async #visit({ directory, modified }: Waiting<Directory>, signal: AbortSignal): Promise<void> {
    const { remote, layout, listing } = this.#settings;
    throwIfAborted(signal, `listing ${remote.url}`);
    const entries = this.#known(directory, modified) ?? (await listing.list(directory.path, modified, signal));
    this.#directories++;
    for (const entry of entries) {
      if (entry.kind === 'file') this.#files++;
      else {
        const below = layout.below(directory, entry.name);
        if (below !== undefined) this.#waiting.push({ directory: below, modified: entry.modified });
      }
    }
    if (Date.now() - this.#told >= PROGRESS_INTERVAL) this.#tell();
  }

  /** What was listed before, where it holds. */
  #known(directory: Directory, modified: number | null): readonly ListedEntry[] | undefined {
    const { store, layout } = this.#settings;
    const known = store.directory(directory.path);
    if (known === undefined) return undefined;
    if (known.isSeen) return store.entries(directory.path);
    if (modified === null || known.modified !== modified || known.listed - modified < SETTLED) return undefined;
    const entries = store.entries(directory.path);
    // A directory's time says nothing of what is in the directories below it: their times are in its own listing only.
    if (entries.some((entry) => entry.kind === 'directory' && layout.below(directory, entry.name) !== undefined)) return undefined;
    store.keep(directory.path);
    return entries;
  }

  #tell(): void {
    this.#told = Date.now();
    const seconds = Math.max(0.1, (this.#told - this.#begun) / 1000);
    const { listed, unreadable: left } = this.#settings.listing;
    const unreadable = left.size === 0 ? '' : `, ${left.size} cannot be read: ${[...left].slice(0, NAMED).join(', ')}`;
    const rate = listed === 0 ? '' : `, ${Math.round(listed / seconds)} directories a second`;
    this.#settings.onProgress(
      `listing ${this.#settings.remote.url}: ${this.#directories} directories, ${this.#files} files${rate}${unreadable}`,
    );
  }
}
