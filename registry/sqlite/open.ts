/** Opens a catalogue file, if it is one. */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Catalogue } from '../contract.js';
import { SqliteCatalogue } from './catalogue.js';
import { Database } from './driver.js';
import { applicationId, catalogueSchemaVersion } from './schema.js';

/** Kilobytes of pages that one open catalogue keeps in memory at most. */
const pageCache = 4 * 1024;

/**
 * The catalogue in `file`, for reading; any number of threads and processes may open it. It is one version of it for its whole life, whether the file is updated
 * or replaced meanwhile: what was written since cannot be tidied up before it is closed.
 *
 * Undefined where the file is absent, of another schema version or damaged: the caller builds it anew.
 */
export function openCatalogue(file: string): Catalogue | undefined {
  let database: Database | undefined;
  try {
    if (!isWhole(file)) return undefined;
    database = new Database(file, { readonly: true, fileMustExist: true });
    database.pragma(`cache_size = -${pageCache}`);
    database.pragma('query_only = true');
    database.exec('begin');
    if (!isCatalogue(database)) {
      database.close();
      return undefined;
    }
    return new SqliteCatalogue(database);
  } catch {
    // Whatever is wrong with it, a catalogue is derived data: the cure is always to build it again.
    database?.close();
    return undefined;
  }
}

/** Whether an SQLite file holds a catalogue of this schema version. */
export function isCatalogue(database: Database): boolean {
  const number = (name: string): unknown => database.pragma(name, { simple: true });
  return number('application_id') === applicationId && number('user_version') === catalogueSchemaVersion;
}

/** Places in the header of an SQLite file: bytes of a page (1 for 65,536), and the number of pages. */
const pageSizeAt = 16;
const pageCountAt = 28;

/**
 * Whether the file has the pages that its header tells of. While its write-ahead log holds some of them that cannot be told: it is whole with the log.
 */
export function isWhole(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const header = Buffer.alloc(100);
    if (readSync(descriptor, header, 0, header.length, 0) < header.length) return false;
    const log = statSync(`${file}-wal`, { throwIfNoEntry: false });
    if (log !== undefined && log.size > 0) return true;
    const stored = header.readUInt16BE(pageSizeAt);
    return fstatSync(descriptor).size === header.readUInt32BE(pageCountAt) * (stored === 1 ? 65_536 : stored);
  } finally {
    closeSync(descriptor);
  }
}
