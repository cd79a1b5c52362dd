/**
 * Where reading a Gen3 registry ended: of each table that grows, the number of its last row with a digest of that row, and how many rows it had.
 *
 * Numbers of rows ascend (the tables have rowids, and rows are only added at the end), but for two cases. When the last rows were deleted their numbers are given
 * again, and VACUUM may number all rows anew: in either case the row of the last number is another one, and all is read again.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Gen3Parts } from './reader.js';
import type { RegistrySource } from './source.js';
import { StoredFiles } from './stored-files.js';
import { membershipTables, readTypes, recordColumns } from './structure.js';

const markSchema = z.object({ last: z.int().min(0), digest: z.string(), count: z.int().min(0) });
const cursorSchema = z.object({
  form: z.literal(1),
  /** Milliseconds since 1970 at which the whole was read. */
  readAt: z.int(),
  /** Digest of the universe. */
  universe: z.string(),
  tables: z.record(z.string(), markSchema),
});

/** How far a table was read. */
export type TableMark = Readonly<z.infer<typeof markSchema>>;
export type Gen3Cursor = Readonly<z.infer<typeof cursorSchema>>;

/** `readAt` of the cursor before, where only changes were read. */
export function cursorOf(parts: Gen3Parts, readAt = Date.now()): string {
  const tables = Object.fromEntries(growingTables(parts).map((table) => [table, markOf(parts.source, table)]));
  return JSON.stringify({ form: 1, readAt, universe: digest(parts.universe.json), tables } satisfies Gen3Cursor);
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

function markOf(source: RegistrySource, table: string): TableMark {
  const [[last]] = source.all(`select coalesce(max(rowid), 0) from ${source.table(table)}`) as unknown as [[bigint]];
  return { last: Number(last), digest: rowDigest(source, table, Number(last)), count: countRows(source, table) };
}

export function countRows(source: RegistrySource, table: string): number {
  return Number(source.all(`select count(*) from ${source.table(table)}`)[0]![0]);
}

/** Of the row with that number; of none where it is missing. */
export function rowDigest(source: RegistrySource, table: string, number: number): string {
  const row = source.lookup(`select * from ${source.table(table)} where rowid = ?`)(number)[0] ?? [];
  return digest(JSON.stringify(row.map((value) => (typeof value === 'bigint' ? `${value}` : value))));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
