/**
 * The tables of a shared catalogue, the same in every engine.
 *
 *     information          what the catalogue says of itself: schema version, identity, root, universe
 *     head                 one row: the sequence number of the last transaction, and of the last that changed the structure; its lock is the writers' turn
 *     collection           with collection_chain (parent, position, child)
 *     dataset_type
 *     file                 the repository's own files
 *     dimension_record     fields as JSON
 *     dataset              its files as JSON
 *     membership           data ID as a JSON list, in the order of the type's dimensions
 *     removal              what went, and when
 *
 * A name may be longer than an index takes, and servers differ in which texts they hold for equal. So every identity is a SHA-256 of UTF-8 text (`slot`), and no
 * text is ever compared by the server. `changed` is the sequence number of the transaction that wrote a row last.
 */

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Kysely, RawBuilder } from 'kysely';
import type { SharedEngine } from './contract.js';

/** Integers come as number, bigint or text, after the engine and their size. */
export type Integer = number | bigint | string;

export interface SharedTables {
  readonly information: { readonly name: string; readonly value: string };
  readonly head: { readonly id: Integer; readonly sequence: Integer; readonly structure: Integer; readonly turn: Integer };
  readonly collection: {
    readonly id: Integer;
    readonly slot: Buffer;
    readonly name: string;
    readonly type: string;
    readonly doc: string | null;
  };
  readonly collection_chain: { readonly parent: Integer; readonly position: Integer; readonly child: Integer };
  readonly dataset_type: {
    readonly id: Integer;
    readonly slot: Buffer;
    readonly name: string;
    readonly storage_class: string;
    readonly dimensions: string;
    readonly is_calibration: Integer;
  };
  readonly file: {
    readonly slot: Buffer;
    readonly location: string;
    readonly size: Integer | null;
    readonly checksum: string | null;
    readonly changed: Integer;
  };
  readonly dimension_record: { readonly slot: Buffer; readonly element: string; readonly fields: string; readonly changed: Integer };
  readonly dataset: {
    readonly uuid: Buffer;
    readonly type: Integer;
    readonly run: Integer;
    readonly ingested: Integer | null;
    readonly files: string;
    readonly changed: Integer;
  };
  readonly membership: {
    readonly slot: Buffer;
    readonly uuid: Buffer;
    readonly type: Integer;
    readonly collection: Integer;
    readonly data_id: string;
    readonly is_certified: Integer;
    readonly valid_begin: Integer | null;
    readonly valid_end: Integer | null;
    readonly changed: Integer;
  };
  readonly removal: {
    readonly sequence: Integer;
    readonly position: Integer;
    readonly uuid: Buffer;
    /** Null where the dataset itself went. */
    readonly collection: Integer | null;
    readonly type: Integer;
    readonly is_certified: Integer;
    readonly valid_begin: Integer | null;
  };
}

export type SharedDatabase = Kysely<SharedTables>;

