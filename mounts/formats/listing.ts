/** Listings that outlive versions: what was listed of an origin, in an SQLite file. */

import { rm } from 'node:fs/promises';
import { ButlerfsError } from '../../common/errors.js';
import { ListingStore } from '../../registry/open.js';
import { DirectoryListing } from './gen2-listing.js';
import { walk, type WalkedDirectory, type WalkSettings } from './gen2-walk.js';

/**
 * Brings the listing in `file` up to date, or makes it. Rejects as {@link walk}, and with `cache-full` or `cache-failed` where the file cannot be written.
 */
export async function listInto<Directory extends WalkedDirectory>(
  file: string,
  settings: Omit<WalkSettings<Directory>, 'store' | 'listing'>,
): Promise<void> {
  try {
    const store = await openListing(file);
    try {
      await walk({ ...settings, store, listing: new DirectoryListing(settings.remote, store) });
    } finally {
      store.close();
    }
  } catch (error) {
    throw listingError(error, file);
  }
}

/** Errors of SQLite as those of what is kept of a listing. */
export function listingError(error: unknown, file: string): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  const isFull = error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL';
  return new ButlerfsError(isFull ? 'cache-full' : 'cache-failed', {
    what: 'what was listed',
    where: file,
    why: error instanceof Error ? error.message : String(error),
    advice: isFull ? 'free some space' : `remove ${file}: it is made again`,
    cause: error,
  });
}

/** The store; a new one where the file is damaged, since everything in it can be listed again. */
export async function openListing(file: string): Promise<ListingStore> {
  try {
    return new ListingStore(file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(String(error.code)))) throw error;
    for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix, { force: true });
    return new ListingStore(file);
  }
}
