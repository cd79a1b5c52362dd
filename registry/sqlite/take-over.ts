/** Takes over an attached repository: the same catalogue as from its records, made by few statements over many rows. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { CatalogueInfo } from '../contract.js';
import type { AttachedMemberships, AttachedRepository, NumberedQuery } from './attached.js';
import { columnsOf, ContentRows } from './content.js';
import type { MembershipState } from './content.js';
import { Database } from './driver.js';
import type { Statement } from './driver.js';
import { joinRecords, planImplied } from './implied.js';
import {
  createRecordTable,
  firstAssociation,
  fixedTables,
  locationIndex,
  membershipIndexes,
  recordTable,
  Shape,
  unboundedBegin,
} from './schema.js';
import { builder } from './statements.js';
import { finishCatalogue } from './writer.js';
import type { CatalogueFacts } from './writer.js';

/** Rows between two looks at whether to go on. */
const rowsAtATime = 25_000;

export interface TakeOverOptions {
  readonly where: string;
  readonly facts: CatalogueFacts;
  /** Called every few seconds with the number of rows so far; what it throws ends the work. */
  readonly onRows: (rows: number) => void;
}

/**
 * Fills the database, which {@link import('./writer.js').beginCatalogue} prepared. Throws an SqliteError (`SQLITE_CONSTRAINT_*`, or another) where a row is none that
 * SQL understands: the repository must be read record by record then, into a new file.
 */
export function takeOver(database: Database, attached: AttachedRepository, { where, facts, onRows }: TakeOverOptions): CatalogueInfo {
  const content = new ContentRows(database, where);
  let done = 0;
  const advance = (rows: number): void => onRows((done += rows));
  for (const table of fixedTables()) content.execute(table);
  for (const record of attached.structure()) addStructure(content, record, facts.version);
  for (const { element: name, fields, select } of attached.dimensions()) {
    const element = content.universe.element(name)!;
    content.execute(createRecordTable(element, fields));
    content.records.set(name, { element, fields });
    advance(content.execute(sql`insert or ignore into ${sql.table(recordTable(name))} ${sql.raw(select)}`));
  }
  takeDatasets(content, attached, advance);
  const associations = new Map<MembershipState, number>();
  for (const table of attached.memberships()) {
    const state = content.typeOf(table.types[0]!);
    const first = associations.get(state) ?? firstAssociation;
    takeMemberships(content, state, table, first, advance);
    associations.set(state, first + table.last + 1);
  }
  const indexes = [...content.memberships.values()].flatMap(({ table, group }) => membershipIndexes(table, group));
  for (const index of [locationIndex(), ...indexes]) {
    content.execute(index);
    advance(0);
  }
  return finishCatalogue(content, facts, attached.cursor());
}

function addStructure(content: ContentRows, record: ReturnType<AttachedRepository['structure']>[number], version: number): void {
  if (record.kind === 'universe') content.takeUniverse(record.json);
  else if (record.kind === 'file') content.addOwnFile(record);
  else if (record.kind === 'collection') content.addCollection(record);
  else if (record.kind === 'chain') content.addChain(record);
  else if (record.kind === 'dataset-type') content.addType(record, () => undefined, version);
}

