/** Finds datasets and prints them as a stream. */

import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { fileNames } from '../fs/tree/file-names.js';
import { findFamily } from '../fs/tree/find-family.js';
import { openView, withDefaults } from '../fs/tree/view.js';
import { parseKeyValues } from '../mounts/options.js';
import { parseKeyValue, type KeyOwner } from '../registry/keys.js';
import { flavorKey, givenFlavor, typeOfFlavor } from '../registry/coadd-flavors.js';
import { decodeValue, encodeComponent } from '../registry/values.js';
import { printable } from './table.js';
import type { View } from '../fs/tree/view.js';
import type { Catalogue, Constraint, DataIdValue, DatasetRecord, DatasetType } from '../registry/contract.js';
import type { Target } from './target.js';

export interface Question {
  readonly type: string;
  /** `KEY=VALUE` texts; values as in paths. */
  readonly id: readonly string[];
  readonly where: string | undefined;
}

export interface FoundDatasets {
  readonly type: DatasetType;
  /** Set where a family of coadds was asked for. */
  readonly flavor?: string | undefined;
  readonly view: View;
  readonly records: IterableIterator<DatasetRecord>;
}

/**
 * Datasets of a type; of a family of coadds those of the flavor that `id` gives, or of each in turn. Throws `unknown-dataset-type`, `unknown-dimension`,
 * `invalid-value`, `unknown-value`, `unknown-collection`, or `usage` for an expression that is none.
 */
export function findDatasets(target: Target, { type: name, id, where }: Question): FoundDatasets[] {
  const { catalogue } = target;
  const view = viewOf(target, where);
  const { types, keys } = chosenTypes(catalogue, view, name, id);
  return types.map(({ type, flavor }) => {
    const constraint = constraintOf(target, view, type, keys);
    return { type, flavor, view, records: catalogue.query({ ...view.of(type), constraint }) };
  });
}

/** The view that the target is asked in. */
export function viewOf({ catalogue, collections, calibrations, defaults, aliases, flavors }: Target, where?: string): View {
  return openView(catalogue, { collections, calibrations, order: [], where, aliases, flavors }, defaults);
}

interface ChosenTypes {
  readonly types: readonly { readonly type: DatasetType; readonly flavor?: string }[];
  /** `KEY=VALUE` texts without the flavor. */
  readonly keys: readonly string[];
}

/** The type of a name, or those of a family of coadds. Throws as {@link findDatasets}. */
export function chosenTypes(catalogue: Catalogue, view: View, name: string, id: readonly string[]): ChosenTypes {
  const family = findFamily(catalogue, view, name);
  if (catalogue.datasetType(name) !== undefined || family === undefined || family.component !== null)
    return { types: [{ type: requireType(catalogue, name) }], keys: id };
  const { flavors } = family;
  const wanted = id.map(givenFlavor).findLast((flavor) => flavor !== undefined);
  if (wanted === undefined) return { types: flavors.flatMap(({ flavor, types }) => types.map((type) => ({ type, flavor }))), keys: id };
  const flavor = decodeValue(wanted);
  return { types: [{ type: typeOfFlavor(name, flavors, flavor), flavor }], keys: id.filter((text) => givenFlavor(text) === undefined) };
}

/** `KEY=VALUE` texts as values, with what the mount's own defaults say. Throws `unknown-dimension`, `invalid-value` and `usage`. */
export function constraintOf({ catalogue, defaults }: Target, view: View, owner: KeyOwner, id: readonly string[]): Constraint {
  // What the mount's own defaults say holds as in its paths; inferred ones have one value only and leave nothing out.
  const constraint = new Map<string, DataIdValue>([...defaults].filter(([dimension]) => owner.dimensions.required.includes(dimension)));
  const isGovernor = ([key]: readonly [string, string]): boolean => catalogue.universe.dimension(key)?.isGovernor === true;
  const given = Object.entries(parseKeyValues(id));
  // What an alias means, and a name of a detector, depends on the instrument.
  for (const [key, text] of [...given.filter(isGovernor), ...given.filter((pair) => !isGovernor(pair))]) {
    const { dimension, value } = parseKeyValue(catalogue, owner, key, text, withDefaults(view, owner, constraint), view);
    constraint.set(dimension, value);
  }
  return constraint;
}

type Printer = (target: Target, found: FoundDatasets) => Iterable<string>;

