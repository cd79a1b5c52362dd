/** What a catalogue has of dimension records, for queries that join them. */

import { sql } from 'kysely';
import type { SqlBool } from 'kysely';
import type { DimensionElement, ElementUniverse } from '../universe.js';
import type { RecordTables } from './record-join.js';
import { recordField, recordTable } from './schema.js';
import { builder } from './statements.js';
import type { StatementCache } from './statements.js';

export class StoredRecordTables implements RecordTables {
  readonly universe: ElementUniverse;
  readonly #statements: StatementCache;
  readonly #fields: (element: string) => readonly string[] | undefined;
  readonly #partial = new Map<string, boolean>();

  /** `fields` are those that the records of an element have; undefined for one without records. */
  constructor(universe: ElementUniverse, statements: StatementCache, fields: (element: string) => readonly string[] | undefined) {
    this.universe = universe;
    this.#statements = statements;
    this.#fields = fields;
  }

  fields(element: string): readonly string[] | undefined {
    return this.#fields(element);
  }

  isPartial(relation: DimensionElement): boolean {
    let partial = this.#partial.get(relation.name);
    if (partial === undefined) this.#partial.set(relation.name, (partial = this.#hasGap(relation)));
    return partial;
  }

  #hasGap(relation: DimensionElement): boolean {
    return relation.required.some((name) => {
      const governor = this.universe.dimension(name)?.isGovernor === true ? this.universe.element(name) : undefined;
      if (governor === undefined || this.#fields(name) === undefined) return false;
      const related = builder
        .selectFrom(`${recordTable(relation.name)} as r`)
        .select(sql.lit(1).as('one'))
        .where(sql<SqlBool>`${sql.ref(`r.${recordField(relation, name)}`)} = ${sql.ref(`g.${recordField(governor, name)}`)}`);
      const statement = this.#statements.get(`partial ${relation.name} ${name}`, () =>
        builder
          .selectFrom(`${recordTable(name)} as g`)
          .select(sql.lit(1).as('one'))
          .where(sql<SqlBool>`not exists ${related}`)
          .limit(1),
      );
      return statement.get() !== undefined;
    });
  }
}
