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

const chunkRows = 4096;
const two32 = 2 ** 32;
const two53 = 2 ** 53;

/** How many low bits the first field takes by itself; 0 where it is no power of two. */
function lowBits(fields: readonly Field[]): number {
  const { size } = fields[0]!.coding;
  const next = fields[1]?.weight ?? BigInt(size);
  const bits = next.toString(2).length - 1;
  return next === 1n << BigInt(bits) && BigInt(size) === next ? bits : 0;
}

/** Rows from `from` to below `to` of values of one key, as codes, in `codes`. Throws `invalid-value` for the first that has none. */
type Reader = (codes: Float64Array, from: number, to: number) => void;

/** Reads any column of a field. */
function readerOf({ key, coding }: Field, column: Column): Reader {
  const { size } = coding;
  if ('codes' in column) return labelReader(key, column, coding);
  if (coding.labels !== undefined)
    throw new ButlerfsError('invalid-value', { what: `column ${key}`, why: `its values are integers, and ${key} is ${coding.range}` });
  if (coding.table !== undefined) {
    const codes = new Map(Array.from(coding.table, (value, code) => [value, code]));
    return (target, from, to) => {
      for (let row = from; row < to; row++) {
        const code = codes.get(Number(column[row]!));
        if (code === undefined) throw misfit(key, column[row]!, coding, `row ${row}`);
        target[row - from] = code;
      }
    };
  }
  const check = (most: number, from: number, to: number): void => {
    if (most < size) return;
    for (let row = from; row < to; row++) if (Number(column[row]!) >= size) throw misfit(key, column[row]!, coding, `row ${row}`);
  };
  if (column instanceof Uint32Array) {
    return (target, from, to) => {
      let most = 0;
      for (let row = from; row < to; row++) {
        const value = column[row]!;
        if (value > most) most = value;
        target[row - from] = value;
      }
      check(most, from, to);
    };
  }
  const lanes = lanesOf(column);
  return (target, from, to) => {
    let most = 0;
    for (let row = from; row < to; row++) {
      const value = lanes[2 * row + 1]! * two32 + lanes[2 * row]!;
      if (value > most) most = value;
      target[row - from] = value;
    }
    check(most, from, to);
  };
}

function labelReader(key: string, { codes, labels }: LabelColumn, coding: Field['coding']): Reader {
  const numbers = labels.map((label) => coding.encode(label));
  return (target, from, to) => {
    for (let row = from; row < to; row++) {
      const code = numbers[codes[row]!];
      if (code === undefined) throw misfit(key, labels[codes[row]!] ?? '', coding, `row ${row}`);
      target[row - from] = code;
    }
  };
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
  const readers = fields.map((field) => readerOf(field, columns[field.key]!));
  const weights = summed.map(({ weight }) => Number(weight / unit));
  const codes = fields.map(() => new Float64Array(chunkRows));
  const rest = new Float64Array(chunkRows);
  for (let from = 0; from < rows; from += chunkRows) {
    const count = Math.min(chunkRows, rows - from);
    readers.forEach((read, index) => {
      read(codes[index]!, from, from + count);
    });
    rest.fill(0);
    let most = 0;
    weights.forEach((weight, index) => {
      most = addWeighted(rest, codes[index + fields.length - summed.length]!, weight, count);
    });
    if (most >= two53) packExactly(fields, codes, packed, from, count);
    else if (low === 0) joinWhole(rest, lanes, from, count);
    else joinLow(rest, codes[0]!, low, lanes, from, count);
  }
  return packed;
}

/** Returns the largest sum. */
function addWeighted(rest: Float64Array, codes: Float64Array, weight: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const sum = rest[i]! + codes[i]! * weight;
    rest[i] = sum;
    if (sum > most) most = sum;
  }
  return most;
}

function packExactly(fields: readonly Field[], codes: readonly Float64Array[], packed: BigUint64Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) {
    packed[from + i] = fields.reduce((sum, { weight }, index) => sum + weight * BigInt(codes[index]![i]!), 0n);
  }
}

function joinWhole(rest: Float64Array, lanes: Uint32Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const value = rest[i]!;
    const high = Math.floor(value / two32);
    lanes[2 * (from + i)] = value - high * two32;
    lanes[2 * (from + i) + 1] = high;
  }
}

function joinLow(rest: Float64Array, low: Float64Array, bits: number, lanes: Uint32Array, from: number, count: number): void {
  if (bits < 32) {
    const above = 2 ** (32 - bits);
    const unit = 2 ** bits;
    for (let i = 0; i < count; i++) {
      const high = Math.floor(rest[i]! / above);
      lanes[2 * (from + i)] = (rest[i]! - high * above) * unit + low[i]!;
      lanes[2 * (from + i) + 1] = high;
    }
    return;
  }
  const unit = 2 ** (bits - 32);
  for (let i = 0; i < count; i++) {
    const high = Math.floor(low[i]! / two32);
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
  for (let from = 0; from < packed.length; from += chunkRows) {
    const count = Math.min(chunkRows, packed.length - from);
    const most = low === 0 ? takeWhole(lanes, rest, from, count) : takeLow(lanes, rest, low, targets.get(fields[0]!)!, from, count);
    if (most >= two53) {
      unpackExactly(fields, packed, targets, from, count, explain);
      continue;
    }
    for (const { field, weight } of divided) {
      const { coding } = field;
      const largest = divide(rest, weight, targets.get(field)!, from, count);
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
function divide(rest: Float64Array, weight: number, target: Target, from: number, count: number): number {
  let most = 0;
  if (target instanceof BigUint64Array) {
    const lanes = lanesOf(target);
    for (let i = 0; i < count; i++) {
      const code = Math.floor(rest[i]! / weight);
      rest[i] = rest[i]! - code * weight;
      const high = Math.floor(code / two32);
      lanes[2 * (from + i)] = code - high * two32;
      lanes[2 * (from + i) + 1] = high;
      if (code > most) most = code;
    }
    return most;
  }
  for (let i = 0; i < count; i++) {
    const code = Math.floor(rest[i]! / weight);
    rest[i] = rest[i]! - code * weight;
    target[from + i] = code;
    if (code > most) most = code;
  }
  return most;
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
