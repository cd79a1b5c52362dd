/**
 * Packing by the million: rows in chunks that stay in the processor's cache, one field after the other.
 *
 * Arithmetic on BigInt is many times slower than on doubles, which are exact below 2^53. So where the first field has a power of two for its size (a counter, as a
 * rule) its bits are cut off through 32-bit lanes, and the rest, below 2^53, is divided as doubles. Chunks in which it is not are done with BigInt.
 * Lanes are little-endian, as all processors are that Node.js has releases for but one.
 */

import { ButlerfsError } from '../../common/errors.js';
import type { Column, Columns, LabelColumn } from './contract.js';
import type { Field } from './plan.js';
import { misfit } from './values.js';
import { joinAboveWords, joinWithinWords, splitThree, sumWords } from './word-columns.js';
import type { Coding } from './values.js';
import { copyToWords, divideToBytes, divideToLanes, divideToWords, perTwo32, two32 } from './loops.js';

const chunkRows = 2048;
const two53 = 2 ** 53;

/** How many low bits the first field takes by itself; 0 where it is no power of two. */
function lowBits(fields: readonly Field[]): number {
  const { size } = fields[0]!.coding;
  const next = fields[1]?.weight ?? BigInt(size);
  const bits = next.toString(2).length - 1;
  return next === 1n << BigInt(bits) && BigInt(size) === next ? bits : 0;
}

/**
 * Adds `weight` times the codes of the rows from `from` to below `to` to `rest`, of which the first is the row `from`. Returns the largest sum. Throws
 * `invalid-value` for the first row whose value has no code.
 */
type Adder = (rest: Float64Array, weight: number, from: number, to: number) => number;

/** Reads any column of a field. */
function adderOf(field: Field, column: Column): Adder {
  const { key, coding } = field;
  if ('codes' in column) return (rest, weight, from, to) => addLabels(rest, weight, from, to, field, column);
  if (coding.labels !== undefined) {
    throw new ButlerfsError('invalid-value', { what: `column ${key}`, why: `its values are integers, and ${key} is ${coding.range}` });
  }
  if (coding.table !== undefined) {
    const codes = new Map(Array.from(coding.table, (value, code) => [value, code]));
    return (rest, weight, from, to) => addTabled(rest, weight, from, to, field, column, codes);
  }
  if (column instanceof Uint32Array) return (rest, weight, from, to) => addWords(rest, weight, from, to, field, column);
  const lanes = lanesOf(column);
  return (rest, weight, from, to) => addLanes(rest, weight, from, to, field, lanes);
}

function addWords(rest: Float64Array, weight: number, from: number, to: number, { key, coding }: Field, column: Uint32Array): number {
  const { size } = coding;
  let [most, largest] = [0, 0];
  for (let row = from; row < to; row++) {
    const value = column[row]!;
    if (value > largest) largest = value;
    const sum = rest[row - from]! + value * weight;
    rest[row - from] = sum;
    if (sum > most) most = sum;
  }
  if (largest >= size) throwMisfit(key, coding, column, from, to);
  return most;
}

function addLanes(rest: Float64Array, weight: number, from: number, to: number, { key, coding }: Field, lanes: Uint32Array): number {
  const { size } = coding;
  let [most, largest] = [0, 0];
  for (let row = from; row < to; row++) {
    const value = lanes[2 * row + 1]! * two32 + lanes[2 * row]!;
    if (value > largest) largest = value;
    const sum = rest[row - from]! + value * weight;
    rest[row - from] = sum;
    if (sum > most) most = sum;
  }
  if (largest >= size) throwMisfit(key, coding, new BigUint64Array(lanes.buffer, lanes.byteOffset, lanes.length / 2), from, to);
  return most;
}

function throwMisfit(key: string, coding: Coding, column: Uint32Array | BigUint64Array, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if (BigInt(column[row]!) >= BigInt(coding.size)) throw misfit(key, column[row]!, coding, `row ${row}`);
  }
}

