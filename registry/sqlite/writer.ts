/** Stores the records of a repository in a new catalogue, one at a time. */

import { randomBytes } from 'node:crypto';
import type { CatalogueInfo, RepositoryRecord } from '../contract.js';
import { ContentRows } from './content.js';
import type { Database } from './driver.js';
import { writeInformation } from './information.js';
import { applicationId, catalogueSchemaVersion, fixedTables, locationIndex, membershipIndexes } from './schema.js';
import { countContent, markShared, summarise } from './summary.js';

/** Facts of a catalogue that its content does not tell. */
export type CatalogueFacts = Omit<CatalogueInfo, 'datasets' | 'unstored' | 'universe'>;

/** Kilobytes of pages that SQLite may keep while it writes. */
const pageCache = 32 * 1024;
/** Bytes: rows are long. */
const pageSize = 8192;

/** Prepares an empty database; nothing of it is durable before its file is synced. Begins a transaction. */
export function beginCatalogue(database: Database): void {
  for (const pragma of [
    `page_size = ${pageSize}`,
    'journal_mode = memory',
    'synchronous = off',
    'locking_mode = exclusive',
    `cache_size = -${pageCache}`,
    'temp_store = file',
    'threads = 1',
    `application_id = ${applicationId}`,
    `user_version = ${catalogueSchemaVersion}`,
  ])
    database.pragma(pragma);
  database.exec('begin');
}

/** Reckons and writes what is known of all rows together, and commits. */
export function finishCatalogue(content: ContentRows, facts: CatalogueFacts, cursor: string | null): CatalogueInfo {
  const { universe, database } = content;
  markShared(content);
  for (const state of content.memberships.values()) summarise(content, state);
  const { totals, ...counts } = countContent(content);
  const info: CatalogueInfo = { ...facts, ...counts, universe: { version: universe.version, namespace: universe.namespace } };
  const build = randomBytes(8).toString('hex');
  writeInformation(database, { info, universe: universe.json, totals, cursor, build, touchesFrom: info.version });
  database.exec('commit');
  return info;
}

export class CatalogueWriter {
  readonly #content: ContentRows;
  #nextDataset = 1;
  readonly #version: number;

  /** Takes an empty database. `where` names the repository in messages. */
  constructor(database: Database, where: string, version: number) {
    beginCatalogue(database);
    this.#content = new ContentRows(database, where);
    this.#version = version;
    for (const table of fixedTables()) this.#content.execute(table);
  }

  add(record: RepositoryRecord): void {
    const content = this.#content;
    switch (record.kind) {
      case 'universe':
        content.takeUniverse(record.json);
        return;
      case 'file':
        content.addOwnFile(record);
        return;
      case 'collection':
        content.addCollection(record);
        return;
      case 'chain':
        content.addChain(record);
        return;
      case 'dataset-type':
        content.addType(
          record,
          ({ table, group }) => {
            for (const index of membershipIndexes(table, group)) content.execute(index);
          },
          this.#version,
        );
        return;
      case 'dimension':
        content.addRecord(record);
        return;
      case 'dataset':
        if (content.addDataset(this.#nextDataset, record)) this.#nextDataset++;
        return;
      case 'membership':
        content.addMembership(record);
        return;
    }
  }

  /** Writes summaries and indexes; the catalogue is complete afterwards. `cursor` is that of the reader. */
  finish(facts: CatalogueFacts, cursor: string | null): CatalogueInfo {
    this.#content.execute(locationIndex());
    return finishCatalogue(this.#content, facts, cursor);
  }
}
