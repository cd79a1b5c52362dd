/**
 * Queries built with Kysely, compiled to SQL once and run through prepared statements of better-sqlite3.
 * Kysely never sees the database here: its own drivers are asynchronous, and a look-up must answer at once.
 */

import type { Database, RunResult, Statement } from './driver.js';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';

/** Tables are named at run time, after the universe: any table, any column. */
export interface Tables {
  [table: string]: { [column: string]: unknown };
}

export const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** What turns into one statement: a query of Kysely, or a fragment with the builder bound to it. */
export interface Compilable {
  compile(): { readonly sql: string; readonly parameters: readonly unknown[] };
}

/** Stands for the argument at `position` in a query that is compiled once and run with many. */
export class Slot {
  readonly position: number;

  constructor(position: number) {
    this.position = position;
  }
}

export function slots(count: number, first = 0): Slot[] {
  return Array.from({ length: count }, (_, index) => new Slot(first + index));
}

/** A compiled, prepared statement. `arguments` are given by the position of their slots. */
export class Prepared {
  readonly #statement: Statement<unknown[], unknown>;
  readonly #parameters: readonly unknown[];
  readonly #direct: boolean;

  constructor(database: Database, query: Compilable) {
    const { sql, parameters } = query.compile();
    this.#statement = database.prepare<unknown[], unknown>(sql);
    this.#parameters = parameters;
    this.#direct = parameters.every((parameter, index) => parameter instanceof Slot && parameter.position === index);
    if (this.#statement.reader) this.#statement.raw();
  }

  #bind(values: readonly unknown[]): readonly unknown[] {
    if (this.#direct) return values;
    return this.#parameters.map((parameter) => (parameter instanceof Slot ? values[parameter.position] : parameter));
  }

  run(values: readonly unknown[] = []): RunResult {
    return this.#statement.run(...this.#bind(values));
  }

  /** Rows as arrays of columns. */
  all(values: readonly unknown[] = []): unknown[][] {
    return this.#statement.all(...this.#bind(values)) as unknown[][];
  }

  get(values: readonly unknown[] = []): unknown[] | undefined {
    return this.#statement.get(...this.#bind(values)) as unknown[] | undefined;
  }

  iterate(values: readonly unknown[] = []): IterableIterator<unknown[]> {
    return this.#statement.iterate(...this.#bind(values)) as IterableIterator<unknown[]>;
  }
}

/** Prepared statements by a name that says all that the query depends on. */
export class StatementCache {
  readonly #database: Database;
  readonly #statements = new Map<string, Prepared>();

  constructor(database: Database) {
    this.#database = database;
  }

  get(name: string, query: () => Compilable): Prepared {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = new Prepared(this.#database, query());
      this.#statements.set(name, statement);
    }
    return statement;
  }

  /** For a statement that is iterated: one that runs cannot be started again before it ends. */
  fresh(query: Compilable): Prepared {
    return new Prepared(this.#database, query);
  }
}
