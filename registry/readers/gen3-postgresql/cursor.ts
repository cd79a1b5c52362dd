/** Where reading a Gen3 registry in PostgreSQL ended: of each table what the server had counted, and the first transaction whose rows may not have been seen. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ServerMarks } from './marks.js';

const decimal = z.string().regex(/^\d{1,20}$/);
const tableSchema = z.object({
  /** As in TableCounts. */
  number: z.string(),
  written: z.string(),
  changed: z.string(),
  deleted: z.string(),
  since: decimal,
});
const cursorSchema = z.object({
  form: z.literal('postgresql 1'),
  /** Milliseconds since 1970 at which the whole was read. */
  readAt: z.int(),
  /** Digest of the universe. */
  universe: z.string(),
  identity: z.string(),
  counting: z.string().nullable(),
  /** The first transaction that had not begun. */
  next: decimal,
  tables: z.record(z.string(), tableSchema),
});

export type ServerCursor = Readonly<z.infer<typeof cursorSchema>>;
export type TablePlace = Readonly<z.infer<typeof tableSchema>>;

/** Transactions have numbers of 32 bits in rows; half of them lie before any one, as far as that can be told. */
const FARTHEST = 2n ** 31n - 2n ** 24n;

/** `kept`: places of tables that were not read, by name. */
export function writeCursor(
  marks: ServerMarks,
  universe: string,
  readAt: number,
  kept: ReadonlyMap<string, TablePlace> = new Map(),
): string {
  const { identity, counting, tables, oldest, next } = marks;
  const places = [...tables.values()].map(
    ({ table, ...counts }) => [table, kept.get(table) ?? { ...counts, since: String(oldest) }] as const,
  );
  const cursor: ServerCursor = {
    form: 'postgresql 1',
    readAt,
    universe: digest(universe),
    identity,
    counting,
    next: String(next),
    tables: Object.fromEntries(places),
  };
  return JSON.stringify(cursor);
}

/** Undefined for a text that is none, of another server or universe, and where the server's transactions cannot be told from those of then. */
export function readCursor(text: string, { identity, next }: ServerMarks, universe: string): ServerCursor | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data: cursor } = cursorSchema.safeParse(json);
  if (cursor === undefined || cursor.universe !== digest(universe) || cursor.identity !== identity || BigInt(cursor.next) > next)
    return undefined;
  return Object.values(cursor.tables).every(({ since }) => next - BigInt(since) < FARTHEST) ? cursor : undefined;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
