/**
 * Where the row of another table that belongs to a row probably is. Tables are filled together, so that the rows of one dataset lie equally far into each: its number in
 * one tells that in the other, which is found several times quicker so than through an index of random keys.
 */

import type { Database } from '../../sqlite/driver.js';

/** Guesses that may be wrong in a row before only some are made. */
const patience = 64;
/** One guess among so many, where they are wrong. */
const pause = 256;

export class RowOffset {
  readonly #name: string;
  #offset = 0;
  #wrong = 0;

  /** Makes two SQL functions of that name on a connection. */
  constructor(database: Database, name: string) {
    this.#name = name;
    database.function(`${name}_offset`, { deterministic: false }, () =>
      this.#wrong < patience || this.#wrong % pause === 0 ? this.#offset : null,
    );
    database.function(`${name}_found`, { deterministic: false }, (from: unknown, to: unknown) => {
      const offset = typeof to === 'number' ? to - (from as number) : this.#offset;
      this.#wrong = offset === this.#offset ? 0 : this.#wrong + 1;
      this.#offset = offset;
      return to;
    });
  }

  /** SQL: the number of the row of `table` for which `condition` (on `g`) holds, or null; `from` is the number of the row that it belongs to. */
  find(table: string, from: string, condition: string): string {
    return `coalesce(
      (select g.rowid from ${table} as g where g.rowid = ${from} + ${this.#name}_offset() and ${condition}),
      (select g.rowid from ${table} as g where ${condition}))`;
  }

  /** SQL that tells the number that was found, and gives it. */
  found(from: string, to: string): string {
    return `${this.#name}_found(${from}, ${to})`;
  }
}
