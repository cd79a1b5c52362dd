/** Which datasets of a type a search finds in one version of a catalogue and not in another, without reading what no update touched. */

import type {
  Catalogue,
  Collection,
  Constraint,
  DataIdValue,
  DatasetRecord,
  DatasetRow,
  DatasetType,
  SearchPath,
  WhereFilter,
} from './contract.js';

/** A version of a catalogue, and what is looked for in it. */
export interface Searched extends WhereFilter {
  readonly catalogue: Catalogue;
  /** As that catalogue knows it; undefined where it has none of that name. */
  readonly type: DatasetType | undefined;
  readonly searchPath: SearchPath;
  /** Of required dimensions. */
  readonly constraint: Constraint;
}

export interface DatasetEvent {
  readonly event: 'added' | 'removed';
  readonly dataset: DatasetRecord;
}

/**
 * Where `next` came from `former` by updates, only the data IDs that they touched are asked for, and those of collections that came into the search path or left it;
 * what came is sorted by when it was taken in. Else both are read, in path order. A dataset that is found under the same data ID in both is none of them.
 * Memory grows with what was touched.
 */
export function* differences(former: Searched, next: Searched): Generator<DatasetEvent, void, undefined> {
  const dataIds = touchedDataIds(former, next);
  if (dataIds === undefined) {
    yield* comparePaths(former, next);
    return;
  }
  const events: DatasetEvent[] = [];
  for (const text of dataIds) {
    const values = JSON.parse(text) as DataIdValue[];
    events.push(...between(recordsOf(former, values), recordsOf(next, values)));
  }
  yield* events.sort(byTime);
}

/** JSON texts of data IDs that may have other datasets; undefined where that is not known. */
function touchedDataIds(former: Searched, next: Searched): ReadonlySet<string> | undefined {
  const touched = next.catalogue.touchedSince?.(former.catalogue.info.version);
  if (touched === undefined || former.type === undefined || next.type === undefined) return undefined;
  const [before, after] = [former, next].map(({ searchPath }) => searchPath.collections.map(({ name }) => name)) as [string[], string[]];
  const inBoth = (names: readonly string[], others: readonly string[]): string =>
    JSON.stringify(names.filter((name) => others.includes(name)));
  // Of collections in another order another one may come first, for any data ID.
  if (inBoth(before, after) !== inBoth(after, before)) return undefined;
  const found = new Set<string>();
  const ofType = touched.types.get(next.type.name);
  if (ofType !== undefined && [...before, ...after].some((name) => ofType.collections.has(name))) {
    if (ofType.dataIds === undefined) return undefined;
    for (const values of ofType.dataIds) found.add(JSON.stringify(values));
  }
  const only = ({ searchPath }: Searched, others: readonly string[]): Collection[] =>
    searchPath.collections.filter(({ name }) => !others.includes(name));
  for (const [searched, collections] of [
    [former, only(former, after)],
    [next, only(next, before)],
  ] as const) {
    if (collections.length === 0) continue;
    const searchPath = { names: collections.map(({ name }) => name), collections };
    for (const { values } of allOf({ ...searched, searchPath })) found.add(JSON.stringify(values));
  }
  return found;
}

function allOf({ catalogue, type, ...question }: Searched): Iterable<DatasetRecord> {
  return type === undefined ? [] : catalogue.query({ type, ...question });
}

/** Stored datasets of one data ID. */
function recordsOf({ catalogue, type, ...question }: Searched, values: readonly DataIdValue[]): DatasetRecord[] {
  if (type === undefined) return [];
  const { required } = type.dimensions;
  const constraint = new Map(required.map((name, index) => [name, values[index]!]));
  if ([...question.constraint].some(([name, value]) => constraint.has(name) && constraint.get(name) !== value)) return [];
  const answer = catalogue.directory({ ...question, type, constraint, keys: [], rowLimit: Number.MAX_SAFE_INTEGER });
  return answer.kind === 'rows' ? answer.rows.flatMap((row) => completed(catalogue, row) ?? []) : [];
}

function completed(catalogue: Catalogue, row: DatasetRow): DatasetRecord | undefined {
  const record = catalogue.dataset(row.key);
  return record === undefined ? undefined : { ...record, ...row };
}

function* between(before: readonly DatasetRecord[], after: readonly DatasetRecord[]): Generator<DatasetEvent, void, undefined> {
  yield* lacking('removed', before, after);
  yield* lacking('added', after, before);
}

/** Those that the others have not, each once: a calibration may be there for several ranges of time. */
function* lacking(
  event: DatasetEvent['event'],
  records: readonly DatasetRecord[],
  others: readonly DatasetRecord[],
): Generator<DatasetEvent, void, undefined> {
  const seen = new Set(others.map(({ uuid }) => uuid));
  for (const dataset of records) {
    if (seen.has(dataset.uuid)) continue;
    seen.add(dataset.uuid);
    yield { event, dataset };
  }
}

function byTime({ dataset: a }: DatasetEvent, { dataset: b }: DatasetEvent): number {
  const [left, right] = [a.ingested ?? 0n, b.ingested ?? 0n];
  return left < right ? -1 : left > right ? 1 : a.uuid < b.uuid ? -1 : 1;
}

/** Reads both in path order, side by side. */
function* comparePaths(former: Searched, next: Searched): Generator<DatasetEvent, void, undefined> {
  const [a, b] = [groups(allOf(former)), groups(allOf(next))];
  try {
    let [left, right] = [a.next(), b.next()];
    while (left.done !== true || right.done !== true) {
      const order = left.done === true ? 1 : right.done === true ? -1 : compareDataIds(left.value[0]!.values, right.value[0]!.values);
      yield* between(order <= 0 ? left.value! : [], order >= 0 ? right.value! : []);
      if (order <= 0) left = a.next();
      if (order >= 0) right = b.next();
    }
  } finally {
    a.return(undefined);
    b.return(undefined);
  }
}

/** Records of one data ID follow each other. */
function* groups(records: Iterable<DatasetRecord>): Generator<DatasetRecord[], undefined, undefined> {
  let group: DatasetRecord[] = [];
  for (const record of records) {
    if (group.length > 0 && compareDataIds(group[0]!.values, record.values) !== 0) {
      yield group;
      group = [];
    }
    group.push(record);
  }
  if (group.length > 0) yield group;
  return undefined;
}

/** As the catalogue sorts: integers before texts, and these by their bytes. */
function compareDataIds(a: readonly DataIdValue[], b: readonly DataIdValue[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index]!;
    if (left === right) continue;
    if (typeof left === 'number') return typeof right !== 'number' || left < right ? -1 : 1;
    return typeof right === 'number' ? 1 : Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
  return 0;
}
