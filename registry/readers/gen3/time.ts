/** Times of a Gen3 registry, as nanoseconds since 1970-01-01 TAI. */

const nanosecondsPerSecond = 1_000_000_000n;

/**
 * TAI minus UTC in whole seconds from the given UTC day on, newest first. Source: IERS Bulletin C; complete since 1999, before Gen3 repositories existed.
 * No leap second has been announced since 2017.
 */
const leapSeconds: readonly (readonly [day: string, offset: bigint])[] = [
  ['2017-01-01', 37n],
  ['2015-07-01', 36n],
  ['2012-07-01', 35n],
  ['2009-01-01', 34n],
  ['2006-01-01', 33n],
  ['1999-01-01', 32n],
];

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
  const offset = leapSeconds.find(([since]) => day! >= since)?.[1] ?? leapSeconds.at(-1)![1];
  return (BigInt(milliseconds / 1000) + offset) * nanosecondsPerSecond + BigInt(fraction.padEnd(9, '0'));
}
