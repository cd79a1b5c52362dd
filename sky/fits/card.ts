/** One keyword of a FITS header with its value and comment (FITS standard 4.0, section 4). */

import { fitsError } from './error.js';

/** Bytes of one card image. */
export const CARD = 80;

/** `bigint`: an integer beyond 2^53. `null`: a value that is left undefined. `undefined`: a card without a value, as COMMENT, HISTORY and blank ones. */
export type CardValue = string | number | bigint | boolean | Complex | null | undefined;

export interface Complex {
  readonly real: number;
  readonly imaginary: number;
}

/** A card as it stands in its header; what it says is read when it is asked for, so that a bad card harms only who needs it. */
export interface Card {
  /** In upper case; of a HIERARCH card the words after HIERARCH (`LSST BUTLER ID`). Empty for a blank card. */
  readonly keyword: string;
  /** Its images of 80 characters (one character for each byte), with those of the CONTINUE cards that belong to it. */
  readonly text: string;
  /** Byte offset in the file. */
  readonly at: number;
}

export interface CardContent {
  readonly value: CardValue;
  /** Without blanks around it; the text itself of a card without a value. */
  readonly comment: string;
}

const HIERARCH = /^HIERARCH ([\x20-\x3c\x3e-\x7e]+?) *=/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?$/i;
const INTEGER = /^[+-]?\d+$/;

/** The keyword of one card image. Throws for bytes that no keyword can hold. `at`: its byte offset in the file. */
export function keywordOf(image: string, at: number): string {
  const field = image.slice(0, 8);
  for (let i = 0; i < field.length; i++) {
    const code = field.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) throw fitsError(at + i, `byte 0x${code.toString(16).padStart(2, '0')} where a keyword should be`);
  }
  const words = HIERARCH.exec(image)?.[1];
  return (words ?? field).trim().toUpperCase();
}

/** What a card says. Throws where it cannot be read: a string without its end, a number that is none. */
export function readCard(card: Card): CardContent {
  const { text, at } = card;
  const begin = valueBegin(text);
  if (begin === undefined) return { value: undefined, comment: text.slice(8).trim() };
  let { value, comment } = readField(text.slice(begin, CARD), at + begin);
  for (let image = CARD; image < text.length; image += CARD) {
    // Only a string that ends with & is continued; a CONTINUE card after anything else never gets here.
    const more = readField(text.slice(image + 8, image + CARD), at + image + 8);
    value = textOf(value).slice(0, -1) + textOf(more.value);
    comment += more.comment === '' ? '' : `${comment === '' ? '' : ' '}${more.comment}`;
  }
  return { value: typeof value === 'string' ? value.trimEnd() : value, comment };
}

/** Whether the string of this card image goes on in a CONTINUE card. */
export function isContinued(image: string, at: number): boolean {
  const begin = image.startsWith('CONTINUE') ? 8 : valueBegin(image);
  if (begin === undefined || !image.slice(begin).trimStart().startsWith("'")) return false;
  try {
    return textOf(readField(image.slice(begin, CARD), at).value).endsWith('&');
  } catch {
    return false;
  }
}

/** Where the value field begins; undefined where the card has none. */
function valueBegin(text: string): number | undefined {
  if (text.startsWith('= ', 8)) return /^(?:COMMENT|HISTORY| {7}) /.test(text) ? undefined : 10;
  return HIERARCH.exec(text)?.[0].length;
}

function textOf(value: CardValue): string {
  return typeof value === 'string' ? value : '';
}

function readField(field: string, at: number): { value: CardValue; comment: string } {
  const begin = field.length - field.trimStart().length;
  if (field[begin] === "'") return readString(field, begin, at);
  const slash = field.indexOf('/');
  const token = field.slice(0, slash < 0 ? undefined : slash).trim();
  return { value: readToken(token, at + begin), comment: slash < 0 ? '' : field.slice(slash + 1).trim() };
}

function readString(field: string, begin: number, at: number): { value: string; comment: string } {
  let value = '';
  for (let i = begin + 1; ; i++) {
    const quote = field.indexOf("'", i);
    if (quote < 0) throw fitsError(at + begin, 'a string without its closing quote');
    value += field.slice(i, quote);
    if (field[quote + 1] === "'") {
      value += "'";
      i = quote + 1;
      continue;
    }
    const rest = field.slice(quote + 1).trim();
    if (rest !== '' && !rest.startsWith('/')) throw fitsError(at + quote + 1, `'${rest.slice(0, 20)}' after the end of a string`);
    return { value: value.trimEnd(), comment: rest.slice(1).trim() };
  }
}

function readToken(token: string, at: number): CardValue {
  if (token === '') return null;
  if (token === 'T') return true;
  if (token === 'F') return false;
  if (INTEGER.test(token)) {
    const value = Number(token);
    return Number.isSafeInteger(value) ? value : BigInt(token.replace(/^\+/, ''));
  }
  if (NUMBER.test(token)) return numberOf(token);
  const parts = /^\( *([^, ]+) *, *([^, ]+) *\)$/.exec(token);
  if (parts !== null && NUMBER.test(parts[1]!) && NUMBER.test(parts[2]!)) {
    return { real: numberOf(parts[1]!), imaginary: numberOf(parts[2]!) };
  }
  throw fitsError(at, `'${token}' is neither a string, a number, T nor F`);
}

/** FORTRAN's exponents of double precision are written with D. */
function numberOf(token: string): number {
  return Number(token.replace(/d/i, 'E'));
}
