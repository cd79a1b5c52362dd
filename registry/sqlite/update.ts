/**
 * Updates a catalogue in place: in one transaction of its write-ahead log, so that those who have it open keep their version, and a crash at any instant leaves the
 * version before.
 */

import { statSync } from 'node:fs';
import type { CatalogueInfo, RepositoryChange, RepositoryReader } from '../contract.js';
import { checkAborted, writeError } from './build.js';
import type { BuildOptions } from './build.js';
import { Database } from './driver.js';
import { NotInPlace } from './not-in-place.js';
import { isCatalogue, isWhole } from './open.js';
import { CatalogueUpdater } from './updater.js';

/** Kilobytes of pages that are kept. */
const pageCache = 16 * 1024;

/**
 * Brings the catalogue at `target` up to date with what changed at the repository since it was made (the caller closes the reader), as the given version or a later
 * one. Undefined,
 * with nothing changed, where it must be built anew: it is damaged or missing, or the reader cannot say what changed, or says that nothing did, though the caller
 * has reason to ask. Where a reader that misses nothing says so, the version stays, and the validator and the cursor are the new ones.
 *
 * One process at a time may update a catalogue. Throws as {@link import('./build.js').buildCatalogueFrom} does; the version before is as it was then.
 */
export async function updateCatalogue(options: BuildOptions): Promise<CatalogueInfo | undefined> {
  const { reader, target } = options;
  const database = openForUpdate(target);
  if (database === undefined) return undefined;
  try {
    database.exec('begin immediate');
    const updater = new CatalogueUpdater(database);
    const { cursor } = updater;
    const changes = cursor === null ? undefined : reader.changes(cursor, updater.known);
    if (changes === undefined) return undefined;
    const info = await apply(updater, changes, options);
    if (info === undefined) return undefined;
    database.exec('commit');
    // What others still read stays in the log, until a later update finds them gone.
    database.pragma('wal_checkpoint(passive)');
    return info;
  } catch (error) {
    if (error instanceof NotInPlace) return undefined;
    throw writeError(error, target);
  } finally {
    // Closing rolls back what was not committed.
    database.close();
  }
}

async function apply(
  updater: CatalogueUpdater,
  changes: NonNullable<ReturnType<RepositoryReader['changes']>>,
  options: BuildOptions,
): Promise<CatalogueInfo | undefined> {
  let records = 0;
  const take = (change: RepositoryChange): void => {
    updater.apply(change);
    if (++records % 4096 !== 0) return;
    options.onProgress?.(records);
    checkAborted(options);
  };
  if (Symbol.iterator in changes) for (const change of changes) take(change);
  else for await (const change of changes) take(change);
  const { validator, reader } = options;
  updater.end();
  if (!updater.hasChanged && reader.missesNothing !== true) return undefined;
  const before = updater.info.version;
  // Whoever updated it and was ended before it could say so has given a version already.
  const version = updater.hasChanged ? Math.max(options.version, before + 1) : before;
  return updater.finish({ version, validator, readAt: Date.now() }, reader.cursor());
}

function openForUpdate(target: string): Database | undefined {
  if (statSync(target, { throwIfNoEntry: false }) === undefined || !isWhole(target)) return undefined;
  let database: Database | undefined;
  try {
    database = new Database(target, { fileMustExist: true });
    if (isCatalogue(database) && database.pragma('journal_mode', { simple: true }) === 'wal') {
      database.pragma(`cache_size = -${pageCache}`);
      database.pragma('synchronous = full');
      return database;
    }
  } catch {
    // As with a catalogue that does not open: it is built again.
  }
  database?.close();
  return undefined;
}
