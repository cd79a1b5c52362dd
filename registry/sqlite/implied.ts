/** How a membership row gets the values of implied dimensions: through the records of the dimensions that imply them, step by step. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { DimensionGroup, DimensionName } from '../contract.js';
import type { DimensionElement, ElementUniverse } from '../universe.js';
import { recordField, recordTable } from './schema.js';

/** One join to a record table: all of `on` must hold. */
export interface RecordJoin {
  readonly element: string;
  readonly table: string;
  readonly on: readonly { readonly field: string; readonly value: RawBuilder<unknown> }[];
}

export interface ImpliedPlan {
  readonly joins: readonly RecordJoin[];
  /** An expression for each implied dimension of the group, in its order; null where no records say. */
  readonly values: readonly RawBuilder<unknown>[];
}

/** `required` are the values of the required dimensions, in the group's order; `stored` are the elements that have a record table. */
export function planImplied(
  universe: ElementUniverse,
  group: DimensionGroup,
  stored: ReadonlySet<string>,
  required: readonly RawBuilder<unknown>[],
): ImpliedPlan {
  const known = new Map<DimensionName, RawBuilder<unknown>>();
  group.required.forEach((name, index) => known.set(name, required[index]!));
  const joins: RecordJoin[] = [];
  const joined = new Set<string>();
  const next = (): DimensionElement | undefined =>
    universe.elements.find(
      (element) =>
        !joined.has(element.name) &&
        stored.has(element.name) &&
        element.keyField !== undefined &&
        element.required.every((name) => known.has(name)) &&
        element.implied.some((name) => !known.has(name) && group.implied.includes(name)),
    );
  for (let element = next(); element !== undefined; element = next()) {
    const current = element;
    const table = recordTable(current.name);
    joined.add(current.name);
    joins.push({
      element: current.name,
      table,
      on: current.required.map((name) => ({ field: `${table}.${recordField(current, name)}`, value: known.get(name)! })),
    });
    for (const name of current.implied) if (!known.has(name)) known.set(name, sql`${sql.ref(`${table}.${name}`)}`);
  }
  return { joins, values: group.implied.map((name) => known.get(name) ?? sql`null`) };
}

/** The joins of a plan, as they follow a table in a query. */
export function joinRecords({ joins }: ImpliedPlan): RawBuilder<unknown> {
  const joined = joins.map(({ table, on }) => {
    const conditions = on.map(({ field, value }) => sql`${sql.ref(field)} = ${value}`);
    return sql` left join ${sql.table(table)} on ${sql.join(conditions, sql` and `)}`;
  });
  return sql.join(joined, sql``);
}
