/** One header-data unit of a FITS file: what it is called, what it holds, how long it is. */

import { fitsError } from './error.js';
import { type Header, integerIn, padded, textIn, valueIn } from './header.js';

export interface Hdu {
  readonly header: Header;
  /** Byte offset of its header in the file. */
  readonly offset: number;
  /** Bytes of the header, padded. */
  readonly headerLength: number;
  /** Bytes of data without padding: array, random groups, heap. */
  readonly dataLength: number;
  readonly kind: 'primary' | 'image' | 'table' | 'compressed image' | 'other';
  /** EXTNAME in upper case without trailing blanks; empty where there is none. */
  readonly name: string;
  /** EXTVER, 1 where there is none. */
  readonly version: number;
  /** EXTTYPE in upper case, as older LSST software calls what others call EXTNAME; empty where there is none. */
  readonly type: string;
  readonly bitpix: number;
  /** NAXIS1, NAXIS2 and so on. */
  readonly axes: readonly number[];
  readonly isRandomGroups: boolean;
}

const BITPIX = [8, 16, 32, 64, -32, -64];

/** Reads what the header says of its HDU. `isFirst`: it begins the file. Throws where what the structure depends on is missing or wrong. */
export function describeHdu(header: Header, isFirst: boolean, headerLength = header.length): Hdu {
  const first = header.cards[0];
  const extension = isFirst ? undefined : textIn(header, 'XTENSION');
  if (isFirst ? first?.keyword !== 'SIMPLE' : first?.keyword !== 'XTENSION' || extension === undefined)
    throw fitsError(header.at, `the header does not begin with ${isFirst ? 'SIMPLE' : 'XTENSION'}`);
  const bitpix = integerIn(header, 'BITPIX', -64);
  if (!BITPIX.includes(bitpix)) throw fitsError(header.at, `BITPIX is ${bitpix}, none of ${BITPIX.join(', ')}`);
  const count = integerIn(header, 'NAXIS', 0);
  if (count > 999) throw fitsError(header.at, `NAXIS is ${count}, more than 999`);
  const axes = Array.from({ length: count }, (_, i) => integerIn(header, `NAXIS${i + 1}`, 0));
  const isRandomGroups = isFirst && axes[0] === 0 && valueIn(header, 'GROUPS') === true;
  return {
    header,
    offset: header.at,
    headerLength,
    dataLength: dataLengthOf(header, bitpix, axes, isFirst, isRandomGroups),
    kind: isFirst ? 'primary' : kindOf(header, extension ?? ''),
    name: labelIn(header, 'EXTNAME'),
    version: versionIn(header),
    type: labelIn(header, 'EXTTYPE'),
    bitpix,
    axes,
    isRandomGroups,
  };
}

/** Byte offset of the data. */
export function dataOffset({ offset, headerLength }: Hdu): number {
  return offset + headerLength;
}

/** Byte offset of what follows the HDU and its padding. */
export function hduEnd(hdu: Hdu): number {
  return dataOffset(hdu) + padded(hdu.dataLength);
}

/** Whether it holds an array of pixels as they are. */
export function isPlainImage({ kind, axes, isRandomGroups }: Hdu): boolean {
  return (kind === 'image' || kind === 'primary') && !isRandomGroups && axes.length > 0 && !axes.includes(0);
}

function dataLengthOf(header: Header, bitpix: number, axes: readonly number[], isFirst: boolean, isRandomGroups: boolean): number {
  if (axes.length === 0) return 0;
  const elements = (isRandomGroups ? axes.slice(1) : axes).reduce((product, axis) => product * axis, 1);
  const hasGroups = !isFirst || isRandomGroups;
  const pcount = hasGroups ? integerIn(header, 'PCOUNT', 0, 0) : 0;
  const gcount = hasGroups ? integerIn(header, 'GCOUNT', 0, 1) : 1;
  const bytes = (Math.abs(bitpix) / 8) * gcount * (pcount + elements);
  if (!Number.isSafeInteger(padded(bytes))) throw fitsError(header.at, `the header claims ${bytes} bytes of data`);
  return bytes;
}

function kindOf(header: Header, extension: string): Hdu['kind'] {
  if (extension === 'IMAGE' || extension === 'IUEIMAGE') return 'image';
  if (extension === 'TABLE') return 'table';
  if (extension !== 'BINTABLE' && extension !== 'A3DTABLE') return 'other';
  return valueIn(header, 'ZIMAGE') === true ? 'compressed image' : 'table';
}

/** A name is of no use to the structure: one that cannot be read is none. */
function labelIn(header: Header, keyword: string): string {
  try {
    return (textIn(header, keyword) ?? '').trim().toUpperCase();
  } catch {
    return '';
  }
}

function versionIn(header: Header): number {
  try {
    return integerIn(header, 'EXTVER', 0, 1);
  } catch {
    return 1;
  }
}