function takeDatasets(content: ContentRows, attached: AttachedRepository, advance: (rows: number) => void): void {
  const query = attached.datasets();
  const columns = ['key', 'uuid', 'type', 'run', 'ingested', 'shape', 'location', 'size', 'checksum', 'shared'];
  const insert = (select: string): string =>
    sql`insert into dataset (${sql.join(columns.map((name) => sql.ref(name)))}) select *, 0 from (${sql.raw(select)})`.compile(builder).sql;
  const parts = { ...query, select: insert(query.select), aligned: insert(query.aligned) };
  const datasets = inParts(content.database, parts, advance);
  advance(content.execute(sql`insert into dataset_uuid (uuid, key) ${sql.raw(attached.uuids())}`));
  const [unstored] = content.prepare(sql`select count(*) from dataset where shape = ${sql.lit(Shape.UNSTORED)}`).get() as [number];
  if (attached.fileRecords() !== datasets - unstored) {
    content.execute(sql`update dataset set shape = ${sql.lit(Shape.SEVERAL)} where key in (${sql.raw(attached.composites())})`);
  }
  const several = content.database.prepare<[number], [number, string]>(
    `select key, lower(hex(uuid)) from dataset where shape = ${Shape.SEVERAL} and key > ? order by key limit 1000`,
  );
  let last = 0;
  for (let rows = several.raw().all(last); rows.length > 0; rows = several.raw().all(last)) {
    for (const [key, uuid] of rows) content.setFiles(key, attached.files(uuid));
    last = rows.at(-1)![0];
    advance(0);
  }
  content.database.exec(`create temp table unstored (key integer primary key);
    insert into unstored select key from dataset where shape = ${Shape.UNSTORED}`);
}

function takeMemberships(
  content: ContentRows,
  state: MembershipState,
  { group, certified, from, aligned, condition, columns, ...numbers }: AttachedMemberships,
  firstNumber: number,
  advance: (rows: number) => void,
): void {
  const required = columns.dataId.map((expression) => sql.raw(expression));
  const plan = planImplied(content.universe, group, new Set(content.records.keys()), required);
  const elsewhere = sql`${sql.lit(firstNumber)} + ${sql.raw(columns.number)}`;
  const areAllStored = content.prepare(sql`select 1 from unstored limit 1`).get() === undefined;
  const valuesWith = (key: string): RawBuilder<unknown>[] => [
    certified ? elsewhere : sql`iif(${sql.raw(columns.collection)} = ${sql.raw(columns.run)}, ${sql.raw(columns.dataset)}, ${elsewhere})`,
    sql.raw(columns.type),
    sql.raw(columns.collection),
    ...required,
    sql`coalesce(${sql.raw(columns.begin)}, ${sql.raw(String(unboundedBegin))})`,
    sql.raw(key),
    sql.raw(columns.end),
    areAllStored ? sql.lit(1) : sql`${sql.raw(columns.dataset)} not in (select key from unstored)`,
    ...plan.values,
  ];
  const insert = (rows: string, key: string): string =>
    sql`insert into ${sql.table(state.table)} (${columnsOf(group)}) select ${sql.join(valuesWith(key))} ${sql.raw(rows)}${joinRecords(plan)}
      where ${sql.raw(columns.number)} between ${sql.raw('?')} and ${sql.raw('?')} and ${sql.raw(condition)}`.compile(builder).sql;
  const parts = { ...numbers, select: insert(from, columns.key), aligned: insert(aligned, columns.dataset) };
  inParts(content.database, parts, advance);
}

/** Runs statements over numbered rows, some at a time; gives how many rows they wrote. */
function inParts(database: Database, { select, aligned, difference, first, last }: NumberedQuery, advance: (rows: number) => void): number {
  const [general, quick] = [database.prepare<[number, number]>(select), database.prepare<[number, number, number]>(aligned)];
  const differenceFrom = database.prepare<[number], number | null>(difference).pluck();
  let written = 0;
  for (let from = first; from <= last; from += rowsAtATime) {
    const to = from + rowsAtATime - 1;
    const by = differenceFrom.get(from) ?? null;
    const changes = (by === null ? undefined : tryToRun(quick, by, from, to)) ?? general.run(from, to).changes;
    written += changes;
    advance(changes);
  }
  return written;
}

/** How many rows it wrote; undefined, and none, where one of them breaks a constraint. */
function tryToRun(statement: Statement<[number, number, number], unknown>, ...parameters: [number, number, number]): number | undefined {
  try {
    return statement.run(...parameters).changes;
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) return undefined;
    throw error;
  }
}
