/** Times of Gen2 registries: texts of TAI, mostly a day only. */

/** Nanoseconds since 1970-01-01 TAI of `2013-11-03` or `2013-11-03T10:20:30.5`; undefined for another text, and for a day that is none. */
export function instantOf(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?)?$/.exec(text);
  if (match === null) return undefined;
  const [, day, time = '00:00:00', fraction = ''] = match;
  const milliseconds = Date.parse(`${day}T${time}Z`);
  // Some days that are none, as 2013-02-30, are taken for the next month's.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString().slice(0, 10) !== day) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** `day_obs` of a date: 20131103; undefined where it is none. */
export function dayOf(text: string): number | undefined {
  return instantOf(text) === undefined ? undefined : Number(text.slice(0, 10).replaceAll('-', ''));
}

/** Modified Julian date of HSC's pointing 0, and of 1970-01-01. */
const [firstPointing, unixEpoch] = [55_927, 40_587];

/** The day of an HSC pointing, which counts days: `2013-11-03`; undefined past the year 9999. */
export function dateOfPointing(pointing: number): string | undefined {
  const day = new Date((pointing + firstPointing - unixEpoch) * 86_400_000);
  return Number.isNaN(day.getTime()) || day.getUTCFullYear() > 9_999 ? undefined : day.toISOString().slice(0, 10);
}
