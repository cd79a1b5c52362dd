/** Times outside of expressions: of `@at/<time>` and of options. */

import { ButlerfsError } from '../common/errors.js';
import { parseInstant } from './where/instant.js';

/** What {@link parseMoment} reads, for messages. */
export const TIME_FORMS = '2026-11-24, 2026-11-24T12:00:00Z (UTC), 2026-11-24T12:00:00/tai or mjd/61368.5';

/** Of units of time. */
const SECONDS: Readonly<Record<string, bigint>> = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n };

/** Nanoseconds since 1970-01-01 TAI of what `T'...'` takes, and of a calendar time that ends in Z; undefined for what is no time. */
export function parseMoment(text: string): bigint | undefined {
  try {
    return parseInstant(/^\d{4}-.*\dZ$/.test(text) ? text.slice(0, -1) : text, 1);
  } catch (error) {
    if (error instanceof ButlerfsError && error.code === 'usage') return undefined;
    throw error;
  }
}

/** As {@link parseMoment}, and a time before now: `2h`, `-2h`, `90m`, `1d`. */
export function parseRecent(text: string): bigint | undefined {
  const match = /^-?(\d{1,9})([smhdw])$/.exec(text);
  if (match === null) return parseMoment(text);
  const now = parseMoment(new Date().toISOString());
  return now! - BigInt(match[1]!) * SECONDS[match[2]!]! * 1_000_000_000n;
}
