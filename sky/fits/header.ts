/** Headers of FITS files: blocks of 2880 bytes, cards of 80 characters, END. */

import { CARD, type Card, type CardValue, isContinued, keywordOf, readCard } from './card.js';
import { fitsError } from './error.js';

export const BLOCK = 2880;

export interface Header {
  readonly cards: readonly Card[];
  /** Bytes, with END and the padding of its last block. */
  readonly length: number;
  /** Byte offset in the file. */
  readonly at: number;
}

/** `bytes` filled up to whole blocks. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

/**
 * Length, with its padding, of the header that `bytes` begin with; undefined where its END is not among them. `at` is the byte offset of `bytes` in the file;
 * of cards before `from`, a multiple of 80, it is known that they are not END. Throws where there are bytes that no header holds: then END will not come.
 */
export function headerLength(bytes: Uint8Array, at: number, from = 0): number | undefined {
  for (let card = from; card + CARD <= bytes.length; card += CARD) {
    const keyword = keywordOf(Buffer.from(bytes.buffer, bytes.byteOffset + card, 8).toString('latin1'), at + card);
    if (keyword === 'END') return padded(card + CARD);
  }
  return undefined;
}

/** Reads the header that `bytes` begin with. `at` is its byte offset in the file, for errors. */
export function parseHeader(bytes: Uint8Array, at = 0): Header {
  const length = headerLength(bytes, at);
  if (length === undefined) throw fitsError(at + bytes.length, 'the header has no END');
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(length, bytes.length)).toString('latin1');
  const cards: Card[] = [];
  for (let offset = 0; ;) {
    const keyword = keywordOf(all.slice(offset, offset + CARD), at + offset);
    if (keyword === 'END') return { cards, length, at };
    let end = offset + CARD;
    let image = all.slice(offset, end);
    while (isContinued(image, at + end - CARD) && all.startsWith('CONTINUE  ', end)) {
      image = all.slice(end, end + CARD);
      end += CARD;
    }
    cards.push({ keyword, text: all.slice(offset, end), at: at + offset });
    offset = end;
  }
}

export function findCard({ cards }: Header, keyword: string): Card | undefined {
  return cards.find((card) => card.keyword === keyword);
}

/** The value of the first card with this keyword; undefined where there is none. Throws where it cannot be read. */
export function valueIn(header: Header, keyword: string): CardValue {
  const card = findCard(header, keyword);
  return card === undefined ? undefined : readCard(card).value;
}

/** A string value; undefined where there is none, or a value of another kind. */
export function textIn(header: Header, keyword: string): string | undefined {
  const value = valueIn(header, keyword);
  return typeof value === 'string' ? value : undefined;
}

/** An integer of at least `least`; `missing` where there is no such card. Throws for anything else, and for a missing card without a `missing`. */
export function integerIn(header: Header, keyword: string, least: number, missing?: number): number {
  const card = findCard(header, keyword);
  if (card === undefined) {
    if (missing !== undefined) return missing;
    throw fitsError(header.at, `the header has no ${keyword}`);
  }
  const { value } = readCard(card);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw fitsError(card.at, `${keyword} is ${value === null ? 'undefined' : `'${describe(value)}'`}, no integer of ${least} or more`);
}

function describe(value: CardValue): string {
  return typeof value === 'object' && value !== null ? `(${value.real}, ${value.imaginary})` : String(value);
}
