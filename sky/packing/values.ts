/** Values of keys as codes: the integers from 0 that a field of a packed integer holds. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';

export type DataIdValue = number | string;

/** How the values of one key are numbered. */
export interface Coding {
  /** Codes are less. */
  readonly size: number;
  /** The range, or the words, for messages: `an integer from 0 to 80`. */
  readonly range: string;
  /** Undefined for a value that has no code. Never the size or more. */
  encode(value: DataIdValue): number | undefined;
  /** `code` is less than the size. */
  decode(code: number): DataIdValue;
  /** The words, where values are words. */
  readonly labels?: readonly string[];
  /** Values by code, where values are integers that are not their own codes. */
  readonly table?: Uint32Array;
}

/** Integers from 0 to below `size`, which is a safe integer; text of digits is taken too. */
export function integersBelow(size: number): Coding {
  return {
    size,
    range: `an integer from 0 to ${size - 1}`,
    encode: (value) => {
      const number = integerOf(value);
      return number !== undefined && number >= 0 && number < size ? number : undefined;
    },
    decode: (code) => code,
  };
}

/** Words by their places. */
export function words(labels: readonly string[], size = labels.length): Coding {
  return {
    size,
    range: `one of ${labels.filter((label) => label !== '').join(', ')}`,
    encode: (value) => {
      const code = labels.indexOf(String(value));
      return code < 0 ? undefined : code;
    },
    decode: (code) => labels[code]!,
    labels,
  };
}

const millisecondsPerDay = 86_400_000;

/** Days as YYYYMMDD, counted from the first, which has code 0. */
export function days(first: number, size: number): Coding {
  const origin = dayNumber(first)!;
  const table = Uint32Array.from({ length: size }, (_, code) => {
    const date = new Date((origin + code) * millisecondsPerDay);
    return date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate();
  });
  return {
    size,
    range: `a day from ${first} to ${table.at(-1)!}`,
    encode: (value) => {
      const day = dayNumber(integerOf(value) ?? NaN);
      return day !== undefined && day >= origin && day < origin + size ? day - origin : undefined;
    },
    decode: (code) => table[code]!,
    table,
  };
}

/** Days since 1970; undefined for a number that is no day of the calendar. */
function dayNumber(yearMonthDay: number): number | undefined {
  if (!Number.isInteger(yearMonthDay)) return undefined;
  const [year, month, day] = [Math.floor(yearMonthDay / 10_000), Math.floor(yearMonthDay / 100) % 100, yearMonthDay % 100];
  const time = Date.UTC(year, month - 1, day);
  const date = new Date(time);
  if (year < 1000 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return time / millisecondsPerDay;
}

/** A safe integer, or the text of one. */
export function integerOf(value: DataIdValue | undefined): number | undefined {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
}

/** That a value does not fit. */
export function misfit(key: string, value: DataIdValue | bigint, { range, labels }: Coding, where?: string): ButlerfsError {
  const advice = labels === undefined ? undefined : didYouMean(nearestNames(String(value), labels.filter(Boolean), 1));
  return new ButlerfsError('invalid-value', { what: `${key}=${value}`, where, why: `it is not ${range}`, advice });
}
