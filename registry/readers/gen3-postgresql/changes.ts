/**
 * What changed in a Gen3 registry in PostgreSQL since a cursor (./cursor.ts). A table into which the server counted no write is not looked at.
 *
 *     collections, chains, dataset types     read whole: they are few
 *     rows that came, or were changed        by the transaction that wrote them (`xmin`), one pass of the server over the table; no others leave the server
 *     rows that went                         where the server counted that rows were deleted or changed: it counts those of each run and collection, and where there are
 *                                            fewer than in the catalogue they are compared with it. Of certified ranges, which may be replaced one for one, all are
 *
 * Where the server does not count, every table is looked at. Dimension records that went, other universes and tables that were made anew are not followed: all is read
 * again, and in any case when the last whole reading is {@link LONGEST} ago. A registry is somebody else's, so nobody is told of a change (`NOTIFY` needs a trigger
 * there).
 */

import type { KnownContent, RepositoryChange } from '../../contract.js';
import { databaseError } from '../../shared/errors.js';
import { compareTable, compareDatasets, compareFiles } from './compare.js';
import { readCursor, writeCursor } from './cursor.js';
import type { ServerCursor, TablePlace } from './cursor.js';
import type { ServerParts } from './reader.js';
import { structureRecords } from './reader.js';
import { dimensionRows, membershipRows, recordFields } from './rows.js';
import type { Condition } from './rows.js';
import { membershipTables } from './structure.js';
import type { TypeRow } from './structure.js';

/** Milliseconds after which all is read again. */
const LONGEST = 24 * 60 * 60_000;
/** Datasets of one question. */
const BATCH = 1000;

/** Undefined where all must be read again. `onEnd` is told the next cursor. */
export function readChanges(
  parts: ServerParts,
  text: string,
  known: KnownContent,
  onEnd: (cursor: string) => void,
): AsyncIterable<RepositoryChange> | undefined {
  const { marks } = parts.registry;
  const cursor = readCursor(text, marks, parts.universe.json);
  if (cursor === undefined || Date.now() - cursor.readAt > LONGEST || Date.now() < cursor.readAt) return undefined;
  // A table that was made anew has rows of transactions before it.
  if (Object.entries(cursor.tables).some(([table, { number }]) => marks.tables.get(table)?.number !== number)) return undefined;
  const changes = new ServerChanges(parts, cursor, known);
  if (changes.elements.some((element) => changes.hasLost(element, false))) return undefined;
  return changes.all(onEnd);
}

class ServerChanges {
  /** Dimension elements with records. */
  readonly elements: readonly string[];
  readonly #parts: ServerParts;
  readonly #cursor: ServerCursor;
  readonly #known: KnownContent;
  readonly #read = new Set<string>();

  constructor(parts: ServerParts, cursor: ServerCursor, known: KnownContent) {
    this.#parts = parts;
    this.#cursor = cursor;
    this.#known = known;
    this.elements = parts.universe.elements.map(({ name }) => name).filter((name) => recordFields(parts.registry, name).length > 0);
  }

  async *all(onEnd: (cursor: string) => void): AsyncGenerator<RepositoryChange, void, undefined> {
    const { registry, universe, datasets } = this.#parts;
    try {
      const types: TypeRow[] = [];
      yield { kind: 'whole-structure' };
      yield* structureRecords(this.#parts, types);
      for (const element of this.elements) if (this.#hasNew(element)) yield* dimensionRows(registry, element, this.#since(element));
      for (const batch of batches(await this.#newDatasets())) yield* datasets.records({ where: 'x.id = any($1::uuid[])', values: [batch] });
      const tables = membershipTables(registry, types);
      for (const table of tables) if (this.#hasNew(table.table)) yield* membershipRows(registry, table, this.#since(table.table));
      if (this.hasLost('dataset')) yield* compareDatasets(this.#parts, this.#known);
      if (datasets.stores.some(({ recordsTable }) => this.hasLost(recordsTable))) yield* compareFiles(this.#parts, this.#known);
      for (const table of tables) if (this.hasLost(table.table)) yield* compareTable(this.#parts, this.#known, table);
      onEnd(writeCursor(registry.marks, universe.json, this.#cursor.readAt, this.#kept()));
    } catch (error) {
      throw databaseError(error, registry.where);
    }
  }

  /** Whether rows may have gone; also where they may have been changed in place, unless those are left aside. */
  hasLost(table: string, orChanged = true): boolean {
    const [before, now] = [this.#cursor.tables[table], this.#parts.registry.marks.tables.get(table)];
    // Of a table that is new nothing is known that could go. Where nobody counts, dimension records are left to the daily reading.
    if (before === undefined || now === undefined) return false;
    if (!this.#isCounting) return orChanged;
    return before.deleted !== now.deleted || (orChanged && before.changed !== now.changed);
  }

  #hasNew(table: string): boolean {
    const [before, now] = [this.#cursor.tables[table], this.#parts.registry.marks.tables.get(table)];
    const hasNew = before === undefined || !this.#isCounting || before.written !== now?.written || before.changed !== now.changed;
    if (hasNew) this.#read.add(table);
    return hasNew;
  }

  get #isCounting(): boolean {
    const { counting } = this.#parts.registry.marks;
    return counting !== null && counting === this.#cursor.counting;
  }

  /** Rows `x` of transactions that the cursor's reader may not have seen. */
  #since(table: string): Condition {
    const since = this.#cursor.tables[table]?.since;
    if (since === undefined) return { where: 'true', values: [] };
    return { where: 'age(x.xmin) <= age($1::xid)', values: [String(BigInt(since) % 2n ** 32n)] };
  }

  /** UUIDs of datasets that came or were changed, or whose files did. */
  async #newDatasets(): Promise<string[]> {
    const { registry, datasets } = this.#parts;
    const found = new Set<string>();
    for (const [table, column] of [['dataset', 'id'], ...datasets.stores.map(({ recordsTable }) => [recordsTable, 'dataset_id'])] as [
      string,
      string,
    ][]) {
      if (!this.#hasNew(table)) continue;
      const { where, values } = this.#since(table);
      for await (const [id] of registry.rows(`select ${column} from ${registry.table(table)} as x where ${where}`, values))
        found.add(String(id));
    }
    return [...found];
  }

  /** Places of tables that were not read: what the server counts later is looked for from there. */
  #kept(): ReadonlyMap<string, TablePlace> {
    const { tables } = this.#parts.registry.marks;
    const kept = new Map<string, TablePlace>();
    for (const [table, place] of Object.entries(this.#cursor.tables)) {
      const now = tables.get(table);
      if (now === undefined || this.#read.has(table)) continue;
      const { number, written, changed, deleted } = now;
      kept.set(table, { number, written, changed, deleted, since: place.since });
    }
    return kept;
  }
}

function* batches(uuids: readonly string[]): Generator<string[], void, undefined> {
  for (let begin = 0; begin < uuids.length; begin += BATCH) yield uuids.slice(begin, begin + BATCH);
}
