/** Every dataset that matches a query, in path order, one at a time. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import type { Collection, Constraint } from '../contract.js';
import { membershipConditions } from './conditions.js';
import { RowReader } from './rows.js';
import type { MembershipRow, StoredType } from './rows.js';
import { dimensionColumn } from './schema.js';
import type { StatementCache } from './statements.js';

/** `collections` in search order; `condition` is one more condition on memberships `m`. */
export function* streamRows(
  statements: StatementCache,
  type: StoredType,
  collections: readonly Collection[],
  constraint: Constraint,
  condition: RawBuilder<SqlBool> | undefined,
): Generator<MembershipRow, void, undefined> {
  const { where, values } = membershipConditions(type, collections, constraint);
  if (collections.length === 0) return;
  const byId = new Map(collections.map((collection) => [collection.id, collection]));
  const conditions = [...where, sql<SqlBool>`m.stored = ${sql.lit(1)}`, ...(condition === undefined ? [] : [condition])];
  const columns = type.dimensions.required.map(dimensionColumn);
  const order = [...columns, 'collection', 'valid_begin', 'dataset'].map((column) => sql.ref(`m.${column}`));
  const reader = new RowReader(type, constraint, true);
  const select = conditions.reduce((sum, each) => sum.where(each), reader.select());
  const query = order.reduce((sum, each) => sum.orderBy(each), select).orderBy(sql.ref('f.component'));
  const rows = statements.fresh(query).iterate(values);
  yield* collections.length === 1 ? reader.read(rows, byId) : firstFound(reader.read(rows, byId), collections);
}

/** Rows of one data ID follow each other: those of the first collection go on. */
function* firstFound(rows: Iterable<MembershipRow>, collections: readonly Collection[]): Generator<MembershipRow, void, undefined> {
  const ranks = new Map(collections.map(({ id }, rank) => [id, rank]));
  const rankOf = (row: MembershipRow): number => ranks.get(row.collection.id)!;
  let same: MembershipRow[] = [];
  const best = (): MembershipRow[] => {
    const rank = Math.min(...same.map(rankOf));
    return same.filter((row) => rankOf(row) === rank);
  };
  for (const row of rows) {
    const first = same[0];
    if (first !== undefined && !row.values.every((value, index) => value === first.values[index])) {
      yield* best();
      same = [];
    }
    same.push(row);
  }
  if (same.length > 0) yield* best();
}
