/** What is known of all rows together, reckoned when they are all there. */

import { sql } from 'kysely';
import type { ContentRows, MembershipState } from './content.js';
import { dimensionColumn, Shape } from './schema.js';
import { builder, slots } from './statements.js';

/** Marks the files of which several datasets tell: each gets from the others what it lacks. Needs the index of locations. */
export function markShared(content: ContentRows): void {
  content.database.exec('create temp table shared_location (location text primary key) without rowid');
  const among = sql`location in (select location from shared_location)`;
  for (const source of [
    sql`select location from dataset where location is not null group by location having count(*) > 1`,
    sql`select location from dataset_file group by location having count(*) > 1`,
    sql`select f.location from dataset_file as f where exists (select 1 from dataset as d where d.location = f.location)`,
    sql`select o.location from own_file as o where exists (select 1 from dataset as d where d.location = o.location)`,
  ])
    content.execute(sql`insert or ignore into shared_location ${source}`);
  content.execute(sql`update dataset set shared = 1 where ${among}`);
  content.execute(sql`update dataset_file set shared = 1 where ${among}`);
}

export interface Totals {
  readonly datasets: number;
  readonly unstored: number;
  readonly totals: { readonly files: number; readonly bytes: number };
}

/** Numbers of datasets and files; after {@link markShared}. */
export function countContent(content: ContentRows): Totals {
  const numbers = (query: ReturnType<typeof sql>): number[] => content.prepare(query).get() as number[];
  const [datasets = 0, plainFiles = 0, plainBytes = 0] = numbers(
    sql`select count(*), count(iif(shared, null, location)), coalesce(sum(iif(shared, null, size)), 0) from dataset`,
  );
  const [unstored = 0] = numbers(sql`select count(*) from dataset where shape = ${sql.lit(Shape.UNSTORED)}`);
  const [files = 0, bytes = 0] = numbers(sql`
    select count(*), coalesce(sum(size), 0) from (select max(size) as size from (
      select d.location, d.size from shared_location as s cross join dataset as d on d.location = s.location
      union all select location, iif(member is null, size, null) from dataset_file
      union all select location, size from own_file) group by location)`);
  content.database.exec('drop table shared_location');
  return { datasets, unstored, totals: { files: files + plainFiles, bytes: bytes + plainBytes } };
}

/** Fills `collection_type` and `collection_governor` for one membership table. */
export function summarise(content: ContentRows, state: MembershipState): void {
  const counts = builder
    .selectFrom(state.table)
    .select(['collection', 'dataset_type', sql<number>`sum(stored)`.as('stored'), sql`count(*)`.as('registered')])
    .groupBy(['dataset_type', 'collection']);
  const held = content.insert('collection_type', ['collection', 'dataset_type', 'stored', 'registered']);
  const insert = content.insert('collection_governor', ['governor', 'value', 'collection']);
  for (const [collection, type, stored, registered] of content.prepare(counts).all() as number[][]) {
    held.run([collection, type, stored, registered]);
    if (stored === 0) continue;
    for (const { governor, value } of governorValues(content, state, type!, collection!)) insert.run([governor, value, collection]);
  }
}

/** Values of governors that a collection has with datasets of a type, by jumping in the index where the governor comes first in it. */
function governorValues(
  content: ContentRows,
  { table, group }: MembershipState,
  type: number,
  collection: number,
): { readonly governor: string; readonly value: unknown }[] {
  const [first, second] = slots(2);
  const governors = group.required.filter((name) => content.universe.dimension(name)?.isGovernor === true);
  return governors.flatMap((governor) => {
    const column = sql.ref(dimensionColumn(governor));
    const where = sql`dataset_type = ${first} and collection = ${second} and stored = 1`;
    const statement = content.statement(`governor ${table} ${governor}`, () =>
      group.required[0] === governor
        ? sql`with recursive walk(value) as (
            select * from (select ${column} from ${sql.table(table)} where ${where} order by ${column} limit 1)
            union all
            select (select ${column} from ${sql.table(table)} where ${where} and ${column} > walk.value order by ${column} limit 1)
            from walk where walk.value is not null
          ) select value from walk where value is not null`
        : sql`select distinct ${column} from ${sql.table(table)} where ${where}`,
    );
    return statement.all([type, collection]).map(([value]) => ({ governor, value }));
  });
}

/** Makes `collection_governor` anew for one collection, by its counts. */
export function refreshGovernors(content: ContentRows, collection: number): void {
  const [first] = slots(1);
  content.statement('forget governors', () => sql`delete from collection_governor where collection = ${first}`).run([collection]);
  const held = content.statement(
    'held types',
    () => sql`select dataset_type from collection_type where collection = ${first} and stored > 0`,
  );
  const insert = content.insert('collection_governor', ['governor', 'value', 'collection']);
  for (const [type] of held.all([collection]) as [number][]) {
    const state = content.types.get(type);
    if (state === undefined) continue;
    for (const { governor, value } of governorValues(content, state, type, collection)) insert.run([governor, value, collection]);
  }
}
