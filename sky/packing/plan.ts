/** A packer as its fields, and what is made of fields: a packer, and identifiers of objects. */

import { ButlerfsError } from '../../common/errors.js';
import { packRows, unpackRows } from './columns.js';
import type { Column, Columns, PackableDataId, Packer } from './contract.js';
import { integerOf, integersBelow, misfit } from './values.js';
import type { Coding, DataIdValue } from './values.js';

export interface Field {
  readonly key: string;
  readonly coding: Coding;
  /** At least the product of weight and size of the field before it. */
  readonly weight: bigint;
}

/** Where data IDs have other keys than fields: both ways, for one and for many. */
export interface Translation {
  /** Of data IDs; fields whose keys are not among {@link parts} keep theirs. */
  readonly keys: readonly string[];
  /** Keys of the fields that they are made of. */
  readonly parts: readonly string[];
  toParts(dataId: PackableDataId): PackableDataId;
  fromParts(parts: Readonly<Record<string, DataIdValue>>): Record<string, DataIdValue>;
  columnsToParts(columns: Columns): Columns;
  columnsFromParts(columns: Readonly<Record<string, Column>>): Record<string, Column>;
}

export interface PackingPlan {
  readonly name: string;
  /** By ascending weights, the first 1. */
  readonly fields: readonly Field[];
  /** In path order. */
  readonly keys: readonly string[];
  readonly bits: number;
  readonly fixed?: PackableDataId;
  readonly translation?: Translation;
  /** Where a data ID may say the same in other words. */
  readonly reword?: (dataId: PackableDataId) => PackableDataId;
}

/** The keys of a plan and their codings, least significant first, each weighing as much as all before it. */
export function mixedRadix(fields: readonly (readonly [key: string, coding: Coding])[]): readonly Field[] {
  let weight = 1n;
  return fields.map(([key, coding]) => {
    const field = { key, coding, weight };
    weight *= BigInt(coding.size);
    return field;
  });
}

/** One more than the largest sum of fields. */
export function limitOf(fields: readonly Field[]): bigint {
  const { coding, weight } = fields.at(-1)!;
  return weight * BigInt(coding.size);
}

export function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

export function makePacker(plan: PackingPlan): Packer {
  return new FieldPacker(plan);
}

class FieldPacker implements Packer {
  readonly name: string;
  readonly keys: readonly string[];
  readonly fixed: PackableDataId;
  readonly bits: number;
  readonly limit: bigint;
  readonly #plan: PackingPlan;

  constructor(plan: PackingPlan) {
    this.name = plan.name;
    this.keys = plan.keys;
    this.fixed = plan.fixed ?? {};
    this.bits = plan.bits;
    this.limit = limitOf(plan.fields);
    this.#plan = plan;
  }

  pack(dataId: PackableDataId): bigint {
    const { translation, reword, fields } = this.#plan;
    for (const [key, value] of Object.entries(this.fixed)) {
      const given = dataId[key];
      if (given === undefined || given === value) continue;
      throw new ButlerfsError('invalid-value', { what: `${key}=${given}`, why: `this packer is for ${key}=${value}` });
    }
    const reworded = reword?.(dataId) ?? dataId;
    for (const key of this.keys) {
      if (reworded[key] === undefined) {
        throw new ButlerfsError('invalid-value', {
          what: `a data ID without ${key}`,
          why: `packer ${this.name} packs ${this.keys.join(', ')}`,
        });
      }
    }
    const parts = translation?.toParts(reworded) ?? reworded;
    let packed = 0n;
    for (const { key, coding, weight } of fields) {
      const code = coding.encode(parts[key]!);
      if (code === undefined) throw misfit(key, parts[key]!, coding);
      packed += weight * BigInt(code);
    }
    return packed;
  }

  unpack(packed: bigint): Record<string, DataIdValue> {
    const { translation, fields } = this.#plan;
    const parts: Record<string, DataIdValue> = {};
    let rest = packed;
    for (const { key, coding, weight } of fields.toReversed()) {
      const code = rest / weight;
      if (code < 0n || rest < 0n || code >= BigInt(coding.size)) throw this.#outOfRange(packed, key, code, coding);
      parts[key] = coding.decode(Number(code));
      if (parts[key] === undefined) throw this.#outOfRange(packed, key, code, coding);
      rest %= weight;
    }
    const dataId = translation?.fromParts(parts) ?? parts;
    return { ...this.fixed, ...Object.fromEntries(this.keys.map((key) => [key, dataId[key]!])) };
  }

  packColumns(columns: Columns): BigUint64Array {
    for (const key of this.keys) {
      if (columns[key] !== undefined) continue;
      throw new ButlerfsError('invalid-value', {
        what: `columns without ${key}`,
        why: `packer ${this.name} packs ${this.keys.join(', ')}`,
      });
    }
    const { translation, fields } = this.#plan;
    return packRows(fields, translation?.columnsToParts(columns) ?? columns);
  }

