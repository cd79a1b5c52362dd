/** What is stored of a catalogue as a whole: one JSON text, read when it is opened. */

import { sql } from 'kysely';
import type { CatalogueInfo } from '../contract.js';
import type { Database } from './driver.js';
import { builder, Prepared, Slot } from './statements.js';

export interface StoredInformation {
  readonly info: CatalogueInfo;
  readonly universe: string;
  /** Distinct files, and the sum of their known sizes. */
  readonly totals: { readonly files: number; readonly bytes: number };
  /** Where reading the repository ended; null where its reader cannot go on from there. */
  readonly cursor: string | null;
  /** Names this catalogue among others, also of the same repository: random. Kept by updates in place. */
  readonly build: string;
  /** The version since which `touch` has all that was touched. */
  readonly touchesFrom: number;
}

export function readInformation(database: Database): StoredInformation {
  const [text] = new Prepared(database, builder.selectFrom('information').select('value')).get()!;
  return JSON.parse(String(text)) as StoredInformation;
}

export function writeInformation(database: Database, information: StoredInformation): void {
  new Prepared(database, builder.deleteFrom('information')).run();
  const insert = builder.insertInto('information').values({ value: sql`${new Slot(0)}` });
  new Prepared(database, insert).run([JSON.stringify(information)]);
}
