/** Which calibration is valid for a data ID at a time. */

import { ButlerfsError } from '../common/errors.js';
import type { CalibrationQuery, Catalogue, Constraint, DataIdValue, DatasetRow, DatasetType, Validity } from './contract.js';

/** How many ranges a message names. */
const mostNamed = 4;

/** A query with all that it needs. */
interface Lookup extends Pick<CalibrationQuery, 'type' | 'searchPath' | 'ingested'> {
  /** A value for each required dimension of the type. */
  readonly constraint: Constraint;
  readonly time: Validity | null;
}

/** As {@link Catalogue.calibration}. */
export function findCalibration(catalogue: Catalogue, { type, searchPath, dataId, time, ingested }: CalibrationQuery): DatasetRow {
  const constraint = calibrationDataId(catalogue, type, dataId);
  return lookUp(catalogue, { type, searchPath, constraint, ingested, time: time === undefined ? timeOf(catalogue, dataId) : time });
}

function lookUp(catalogue: Catalogue, query: Lookup): DatasetRow {
  const { type, searchPath, constraint, time, ingested } = query;
  const others: DatasetRow[] = [];
  for (const collection of searchPath.collections) {
    const alone = { names: [collection.name], collections: [collection] };
    const answer = catalogue.directory({ type, searchPath: alone, constraint, ingested, keys: [], rowLimit: Number.MAX_SAFE_INTEGER });
    const rows = answer.kind === 'rows' ? answer.rows : [];
    const valid = collection.type === 'CALIBRATION' ? rows.filter(({ validity }) => time !== null && overlaps(validity!, time)) : rows;
    const [first, second] = valid;
    if (second !== undefined) throw ambiguous(query, valid);
    if (first !== undefined) return first;
    others.push(...rows);
  }
  throw missing(query, others);
}

/** Half-open ranges: one that ends when the other begins does not overlap it. */
function overlaps(a: Validity, b: Validity): boolean {
  return isBefore(a.begin, b.end) && isBefore(b.begin, a.end);
}

function isBefore(begin: bigint | null, end: bigint | null): boolean {
  return begin === null || end === null || begin < end;
}

function ambiguous(query: Lookup, rows: readonly DatasetRow[]): ButlerfsError {
  return new ButlerfsError('ambiguous', {
    what: described(query),
    where: `collection '${rows[0]!.collection.name}'`,
    why: `${rows.length} are certified for parts of it: ${rangesText(rows)}`,
    advice: 'give a shorter time, or another collection for the type (--calibs)',
  });
}

function missing(query: Lookup, rows: readonly DatasetRow[]): ButlerfsError {
  const { searchPath, time } = query;
  const names = searchPath.collections.map(({ name }) => name);
  const where = names.length === 0 ? undefined : `${names.slice(0, mostNamed).join(', ')}${names.length > mostNamed ? ', ...' : ''}`;
  if (rows.length === 0) return new ButlerfsError('unknown-value', { what: described(query), where, why: 'no dataset has this data ID' });
  if (time === null) {
    const why = `what there is is certified for ranges of time, and no time is given: ${rangesText(rows)}`;
    return new ButlerfsError('unknown-value', { what: described(query), where, why, advice: 'give an exposure or a visit' });
  }
  const nearest = [...rows].sort((a, b) => compare(distance(a.validity!, time), distance(b.validity!, time)));
  const why = `none is certified for it; the nearest of ${rows.length} are ${rangesText(nearest)}`;
  return new ButlerfsError('unknown-value', { what: described(query), where, why });
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Nanoseconds between two ranges that do not overlap. */
function distance(range: Validity, time: Validity): bigint {
  if (range.end !== null && time.begin !== null && range.end <= time.begin) return time.begin - range.end;
  return range.begin !== null && time.end !== null ? range.begin - time.end : 0n;
}

function described({ type, constraint, time }: Lookup): string {
  const dataId = [...constraint].map(([dimension, value]) => `${dimension}=${value}`).join(' ');
  return `the ${type.name}${dataId === '' ? '' : ` of ${dataId}`}${time === null ? '' : ` at ${validityText(time)}`}`;
}

function rangesText(rows: readonly DatasetRow[]): string {
  const named = rows.slice(0, mostNamed).map(({ validity, collection }) => `${validityText(validity!)} in '${collection.name}'`);
  return `${named.join(', ')}${rows.length > mostNamed ? ', ...' : ''}`;
}

/** `[2015-01-01T00:00:00, 2016-06-01T00:00:00) TAI`; an open end is left blank. */
function validityText({ begin, end }: Validity): string {
  return `[${instantText(begin)}, ${instantText(end)}) TAI`;
}

function instantText(nanoseconds: bigint | null): string {
  if (nanoseconds === null) return '';
  const milliseconds = Number(nanoseconds / 1_000_000n);
  return Math.abs(milliseconds) > 8.64e15 ? `${nanoseconds} ns` : new Date(milliseconds).toISOString().replace(/\.000Z$|Z$/, '');
}

/**
 * The data ID that a calibration type needs, from that of an exposure or a visit and what dimension records say of it. Throws `unknown-value` where they do not
 * say it.
 */
function calibrationDataId(catalogue: Catalogue, type: DatasetType, dataId: Constraint): Constraint {
  const known = new Map(dataId);
  const { universe } = catalogue;
  // Records of the universe's later dimensions imply values of its earlier ones.
  for (const name of [...universe.names].reverse()) {
    const { required, implied } = universe.dimension(name)!;
    if (!required.every((each) => known.has(each)) || implied.every((each) => known.has(each))) continue;
    const record = catalogue.record(name, Object.fromEntries(required.map((each) => [each, known.get(each)!])));
    for (const each of implied) {
      const value = record?.[each];
      if (value !== undefined && value !== null && !known.has(each)) known.set(each, value);
    }
  }
  const missing = type.dimensions.required.filter((name) => !known.has(name));
  if (missing.length > 0) {
    const what = `the ${type.name} of ${[...dataId].map(([name, value]) => `${name}=${value}`).join(' ')}`;
    throw new ButlerfsError('unknown-value', {
      what,
      why: `it also depends on ${missing.join(' and ')}`,
      advice: `give ${missing[0]}=...`,
    });
  }
  return new Map(type.dimensions.required.map((name) => [name, known.get(name)!]));
}

/** When a data ID's exposure, else its visit, was taken; null where no record says. */
function timeOf(catalogue: Catalogue, dataId: Constraint): Validity | null {
  for (const element of ['exposure', 'visit']) {
    const record = dataId.has(element) ? catalogue.record(element, Object.fromEntries(dataId)) : undefined;
    const [begin, end] = [record?.['timespan_begin'], record?.['timespan_end']];
    if (isBound(begin) && isBound(end)) return { begin: BigInt(begin), end: BigInt(end) };
  }
  return null;
}

/** Nanoseconds past 2^53 come as decimal text. */
function isBound(value: DataIdValue | null | undefined): value is DataIdValue {
  return typeof value === 'number' || (typeof value === 'string' && /^-?\d+$/.test(value));
}
