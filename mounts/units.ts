/** Sizes and durations as people write them. */

import { ButlerfsError } from '../common/errors.js';

const SIZE_UNITS = ['', 'k', 'm', 'g', 't', 'p'];
const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** setTimeout takes no more milliseconds: 24 days. */
const LONGEST_DURATION = 2 ** 31 - 1;

/** Bytes of `50G`, `50GiB`, `1.5T` or `1000000`: powers of 1024. Throws `usage`, naming `option`. */
export function parseSize(text: string, option: string, { allowZero = false } = {}): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(number) * 1024 ** SIZE_UNITS.indexOf((unit ?? '').toLowerCase()));
  if (number === undefined || !Number.isSafeInteger(bytes) || (bytes === 0 && !allowZero)) {
    throw new ButlerfsError('usage', { what: `${option}: '${text}' is not a size`, advice: 'write a number of bytes, or 500M, 50G, 2T' });
  }
  return bytes;
}

/** Milliseconds of `60` (seconds), `60s`, `1.5s`, `500ms`, `2m`, `1h` or `30d`, up to `longest`. Throws `usage`, naming `option`. */
export function parseDuration(text: string, option: string, { allowZero = false, longest = LONGEST_DURATION } = {}): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  const duration = Math.round(Number(number) * MILLISECONDS[(unit ?? 's') as keyof typeof MILLISECONDS]);
  if (number === undefined || !(duration <= longest) || (duration === 0 && !allowZero)) {
    throw new ButlerfsError('usage', {
      what: `${option}: '${text}' is not a duration`,
      advice: `write seconds, or 500ms, 30s, 2m, 1h, 30d${allowZero ? '; 0 switches it off' : ', above zero'}`,
    });
  }
  return duration;
}

/** `1.4 GiB`; three digits. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