/** The identity of a thing with a text of its own. */
export function slotOf(...parts: readonly (string | number | null)[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** Column types that differ between engines, and what follows the columns of a table. */
interface Dialect {
  readonly bytes: (length: number) => RawBuilder<unknown>;
  readonly text: RawBuilder<unknown>;
  readonly end: RawBuilder<unknown>;
}

const DIALECTS: Readonly<Record<SharedEngine, Dialect>> = {
  postgresql: { bytes: () => sql`bytea`, text: sql`text`, end: sql`` },
  mysql: {
    bytes: (length) => sql`binary(${sql.lit(length)})`,
    text: sql`longtext`,
    end: sql`engine = InnoDB row_format = dynamic character set utf8mb4 collate utf8mb4_bin`,
  },
  sqlite: { bytes: () => sql`blob`, text: sql`text`, end: sql`` },
};

/** The table that every version has. */
export async function createInformation(database: SharedDatabase, engine: SharedEngine): Promise<void> {
  const { text, end } = DIALECTS[engine];
  await database.schema
    .createTable('information')
    .ifNotExists()
    .addColumn('name', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('value', text, (column) => column.notNull())
    .modifyEnd(end)
    .execute();
}

/** Brings the tables from one version to the next. May run again where it was cut off: not every server can take back such statements. */
type Migration = (database: SharedDatabase, engine: SharedEngine) => Promise<void>;

const migrations: readonly Migration[] = [createTables];

/** Of the tables that this program reads and writes. */
export const sharedSchemaVersion = migrations.length;

/** The caller holds the lock of migrations, and a transaction where the engine has them for such statements. */
export async function migrate(database: SharedDatabase, engine: SharedEngine, from: number): Promise<void> {
  for (const migration of migrations.slice(from)) await migration(database, engine);
}

async function createTables(database: SharedDatabase, engine: SharedEngine): Promise<void> {
  const { bytes, text, end } = DIALECTS[engine];
  const { schema } = database;
  const create = (table: string) => schema.createTable(table).ifNotExists().modifyEnd(end);
  const tables = [
    create('head')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('structure', 'bigint', (column) => column.notNull())
      .addColumn('turn', 'bigint', (column) => column.notNull()),
    create('collection')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('slot', bytes(32), (column) => column.notNull().unique())
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('type', 'varchar(16)', (column) => column.notNull())
      .addColumn('doc', text),
    create('collection_chain')
      .addColumn('parent', 'integer', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('child', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('collection_chain_key', ['parent', 'position']),
    create('dataset_type')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('slot', bytes(32), (column) => column.notNull().unique())
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('storage_class', text, (column) => column.notNull())
      .addColumn('dimensions', text, (column) => column.notNull())
      .addColumn('is_calibration', 'integer', (column) => column.notNull()),
    create('file')
      .addColumn('slot', bytes(32), (column) => column.primaryKey())
      .addColumn('location', text, (column) => column.notNull())
      .addColumn('size', 'bigint')
      .addColumn('checksum', 'varchar(128)')
      .addColumn('changed', 'bigint', (column) => column.notNull()),
    create('dimension_record')
      .addColumn('slot', bytes(32), (column) => column.primaryKey())
      .addColumn('element', text, (column) => column.notNull())
      .addColumn('fields', text, (column) => column.notNull())
      .addColumn('changed', 'bigint', (column) => column.notNull()),
    create('dataset')
      .addColumn('uuid', bytes(16), (column) => column.primaryKey())
      .addColumn('type', 'integer', (column) => column.notNull())
      .addColumn('run', 'integer', (column) => column.notNull())
      .addColumn('ingested', 'bigint')
      .addColumn('files', text, (column) => column.notNull())
      .addColumn('changed', 'bigint', (column) => column.notNull()),
    create('membership')
      .addColumn('slot', bytes(32), (column) => column.primaryKey())
      .addColumn('uuid', bytes(16), (column) => column.notNull())
      .addColumn('type', 'integer', (column) => column.notNull())
      .addColumn('collection', 'integer', (column) => column.notNull())
      .addColumn('data_id', text, (column) => column.notNull())
      .addColumn('is_certified', 'integer', (column) => column.notNull())
      .addColumn('valid_begin', 'bigint')
      .addColumn('valid_end', 'bigint')
      .addColumn('changed', 'bigint', (column) => column.notNull()),
    create('removal')
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('uuid', bytes(16), (column) => column.notNull())
      .addColumn('collection', 'integer')
      .addColumn('type', 'integer', (column) => column.notNull())
      .addColumn('is_certified', 'integer', (column) => column.notNull())
      .addColumn('valid_begin', 'bigint')
      .addPrimaryKeyConstraint('removal_key', ['sequence', 'position']),
  ];
  for (const table of tables) await table.execute();
  const indexes: readonly (readonly [string, readonly string[]])[] = [
    ['file', ['changed', 'slot']],
    ['dimension_record', ['changed', 'slot']],
    ['dataset', ['changed', 'uuid']],
    ['dataset', ['run', 'uuid']],
    ['membership', ['changed', 'slot']],
    ['membership', ['uuid']],
    ['membership', ['collection', 'slot']],
  ];
  for (const [table, columns] of indexes) await createIndex(database, engine, table, columns);
  const head = { id: 1, sequence: 0, structure: 0, turn: 0 };
  const isThere = await database.selectFrom('head').select('id').executeTakeFirst();
  if (isThere === undefined) await database.insertInto('head').values(head).execute();
}

/** MySQL knows no `if not exists` for an index. */
async function createIndex(database: SharedDatabase, engine: SharedEngine, table: string, columns: readonly string[]): Promise<void> {
  const create = database.schema
    .createIndex(`butlerfs_${table}_${columns[0]}`)
    .on(table)
    .columns([...columns]);
  if (engine !== 'mysql') return await create.ifNotExists().execute();
  await create.execute().catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ER_DUP_KEYNAME')) throw error;
  });
}
