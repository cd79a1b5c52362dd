/** Opens a catalogue file, if it is one. */

import { Database } from './driver.js';
import { statSync } from 'node:fs';
import type { Catalogue } from '../contract.js';
import { SqliteCatalogue } from './catalogue.js';
import { applicationId, catalogueSchemaVersion } from './schema.js';

/** Kilobytes of pages that one open catalogue keeps in memory at most. */
const pageCache = 4 * 1024;

/**
 * The catalogue in `file`, for reading; any number of threads and processes may open it. A catalogue that is replaced while it is open stays readable as it was.
 * Undefined where the file is absent, of another schema version or damaged: the caller builds it anew.
 */
export function openCatalogue(file: string): Catalogue | undefined {
  let database: Database | undefined;
  try {
    const { size } = statSync(file);
    database = new Database(file, { readonly: true, fileMustExist: true });
    const number = (name: string): unknown => database!.pragma(name, { simple: true });
    const whole = number('page_count') === size / Number(number('page_size'));
    if (!whole || number('application_id') !== applicationId || number('user_version') !== catalogueSchemaVersion) {
      database.close();
      return undefined;
    }
    database.pragma(`cache_size = -${pageCache}`);
    database.pragma('query_only = true');
    return new SqliteCatalogue(database);
  } catch {
    // Whatever is wrong with it, a catalogue is derived data: the cure is always to build it again.
    database?.close();
    return undefined;
  }
}
