/**
 * Where reading a Gen3 registry ended: of each table that grows, the numbers of its last row and of some before it, with a digest of each, and how many rows there
 * were up to it.
 *
 * Numbers of rows ascend (the tables have rowids, and rows are only added at the end), but for two cases. When the last rows were deleted their numbers are given
 * again: what follows the last row that is still the same is read again then. And VACUUM may number all rows anew: where none is the same, the whole is read again.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Gen3Parts } from './reader.js';
import type { RegistrySource } from './source.js';
import { StoredFiles } from './stored-files.js';
import { membershipTables, readTypes, recordColumns } from './structure.js';

const markSchema = z.object({ last: z.int().min(0), digest: z.string(), count: z.int().min(0) });
/** How far before the last row there are marks: 1, 2, 4 ... rows. */
const farthestMark = 2 ** 16;
const cursorSchema = z.object({
  form: z.literal(1),
  /** Milliseconds since 1970 at which the whole was read. */
  readAt: z.int(),
  /** Digest of the universe. */
  universe: z.string(),
  /** Whether only what came was read since the cursor before: the numbers of rows are those that there are where nothing went. */
  isUncounted: z.boolean().optional(),
  /** From the last row backwards. */
  tables: z.record(z.string(), z.array(markSchema).min(1)),
});

/** How far a table was read. */
export type TableMark = Readonly<z.infer<typeof markSchema>>;
export type Gen3Cursor = Readonly<z.infer<typeof cursorSchema>>;

/** `readAt` of the cursor before, where only changes were read; `expected` says how many rows a table has where that was not counted. */
export function cursorOf(parts: Gen3Parts, readAt = Date.now(), expected?: (table: string) => number): string {
  const { source, universe } = parts;
  const totalOf = expected ?? ((table: string) => source.rowCount(table));
  const tables = Object.fromEntries(growingTables(parts).map((table) => [table, marksOf(source, table, totalOf(table))]));
  const isUncounted = expected === undefined ? {} : { isUncounted: true };
  return JSON.stringify({ form: 1, readAt, universe: digest(universe.json), ...isUncounted, tables } satisfies Gen3Cursor);
}

/** Undefined for a text that is none, and for one of another universe. */
export function parseCursor(text: string, { universe }: Gen3Parts): Gen3Cursor | undefined {
  try {
    const cursor = cursorSchema.parse(JSON.parse(text));
    return cursor.universe === digest(universe.json) ? cursor : undefined;
  } catch {
    return undefined;
  }
}

function growingTables({ source, universe, configuration }: Gen3Parts): string[] {
  const types = [...readTypes(source, universe)].map(({ row }) => row);
  return [
    'dataset',
    ...new StoredFiles(source, configuration, () => {}).stores.map(({ table }) => table),
    ...membershipTables(source, types).map(({ table }) => table),
    ...universe.elements.map(({ name }) => name).filter((name) => recordColumns(source, name).length > 0),
  ];
}

function marksOf(source: RegistrySource, table: string, total: number): TableMark[] {
  const marks: TableMark[] = [];
  for (let back = 0; back <= farthestMark && back < total; back = back === 0 ? 1 : 2 * back) {
    const [row] = source.all(`select rowid from ${source.table(table)} order by rowid desc limit 1 offset ${back}`);
    // Rows went that were not missed yet.
    if (row === undefined) break;
    const last = Number(row[0]);
    marks.push({ last, digest: rowDigest(source, table, last), count: total - back });
  }
  return total <= farthestMark ? [...marks, { last: 0, digest: rowDigest(source, table, 0), count: 0 }] : marks;
}

/** The last place up to which a table has the rows that it had; `isEnd` where that is its end at the time. Undefined where there is no such place. */
export function placeIn(
  source: RegistrySource,
  table: string,
  marks: readonly TableMark[],
): (TableMark & { readonly isEnd: boolean }) | undefined {
  const index = marks.findIndex(({ last, digest: text }) => rowDigest(source, table, last) === text);
  return index < 0 ? undefined : { ...marks[index]!, isEnd: index === 0 };
}

/** Of the row with that number; of none where it is missing. */
function rowDigest(source: RegistrySource, table: string, number: number): string {
  const row = source.lookup(`select * from ${source.table(table)} where rowid = ?`)(number)[0] ?? [];
  return digest(JSON.stringify(row.map((value) => (typeof value === 'bigint' ? `${value}` : value))));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
