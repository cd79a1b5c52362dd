/**
 * What changed in a Gen3 registry since a cursor (./cursor.ts).
 *
 *     collections, chains, dataset types     read whole: they are few
 *     rows that came                         by their numbers, which are greater than the last one that is still the same
 *     rows that went                         where a table has not as many rows as it had, and as came: runs and collections whose numbers of rows are not those
 *                                            of the catalogue are compared with it, row by row; all are where the numbers do not tell. So rows are found too
 *                                            that were changed in place meanwhile
 *     rows changed in place, alone           the whole is read again where the registry changed and nothing of the above did (the caller sees to that), and in any
 *                                            case when the last whole reading is {@link longest} ago
 *
 * Counting the rows of a large registry takes seconds. Where rows came, and some table has more than `countLaterAbove`, they are told at once, and counting is left to
 * the next reading, which should follow at once.
 *
 * Dimension records that went, other universes and a numbering that starts anew are not followed: all is read again.
 */

import type { KnownContent, RepositoryChange, RepositoryRecord } from '../../contract.js';
import { cursorOf, parseCursor, placeIn } from './cursor.js';
import { datasetOf, structureRecords } from './reader.js';
import type { Gen3Parts } from './reader.js';
import { membershipOf, membershipQuery, recordOf } from './rows.js';
import { quote, registryError } from './source.js';
import type { RegistrySource } from './source.js';
import { StoredFiles } from './stored-files.js';
import { membershipTables, recordColumns } from './structure.js';
import type { MembershipTable, TypeRow } from './structure.js';

/** Milliseconds after which all is read again. */
const longest = 24 * 60 * 60_000;

type Membership = Extract<RepositoryRecord, { kind: 'membership' }>;

/** What a reading of changes ended with. */
export interface ChangesEnd {
  readonly cursor: string;
  /** Whether counting was left to the next reading. */
  readonly isUncounted: boolean;
  /** Whether it was left to this one: then nothing new is no sign that rows were changed in place. */
  readonly wasUncounted: boolean;
}

/** Undefined where all must be read again. */
export function readChanges(
  parts: Gen3Parts,
  text: string,
  known: KnownContent,
  onEnd: (end: ChangesEnd) => void,
): Iterable<RepositoryChange> | undefined {
  const { source, universe } = parts;
  const cursor = parseCursor(text, parts);
  if (cursor === undefined || Date.now() - cursor.readAt > longest || Date.now() < cursor.readAt) return undefined;
  try {
    const places = new Map<string, TablePlace>();
    for (const [table, marks] of Object.entries(cursor.tables)) {
      const place = source.hasTable(table) ? placeIn(source, table, marks) : undefined;
      if (place === undefined) return undefined;
      places.set(table, place);
    }
    const changes = new Gen3Changes(parts, { readAt: cursor.readAt, isUncounted: cursor.isUncounted === true, places }, known);
    const elements = universe.elements.map(({ name }) => name).filter((name) => recordColumns(source, name).length > 0);
    if (!changes.isCountedLater && elements.some((name) => changes.hasLost(name))) return undefined;
    return changes.all(elements, onEnd);
  } catch (error) {
    throw registryError(error, source.where);
  }
}

type TablePlace = NonNullable<ReturnType<typeof placeIn>>;

const nothing: TablePlace = { last: 0, digest: '', count: 0, isEnd: true };

/** A cursor, as far as it still holds. */
interface Since {
  readonly readAt: number;
  readonly isUncounted: boolean;
  readonly places: ReadonlyMap<string, TablePlace>;
}

class Gen3Changes {
  readonly #parts: Gen3Parts;
  readonly #source: RegistrySource;
  readonly #cursor: Since;
  readonly #known: KnownContent;
  readonly #stored: StoredFiles;
  readonly #came = new Map<string, number>();
  /** Whether what came is told, and rows are counted next time. */
  readonly isCountedLater: boolean;

