/** Time scales: TAI, which counts seconds, UTC, which leaps, and TT. */

/**
 * TAI minus UTC in whole seconds from the given UTC day on, newest first; before 1972 UTC was another scale. Source: IERS Bulletin C.
 * No leap second has been announced since 2017.
 */
const leapSeconds: readonly (readonly [day: string, offset: bigint])[] = [
  ['2017-01-01', 37n],
  ['2015-07-01', 36n],
  ['2012-07-01', 35n],
  ['2009-01-01', 34n],
  ['2006-01-01', 33n],
  ['1999-01-01', 32n],
  ['1997-07-01', 31n],
  ['1996-01-01', 30n],
  ['1994-07-01', 29n],
  ['1993-07-01', 28n],
  ['1992-07-01', 27n],
  ['1991-01-01', 26n],
  ['1990-01-01', 25n],
  ['1988-01-01', 24n],
  ['1985-07-01', 23n],
  ['1983-07-01', 22n],
  ['1982-07-01', 21n],
  ['1981-07-01', 20n],
  ['1980-01-01', 19n],
  ['1979-01-01', 18n],
  ['1978-01-01', 17n],
  ['1977-01-01', 16n],
  ['1976-01-01', 15n],
  ['1975-01-01', 14n],
  ['1974-01-01', 13n],
  ['1973-01-01', 12n],
  ['1972-07-01', 11n],
  ['1972-01-01', 10n],
];

/** TT minus TAI, nanoseconds. */
const terrestrialOffset = 32_184_000_000n;

export const timeScales = ['tai', 'utc', 'tt'] as const;
export type TimeScale = (typeof timeScales)[number];

/** TAI minus UTC in seconds on a UTC day (`2014-11-27`, years of four digits). Before 1972: as in 1972. */
export function leapOffset(day: string): bigint {
  return leapSeconds.find(([since]) => day >= since)?.[1] ?? leapSeconds.at(-1)![1];
}

/** Nanoseconds since 1970-01-01 TAI of an instant that is given by nanoseconds on its own scale's calendar, counted from 1970-01-01 with days of 86,400 s. */
export function toTai(nanoseconds: bigint, scale: TimeScale): bigint {
  if (scale === 'tai') return nanoseconds;
  if (scale === 'tt') return nanoseconds - terrestrialOffset;
  const milliseconds = Number(nanoseconds / 1_000_000n) - (nanoseconds % 1_000_000n < 0n ? 1 : 0);
  return nanoseconds + leapOffset(new Date(milliseconds).toISOString().slice(0, 10)) * 1_000_000_000n;
}

/** An instant (nanoseconds since 1970-01-01 TAI) as `2026-11-24T12:00:00.5Z`: UTC, exact; a leap second has the name of the second after it. */
export function utcText(instant: bigint): string {
  const second = 1_000_000_000n;
  const startOf = (day: string): bigint => BigInt(Date.parse(`${day}T00:00:00Z`)) * 1_000_000n;
  const offset = leapSeconds.find(([since, seconds]) => instant - seconds * second >= startOf(since))?.[1] ?? leapSeconds.at(-1)![1];
  const nanoseconds = instant - offset * second;
  const fraction = ((nanoseconds % second) + second) % second;
  const whole = new Date(Number((nanoseconds - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}${fraction === 0n ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`}Z`;
}