function addTabled(
  rest: Float64Array,
  weight: number,
  from: number,
  to: number,
  { key, coding }: Field,
  column: Uint32Array | BigUint64Array,
  codes: ReadonlyMap<number, number>,
): number {
  let most = 0;
  for (let row = from; row < to; row++) {
    const code = codes.get(Number(column[row]!));
    if (code === undefined) throw misfit(key, column[row]!, coding, `row ${row}`);
    const sum = rest[row - from]! + code * weight;
    rest[row - from] = sum;
    if (sum > most) most = sum;
  }
  return most;
}

function addLabels(
  rest: Float64Array,
  weight: number,
  from: number,
  to: number,
  { key, coding }: Field,
  { codes, labels }: LabelColumn,
): number {
  const numbers = labels.map((label) => coding.encode(label));
  let most = 0;
  for (let row = from; row < to; row++) {
    const code = numbers[codes[row]!];
    if (code === undefined) throw misfit(key, labels[codes[row]!] ?? '', coding, `row ${row}`);
    const sum = rest[row - from]! + code * weight;
    rest[row - from] = sum;
    if (sum > most) most = sum;
  }
  return most;
}

function lanesOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
}

function lengthOf(column: Column): number {
  return 'codes' in column ? column.codes.length : column.length;
}

/** `columns` has the keys of all fields. */
export function packRows(fields: readonly Field[], columns: Columns): BigUint64Array {
  const lengths = new Set(fields.map(({ key }) => lengthOf(columns[key]!)));
  if (lengths.size > 1) {
    const said = fields.map(({ key }) => `${key} ${lengthOf(columns[key]!)}`).join(', ');
    throw new ButlerfsError('invalid-value', { what: 'columns of several lengths', why: said });
  }
  const [rows = 0] = lengths;
  const packed = new BigUint64Array(rows);
  const lanes = lanesOf(packed);
  const low = lowBits(fields);
  const unit = low === 0 ? 1n : 1n << BigInt(low);
  const summed = low === 0 ? fields : fields.slice(1);
  const adders = fields.map((field) => adderOf(field, columns[field.key]!));
  const weights = summed.map(({ weight }) => Number(weight / unit));
  const terms = summed.map((field, index) => ({ add: adders[fields.indexOf(field)]!, weight: weights[index]! }));
  const rest = new Float64Array(chunkRows);
  const lowest = new Float64Array(chunkRows);
  const quick = low === 0 ? undefined : wordPacker(fields, columns, low, weights, lanes, rest);
  for (let from = 0; from < rows; from += chunkRows) {
    const to = Math.min(from + chunkRows, rows);
    if (quick?.(from, to - from) === true) continue;
    rest.fill(0);
    let most = 0;
    for (const { add, weight } of terms) most = add(rest, weight, from, to);
    if (low > 0) {
      lowest.fill(0);
      adders[0]!(lowest, 1, from, to);
    }
    if (most >= two53) packExactly(fields, adders, packed, from, to);
    else if (low === 0) joinWhole(rest, lanes, from, to - from);
    else joinLow(rest, lowest, low, lanes, from, to - from);
  }
  return packed;
}

