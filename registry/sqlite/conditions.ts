/** The conditions that a constraint and a search path put on memberships `m`. */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { Collection, Constraint, DataIdValue, DatasetType, DimensionName } from '../contract.js';
import { dimensionColumn } from './schema.js';
import { Slot } from './statements.js';

/** Up to this many collections are named one by one, which is quickest; more travel as one JSON text. */
const mostListed = 16;

export interface Conditions {
  /** Conditions on `m`; arguments are the type, then the collections, then the constraint. */
  readonly where: readonly RawBuilder<SqlBool>[];
  readonly values: readonly unknown[];
  /** What the form of the conditions depends on: for the cache of statements. */
  readonly form: string;
}

/** Values of one dimension from `first` to `last`, both included. */
export interface ValueRange {
  readonly dimension: DimensionName;
  readonly first: DataIdValue;
  readonly last: DataIdValue;
}

/** Throws `unknown-dimension` for a key of the constraint that the type has not. */
export function membershipConditions(
  type: DatasetType,
  collections: readonly Collection[],
  constraint: Constraint,
  range?: ValueRange,
): Conditions {
  const names = [...constraint.keys()];
  checkKeys(type, names);
  const listed = collections.length <= mostListed;
  const collectionValues = listed ? collections.map(({ id }) => id) : [JSON.stringify(collections.map(({ id }) => id))];
  const values = [type.id, ...collectionValues, ...constraint.values(), ...(range === undefined ? [] : [range.first, range.last])];
  const form = `${listed ? collections.length : 'json'}/${names.join(' ')}${range === undefined ? '' : `/${range.dimension}`}`;
  return {
    values,
    form,
    // Built only for a statement that is not in the cache: a leaf is asked for far more often than a new form of question.
    get where() {
      return buildConditions(listed, collectionValues.length, names, range?.dimension);
    },
  };
}

/** One more condition, where there is one. Statements with it are not for the cache of those without. */
export function withCondition(conditions: Conditions, more: RawBuilder<SqlBool> | undefined): Conditions {
  if (more === undefined) return conditions;
  const { values, form } = conditions;
  return {
    values,
    form,
    get where() {
      return [...conditions.where, more];
    },
  };
}

/** Conditions on `m` with slots for the type, the collections, the named dimensions, and the ends of a range of `ranged`. */
function buildConditions(
  listed: boolean,
  collections: number,
  names: readonly DimensionName[],
  ranged: DimensionName | undefined,
): RawBuilder<SqlBool>[] {
  const collectionSlots = Array.from({ length: collections }, (_, index) => sql`${new Slot(1 + index)}`);
  const firstName = 1 + collections;
  const firstEnd = firstName + names.length;
  const column = (name: DimensionName) => sql.ref(`m.${dimensionColumn(name)}`);
  return [
    sql<SqlBool>`m.dataset_type = ${new Slot(0)}`,
    listed
      ? collectionSlots.length === 1
        ? sql<SqlBool>`m.collection = ${collectionSlots[0]}`
        : sql<SqlBool>`m.collection in (${sql.join(collectionSlots)})`
      : sql<SqlBool>`m.collection in (select value from json_each(${new Slot(1)}))`,
    ...names.map((name, index) => sql<SqlBool>`${column(name)} = ${new Slot(firstName + index)}`),
    ...(ranged === undefined ? [] : [sql<SqlBool>`${column(ranged)} between ${new Slot(firstEnd)} and ${new Slot(firstEnd + 1)}`]),
  ];
}

function checkKeys(type: DatasetType, names: readonly DimensionName[]): void {
  const known = [...type.dimensions.required, ...type.dimensions.implied];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const advice = didYouMean(nearestNames(unknown, known)) ?? `its keys are ${known.join(', ') || 'none'}`;
  throw new ButlerfsError('unknown-dimension', { what: `key '${unknown}'`, where: `dataset type '${type.name}'`, advice });
}
