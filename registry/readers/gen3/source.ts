/** The SQLite file of a Gen3 registry: opened with care, and asked what tables and columns it has. */

import { Database } from '../../sqlite/driver.js';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { asButlerfsError, ButlerfsError } from '../../../common/errors.js';

const header = 'SQLite format 3\0';

/** Tables without which a file is no registry of the versions that are understood, with the columns that tell. */
const expected: Readonly<Record<string, readonly string[]>> = {
  butler_attributes: ['name', 'value'],
  collection: ['collection_id', 'name', 'type'],
  collection_chain: ['parent', 'position', 'child'],
  dataset_type: ['id', 'name', 'storage_class', 'dimensions_key', 'tag_association_table', 'calibration_association_table'],
  dimension_graph_definition: ['dimension_graph_id', 'dimension_name'],
  dataset: ['id', 'dataset_type_id', 'ingest_date', 'run_id'],
};

/** Errors of SQLite as they concern whoever reads a repository. */
export function registryError(error: unknown, where: string): ButlerfsError {
  if (!(error instanceof Database.SqliteError)) return asButlerfsError(error);
  const advice = 'restore the registry from a backup, or fetch it again where this is a copy';
  return new ButlerfsError('corrupt-repository', { what: 'the registry', where, why: error.message, advice, cause: error });
}

/** Opens a registry on this host. Throws `not-a-repository`, `corrupt-repository` or `unsupported-repository`. `where` names it in messages. */
export function openRegistry(file: string, where: string): RegistrySource {
  checkHeader(file, where);
  let database: Database;
  try {
    database = new Database(file, { readonly: true, fileMustExist: true, timeout: 10_000 });
  } catch (cause) {
    throw registryError(cause, where);
  }
  try {
    // One read transaction from beginning to end: what is read belongs together, whoever writes meanwhile.
    database.exec('begin');
    return new RegistrySource(database, 'main', where);
  } catch (cause) {
    database.close();
    throw registryError(cause, where);
  }
}

export class RegistrySource {
  readonly where: string;
  readonly #database: Database;
  readonly #schema: string;
  /** Columns by table. */
  readonly #tables = new Map<string, ReadonlySet<string>>();
  readonly #counts = new Map<string, number>();

  /** Takes the database over, in which the registry is the schema of that name. Throws as {@link openRegistry} does, or SQLite's own errors. */
  constructor(database: Database, schema: string, where: string) {
    this.where = where;
    this.#database = database;
    this.#schema = schema;
    for (const [name] of this.all(`select name from ${this.table('sqlite_master')} where type = 'table'`)) {
      const columns = database.pragma(`${schema}.table_info(${quote(String(name))})`) as { name: string }[];
      this.#tables.set(String(name), new Set(columns.map((column) => column.name)));
    }
    this.#check();
  }

  #check(): void {
    for (const [table, columns] of Object.entries(expected)) {
      const found = this.#tables.get(table);
      if (found === undefined) {
        const advice = "give the repository's own SQLite file, the one that butler.yaml names";
        throw new ButlerfsError('not-a-repository', {
          what: `table '${table}'`,
          where: this.where,
          why: 'this SQLite file is no butler registry',
          advice,
        });
      }
      const missing = columns.find((column) => !found.has(column));
      if (missing === undefined) continue;
      const why = `table '${table}' has no column '${missing}': it was made by other managers than those of daf_butler 19 and later`;
      throw new ButlerfsError('unsupported-repository', {
        what: 'the registry',
        where: this.where,
        why,
        advice: 'migrate it with butler migrate',
      });
    }
  }

  /** A table as queries name it. */
  table(name: string): string {
    return `${this.#schema}.${quote(name)}`;
  }

  hasTable(name: string): boolean {
    return this.#tables.has(name);
  }

  /** Counted once: what is read is one version. */
  rowCount(table: string): number {
    let count = this.#counts.get(table);
    if (count === undefined) {
      const [row] = this.all(`select count(*) from ${this.table(table)}`);
      this.#counts.set(table, (count = Number(row![0])));
    }
    return count;
  }

  columns(table: string): readonly string[] {
    return [...(this.#tables.get(table) ?? [])];
  }

  /** Rows as arrays, streamed; integers as bigint. */
  *rows(query: string, ...parameters: readonly unknown[]): IterableIterator<unknown[]> {
    yield* this.#database
      .prepare<unknown[], unknown[]>(query)
      .raw()
      .safeIntegers()
      .iterate(...parameters);
  }

  /** All rows of a query whose answer is short. */
  all(query: string): unknown[][] {
    return this.#database.prepare<[], unknown[]>(query).raw().safeIntegers().all();
  }

  /** A query with one parameter, prepared: its rows as arrays; integers as bigint. */
  lookup(query: string): (parameter: unknown) => unknown[][] {
    const statement = this.#database.prepare<[unknown], unknown[]>(query).raw().safeIntegers();
    return (parameter) => statement.all(parameter);
  }

  close(): void {
    this.#database.close();
  }
}

/** An identifier inside a query. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function checkHeader(file: string, where: string): void {
  const advice = 'create the repository again with butler create, or restore the registry from a backup';
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    throw new ButlerfsError('not-a-repository', { what: 'the registry', where, why: 'its file cannot be opened', cause });
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) {
      const why = "it is an empty file, as a 'butler create' that failed leaves behind beside butler.yaml";
      throw new ButlerfsError('corrupt-repository', { what: 'the registry', where, why, advice });
    }
    const found = Buffer.alloc(header.length);
    readSync(descriptor, found, 0, header.length, 0);
    if (found.toString('latin1') !== header) {
      throw new ButlerfsError('corrupt-repository', { what: 'the registry', where, why: 'it is not an SQLite file', advice });
    }
  } finally {
    closeSync(descriptor);
  }
}
