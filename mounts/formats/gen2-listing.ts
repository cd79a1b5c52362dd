/** Directories of an origin as they are listed, for whoever asks: into the store, once for all who want the same one. */

import { setMaxListeners } from 'node:events';
import { abortable, linkSignals } from '../../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { Remote, RemoteEntry } from '../../proxy/contract.js';
import type { ListedEntry, ListingStore } from '../../registry/open.js';

/** Milliseconds for which an origin that listed its root is taken to list directories. */
const ROOT_TRUSTED = 2_000;

/** Errors of one directory that leave the others as they are. */
const UNREADABLE: readonly string[] = ['remote-forbidden', 'unsupported'];

interface UnderWay {
  readonly entries: Promise<readonly ListedEntry[]>;
  readonly abort: (reason: unknown) => void;
  waiting: number;
}

export class DirectoryListing {
  readonly #remote: Remote;
  readonly #store: ListingStore;
  readonly #hasListed: boolean;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #unreadable = new Set<string>();
  #listed = 0;
  #rootSeen = 0;

  /** `hasListed`: whether the origin showed its root's listing before. */
  constructor(remote: Remote, store: ListingStore, hasListed = store.directory('') !== undefined) {
    this.#remote = remote;
    this.#store = store;
    this.#hasListed = hasListed;
  }

  /** Directories that were asked for. */
  get listed(): number {
    return this.#listed;
  }

  /** Directories that may not be read, and so are left out. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  /**
   * Lists a directory, which is empty where it is not there or may not be read. `modified`: its time as its parent's listing says. Rejects with `remote-*`, also
   * where the origin shows no listings any more, as one that wants a new login, or `interrupted`.
   */
  async list(path: string, modified: number | null, signal: AbortSignal): Promise<readonly ListedEntry[]> {
    const shared = this.#underWay.get(path) ?? this.#begin(path, modified);
    shared.waiting++;
    try {
      return await abortable(shared.entries, signal, `listing ${this.#remote.url}`);
    } finally {
      if (--shared.waiting === 0) shared.abort(signal.reason);
    }
  }

  #begin(path: string, modified: number | null): UnderWay {
    const control = linkSignals();
    setMaxListeners(0, control.signal);
    const entries = this.#list(path, modified, control.signal).finally(() => this.#underWay.delete(path));
    const shared = { entries, abort: control.abort, waiting: 0 };
    this.#underWay.set(path, shared);
    return shared;
  }

  async #list(path: string, modified: number | null, signal: AbortSignal): Promise<readonly ListedEntry[]> {
    const listed = Date.now();
    const entries = await this.#entries(path, signal);
    this.#listed++;
    // Of one that is not there nothing is kept, unless it was listed before.
    if (entries !== undefined || this.#store.directory(path) !== undefined) this.#store.put(path, entries ?? [], { listed, modified });
    return entries ?? [];
  }

  /** Undefined for a directory that is not there. */
  async #entries(path: string, signal: AbortSignal): Promise<readonly ListedEntry[] | undefined> {
    try {
      const entries = usable(await this.#remote.list!(path === '' ? '' : parseRemotePath(path), { signal }));
      this.#unreadable.delete(path);
      if (path === '') this.#rootSeen = Date.now();
      return entries;
    } catch (error) {
      const { code } = asButlerfsError(error);
      // The root must answer, as it did before; below it a directory may go while its parent is read, or be closed to us.
      if (path === '' && UNREADABLE.includes(code) && (this.#hasListed || this.#rootSeen > 0)) throw this.#noListings(error);
      if (path === '' || (code !== 'remote-not-found' && !UNREADABLE.includes(code))) throw error;
      await this.#confirmRoot(signal, error);
      if (code === 'remote-not-found') return undefined;
      this.#unreadable.add(path);
      return [];
    }
  }

  /** Rejects where the origin does not list its root either: then it says nothing of the directory that it did not list. */
  async #confirmRoot(signal: AbortSignal, cause: unknown): Promise<void> {
    if (Date.now() - this.#rootSeen < ROOT_TRUSTED) return;
    try {
      await this.#remote.list!('', { signal });
      this.#rootSeen = Date.now();
    } catch (error) {
      const { code } = asButlerfsError(error);
      if (code !== 'remote-not-found' && !UNREADABLE.includes(code)) throw error;
      throw this.#noListings(cause);
    }
  }

  #noListings(cause: unknown): ButlerfsError {
    return new ButlerfsError('remote-forbidden', {
      what: `listing ${this.#remote.url}`,
      why: 'it showed its directories before, and shows them no longer: it may want a new login',
      advice: 'see that the credentials still hold',
      cause,
    });
  }
}

/** Longest name of a file on Linux, in bytes. */
const LONGEST_NAME = 255;

/** Entries whose names are one component that a path can hold: whatever an origin says. */
export function usable(entries: readonly RemoteEntry[]): RemoteEntry[] {
  return entries.filter(
    ({ name }) =>
      name !== '' && name !== '.' && name !== '..' && !/[/\0]|\p{Surrogate}/u.test(name) && Buffer.byteLength(name) <= LONGEST_NAME,
  );
}