  constructor(parts: Gen3Parts, cursor: Since, known: KnownContent) {
    this.#parts = parts;
    this.#source = parts.source;
    this.#cursor = cursor;
    this.#known = known;
    this.#stored = new StoredFiles(parts.source, parts.configuration, parts.warn);
    const places = [...cursor.places];
    const isLarge = places.some(([, { last }]) => last > parts.countLaterAbove);
    this.isCountedLater =
      isLarge && !cursor.isUncounted && places.every(([, { isEnd }]) => isEnd) && places.some(([table]) => this.#cameTo(table) > 0);
  }

  *all(elements: readonly string[], onEnd: (end: ChangesEnd) => void): IterableIterator<RepositoryChange> {
    try {
      const types: TypeRow[] = [];
      yield { kind: 'whole-structure' };
      yield* structureRecords(this.#parts, types);
      for (const element of elements) yield* this.#newRecords(element);
      yield* this.#newDatasets();
      const tables = membershipTables(this.#source, types);
      for (const table of tables) yield* this.#newMemberships(table);
      const { readAt, isUncounted: wasUncounted } = this.#cursor;
      if (this.isCountedLater) {
        onEnd({ cursor: cursorOf(this.#parts, readAt, (table) => this.#expected(table)), isUncounted: true, wasUncounted });
        return;
      }
      let lostFiles = 0;
      if (this.hasLost('dataset')) {
        for (const change of this.#compareDatasets()) {
          if (change.kind === 'dataset-gone') lostFiles += change.files;
          yield change.kind === 'dataset-gone' ? { kind: change.kind, uuid: change.uuid } : change;
        }
      }
      if (this.#lostFiles() !== lostFiles) yield* this.#compareFiles();
      for (const table of tables) if (this.hasLost(table.table)) yield* this.#compareTable(table);
      onEnd({ cursor: cursorOf(this.#parts, readAt), isUncounted: false, wasUncounted });
    } catch (error) {
      throw registryError(error, this.#source.where);
    }
  }

  /** Whether fewer rows are there than were, and than came since. */
  hasLost(table: string): boolean {
    return this.#lost(table) !== 0;
  }

  /** How many rows; undefined where that is not known, because the last rows are others. */
  #lost(table: string): number | undefined {
    return this.#place(table).isEnd ? this.#expected(table) - this.#source.rowCount(table) : undefined;
  }

  /** How many rows there are where none went. */
  #expected(table: string): number {
    return this.#place(table).count + this.#cameTo(table);
  }

  /** How many rows follow those of the cursor. */
  #cameTo(table: string): number {
    let came = this.#came.get(table);
    if (came === undefined) {
      const [row] = this.#source.all(`select count(*) from ${this.#source.table(table)} where rowid > ${this.#place(table).last}`);
      this.#came.set(table, (came = Number(row![0])));
    }
    return came;
  }

  #lostFiles(): number | undefined {
    const lost = this.#stored.stores.map(({ table }) => this.#lost(table));
    return lost.includes(undefined) ? undefined : lost.reduce<number>((sum, each) => sum + each!, 0);
  }

  #place(table: string): TablePlace {
    return this.#cursor.places.get(table) ?? nothing;
  }

  *#newRecords(element: string): IterableIterator<RepositoryChange> {
    const columns = recordColumns(this.#source, element);
    const query = `select ${columns.map(quote).join(', ')} from ${this.#source.table(element)} where rowid > ?`;
    for (const row of this.#source.rows(query, this.#place(element).last)) yield recordOf(element, columns, row);
  }

  *#newDatasets(): IterableIterator<RepositoryChange> {
    const { last } = this.#place('dataset');
    for (const row of this.#source.rows(`${this.#datasetQuery} where d.rowid > ?`, last)) yield datasetOf(this.#source, this.#stored, row);
    for (const { table } of this.#stored.stores) {
      const came = `select dataset_id from ${this.#source.table(table)} where rowid > ?`;
      for (const row of this.#source.rows(
        `${this.#datasetQuery} where d.rowid <= ? and d.id in (${came})`,
        last,
        this.#place(table).last,
      )) {
        yield datasetOf(this.#source, this.#stored, row);
      }
    }
  }

  get #datasetQuery(): string {
    return `select d.id, d.dataset_type_id, d.ingest_date, d.run_id from ${this.#source.table('dataset')} as d`;
  }

  *#newMemberships(table: MembershipTable): IterableIterator<RepositoryChange> {
    for (const row of this.#source.rows(`${membershipQuery(this.#source, table)} where rowid > ?`, this.#place(table.table).last)) {
      const membership = membershipOf(table, row);
      if (membership !== undefined) yield membership;
    }
  }

  /** Datasets of runs that have fewer than in the catalogue. */
  *#compareDatasets(): IterableIterator<NewDataset | DatasetGone> {
    const found = new Map<number, number>();
    for (const [run, count] of this.#source.all(`select run_id, count(*) from ${this.#source.table('dataset')} group by run_id`))
      found.set(Number(run), Number(count));
    const known = this.#known.datasetCounts();
    const runs = [...new Set([...found.keys(), ...known.keys()])];
    const lost = runs.map((run) => ({ part: run, lost: (known.get(run) ?? 0) - (found.get(run) ?? 0) }));
    for (const run of partsToCompare(lost, this.#lost('dataset'))) {
      const differences: (NewDataset | DatasetGone)[] = [];
      const rows = this.#source.rows(`${this.#datasetQuery} where d.run_id = ? order by d.id`, run);
      for (const { here, there } of byUuid(this.#known.datasets(run), rows, (row) => String(row[0]))) {
        if (there.length === 0) differences.push({ kind: 'dataset-gone', uuid: here[0]!.uuid, files: here[0]!.files });
        else if (here.length === 0) differences.push(datasetOf(this.#source, this.#stored, there[0]!));
      }
      yield* differences;
    }
  }

  /** Datasets that have not as many files as in the catalogue. */
  *#compareFiles(): IterableIterator<RepositoryChange> {
    const counts = this.#stored.stores.map(({ table }) => `select dataset_id as id from ${this.#source.table(table)}`);
    const query = `select id, count(*) from (${counts.join(' union all ')}) group by id order by id`;
    const differing: string[] = [];
    for (const { uuid, here, there } of byUuid(this.#known.datasets(), this.#source.rows(query), (row) => String(row[0]))) {
      if (here.length > 0 && here[0]!.files !== Number(there[0]?.[1] ?? 0)) differing.push(uuid);
    }
    const find = this.#source.lookup(`${this.#datasetQuery} where d.id = ?`);
    for (const uuid of differing) {
      const [row] = find(uuid);
      if (row !== undefined) yield datasetOf(this.#source, this.#stored, row);
    }
  }

  /** Collections that have fewer memberships than in the catalogue. */
  *#compareTable(table: MembershipTable): IterableIterator<RepositoryChange> {
    const name = this.#source.table(table.table);
    const counted = table.certified ? 'where not (timespan_begin >= timespan_end)' : '';
    const found = new Map<string, number>();
    for (const [type, collection, count] of this.#source.all(
      `select dataset_type_id, collection_id, count(*) from ${name} ${counted} group by dataset_type_id, collection_id`,
    ))
      found.set(`${String(type)} ${String(collection)}`, Number(count));
    const kinds = table.certified ? '4' : '1, 2';
    const collections = this.#source.all(`select collection_id from ${this.#source.table('collection')} where type in (${kinds})`);
    const pairs = table.types.flatMap((type) => collections.map(([id]) => ({ type, collection: Number(id) })));
    const lost = pairs.map((part) => {
      const { type, collection } = part;
      return { part, lost: this.#known.membershipCount(type, collection) - (found.get(`${type} ${collection}`) ?? 0) };
    });
    for (const { type, collection } of partsToCompare(lost, this.#lost(table.table)))
      yield* this.#compareCollection(table, type, collection);
  }

  /** All differences before the first is given: the catalogue is not asked while it is changed. */
  #compareCollection(table: MembershipTable, type: number, collection: number): RepositoryChange[] {
    const query = `${membershipQuery(this.#source, table)} where dataset_type_id = ? and collection_id = ? order by dataset_id`;
    const rows = this.#source.rows(query, type, collection);
    const gone: RepositoryChange[] = [];
    const came: RepositoryChange[] = [];
    for (const { uuid, here, there } of byUuid(this.#known.memberships(type, collection), rows, (row) => String(row[1]))) {
      const now = there.flatMap((row) => membershipOf(table, row) ?? []);
      const [before, after] = [new Set(here.map(textOf)), new Set(now.map(textOf))];
      if (before.size === after.size && [...before].every((text) => after.has(text))) continue;
      if (before.size > 0) gone.push({ kind: 'membership-gone', uuid, type, collection });
      came.push(...now);
    }
    return [...gone, ...came];
  }
}

/** Those that lost something, where that explains all that the table lost; else rows were changed in place as well, and all are. */
function partsToCompare<Part>(parts: readonly { readonly part: Part; readonly lost: number }[], lost: number | undefined): Part[] {
  const sum = parts.reduce((total, each) => total + each.lost, 0);
  const isExplained = parts.every((each) => each.lost >= 0) && (lost === undefined || sum === lost);
  return parts.filter((each) => !isExplained || each.lost !== 0).map(({ part }) => part);
}

type NewDataset = Extract<RepositoryChange, { readonly kind: 'dataset' }>;

interface DatasetGone {
  readonly kind: 'dataset-gone';
  readonly uuid: string;
  readonly files: number;
}

function textOf({ dataId, validity }: Membership): string {
  return JSON.stringify([dataId, validity === null ? null : [String(validity.begin), String(validity.end)]]);
}

/** Goes through two sequences that are sorted by UUID at once: what each has of one UUID. */
function* byUuid<Here extends { readonly uuid: string }, There>(
  known: Iterable<Here>,
  found: Iterable<There>,
  uuidOf: (row: There) => string,
): IterableIterator<{ readonly uuid: string; readonly here: Here[]; readonly there: There[] }> {
  const [a, b] = [known[Symbol.iterator](), found[Symbol.iterator]()];
  try {
    let [left, right] = [a.next(), b.next()];
    while (left.done !== true || right.done !== true) {
      const uuid = [left.done === true ? undefined : left.value.uuid, right.done === true ? undefined : uuidOf(right.value)]
        .filter((each) => each !== undefined)
        .reduce((one, other) => (other < one ? other : one));
      const here: Here[] = [];
      const there: There[] = [];
      for (; left.done !== true && left.value.uuid === uuid; left = a.next()) here.push(left.value);
      for (; right.done !== true && uuidOf(right.value) === uuid; right = b.next()) there.push(right.value);
      yield { uuid, here, there };
    }
  } finally {
    a.return?.();
    b.return?.();
  }
}
