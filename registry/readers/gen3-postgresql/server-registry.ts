/** The connection to a Gen3 registry that PostgreSQL keeps: one snapshot, and what tables it has. */

import pg from 'pg';
import Cursor from 'pg-cursor';
import { ButlerfsError } from '../../../common/errors.js';
import { databaseUrl } from '../../shared/address.js';
import type { DatabaseAccess } from '../../shared/contract.js';
import { databaseError } from '../../shared/errors.js';
import { guardClient, settledConfiguration } from '../../shared/postgresql.js';
import { readMarks } from './marks.js';
import type { ServerMarks } from './marks.js';

/** Rows that are asked for at a time. */
const CHUNK = 2000;

/** Type numbers of PostgreSQL (pg_type.dat): integers as bigint, as from SQLite; booleans as 0 and 1. Anything else is text. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => (text === 't' ? 1n : 0n),
  17: (text) => Buffer.from(text.slice(2), 'hex'),
  20: BigInt,
  21: BigInt,
  23: BigInt,
  700: Number,
  701: Number,
  1700: Number,
};
const asText = (text: string): string => text;

/** Tables without which a schema holds no registry of the versions that are understood. */
const EXPECTED = ['butler_attributes', 'collection', 'collection_chain', 'dataset_type', 'dimension_graph_definition', 'dataset'];

export class ServerRegistry {
  readonly where: string;
  readonly schema: string;
  readonly marks: ServerMarks;
  readonly #client: pg.Client;
  /** Types of columns by name, by table. */
  readonly #tables: ReadonlyMap<string, ReadonlyMap<string, string>>;

  private constructor(
    where: string,
    { schema, marks }: Pick<ServerRegistry, 'schema' | 'marks'>,
    client: pg.Client,
    tables: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ) {
    this.where = where;
    this.schema = schema;
    this.marks = marks;
    this.#client = client;
    this.#tables = tables;
  }

  /**
   * Connects, and begins a transaction that sees one instant for as long as it lives. The caller closes it.
   * Rejects with `not-a-repository` where the schema holds no registry, `remote-*`.
   */
  static async open(access: DatabaseAccess, namespace: string | undefined): Promise<ServerRegistry> {
    const where = databaseUrl(access.address);
    let client: pg.Client | undefined;
    try {
      client = await connect(access);
      const { schema, marks } = await begin(client, namespace);
      const columns = await client.query<{ table_name: string; column_name: string; udt_name: string }>(
        'select table_name, column_name, udt_name from information_schema.columns where table_schema = $1 order by table_name, ordinal_position',
        [schema],
      );
      const tables = new Map<string, Map<string, string>>();
      for (const { table_name: table, column_name: column, udt_name: type } of columns.rows) {
        tables.set(table, (tables.get(table) ?? new Map<string, string>()).set(column, type));
      }
      const missing = EXPECTED.find((table) => !tables.has(table));
      if (missing !== undefined) {
        const why = `schema '${schema}' has no table '${missing}' that the user may read: it is no butler registry`;
        const advice = "check 'registry.db' and 'registry.namespace' of butler.yaml";
        throw new ButlerfsError('not-a-repository', { what: 'the registry', where, why, advice });
      }
      return new ServerRegistry(where, { schema, marks }, client, tables);
    } catch (error) {
      await client?.end().catch(() => undefined);
      throw databaseError(error, where);
    }
  }

  /** The marks alone, which cost little. Rejects as {@link open}, but for what it says of tables. */
  static async marksOf(access: DatabaseAccess, namespace: string | undefined): Promise<ServerMarks> {
    let client: pg.Client | undefined;
    try {
      client = await connect(access);
      return (await begin(client, namespace)).marks;
    } catch (error) {
      throw databaseError(error, databaseUrl(access.address));
    } finally {
      await client?.end().catch(() => undefined);
    }
  }

  columns(table: string): ReadonlyMap<string, string> {
    return this.#tables.get(table) ?? new Map<string, string>();
  }

  /** The name of a table inside a query. */
  table(name: string): string {
    return `${pg.escapeIdentifier(this.schema)}.${pg.escapeIdentifier(name)}`;
  }

  /** Rows as arrays, streamed. */
  async *rows(query: string, values: readonly unknown[] = []): AsyncGenerator<unknown[], void, undefined> {
    const cursor = this.#client.query(new Cursor<unknown[]>(query, [...values], { rowMode: 'array' }));
    try {
      for (;;) {
        const rows = await cursor.read(CHUNK);
        if (rows.length === 0) return;
        yield* rows;
      }
    } finally {
      await cursor.close().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

/** The caller ends it. */
async function connect(access: DatabaseAccess): Promise<pg.Client> {
  const client = new pg.Client({
    ...(await settledConfiguration(access)),
    types: { getTypeParser: (type: number) => PARSERS[type] ?? asText },
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  guardClient(client, new Set());
  return client;
}

/** Begins the transaction of a reader. */
async function begin(client: pg.Client, namespace: string | undefined): Promise<Pick<ServerRegistry, 'schema' | 'marks'>> {
  const schema = namespace ?? (await client.query<{ schema: string | null }>('select current_schema() as schema')).rows[0]?.schema ?? '';
  return { schema, marks: await readMarks(client, schema, 'begin isolation level repeatable read, read only') };
}
