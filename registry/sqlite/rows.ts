/** How rows of datasets are selected, and read back with their files. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Collection, DataIdValue, DatasetRow, DatasetType, StoredFile } from '../contract.js';
import { dimensionColumn, membershipTable, unboundedBegin } from './schema.js';
import { builder } from './statements.js';

/** A dataset type with the place of its memberships. */
export interface StoredType extends DatasetType {
  readonly membership: number;
  readonly fingerprint: string;
}

/** A row of a membership with the values of implied dimensions. */
export interface MembershipRow extends DatasetRow {
  readonly implied: readonly (DataIdValue | null)[];
}

/** Columns of one file; those of the data ID follow, required ones first. */
const fileColumns = 13;

const hexadecimal = (column: string): RawBuilder<unknown> => sql`lower(hex(${sql.ref(column)}))`;

/** Selects memberships `m` of a type with their datasets and files; rows of one membership are adjacent. The caller adds the conditions. */
export function selectRows(type: StoredType) {
  const dimensions = [...type.dimensions.required, ...type.dimensions.implied].map(dimensionColumn);
  const validity = type.isCalibration ? [sql`cast(m.valid_begin as text)`, sql`cast(m.valid_end as text)`] : [sql`null`, sql`null`];
  return builder
    .selectFrom(`${membershipTable(type.membership)} as m`)
    .innerJoin('dataset as d', 'd.key', 'm.dataset')
    .innerJoin('dataset_file as f', 'f.dataset', 'd.key')
    .innerJoin('artifact as a', 'a.id', 'f.artifact')
    .innerJoin('directory as g', 'g.id', 'a.directory')
    .select([
      sql.ref('d.key').as('key'),
      sql.ref('m.collection').as('collection'),
      validity[0]!.as('begin'),
      validity[1]!.as('end'),
      hexadecimal('d.uuid').as('uuid'),
      sql`cast(d.ingested as text)`.as('ingested'),
      sql.ref('f.component').as('component'),
      sql`iif(g.path = '', a.name, g.path || '/' || a.name)`.as('location'),
      sql.ref('f.member').as('member'),
      sql`iif(f.member is null, a.size, f.size)`.as('size'),
      sql`iif(f.member is null, a.checksum is null, f.checksum is null)`.as('unchecked'),
      sql`lower(hex(iif(f.member is null, a.checksum, f.checksum)))`.as('checksum'),
      sql.ref('f.extension').as('extension'),
      ...dimensions.map((column) => sql.ref(`m.${column}`).as(column)),
    ]);
}

function fileOf(row: readonly unknown[]): StoredFile {
  return {
    component: row[6] === '' ? null : (row[6] as string),
    location: row[7] as string,
    member: row[8] as string | null,
    size: row[9] as number | null,
    checksum: row[10] === 1 ? null : (row[11] as string),
    extension: row[12] as string,
  };
}

/** Reads what {@link selectRows} selects, one membership at a time. `collections` are those that can occur. */
export function* readRows(
  type: StoredType,
  rows: Iterable<readonly unknown[]>,
  collections: ReadonlyMap<number, Collection>,
): Generator<MembershipRow, void, undefined> {
  const lastRequired = fileColumns + type.dimensions.required.length;
  let first: readonly unknown[] | undefined;
  let files: StoredFile[] = [];
  for (const row of rows) {
    // One dataset may stand in several collections, and in one for several ranges of time.
    if (first !== undefined && first[0] === row[0] && first[1] === row[1] && first[2] === row[2]) {
      files.push(fileOf(row));
      continue;
    }
    if (first !== undefined) yield rowOf(first, files, lastRequired, collections);
    first = row;
    files = [fileOf(row)];
  }
  if (first !== undefined) yield rowOf(first, files, lastRequired, collections);
}

const noBegin = String(unboundedBegin);

function rowOf(row: readonly unknown[], files: StoredFile[], lastRequired: number, collections: ReadonlyMap<number, Collection>): MembershipRow {
  const collection = collections.get(row[1] as number)!;
  const validity =
    collection.type === 'CALIBRATION'
      ? { begin: row[2] === noBegin ? null : BigInt(row[2] as string), end: row[3] === null ? null : BigInt(row[3] as string) }
      : null;
  return {
    key: row[0] as number,
    values: row.slice(fileColumns, lastRequired) as DataIdValue[],
    implied: row.slice(lastRequired) as (DataIdValue | null)[],
    collection,
    validity,
    files,
    ingested: row[5] === null ? null : BigInt(row[5] as string),
    uuid: row[4] as string,
  };
}

/** Integers as numbers, strings by code unit; the order of values in listings. */
export function compareValues(a: DataIdValue, b: DataIdValue): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Rows in the order of `keys` in turn, then by validity. */
export function compareRows(type: DatasetType, keys: readonly string[]): (a: DatasetRow, b: DatasetRow) => number {
  const positions = keys.map((key) => type.dimensions.required.indexOf(key));
  return (a, b) => {
    for (const position of positions) {
      const order = compareValues(a.values[position]!, b.values[position]!);
      if (order !== 0) return order;
    }
    return compareBegin(a, b);
  };
}

function compareBegin(a: DatasetRow, b: DatasetRow): number {
  const [left, right] = [a.validity?.begin ?? null, b.validity?.begin ?? null];
  if (left === right) return 0;
  if (left === null) return -1;
  return right === null || left > right ? 1 : -1;
}
