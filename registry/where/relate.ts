/** How an expression over keys that its subject has not is related to it: by dimension records. */

import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { joinRecords } from '../sqlite/record-join.js';
import { withinTime } from '../sqlite/time-limit.js';
import { dimensionsOf, type WhereScope } from './names.js';
import { namesIn, type WhereNode } from './nodes.js';
import { spatialFamilies } from './topology.js';

export interface Related {
  readonly tables: readonly RawBuilder<unknown>[];
  readonly conditions: readonly RawBuilder<SqlBool>[];
  readonly scope: WhereScope;
}

/** Undefined where the subject has every key. Throws `unknown-dimension` for a key that nothing relates to the subject. */
export function relate(node: WhereNode, scope: WhereScope): Related | undefined {
  const { records, columns, subject } = scope;
  const missing = new Set<string>();
  let pending = namesIn(node).map((name) => ({ name, further: dimensionsOf(name, scope).filter((dimension) => !columns.has(dimension)) }));
  // What one name relates to the subject may relate another: a visit has a band.
  const reached = new Set(columns.keys());
  for (;;) {
    const related = pending.filter(({ further }) => further.length === 0 || isRelated(further, reached, scope));
    if (related.length === 0) break;
    pending = pending.filter((one) => !related.includes(one));
    for (const dimension of related.flatMap(({ further }) => further)) {
      missing.add(dimension);
      const { required, implied } = records.universe.group([dimension]);
      for (const each of [...required, ...implied]) reached.add(each);
    }
  }
  const [unrelated] = pending;
  if (unrelated !== undefined) {
    const { name } = unrelated;
    throw new ButlerfsError('unknown-dimension', {
      what: `dimension '${name.name.split('.')[0]}' at column ${name.column}`,
      why: `${subject} has no such key, and nothing relates them`,
      advice: `the keys of ${subject} are ${[...columns.keys()].join(', ') || 'none'}`,
    });
  }
  if (missing.size === 0) return undefined;
  const { tables, conditions, columns: wider } = joinRecords(records, missing, columns, 'j');
  const added = [...wider].flatMap(([name, column]) => (columns.has(name) ? [] : [column]));
  return { tables, conditions: [...conditions, withinTime(added)], scope: { ...scope, columns: wider } };
}

/** By a key that they share or imply, on the sky, or because one is a governor, which selects all or nothing. */
function isRelated(further: readonly string[], reached: ReadonlySet<string>, { records }: WhereScope): boolean {
  const { universe } = records;
  const { required, implied } = universe.group(further);
  if ([...required, ...implied].some((name) => reached.has(name))) return true;
  if (required.every((name) => universe.dimension(name)?.isGovernor === true)) return true;
  const hasPixels = [...reached].some((name) => universe.dimension(name)?.isSkypix === true);
  const reaches = (names: ReadonlySet<string>) =>
    spatialFamilies(universe).filter((family) => family.some((element) => element.required.every((name) => names.has(name))));
  const [ours, theirs] = [reaches(reached), reaches(new Set(required))];
  return theirs.length > 0 && (hasPixels || ours.some((family) => !theirs.includes(family)));
}
