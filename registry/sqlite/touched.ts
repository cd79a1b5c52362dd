/**
 * What an update touched, kept with the catalogue for those who had the version before.
 *
 * A row without a type says that the structure changed, or with `records` for its data ID that dimension records did; one without a data ID that any dataset of its
 * type may have. Versions older than the last few are forgotten.
 */

import type { DataIdValue, Touched } from '../contract.js';
import type { Database } from './driver.js';
import { builder, Prepared, Slot, slots } from './statements.js';

/** Versions whose touches are kept: a mount that missed more looks at everything. */
const keptVersions = 32;
/** Data IDs of one type up to which they are kept one by one. */
const mostDataIds = 20_000;

/** Stands for the data ID where records of dimensions were touched. */
const recordsMark = 'records';

const noType = 0;
const noCollection = 0;

interface TouchesOfType {
  readonly collections: Set<number>;
  /** By JSON text; undefined: any. */
  dataIds: Map<string, Set<number>> | undefined;
}

export class TouchLog {
  readonly #types = new Map<number, TouchesOfType>();
  #structure = false;
  #records = false;

  get isEmpty(): boolean {
    return !this.#structure && !this.#records && this.#types.size === 0;
  }

  /** Types that were touched, by key. */
  get types(): ReadonlySet<number> {
    return new Set(this.#types.keys());
  }

  structure(): void {
    this.#structure = true;
  }

  records(): void {
    this.#records = true;
  }

  dataset(type: number, collection: number, dataId: readonly DataIdValue[]): void {
    const touches = this.#of(type);
    touches.collections.add(collection);
    if (touches.dataIds === undefined) return;
    const text = JSON.stringify(dataId);
    const collections = touches.dataIds.get(text) ?? new Set();
    touches.dataIds.set(text, collections.add(collection));
    if (touches.dataIds.size > mostDataIds) touches.dataIds = undefined;
  }

  /** Any dataset of the type that the collection has. */
  all(type: number, collection: number): void {
    const touches = this.#of(type);
    touches.collections.add(collection);
    touches.dataIds = undefined;
  }

  #of(type: number): TouchesOfType {
    let touches = this.#types.get(type);
    if (touches === undefined) this.#types.set(type, (touches = { collections: new Set(), dataIds: new Map() }));
    return touches;
  }

  /** Stores what was touched as that of `version`; gives the version since which all touches are known. `from` is the one so far. */
  write(database: Database, version: number, from: number): number {
    const oldest = Math.max(from, version - keptVersions);
    const [first, second, third, fourth] = slots(4);
    new Prepared(database, builder.deleteFrom('touch').where('version', '<=', first)).run([oldest]);
    const row = { version: first, dataset_type: second, collection: third, data_id: fourth };
    const insert = new Prepared(database, builder.insertInto('touch').values(row));
    if (this.#structure) insert.run([version, noType, noCollection, '']);
    if (this.#records) insert.run([version, noType, noCollection, recordsMark]);
    for (const [type, { collections, dataIds }] of this.#types) {
      if (dataIds === undefined) for (const collection of collections) insert.run([version, type, collection, '']);
      else for (const [text, found] of dataIds) for (const collection of found) insert.run([version, type, collection, text]);
    }
    return oldest;
  }
}

/** What was touched after `version`. Types and collections that went meanwhile have no name any more: the structure was touched with them. */
export function readTouched(database: Database, version: number): Touched {
  const query = builder
    .selectFrom('touch')
    .leftJoin('dataset_type as t', 't.id', 'touch.dataset_type')
    .leftJoin('collection as c', 'c.id', 'touch.collection')
    .select(['t.name as type', 'c.name as collection', 'data_id'])
    .where('version', '>', new Slot(0));
  let structure = false;
  let records = false;
  const types = new Map<string, { dataIds: Map<string, readonly DataIdValue[]> | undefined; readonly collections: Set<string> }>();
  for (const [type, collection, dataId] of new Prepared(database, query).all([version]) as [string | null, string | null, string][]) {
    if (type === null && dataId === recordsMark) records = true;
    else if (type === null || collection === null) structure = true;
    if (type === null) continue;
    const touched = types.get(type) ?? { dataIds: new Map(), collections: new Set() };
    types.set(type, touched);
    if (collection !== null) touched.collections.add(collection);
    if (dataId === '') touched.dataIds = undefined;
    else touched.dataIds?.set(dataId, JSON.parse(dataId) as DataIdValue[]);
  }
  const named = [...types].map(
    ([name, { dataIds, collections }]) =>
      [name, { dataIds: dataIds === undefined ? undefined : [...dataIds.values()], collections }] as const,
  );
  return { structure, records, types: new Map(named) };
}
