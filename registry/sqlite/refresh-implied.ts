/** Memberships take the values of implied dimensions from records: those that a new or changed record determines get them again. */

import { sql } from 'kysely';
import type { ContentRows, MembershipState, RecordOf } from './content.js';
import { joinRecords, planImplied } from './implied.js';
import type { ImpliedPlan } from './implied.js';
import { dimensionColumn, recordField } from './schema.js';
import { slots } from './statements.js';

/** Datasets of one type that a collection holds. */
interface HeldType {
  readonly type: number;
  readonly collection: number;
}

/**
 * `came` are pairs that may not be counted in the catalogue yet. `changed` is told of each pair of which a membership changed. The record is stored already; without an
 * index that begins with the dimensions that it is of, all memberships are looked at: such records seldom come.
 */
export function refreshImplied(
  content: ContentRows,
  { element: name, fields }: RecordOf<'dimension'>,
  came: readonly HeldType[],
  changed: (type: number, collection: number) => void,
): void {
  const { memberships, universe, records, types } = content;
  const element = universe.element(name)!;
  for (const state of memberships.values()) {
    const { group, number } = state;
    const required = group.required.map((dimension) => sql.ref(`m.${dimensionColumn(dimension)}`));
    const plan = planImplied(universe, group, new Set(records.keys()), required);
    if (group.implied.length === 0 || !plan.joins.some((join) => join.element === name)) continue;
    const given = element.required.filter((dimension) => group.required.includes(dimension));
    const update = content.statement(`implied ${number} ${name}`, () => updateImplied(state, plan, given));
    const values = given.map((dimension) => fields[recordField(element, dimension)]);
    const held = content.statement(
      `held by ${number}`,
      () => sql`select dataset_type, collection from collection_type
        where dataset_type in (select id from dataset_type where membership = ${sql.lit(number)})`,
    );
    const pairs = [
      ...(held.all() as [number, number][]),
      ...came.filter(({ type }) => types.get(type) === state).map(({ type, collection }) => [type, collection] as const),
    ];
    for (const [type, collection] of pairs) if (update.run([type, collection, ...values]).changes > 0) changed(type, collection);
  }
}

/** Arguments: type, collection, values of the dimensions `given`. */
function updateImplied({ table, group }: MembershipState, plan: ImpliedPlan, given: readonly string[]) {
  const [type, collection, ...values] = slots(2 + given.length);
  const where = given.map((dimension, index) => sql` and ${sql.ref(`m.${dimensionColumn(dimension)}`)} = ${values[index]}`);
  const columns = group.implied.map((dimension) => sql.ref(dimensionColumn(dimension)));
  const fresh = (index: number) => sql.ref(`value_${index}`);
  const renamed = plan.values.map((value, index) => sql`${value} as ${fresh(index)}`);
  const differs = columns.map((column, index) => sql`t.${column} is not n.${fresh(index)}`);
  const sets = columns.map((column, index) => sql`${column} = n.${fresh(index)}`);
  return sql`update ${sql.table(table)} as t set ${sql.join(sets)}
    from (select m.id, ${sql.join(renamed)} from ${sql.table(table)} as m${joinRecords(plan)}
      where m.dataset_type = ${type} and m.collection = ${collection}${sql.join(where, sql``)}) as n
    where t.id = n.id and (${sql.join(differs, sql` or `)})`;
}
