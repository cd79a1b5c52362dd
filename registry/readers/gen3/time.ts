/** Times of a Gen3 registry, as nanoseconds since 1970-01-01 TAI. */

import { toTai } from '../../../sky/time-scales.js';

/** The begin of an unbounded time span in a registry. */
const earliest = 0n;
/** The end of an unbounded time span in a registry: 2100-01-01. */
const latest = 4_102_444_800_000_000_000n;

export function boundOf(value: bigint | null): bigint | null {
  return value === null || value <= earliest || value >= latest ? null : value;
}

/**
 * The time a dataset was taken in: integers are nanoseconds TAI (datasets manager 2.0.0 and later), texts are UTC, `2024-02-28 18:36:34.930842` (1.0.0).
 * Null for anything else.
 */
export function ingestTime(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'string') return null;
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?$/.exec(value);
  if (match === null) return null;
  const [, day, time, fraction = ''] = match;
  const milliseconds = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(milliseconds)) return null;
  return toTai(BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0')), 'utc');
}
