/**
 * What one directory of the tree holds: all datasets below it where they are few, the values of its next key where they are many.
 *
 * Conditions on the type, the collection and the dimensions that come first in path order are a range of the primary key. Where the next key follows them
 * there, its values are found by jumping from one to the next, without a look at the datasets between.
 */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import type { Collection, DataIdValue, DatasetRow, DirectoryAnswer, DirectoryQuery } from '../contract.js';
import { membershipConditions, withCondition } from './conditions.js';
import type { Conditions } from './conditions.js';
import { compareValues } from '../values.js';
import { compareRows, RowReader } from './rows.js';
import type { StoredType } from './rows.js';
import { dimensionColumn, membershipTable } from './schema.js';
import { builder, Slot } from './statements.js';
import type { Compilable, StatementCache } from './statements.js';

const stored = sql<boolean>`m.stored = ${sql.lit(1)}`;

/**
 * `collections` are those of the search path that hold datasets of the type, in its order, and `most` the number that they hold together. `condition` is one
 * more condition on memberships `m`: with one, `statements` must be its own.
 */
export function listDirectory(
  statements: StatementCache,
  type: StoredType,
  collections: readonly Collection[],
  most: number,
  query: DirectoryQuery,
  condition: RawBuilder<SqlBool> | undefined,
): DirectoryAnswer {
  const { keys, window } = query;
  const range = window === undefined ? undefined : { dimension: keys[0]!, ...window };
  const conditions = withCondition(membershipConditions(type, collections, query.constraint, range), condition);
  if (collections.length === 0) return { kind: 'rows', rows: [] };
  const mayBeMany = keys.length > 0 && window === undefined && most > query.rowLimit;
  if (mayBeMany && exceeds(statements, type, conditions, query.rowLimit)) {
    return { kind: 'values', values: nextValues(statements, type, collections, conditions, query, condition) };
  }
  const name = `rows ${type.membership} ${type.isCalibration ? 'calibration' : ''} ${conditions.form}`;
  const reader = new RowReader(type, query.constraint, false);
  const statement = statements.get(name, () =>
    conditions.where.reduce((select, condition) => select.where(condition), reader.select().where(stored)),
  );
  const byId = new Map(collections.map((collection) => [collection.id, collection]));
  const found = [...reader.read(statement.all(conditions.values), byId)];
  const rows = collections.length === 1 ? found : firstFound(found, collections);
  return { kind: 'rows', rows: rows.sort(compareRows(type, query.keys)) };
}

/** Shadowed datasets count: whether they are many decides the form of an answer, not what it says. */
function exceeds(statements: StatementCache, type: StoredType, conditions: Conditions, limit: number): boolean {
  const statement = statements.get(`exceeds ${type.membership} ${conditions.form}`, () => {
    const select = builder
      .selectFrom(`${membershipTable(type.membership)} as m`)
      .select(sql.lit(1).as('one'))
      .where(stored);
    return conditions.where
      .reduce((sum, condition) => sum.where(condition), select)
      .limit(1)
      .offset(sql<number>`${new Slot(conditions.values.length)}`);
  });
  return statement.get([...conditions.values, limit]) !== undefined;
}

/** Of each data ID the datasets of the first collection that has it. */
function firstFound<Row extends DatasetRow>(rows: readonly Row[], collections: readonly Collection[]): Row[] {
  const ranks = new Map(collections.map(({ id }, rank) => [id, rank]));
  const best = new Map<string, number>();
  const keyed = rows.map((row) => {
    const key = row.values.join('\0');
    const rank = ranks.get(row.collection.id)!;
    const found = best.get(key);
    if (found === undefined || rank < found) best.set(key, rank);
    return { row, key, rank };
  });
  return keyed.filter(({ key, rank }) => best.get(key) === rank).map(({ row }) => row);
}

function nextValues(
  statements: StatementCache,
  type: StoredType,
  collections: readonly Collection[],
  conditions: Conditions,
  { constraint, keys }: DirectoryQuery,
  condition: RawBuilder<SqlBool> | undefined,
): DataIdValue[] {
  const key = keys[0]!;
  const before = type.dimensions.required.slice(0, type.dimensions.required.indexOf(key));
  const found = new Set<DataIdValue>();
  // Of the last key nearly every dataset has a value of its own: reading them in a row is quicker than jumping.
  if (keys.length > 1 && before.every((name) => constraint.has(name))) {
    for (const collection of collections) {
      const single = withCondition(membershipConditions(type, [collection], constraint), condition);
      const statement = statements.get(`jump ${type.membership} ${key} ${single.form}`, () => jump(type, key, single));
      for (const [value] of statement.all(single.values)) found.add(value as DataIdValue);
    }
  } else {
    const statement = statements.get(`distinct ${type.membership} ${key} ${conditions.form}`, () =>
      conditions.where.reduce(
        (select, condition) => select.where(condition),
        builder
          .selectFrom(`${membershipTable(type.membership)} as m`)
          .distinct()
          .select(sql.ref(`m.${dimensionColumn(key)}`).as('value'))
          .where(stored),
      ),
    );
    for (const [value] of statement.all(conditions.values)) found.add(value as DataIdValue);
  }
  return [...found].sort(compareValues);
}

/** The distinct values of `key`, each found by one search for the first that is greater than the one before. */
function jump(type: StoredType, key: string, { where }: Conditions): Compilable {
  const table = sql.table(membershipTable(type.membership));
  const column = sql.ref(`m.${dimensionColumn(key)}`);
  const first = (...more: RawBuilder<unknown>[]): RawBuilder<unknown> =>
    sql`select ${column} from ${table} as m where ${sql.join([...where, stored, ...more], sql` and `)} order by ${column} limit 1`;
  const walk = sql`
    with recursive walk(value) as (
      select * from (${first()})
      union all
      select (${first(sql`${column} > walk.value`)}) from walk where walk.value is not null
    ) select value from walk where value is not null`;
  return { compile: () => walk.compile(builder) };
}
