/** Data IDs that dimension records define: `butlerfs query --dimensions` and `--missing`. */

import { ButlerfsError } from '../common/errors.js';
import { resolveKey } from '../registry/keys.js';
import { chosenTypes, constraintOf, viewOf } from './query-report.js';
import { printable } from './table.js';
import type { DataIdQuery, DataIdValue, DatasetType, DimensionName } from '../registry/contract.js';
import type { Target } from './target.js';

export interface DataIdQuestion {
  /** Names, separated by commas; undefined where `missing` is given. */
  readonly dimensions: string | undefined;
  /** A dataset type that the data IDs shall lack. */
  readonly missing: string | undefined;
  /** `KEY=VALUE` texts; values as in paths. */
  readonly id: readonly string[];
  readonly where: string | undefined;
}

/** One line for each, in path order. Throws as `findDatasets` does, and `unsupported` for dimensions that have no records. */
export function* dataIdLines(target: Target, question: DataIdQuestion, json: boolean): Iterable<string> {
  const query = queryOf(target, question);
  for (const values of target.catalogue.dataIds(query)) {
    const pairs = query.keys.map((key, index) => [key, values[index]!] as const);
    yield json ? `${JSON.stringify({ dataId: Object.fromEntries(pairs) })}\n` : `${pairs.map(pairText).join(' ')}\n`;
  }
}

function pairText([key, value]: readonly [DimensionName, DataIdValue]): string {
  return `${key}=${printable(String(value))}`;
}

function queryOf(target: Target, { dimensions, missing, id, where }: DataIdQuestion): DataIdQuery {
  const { catalogue, aliases } = target;
  const view = viewOf(target);
  if (missing !== undefined) {
    if (dimensions !== undefined)
      throw new ButlerfsError('usage', { what: '--missing with --dimensions', why: 'the dataset type has dimensions of its own' });
    const { types, keys } = chosenTypes(catalogue, view, missing, id);
    const [{ type }, another] = types as [{ readonly type: DatasetType }, unknown?];
    if (another !== undefined)
      throw new ButlerfsError('usage', { what: `--missing ${missing}`, why: 'it has several flavors', advice: 'add --id flavor=...' });
    const { searchPath } = view.of(type);
    const { required } = type.dimensions;
    return {
      dimensions: required,
      constraint: constraintOf(target, view, type, keys),
      keys: required,
      lacking: { type, searchPath },
      where,
      aliases,
    };
  }
  const instrument = view.defaults.get('instrument');
  const asked = (dimensions ?? '').split(',').map((name) => resolveKey(catalogue, name.trim(), aliases, instrument));
  const group = catalogue.universe.group(asked);
  const owner = { name: asked.join(','), kind: 'data ID', dimensions: group };
  const keys = catalogue.universe.pathOrder([...group.required, ...asked]);
  return { dimensions: asked, constraint: constraintOf(target, view, owner, id), keys, where, aliases };
}