/** One line for each dataset, of one type after the other. */
export function* foundLines(target: Target, all: readonly FoundDatasets[], flags: Parameters<typeof printerFor>[0]): Iterable<string> {
  const print = printerFor(flags);
  for (const found of all) yield* print(target, found);
}

function printerFor({ json, paths }: { readonly json?: boolean; readonly paths?: boolean }): Printer {
  if (json === true) return jsonLines;
  return paths === true ? pathLines : dataIdLines;
}

/** `key=value key=value  RUN`, governors left out as in paths. */
function* dataIdLines(_: Target, { type, flavor, view, records }: FoundDatasets): Iterable<string> {
  const first = flavor === undefined ? [] : [`${flavorKey}=${printable(flavor)}`];
  for (const record of records) {
    const pairs = type.dimensions.required
      .map((dimension, i) => [dimension, record.values[i]!] as const)
      .filter(([dimension, value]) => view.defaults.get(dimension) !== value)
      .map(([dimension, value]) => `${dimension}=${printable(String(value))}`);
    yield `${[...first, ...pairs, ''].join(' ')} ${printable(record.run)}\n`.trimStart();
  }
}

/** Every required and implied key, also governors; files as the repository locates them. */
function* jsonLines(_: Target, { type, records }: FoundDatasets): Iterable<string> {
  for (const record of records) {
    const dataId = dataIdOf(record);
    const { uuid, run, collection, files } = record;
    const validity = record.validity && { begin: tai(record.validity.begin), end: tai(record.validity.end) };
    yield `${JSON.stringify({ type: type.name, dataId, uuid, run, collection: collection.name, ...(validity === null ? {} : { validity }), files })}\n`;
  }
}

/** Nanoseconds lie above 2^53: as text. */
function tai(nanoseconds: bigint | null): string | null {
  return nanoseconds === null ? null : String(nanoseconds);
}

/** The directory of a data ID, below the mount point. Throws `invalid-value` for a value that no path can hold. */
export function leafPath(view: View, type: DatasetType, values: readonly DataIdValue[]): string {
  const levels = type.dimensions.required.flatMap((dimension, i) => {
    const value = values[i]!;
    return view.defaults.get(dimension) === value ? [] : [encodeComponent(dimension, value)];
  });
  return [type.name, ...levels].join('/');
}

/** Every required and implied key of a dataset with its value, null where no dimension record says. */
export function dataIdOf({ type, values, implied }: DatasetRecord): Record<string, DataIdValue | null> {
  return Object.fromEntries([
    ...type.dimensions.required.map((dimension, i) => [dimension, values[i]!] as const),
    ...type.dimensions.implied.map((dimension, i) => [dimension, implied[i] ?? null] as const),
  ]);
}

/** Paths of the files: absolute on a mount, else below one. */
function* pathLines({ mountPoint }: Target, { type, view, records }: FoundDatasets): Iterable<string> {
  const root = mountPoint === undefined ? '' : `${mountPoint.replace(/\/$/, '')}/`;
  for (const sameDataId of groupByDataId(records)) {
    const directory = leafPath(view, type, sameDataId[0]!.values);
    for (const { name } of fileNames(view, type, null, sameDataId)) yield `${root}${directory}/${name}\n`;
  }
}

/** Records of one data ID follow each other: several calibrations, valid at different times, whose names then say when. */
function* groupByDataId(records: Iterable<DatasetRecord>): Iterable<readonly DatasetRecord[]> {
  let group: DatasetRecord[] = [];
  for (const record of records) {
    const first = group[0];
    if (first !== undefined && record.values.some((value, i) => value !== first.values[i])) {
      yield group;
      group = [];
    }
    group.push(record);
  }
  if (group.length > 0) yield group;
}

/** Throws `unknown-dataset-type` with the nearest. */
export function requireType(catalogue: Catalogue, name: string): DatasetType {
  const type = catalogue.datasetType(name);
  if (type !== undefined) return type;
  const names = catalogue.datasetTypes().map((type) => type.name);
  throw new ButlerfsError('unknown-dataset-type', {
    what: `dataset type '${name}'`,
    where: catalogue.info.repository,
    why: 'the repository has no such type',
    advice: didYouMean(nearestNames(name, names)) ?? 'butlerfs types lists them',
  });
}
