/** Opens and makes shared catalogues. */

import { EngineCatalogue, createTables } from './catalogue.js';
import type { DatabaseAccess, SharedCatalogue } from './contract.js';
import type { Engine } from './engine.js';
import { openMysql } from './mysql.js';
import { openPostgresql } from './postgresql.js';
import { openSqlite } from './sqlite.js';

/** Contacts nothing yet. The caller closes it. */
export function openSharedCatalogue(access: DatabaseAccess): SharedCatalogue {
  return new EngineCatalogue(openEngine(access, false));
}

export interface CatalogueCreation {
  /** Where the files of the catalogue's relative locations are: a URL or an absolute directory. */
  readonly root: string;
  /** JSON text of a dimension universe; null: it comes with the first records. */
  readonly universe: string | null;
}

/** Makes a catalogue where there is none, and brings the tables of one that is there up to date. The caller closes it. */
export async function createSharedCatalogue(access: DatabaseAccess, creation: CatalogueCreation): Promise<SharedCatalogue> {
  const engine = openEngine(access, true);
  try {
    await createTables(engine, creation);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return new EngineCatalogue(engine);
}

function openEngine(access: DatabaseAccess, isNew: boolean): Engine {
  switch (access.address.engine) {
    case 'postgresql':
      return openPostgresql(access);
    case 'mysql':
      return openMysql(access);
    case 'sqlite':
      return openSqlite(access, { isNew });
  }
}
