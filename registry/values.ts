/** How a data ID value is written in a path, and read back (docs/paths.md, rule 6). */

import { ButlerfsError } from '../common/errors.js';
import type { DataIdValue, DimensionName } from './contract.js';

/** The longest name a directory entry may have on Linux (NAME_MAX), in bytes of UTF-8. */
export const maxComponentBytes = 255;

/**
 * A value as it stands in a path: integers in decimal, strings as they are but for `/`, `%`, NUL and a leading `@` or `.`, which are percent-encoded.
 * Different values have different texts. Throws `invalid-value` for what no path can hold: an empty string, text that is not Unicode, more than 255 bytes.
 */
export function encodeValue(value: DataIdValue): string {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value);
    throw new ButlerfsError('invalid-value', { what: `value ${value}`, why: 'it is not an integer below 2^53' });
  }
  if (value === '') throw new ButlerfsError('invalid-value', { what: 'an empty value', why: 'no path can hold it' });
  if (/\p{Surrogate}/u.test(value))
    throw new ButlerfsError('invalid-value', { what: `value ${JSON.stringify(value)}`, why: 'it is not Unicode text' });
  const text = value.replace(/[/%\0]|^[@.]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  return withinComponent(text, 'value');
}

/** One directory name, `key=value`. Throws `invalid-value` as {@link encodeValue} does, and where both together exceed 255 bytes. */
export function encodeComponent(key: DimensionName, value: DataIdValue): string {
  return withinComponent(`${key}=${encodeValue(value)}`, 'path component');
}

/**
 * The string that a text of a path stands for; any well-formed `%XX` is taken, in UTF-8. Throws `invalid-value` for an empty text and a malformed escape.
 */
export function decodeValue(text: string): string {
  if (text === '') throw new ButlerfsError('invalid-value', { what: 'an empty value', advice: 'write a value after the equals sign' });
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new ButlerfsError('invalid-value', {
      what: `value '${text}'`,
      why: 'a percent sign must begin an escape of two hexadecimal digits, in UTF-8',
      advice: 'write a percent sign itself as %25',
      cause,
    });
  }
}

function withinComponent(text: string, kind: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxComponentBytes) return text;
  const shown = `${[...text].slice(0, 40).join('')}...`;
  throw new ButlerfsError('invalid-value', {
    what: `${kind} '${shown}'`,
    why: `it takes ${bytes} bytes and a name in a directory ${maxComponentBytes} at most`,
  });
}

/** Numbers by size, texts by code unit: the order of values in listings. */
export function compareValues(a: DataIdValue, b: DataIdValue): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
