/** Times of the query language: `T'2014-11-27'`, `T'2014-11-27T10:00:00.5/tai'`, `T'mjd/56988.25'`. */

import { didYouMean, nearestNames } from '../../common/nearest.js';
import { type TimeScale, timeScales, toTai } from '../../sky/time-scales.js';
import { whereError } from './tokens.js';

const daySeconds = 86_400n;
const second = 1_000_000_000n;
const day = daySeconds * second;

/** Days from the zero of each count to 1970-01-01, in halves. */
const dayCounts: Readonly<Record<string, bigint>> = { mjd: 81_174n, jd: 4_881_175n };

const formats = ['iso', 'isot', 'fits', 'yday', 'mjd', 'jd', 'unix', 'unix_tai'] as const;
type Format = (typeof formats)[number];

/**
 * Reads `[format/]value[/scale]` as nanoseconds since 1970-01-01 TAI. Calendar times and `unix` are UTC where no scale is given, day counts TAI, as in daf_butler.
 * Throws `usage` with the column for what is no time.
 */
export function parseInstant(text: string, column: number): bigint {
  const match = /^(?:([A-Za-z_]+)\/)?([^/]+?)(?:\/([A-Za-z]\w*))?$/.exec(text.replace(/\+00:00$/, ''));
  if (match === null) throw notATime(text, column);
  const [, prefix, value, suffix] = match;
  const format = prefix === undefined ? formatOf(value!) : known(formats, prefix, 'format', column);
  const given = suffix === undefined ? undefined : known(timeScales, suffix, 'scale', column);
  if (format === undefined) throw notATime(text, column);
  const scale: TimeScale = given ?? (['mjd', 'jd', 'unix_tai'].includes(format) ? 'tai' : 'utc');
  const nanoseconds = countOf(value!, format);
  if (nanoseconds === undefined) throw notATime(text, column);
  return toTai(nanoseconds, scale);
}

function notATime(text: string, column: number) {
  return whereError(column, `'${text}', which is no time,`, "write T'2014-11-27', T'2014-11-27T10:00:00/tai' or T'mjd/56988.25'");
}

function known<const T extends string>(names: readonly T[], text: string, what: string, column: number): T {
  const found = names.find((name) => name === text.toLowerCase());
  if (found !== undefined) return found;
  const advice = didYouMean(nearestNames(text, names, 1)) ?? `known are ${names.join(', ')}`;
  throw whereError(column, `the unknown time ${what} '${text}'`, advice);
}

function formatOf(value: string): Format | undefined {
  if (/^[+-]?[\d.]+$/.test(value)) return 'mjd';
  return /^\d+:/.test(value) ? 'yday' : 'iso';
}

/** Nanoseconds since 1970-01-01 on the calendar of the time's own scale, every day having 86,400 s. */
function countOf(value: string, format: Format): bigint | undefined {
  switch (format) {
    case 'iso':
    case 'isot':
    case 'fits':
      return calendar(value.replace(/^\+/, ''));
    case 'yday':
      return yearDay(value);
    case 'mjd':
    case 'jd': {
      const count = decimal(value, day);
      return count === undefined ? undefined : inRange(count - (dayCounts[format]! * day) / 2n);
    }
    case 'unix':
    case 'unix_tai': {
      const count = decimal(value, second);
      return count === undefined ? undefined : inRange(count);
    }
  }
}

/** Years 1 to 9999, as JavaScript's and the registry's calendars have them. */
function inRange(nanoseconds: bigint): bigint | undefined {
  return nanoseconds >= -62_135_596_800n * second && nanoseconds < 253_402_300_800n * second ? nanoseconds : undefined;
}

function calendar(value: string): bigint | undefined {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ Tt](.+))?$/.exec(value);
  if (match === null) return undefined;
  const date = `${match[1]}-${match[2]!.padStart(2, '0')}-${match[3]!.padStart(2, '0')}`;
  const milliseconds = Date.parse(`${date}T00:00:00Z`);
  // JavaScript takes the 30th of February for the 2nd of March.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString().slice(0, 10) !== date) return undefined;
  const time = timeOfDay(match[4]);
  return time === undefined ? undefined : BigInt(milliseconds) * 1_000_000n + time;
}

function yearDay(value: string): bigint | undefined {
  const match = /^(\d{4}):(\d{1,3})(?::(.+))?$/.exec(value);
  if (match === null) return undefined;
  const first = Date.parse(`${match[1]}-01-01T00:00:00Z`);
  const next = Date.parse(`${String(Number(match[1]) + 1).padStart(4, '0')}-01-01T00:00:00Z`);
  const milliseconds = first + (Number(match[2]) - 1) * 86_400_000;
  const time = timeOfDay(match[3]);
  if (!(milliseconds >= first && milliseconds < next) || time === undefined) return undefined;
  return BigInt(milliseconds) * 1_000_000n + time;
}

/** `10:00`, `10:00:00.5`; a leap second is 60. */
function timeOfDay(text: string | undefined): bigint | undefined {
  if (text === undefined) return 0n;
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{0,9})\d*)?)?$/.exec(text);
  if (match === null) return undefined;
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return BigInt(hours * 3600 + minutes * 60 + seconds) * second + BigInt((match[4] ?? '').padEnd(9, '0'));
}

/** A decimal number of units, exact but for what is below a nanosecond. */
function decimal(text: string, unit: bigint): bigint | undefined {
  const match = /^([+-]?)(\d{1,12})(?:\.(\d{0,24})\d*)?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[3] ?? '';
  const scale = 10n ** BigInt(fraction.length);
  const count = ((BigInt(match[2]!) * scale + BigInt(fraction === '' ? 0 : fraction)) * unit) / scale;
  return match[1] === '-' ? -count : count;
}
