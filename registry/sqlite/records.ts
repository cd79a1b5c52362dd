/** Dimension records of a catalogue: one record, and the values that a dimension has. */

import type { Database } from './driver.js';
import { sql } from 'kysely';
import type { SqlBool } from 'kysely';
import type { Constraint, DataIdValue, DimensionName } from '../contract.js';
import type { ElementUniverse } from '../universe.js';
import { compareValues } from '../values.js';
import type { StoredType } from './rows.js';
import { dimensionColumn, membershipTable, recordField, recordTable } from './schema.js';
import { builder, Slot } from './statements.js';
import type { StatementCache } from './statements.js';

type DimensionRecord = Readonly<Record<string, DataIdValue | null>>;

export class RecordStore {
  readonly #universe: ElementUniverse;
  readonly #statements: StatementCache;
  /** Fields by element; elements without records are missing. */
  readonly #fields = new Map<string, readonly string[]>();

  constructor(database: Database, universe: ElementUniverse, statements: StatementCache) {
    this.#universe = universe;
    this.#statements = statements;
    for (const { name } of universe.elements) {
      const columns = database.pragma(`table_info("${recordTable(name).replaceAll('"', '""')}")`) as { name: string }[];
      if (columns.length > 0) this.#fields.set(name, Object.freeze(columns.map((column) => column.name)));
    }
  }

  /** Fields that the records of an element have; undefined for one without records. */
  fields(element: string): readonly string[] | undefined {
    return this.#fields.get(element);
  }

  /** Integers past 2^53, as times in nanoseconds are, come as decimal text. */
  record(name: string, dataId: Readonly<Record<DimensionName, DataIdValue>>): DimensionRecord | undefined {
    const element = this.#universe.element(name);
    const fields = this.#fields.get(name);
    if (element === undefined || fields === undefined) return undefined;
    const values = element.required.map((dimension) => dataId[dimension]);
    if (values.includes(undefined)) return undefined;
    const statement = this.#statements.get(`record ${name}`, () => {
      const exact = (field: string) => {
        const column = sql.ref(field);
        return sql`iif(typeof(${column}) = 'integer' and abs(${column}) > 9007199254740991, cast(${column} as text), ${column})`.as(field);
      };
      const select = builder.selectFrom(recordTable(name)).select(fields.map(exact));
      return element.required.reduce((sum, dimension, index) => sum.where(recordField(element, dimension), '=', new Slot(index)), select);
    });
    const row = statement.get(values);
    return row === undefined ? undefined : Object.fromEntries(fields.map((field, index) => [field, row[index] as DataIdValue | null]));
  }

  /**
   * Distinct values of a dimension, sorted: from its own records, from those that imply it, else from the datasets of `types`.
   * Keys of the constraint that these have no field for are left aside.
   */
  values(dimension: DimensionName, limit: number, constraint: Constraint, types: readonly StoredType[]): DataIdValue[] {
    const element = this.#universe.element(dimension);
    const source = this.#fields.has(dimension) ? dimension : element?.viewOf;
    const fields = source === undefined ? undefined : this.#fields.get(source);
    if (source !== undefined && fields !== undefined) {
      const owner = this.#universe.element(source)!;
      const usable = [...constraint]
        .map(([name, value]) => [recordField(owner, name), value] as const)
        .filter(([field]) => fields.includes(field));
      return this.#distinct(recordTable(source), recordField(owner, dimension), usable, limit);
    }
    const found = new Set<DataIdValue>();
    for (const number of new Set(types.filter((type) => type.dimensions.required.includes(dimension)).map((type) => type.membership))) {
      const { required, implied } = types.find((type) => type.membership === number)!.dimensions;
      const known = [...required, ...implied];
      const usable = [...constraint]
        .filter(([name]) => known.includes(name))
        .map(([name, value]) => [dimensionColumn(name), value] as const);
      for (const value of this.#distinct(membershipTable(number), dimensionColumn(dimension), usable, limit)) found.add(value);
    }
    return [...found].sort(compareValues).slice(0, limit);
  }

  #distinct(table: string, column: string, constraint: readonly (readonly [string, DataIdValue])[], limit: number): DataIdValue[] {
    const statement = this.#statements.get(`values ${table} ${column} ${constraint.map(([name]) => name).join(' ')}`, () => {
      const select = builder
        .selectFrom(table)
        .distinct()
        .select(column)
        .where(sql<SqlBool>`${sql.ref(column)} is not null`)
        .orderBy(column)
        .limit(sql<number>`${new Slot(constraint.length)}`);
      return constraint.reduce((sum, [name], index) => sum.where(name, '=', new Slot(index)), select);
    });
    return statement.all([...constraint.map(([, value]) => value), limit]).map(([value]) => value as DataIdValue);
  }
}