/** Packs a chunk in one pass where it can; false where a row may not fit. Undefined for fields and columns that it is not for. */
function wordPacker(
  fields: readonly Field[],
  columns: Columns,
  low: number,
  weights: readonly number[],
  lanes: Uint32Array,
  rest: Float64Array,
): ((from: number, count: number) => boolean) | undefined {
  const [lowest, ...summed] = fields;
  const words = fields.map(({ key, coding }) => {
    const column = columns[key]!;
    return column instanceof Uint32Array && coding.table === undefined && coding.labels === undefined ? column : undefined;
  });
  const [counters, first, second, third = second] = words;
  if (summed.length < 2 || summed.length > 3 || words.includes(undefined) || counters === undefined) return undefined;
  const three = [first!, second!, third!] as const;
  const factors = [weights[0]!, weights[1]!, weights[2] ?? 0] as const;
  const sizes = [summed[0]!.coding.size, summed[1]!.coding.size, (summed[2] ?? summed[1]!).coding.size] as const;
  const isSure = lowest!.coding.size >= two32;
  return (from, count) => {
    // Counters below 2^32 are not looked at one by one where all fit.
    if (!isSure && largestOf(counters, from, count) >= lowest!.coding.size) return false;
    const most = sumWords(rest, three, factors, sizes, from, count);
    if (most < 0 || most >= two53) return false;
    if (low >= 32) joinAboveWords(rest, counters, low, lanes, from, count);
    else joinWithinWords(rest, counters, low, lanes, from, count);
    return true;
  };
}

function largestOf(column: Uint32Array, from: number, count: number): number {
  let largest = 0;
  for (let row = from; row < from + count; row++) if (column[row]! > largest) largest = column[row]!;
  return largest;
}

function packExactly(fields: readonly Field[], adders: readonly Adder[], packed: BigUint64Array, from: number, to: number): void {
  const codes = fields.map((_, index) => {
    const ofField = new Float64Array(to - from);
    adders[index]!(ofField, 1, from, to);
    return ofField;
  });
  for (let row = from; row < to; row++)
    packed[row] = fields.reduce((sum, { weight }, index) => sum + weight * BigInt(codes[index]![row - from]!), 0n);
}

function joinWhole(rest: Float64Array, lanes: Uint32Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const value = rest[i]!;
    const high = Math.floor(value * perTwo32);
    lanes[2 * (from + i)] = value - high * two32;
    lanes[2 * (from + i) + 1] = high;
  }
}

function joinLow(rest: Float64Array, low: Float64Array, bits: number, lanes: Uint32Array, from: number, count: number): void {
  if (bits < 32) {
    const above = 2 ** (32 - bits);
    const perAbove = 1 / above;
    const unit = 2 ** bits;
    for (let i = 0; i < count; i++) {
      const high = Math.floor(rest[i]! * perAbove);
      lanes[2 * (from + i)] = (rest[i]! - high * above) * unit + low[i]!;
      lanes[2 * (from + i) + 1] = high;
    }
    return;
  }
  const unit = 2 ** (bits - 32);
  for (let i = 0; i < count; i++) {
    const high = Math.floor(low[i]! * perTwo32);
    lanes[2 * (from + i)] = low[i]! - high * two32;
    lanes[2 * (from + i) + 1] = rest[i]! * unit + high;
  }
}

type Target = Uint32Array | BigUint64Array | Uint8Array;

/** `explain` throws for a row that is no sum of fields; where it does not the row is one. */
export function unpackRows(fields: readonly Field[], packed: BigUint64Array, explain: (row: number) => void): Record<string, Column> {
  const lanes = lanesOf(packed);
  const low = lowBits(fields);
  const unit = low === 0 ? 1n : 1n << BigInt(low);
  const divided = (low === 0 ? fields : fields.slice(1)).map((field) => ({ field, weight: Number(field.weight / unit) })).reverse();
  const targets = new Map<Field, Target>(fields.map((field) => [field, targetFor(field, packed.length)]));
  const rest = new Float64Array(chunkRows);
  const words = divided.map(({ field }) => targets.get(field)!);
  const isQuick = words.length === 3 && words.every((target) => target instanceof Uint32Array);
  const three = words as unknown as [Uint32Array, Uint32Array, Uint32Array];
  const factors = divided.map(({ weight }) => weight) as unknown as [number, number];
  const sizes = divided.map(({ field }) => field.coding.size) as unknown as [number, number, number];
  for (let from = 0; from < packed.length; from += chunkRows) {
    const count = Math.min(chunkRows, packed.length - from);
    const most = low === 0 ? takeWhole(lanes, rest, from, count) : takeLow(lanes, rest, low, targets.get(fields[0]!)!, from, count);
    if (most >= two53) {
      unpackExactly(fields, packed, targets, from, count, explain);
      continue;
    }
    if (isQuick) {
      if (!splitThree(rest, three, factors, sizes, from, count)) for (let row = from; row < from + count; row++) explain(row);
      continue;
    }
    for (const { field, weight } of divided) {
      const { coding } = field;
      const largest = takeField(rest, weight, targets.get(field)!, from, count);
      const known = coding.labels === undefined ? coding.size : Math.min(coding.labels.length, coding.size);
      if (largest >= known) for (let row = from; row < from + count; row++) explain(row);
    }
  }
  return Object.fromEntries(fields.map((field) => [field.key, columnOf(field, targets.get(field)!)]));
}

