/** Files made of one HDU of another: a primary header without data, and the HDU. */

import { ButlerfsError } from '../../common/errors.js';
import type { Card } from './card.js';
import { fitsError } from './error.js';
import { findHdu } from './find.js';
import { dataOffset, type Hdu } from './hdu.js';
import { padded } from './header.js';
import type { FitsIndex } from './scan.js';
import { formatCard, formatHeader, imagesOf } from './write.js';

/** `count` pieces of `length` bytes each, the first at `offset`, each `stride` bytes after the one before. */
export interface Pieces {
  readonly offset: number;
  readonly length: number;
  readonly stride: number;
  readonly count: number;
}

/** A file that is made of bytes of another: `head`, then the pieces in order, then zeros up to `size`. */
export interface MadeFile {
  readonly head: Uint8Array;
  /** May be gone through once for each time that the file is made. */
  readonly pieces: Iterable<Pieces>;
  readonly size: number;
}

/** Of the structure of the file that the primary header begins, of its own data, or pointing to other HDUs (AR_HDU is LSST's). */
const NOT_CARRIED =
  /^(?:SIMPLE|BITPIX|NAXIS\d*|EXTEND|NEXTEND|PCOUNT|GCOUNT|GROUPS|PTYPE\d+|PSCAL\d+|PZERO\d+|BSCALE|BZERO|BLANK|DATAMIN|DATAMAX|CHECKSUM|DATASUM|EXTNAME|EXTVER|EXTLEVEL|EXTTYPE|INHERIT|AR_HDU|END)$/;
const NOT_OF_EXTENSION = /^(?:SIMPLE|EXTEND|NEXTEND|PCOUNT|GCOUNT|GROUPS|CHECKSUM|INHERIT|AR_HDU)$/;

/**
 * The HDU called `name` ({@link findHdu}) as a file. An extension is kept byte for byte, behind a primary header with what the file's own says beside its
 * structure. The primary HDU becomes an image extension with all its cards; without data it is a file by itself.
 */
export function hduFile(index: FitsIndex, name: string): MadeFile {
  const hdu = findHdu(index, name);
  requireWhole(index, hdu);
  if (hdu.kind !== 'primary') {
    const end = Math.min(dataOffset(hdu) + padded(hdu.dataLength), index.size ?? Infinity);
    return madeFile([primaryHeader(index)], end - hdu.offset, onePiece(hdu.offset, end - hdu.offset));
  }
  if (hdu.dataLength === 0) return madeFile([primaryHeader(index)], 0, []);
  const header = formatHeader(asExtension(hdu));
  return madeFile([emptyPrimary([]), header], hdu.dataLength, onePiece(dataOffset(hdu), hdu.dataLength));
}

/** Throws where the file ends before the HDU's data do. */
export function requireWhole({ size }: FitsIndex, hdu: Hdu): void {
  const end = dataOffset(hdu) + hdu.dataLength;
  if (size !== null && end > size) throw fitsError(size, `the file ends here, the HDU that begins at byte ${hdu.offset} at ${end}`);
}

/** A header without data, with the cards of the file's primary header that are not about its structure. */
export function primaryHeader({ hdus }: FitsIndex): Buffer {
  return emptyPrimary(hdus[0]!.header.cards.filter(({ keyword }) => !NOT_CARRIED.test(keyword)));
}

export function emptyPrimary(cards: readonly Card[]): Buffer {
  return formatHeader([
    formatCard('SIMPLE', true, 'conforms to the FITS standard'),
    formatCard('BITPIX', 8, 'no data here'),
    formatCard('NAXIS', 0),
    formatCard('EXTEND', true, 'an extension may follow'),
    ...imagesOf(cards),
  ]);
}

/** Card images of a primary HDU with data as an image extension. Throws `unsupported` for random groups, which no extension can hold. */
export function asExtension({ header, axes, isRandomGroups }: Hdu): string[] {
  if (isRandomGroups) {
    throw new ButlerfsError('unsupported', { what: 'the primary HDU as a file of its own', why: 'it holds random groups' });
  }
  const kept = header.cards.filter(({ keyword }) => !NOT_OF_EXTENSION.test(keyword));
  // BITPIX, NAXIS and NAXISn come first, in this order, in every header that was read.
  const structure = new Set(['BITPIX', 'NAXIS', ...axes.map((_, i) => `NAXIS${i + 1}`)]);
  const inOrder = [...structure].map((keyword) => kept.find((card) => card.keyword === keyword)!);
  return [
    formatCard('XTENSION', 'IMAGE', 'image extension'),
    ...imagesOf(inOrder),
    formatCard('PCOUNT', 0),
    formatCard('GCOUNT', 1),
    ...imagesOf(kept.filter(({ keyword }) => !structure.has(keyword))),
  ];
}

/** `dataLength`: bytes of all pieces together. */
export function madeFile(heads: readonly Uint8Array[], dataLength: number, pieces: Iterable<Pieces>): MadeFile {
  const head = Buffer.concat(heads);
  return { head, pieces, size: padded(head.length + dataLength) };
}

function onePiece(offset: number, length: number): Pieces[] {
  return [{ offset, length, stride: length, count: 1 }];
}
