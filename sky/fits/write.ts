/** Writes cards and headers of FITS files. */

import { CARD, type Card } from './card.js';
import { padded } from './header.js';

export type WritableValue = string | number | bigint | boolean;

/**
 * One card image in fixed format. `isReal`: a number that is whole is written as a real number (`100.0`). A comment is cut where it does not fit. Throws
 * RangeError for a keyword that is none, for text beyond printable ASCII, for strings that do not fit, and for numbers that are not finite.
 */
export function formatCard(keyword: string, value: WritableValue, comment = '', isReal = false): string {
  if (!/^[A-Z0-9_-]{1,8}$/.test(keyword)) throw new RangeError(`'${keyword}' is no FITS keyword`);
  const text = `${keyword.padEnd(8)}= ${formatValue(value, isReal)}`;
  if (text.length > CARD || !/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`the card does not fit 80 ASCII characters: ${text}`);
  const commented = comment === '' ? text : `${text} / ${comment.replace(/[^\x20-\x7e]/g, '?')}`;
  return commented.slice(0, CARD).padEnd(CARD);
}

function formatValue(value: WritableValue, isReal: boolean): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''").padEnd(8)}'`.padEnd(20);
  if (typeof value === 'boolean') return (value ? 'T' : 'F').padStart(20);
  if (typeof value === 'bigint') return String(value).padStart(20);
  if (!Number.isFinite(value)) throw new RangeError('FITS header values are finite');
  const text = String(value).toUpperCase();
  return (isReal && !/[.E]/.test(text) ? `${text}.0` : text).padStart(20);
}

/** A whole header: the card images, END and padding. */
export function formatHeader(images: readonly string[]): Buffer {
  const text = `${images.join('')}${'END'.padEnd(CARD)}`;
  return Buffer.from(text.padEnd(padded(text.length)), 'latin1');
}

/** The images of cards as they stood in their header. */
export function imagesOf(cards: readonly Card[]): string[] {
  return cards.map(({ text }) => text);
}
