/** Opens and makes shared catalogues. */

import { EngineCatalogue, createTables } from './catalogue.js';
import type { DatabaseAccess, SharedCatalogue } from './contract.js';
import type { Engine } from './engine.js';

/** Contacts nothing yet. The caller closes it. */
export async function openSharedCatalogue(access: DatabaseAccess): Promise<SharedCatalogue> {
  return new EngineCatalogue(await openEngine(access, false));
}

export interface CatalogueCreation {
  /** Where the files of the catalogue's relative locations are: a URL or an absolute directory. */
  readonly root: string;
  /** JSON text of a dimension universe; null: it comes with the first records. */
  readonly universe: string | null;
}

/** Makes a catalogue where there is none, and brings the tables of one that is there up to date. The caller closes it. */
export async function createSharedCatalogue(access: DatabaseAccess, creation: CatalogueCreation): Promise<SharedCatalogue> {
  const engine = await openEngine(access, true);
  try {
    await createTables(engine, creation);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return new EngineCatalogue(engine);
}

/** The library of a server is loaded when it is needed: few need one, and none needs all. */
async function openEngine(access: DatabaseAccess, isNew: boolean): Promise<Engine> {
  switch (access.address.engine) {
    case 'postgresql':
      return (await import('./postgresql.js')).openPostgresql(access);
    case 'mysql':
      return (await import('./mysql.js')).openMysql(access);
    case 'sqlite':
      return (await import('./sqlite.js')).openSqlite(access, { isNew });
  }
}
