/** Data IDs that dimension records define, whether there are data for them or not. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { Collection, DataIdQuery, DataIdValue } from '../contract.js';
import { ingestedWithin } from './filters.js';
import { type Columns, joinRecords, type JoinedRecords, recordsOf, type RecordTables } from './record-join.js';
import type { StoredType } from './rows.js';
import { dimensionColumn, membershipTable } from './schema.js';
import { builder } from './statements.js';
import type { StatementCache } from './statements.js';
import { withinTime } from './time-limit.js';

/** The collections that hold datasets of a type that data IDs shall lack. */
export interface Lacking {
  readonly type: StoredType;
  readonly collections: readonly Collection[];
}

/** Values of `query.keys`, each combination once, sorted by them in turn. `condition` turns the columns of the records into one more condition. */
export function* streamDataIds(
  statements: StatementCache,
  records: RecordTables,
  query: DataIdQuery,
  lacking: Lacking | undefined,
  condition: ((columns: Columns) => RawBuilder<SqlBool>) | undefined,
): Generator<readonly DataIdValue[], void, undefined> {
  const { tables, conditions, columns } = joined(records, query);
  const wanted = query.keys.map((name) => columnOf(columns, name));
  const fixed = [...query.constraint].map(([name, value]) => sql<SqlBool>`${columnOf(columns, name)} = ${value}`);
  const all = [
    ...conditions,
    ...fixed,
    ...(condition === undefined ? [] : [condition(columns)]),
    ...(lacking === undefined || lacking.collections.length === 0 ? [] : [lacks(lacking, columns, query.ingested)]),
    withinTime(tables.length === 0 ? [] : columns.values()),
  ];
  const selected = wanted.length === 0 ? [sql`1`] : wanted;
  const order = sql.join(selected.map((_, index) => sql.lit(index + 1)));
  const from = tables.length === 0 ? sql`` : sql`from ${sql.join(tables)}`;
  const text = sql`select distinct ${sql.join(selected)} ${from} where ${sql.join(all, sql` and `)} order by ${order}`;
  const limited = query.limit === undefined ? text : sql`${text} limit ${query.limit}`;
  for (const row of statements.fresh({ compile: () => limited.compile(builder) }).iterate()) {
    yield wanted.length === 0 ? [] : (row as DataIdValue[]);
  }
}

function joined(records: RecordTables, { dimensions, element: name }: DataIdQuery): JoinedRecords {
  if (name === undefined) return joinRecords(records, dimensions, new Map(), 'r');
  const element = records.universe.element(name);
  if (element !== undefined && records.fields(name) !== undefined) return recordsOf(records, element, 'r');
  if (element?.viewOf !== undefined) return joinRecords(records, element.required, new Map(), 'r');
  const why = element === undefined ? 'the universe has no such element' : 'the repository has none';
  throw new ButlerfsError('unknown-dimension', { what: `dimension records of '${name}'`, why });
}

function columnOf(columns: Columns, name: string): RawBuilder<unknown> {
  const column = columns.get(name);
  if (column !== undefined) return column;
  const advice = `the keys are ${[...columns.keys()].join(', ') || 'none'}`;
  throw new ButlerfsError('unknown-dimension', { what: `key '${name}'`, why: 'the data IDs asked for have no such key', advice });
}

/** No stored dataset of the type has the data ID, in any of the collections. */
function lacks({ type, collections }: Lacking, columns: Columns, ingested: DataIdQuery['ingested']): RawBuilder<SqlBool> {
  const conditions = [
    sql`m.dataset_type = ${type.id}`,
    sql`m.collection in (select value from json_each(${JSON.stringify(collections.map(({ id }) => id))}))`,
    sql`m.stored = 1`,
    ...type.dimensions.required.map((name) => sql`${sql.ref(`m.${dimensionColumn(name)}`)} = ${columnOf(columns, name)}`),
    ...ingestedWithin(ingested),
  ];
  return sql<SqlBool>`not exists (select 1 from ${sql.table(membershipTable(type.membership))} as m where ${sql.join(conditions, sql` and `)})`;
}