function targetFor({ coding }: Field, rows: number): Target {
  if (coding.labels !== undefined) return new Uint8Array(rows);
  return coding.size <= two32 ? new Uint32Array(rows) : new BigUint64Array(rows);
}

function columnOf({ coding }: Field, target: Target): Column {
  if (target instanceof Uint8Array) return { codes: target, labels: coding.labels! };
  const { table } = coding;
  if (table !== undefined && target instanceof Uint32Array)
    for (let row = 0; row < target.length; row++) target[row] = table[target[row]!]!;
  return target;
}

/** Returns the largest. */
function takeWhole(lanes: Uint32Array, rest: Float64Array, from: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const value = lanes[2 * (from + i) + 1]! * two32 + lanes[2 * (from + i)]!;
    rest[i] = value;
    if (value > most) most = value;
  }
  return most;
}

/** Cuts off the low bits, into `target`. Returns the largest of what is left. */
function takeLow(lanes: Uint32Array, rest: Float64Array, bits: number, target: Target, from: number, count: number): number {
  let most = 0;
  if (bits <= 32 && target instanceof Uint32Array) {
    const above = 2 ** (32 - bits);
    const mask = bits === 32 ? -1 : 2 ** bits - 1;
    const shift = bits % 32;
    for (let i = 0; i < count; i++) {
      const word = lanes[2 * (from + i)]!;
      target[from + i] = word & mask;
      const value = lanes[2 * (from + i) + 1]! * above + (bits === 32 ? 0 : word >>> shift);
      rest[i] = value;
      if (value > most) most = value;
    }
    return most;
  }
  const targetLanes = lanesOf(target as BigUint64Array);
  const mask = 2 ** (bits - 32) - 1;
  for (let i = 0; i < count; i++) {
    const high = lanes[2 * (from + i) + 1]!;
    targetLanes[2 * (from + i)] = lanes[2 * (from + i)]!;
    targetLanes[2 * (from + i) + 1] = high & mask;
    const value = high >>> (bits - 32);
    rest[i] = value;
    if (value > most) most = value;
  }
  return most;
}

/** Leaves remainders in `rest`. Returns the largest quotient. */
function takeField(rest: Float64Array, weight: number, target: Target, from: number, count: number): number {
  if (target instanceof BigUint64Array) return divideToLanes(rest, weight, lanesOf(target), from, count);
  if (target instanceof Uint8Array) return divideToBytes(rest, weight, target, from, count);
  return weight === 1 ? copyToWords(rest, target, from, count) : divideToWords(rest, weight, target, from, count);
}

function unpackExactly(
  fields: readonly Field[],
  packed: BigUint64Array,
  targets: ReadonlyMap<Field, Target>,
  from: number,
  count: number,
  explain: (row: number) => void,
): void {
  for (let row = from; row < from + count; row++) {
    explain(row);
    let rest = packed[row]!;
    for (const field of fields.toReversed()) {
      const target = targets.get(field)!;
      const code = rest / field.weight;
      if (target instanceof BigUint64Array) target[row] = code;
      else target[row] = Number(code);
      rest %= field.weight;
    }
  }
}
