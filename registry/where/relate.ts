/** How an expression over keys that its subject has not is related to it: by dimension records. */

import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { joinRecords } from '../sqlite/record-join.js';
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
  for (const name of namesIn(node)) {
    const further = dimensionsOf(name, scope).filter((dimension) => !columns.has(dimension));
    if (further.length > 0 && !isRelated(further, scope)) {
      throw new ButlerfsError('unknown-dimension', {
        what: `dimension '${name.name.split('.')[0]}' at column ${name.column}`,
        why: `${subject} has no such key, and nothing relates them`,
        advice: `the keys of ${subject} are ${[...columns.keys()].join(', ') || 'none'}`,
      });
    }
    for (const dimension of further) missing.add(dimension);
  }
  if (missing.size === 0) return undefined;
  const { tables, conditions, columns: wider } = joinRecords(records, missing, columns, 'j');
  return { tables, conditions, scope: { ...scope, columns: wider } };
}

/** By a key that they share or imply, on the sky, or because one is a governor, which selects all or nothing. */
function isRelated(further: readonly string[], { records, columns }: WhereScope): boolean {
  const { universe } = records;
  const { required, implied } = universe.group(further);
  if ([...required, ...implied].some((name) => columns.has(name))) return true;
  if (required.every((name) => universe.dimension(name)?.isGovernor === true)) return true;
  const hasPixels = [...columns.keys()].some((name) => universe.dimension(name)?.isSkypix === true);
  const reaches = (names: ReadonlySet<string>) =>
    spatialFamilies(universe).filter((family) => family.some((element) => element.required.every((name) => names.has(name))));
  const [ours, theirs] = [reaches(new Set(columns.keys())), reaches(new Set(required))];
  return theirs.length > 0 && (hasPixels || ours.some((family) => !theirs.includes(family)));
}
