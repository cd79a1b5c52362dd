/** Finds the HDUs of a file without reading its data: says which bytes it needs, and takes them. */

import { ButlerfsError } from '../../common/errors.js';
import { CARD } from './card.js';
import { fitsError } from './error.js';
import { describeHdu, type Hdu, hduEnd } from './hdu.js';
import { headerLength, parseHeader } from './header.js';

/** The HDUs of one version of a file, in its order. */
export interface FitsIndex {
  /** Bytes of the file; null where it is not known. */
  readonly size: number | null;
  readonly hdus: readonly Hdu[];
}

/** Bytes asked for at the beginning of the file, where the primary header and often the next begin; at the beginning of another header; and to go on. */
const FIRST = 16_384;
const NEXT = 8_640;
const MORE = 16_384;
/** Longer headers, and more HDUs, are taken for a trap. */
const LONGEST_HEADER = 4 * 2 ** 20;
const MOST_HDUS = 10_000;

/**
 *     for (let want = scan.next(); want !== undefined; want = scan.next()) scan.give(read(want));
 *     scan.index()
 *
 * Extensions end where the file does, or where something begins that is none (special records). Throws what {@link parseHeader} and {@link describeHdu}
 * throw, and `unsupported` where the file is no FITS file.
 */
export class FitsScan {
  readonly #hdus: Hdu[] = [];
  #size: number | null;
  /** Byte offset of the header that is looked for, and what is here of it. */
  #at = 0;
  #bytes = Buffer.alloc(0);
  /** Cards of it that were looked at. */
  #seen = 0;
  #done = false;

  /** `size`: bytes of the file, null where it is not known. */
  constructor(size: number | null) {
    this.#size = size;
  }

  /** The bytes wanted next; undefined when all HDUs are found. */
  next(): { readonly offset: number; readonly length: number } | undefined {
    if (this.#done) return undefined;
    const here = this.#bytes.length;
    const length = this.#at === 0 && here === 0 ? FIRST : here === 0 ? NEXT : MORE;
    return { offset: this.#at + here, length };
  }

  /** Takes the bytes that {@link next} wanted; fewer mean that the file ends there. `size` where it is known by now. */
  give(bytes: Uint8Array, size: number | null = this.#size): void {
    const wanted = this.next()!;
    this.#size = size ?? (bytes.length < wanted.length ? wanted.offset + bytes.length : null);
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (!this.#done && this.#take());
    if (!this.#done && bytes.length < wanted.length) this.#end(wanted.offset + bytes.length);
  }

  index(): FitsIndex {
    return { size: this.#size, hdus: this.#hdus };
  }

  /** Takes one header from the bytes at hand; false where more are needed. */
  #take(): boolean {
    const isFirst = this.#hdus.length === 0;
    if (this.#bytes.length < CARD) return false;
    if (!this.#bytes.toString('latin1', 0, 8).startsWith(isFirst ? 'SIMPLE' : 'XTENSION')) {
      if (isFirst) throw notFits();
      this.#done = true;
      return false;
    }
    const length = headerLength(this.#bytes, this.#at, this.#seen);
    if (length === undefined) {
      this.#seen = Math.floor(this.#bytes.length / CARD) * CARD;
      if (this.#seen > LONGEST_HEADER) throw fitsError(this.#at, `a header of more than ${LONGEST_HEADER} bytes`);
      return false;
    }
    const hdu = describeHdu(parseHeader(this.#bytes, this.#at), isFirst);
    this.#hdus.push(hdu);
    if (this.#hdus.length > MOST_HDUS) throw fitsError(this.#at, `more than ${MOST_HDUS} HDUs`);
    const end = hduEnd(hdu);
    this.#bytes = this.#bytes.subarray(Math.min(this.#bytes.length, end - this.#at));
    this.#at = end;
    this.#seen = 0;
    this.#done = this.#size !== null && end >= this.#size;
    return true;
  }

  /** The file ends at `size`. Bytes too few for a card are padding that somebody left. */
  #end(size: number): void {
    if (this.#hdus.length === 0 && this.#bytes.length < CARD) throw notFits();
    if (this.#bytes.length >= CARD) throw fitsError(size, 'the file ends within a header');
    this.#done = true;
  }
}

function notFits(): ButlerfsError {
  return new ButlerfsError('unsupported', { what: 'a part of a file', why: 'it is no FITS file: it does not begin with SIMPLE' });
}
