/** How rows of datasets are selected, and read back with their files. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { compareValues } from '../values.js';
import type { Collection, Constraint, DataIdValue, DatasetRow, DatasetType, DimensionName, StoredFile, Validity } from '../contract.js';
import { extensionOf } from '../readers/gen3/locations.js';
import { dimensionColumn, membershipTable, Shape, unboundedBegin } from './schema.js';
import { builder } from './statements.js';

/** A dataset type with the place of its memberships. */
export interface StoredType extends DatasetType {
  readonly membership: number;
  readonly fingerprint: string;
}

/** A row of a membership with the values of implied dimensions, where they were asked for. */
export interface MembershipRow extends DatasetRow {
  readonly implied: readonly (DataIdValue | null)[];
}

/** Columns of every row; those of the validity and of the data ID follow. */
const commonColumns = 10;

const noBegin = String(unboundedBegin);

/**
 * Reads memberships `m` of a type with their datasets and files. What a constraint fixes is not selected: most of the time of a long listing goes into
 * handing values over from SQLite.
 */
export class RowReader {
  readonly #type: StoredType;
  readonly #constraint: Constraint;
  readonly #withImplied: boolean;
  /** Positions of the values of required and implied dimensions among the columns; -1 for a fixed one. */
  readonly #required: readonly number[];
  readonly #implied: readonly number[];
  readonly #selected: readonly DimensionName[];

  constructor(type: StoredType, constraint: Constraint, withImplied: boolean) {
    this.#type = type;
    this.#constraint = constraint;
    this.#withImplied = withImplied;
    const { required, implied } = type.dimensions;
    this.#selected = [...required, ...(withImplied ? implied : [])].filter((name) => !constraint.has(name));
    const first = commonColumns + (type.isCalibration ? 2 : 0);
    const position = (name: DimensionName): number => (constraint.has(name) ? -1 : first + this.#selected.indexOf(name));
    this.#required = required.map(position);
    this.#implied = withImplied ? implied.map(position) : [];
  }

  /** Rows of one membership are adjacent. The caller adds the conditions, those of the constraint among them. */
  select() {
    const validity = this.#type.isCalibration
      ? [sql`cast(m.valid_begin as text)`.as('valid_begin'), sql`cast(m.valid_end as text)`.as('valid_end')]
      : [];
    return builder
      .selectFrom(`${membershipTable(this.#type.membership)} as m`)
      .innerJoin('dataset as d', 'd.key', 'm.dataset')
      .leftJoin('dataset_file as f', (join) => join.onRef('f.dataset', '=', 'd.key').on('d.shape', '=', sql.lit(Shape.SEVERAL)))
      .select([
        sql.ref('d.key').as('key'),
        sql.ref('m.collection').as('collection'),
        sql`lower(hex(d.uuid))`.as('uuid'),
        sql`cast(d.ingested as text)`.as('ingested'),
        sql`nullif(f.component, '')`.as('component'),
        sql`coalesce(f.location, d.location)`.as('location'),
        sql.ref('f.member').as('member'),
        fact('size').as('size'),
        sql`nullif(lower(hex(${fact('checksum')})), '')`.as('checksum'),
        sql`coalesce(f.extension, d.extension)`.as('extension'),
        ...validity,
        ...this.#selected.map((name) => sql.ref(`m.${dimensionColumn(name)}`).as(dimensionColumn(name))),
      ]);
  }

  /** One membership at a time. `collections` are those that can occur. */
  *read(rows: Iterable<readonly unknown[]>, collections: ReadonlyMap<number, Collection>): Generator<MembershipRow, void, undefined> {
    let first: readonly unknown[] | undefined;
    let files: StoredFile[] = [];
    for (const row of rows) {
      if (first !== undefined && this.#isSameMembership(first, row)) {
        files.push(fileOf(row));
        continue;
      }
      if (first !== undefined) yield this.#rowOf(first, files, collections);
      first = row;
      files = [fileOf(row)];
    }
    if (first !== undefined) yield this.#rowOf(first, files, collections);
  }

  /** One dataset may stand in several collections, and in one for several ranges of time. */
  #isSameMembership(a: readonly unknown[], b: readonly unknown[]): boolean {
    return a[0] === b[0] && a[1] === b[1] && (!this.#type.isCalibration || a[commonColumns] === b[commonColumns]);
  }

  #rowOf(row: readonly unknown[], files: StoredFile[], collections: ReadonlyMap<number, Collection>): MembershipRow {
    const collection = collections.get(row[1] as number)!;
    const { required, implied } = this.#type.dimensions;
    const valuesOf = (names: readonly DimensionName[], positions: readonly number[]): DataIdValue[] =>
      positions.map((position, index) => (position < 0 ? this.#constraint.get(names[index]!)! : (row[position] as DataIdValue)));
    return {
      key: row[0] as number,
      values: valuesOf(required, this.#required),
      implied: this.#withImplied ? valuesOf(implied, this.#implied) : [],
      collection,
      validity: collection.type === 'CALIBRATION' ? validityOf(row[commonColumns], row[commonColumns + 1]) : null,
      files,
      ingested: row[3] === null ? null : BigInt(row[3] as string),
      uuid: row[2] as string,
    };
  }
}

/** What the repository says of a file; where it says nothing, what it says of the same file with other datasets. */
function fact(column: 'size' | 'checksum'): RawBuilder<unknown> {
  const name = sql.ref(column);
  const others = (location: string): RawBuilder<unknown> => sql`(select max(${name}) from (
    select ${name} from dataset where location = ${sql.ref(location)}
    union all select ${name} from dataset_file where location = ${sql.ref(location)} and member is null))`;
  const own = (table: string): RawBuilder<unknown> => sql.ref(`${table}.${column}`);
  return sql`case
    when f.dataset is null then iif(d.shared and ${own('d')} is null, ${others('d.location')}, ${own('d')})
    else iif(f.shared and f.member is null and ${own('f')} is null, ${others('f.location')}, ${own('f')}) end`;
}

function fileOf(row: readonly unknown[]): StoredFile {
  const location = row[5] as string;
  return {
    component: row[4] as string | null,
    location: location.startsWith('/') ? location.slice(1) : location,
    member: row[6] as string | null,
    size: row[7] as number | null,
    checksum: row[8] as string | null,
    extension: (row[9] as string | null) ?? extensionOf(location),
  };
}

function validityOf(begin: unknown, end: unknown): Validity {
  const bound = (value: unknown): bigint | null => (typeof value === 'string' && value !== noBegin ? BigInt(value) : null);
  return { begin: bound(begin), end: bound(end) };
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
