/** A limit to the time that one question takes: SQLite answers on the thread that asks, and can be interrupted only from within. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { Database } from './driver.js';

const inTime = 'in_time';

/** Rows between looks at the clock. */
const rowsBetween = 256;

export class TimeLimit {
  #until = Infinity;
  #rows = 0;

  constructor(database: Database) {
    // Not deterministic, so that it is asked at every row.
    database.function(inTime, { deterministic: false, varargs: true }, () => {
      this.check();
      return 1;
    });
  }

  /** Throws `timed-out` once the question takes longer than it may. */
  check(): void {
    if (++this.#rows % rowsBetween !== 0 || performance.now() < this.#until) return;
    throw new ButlerfsError('timed-out', {
      what: 'a question to the catalogue',
      why: 'it takes too long, and others wait meanwhile',
      advice: 'restrict it further, for example by a tract or a visit, or ask with butlerfs query, which may take its time',
    });
  }

  /** Runs a question within some milliseconds. Undefined: as long as it takes. */
  within<Result>(milliseconds: number | undefined, ask: () => Result): Result {
    const before = this.#until;
    this.#until = milliseconds === undefined ? Infinity : performance.now() + milliseconds;
    try {
      return ask();
    } finally {
      this.#until = before;
    }
  }
}

/** A condition that always holds, or throws: asked once all of the columns have values. */
export function withinTime(columns: Iterable<RawBuilder<unknown>>): RawBuilder<SqlBool> {
  return sql<SqlBool>`${sql.ref(inTime)}(${sql.join([...columns, sql`0`])})`;
}