  unpackColumns(packed: BigUint64Array): Record<string, Column> {
    const { translation, fields } = this.#plan;
    const parts = unpackRows(fields, packed, (row) => {
      this.#explain(packed[row]!, row);
    });
    const columns = translation?.columnsFromParts(parts) ?? parts;
    return Object.fromEntries(this.keys.map((key) => [key, columns[key]!]));
  }

  /** Throws, for a row that does not unpack. */
  #explain(packed: bigint, row: number): void {
    try {
      this.unpack(packed);
    } catch (error) {
      if (!(error instanceof ButlerfsError)) throw error;
      throw new ButlerfsError(error.code, { ...error.detail, what: `row ${row}: ${error.detail.what}` });
    }
  }

  #outOfRange(packed: bigint, key: string, code: bigint, coding: Coding): ButlerfsError {
    const isWhole = packed < 0n || packed >= this.limit;
    const why = isWhole
      ? `packer ${this.name} gives integers from 0 to ${this.limit - 1n}`
      : `its ${key} would have number ${code}, and ${key} is ${coding.range}`;
    return new ButlerfsError('invalid-value', { what: `packed integer ${packed}`, why });
  }
}

/** Identifiers of the rows of catalogues. */
export interface ObjectIdForm {
  /** `new`: with a data release. `old`: of 63 bits, `oldest`: of 64 bits, without. */
  readonly form: 'new' | 'old' | 'oldest';
  /** Number of releases that there is room for, in the new form; default 64. */
  readonly releases?: number;
}

export const usualReleases = 64;

/** Bits of an identifier, without the sign in all but the oldest. */
const idBits = { new: 63, old: 63, oldest: 64 } as const;

/**
 * Identifiers of the objects that were measured on what the plan packs: keys `counter`, and in the new form `release` (0 where a data ID does not say),
 * besides. Where one comes from an afw table counters begin with 1; 0 is taken too. Throws `invalid-value` where no bits are left for counters.
 */
export function objectIds(plan: PackingPlan, { form, releases = usualReleases }: ObjectIdForm): PackingPlan {
  const releaseBits = form === 'new' ? bitLength(BigInt(releases - 1)) : 0;
  const counterBits = idBits[form] - plan.bits - releaseBits;
  if (counterBits < 1) {
    throw new ButlerfsError('invalid-value', {
      what: `object identifiers on packer ${plan.name}`,
      why: `of ${idBits[form]} bits it takes ${plan.bits}, releases take ${releaseBits}, and none are left for a counter`,
    });
  }
  // A field whose size is not known has the room that its packer's bits leave.
  const packedFields = plan.fields.map((field): Field => {
    const room = (1n << BigInt(plan.bits)) / field.weight;
    return room < BigInt(field.coding.size) ? { ...field, coding: integersBelow(Number(room)) } : field;
  });
  const counter = { key: 'counter', coding: integersBelow(2 ** Math.min(counterBits, 52)), weight: 1n };
  const fields: Field[] = [counter, ...packedFields.map((field) => ({ ...field, weight: field.weight << BigInt(counterBits) }))];
  if (form !== 'new') return { ...plan, name: `${plan.name} with counters`, fields, keys: [...plan.keys, 'counter'], bits: idBits[form] };
  fields.push({ key: 'release', coding: integersBelow(releases), weight: 1n << BigInt(counterBits + plan.bits) });
  return {
    ...plan,
    name: `${plan.name} with releases and counters`,
    fields,
    keys: [...plan.keys, 'release', 'counter'],
    bits: idBits[form],
    reword: (dataId) => ({ release: 0, ...(plan.reword?.(dataId) ?? dataId) }),
  };
}

/** A column as numbers; for translations. Integers must be safe. Throws `invalid-value`. */
export function numbersOf(key: string, column: Column | undefined): Float64Array {
  if (column === undefined || 'codes' in column) {
    throw new ButlerfsError('invalid-value', { what: `column ${key}`, why: 'its values are no integers' });
  }
  const numbers = new Float64Array(column.length);
  if (column instanceof Uint32Array) {
    numbers.set(column);
    return numbers;
  }
  const lanes = new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
  for (let row = 0; row < numbers.length; row++) {
    const number = lanes[2 * row + 1]! * 2 ** 32 + lanes[2 * row]!;
    if (integerOf(number) === undefined)
      throw new ButlerfsError('invalid-value', { what: `row ${row}: ${key}=${column[row]!}`, why: 'it is 2^53 or more' });
    numbers[row] = number;
  }
  return numbers;
}
