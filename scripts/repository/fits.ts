/**
 * Writes FITS files: a primary header without data and image extensions of float32.
 *
 * Format: the FITS standard 4.0: blocks of 2880 bytes, header cards of 80 ASCII characters, data big-endian.
 */

const BLOCK = 2880;
const CARD = 80;

export type CardValue = string | number | boolean;

export interface Card {
  /** At most 8 characters of A-Z, 0-9, hyphen and underscore. */
  readonly keyword: string;
  readonly value: CardValue;
  readonly comment?: string;
}

/** A square image: `pixels[y * side + x]`. */
export interface Image {
  readonly side: number;
  readonly pixels: Float32Array;
}

/** One header card in fixed format: strings from column 11, numbers and logicals right-justified to column 30. Throws RangeError for what does not fit. */
export function formatCard({ keyword, value, comment }: Card): string {
  if (!/^[A-Z0-9_-]{1,8}$/.test(keyword)) throw new RangeError(`'${keyword}' is no FITS keyword`);
  const text = `${keyword.padEnd(8)}= ${formatValue(value)}${comment === undefined ? '' : ` / ${comment}`}`;
  if (text.length > CARD || !/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`the card does not fit 80 ASCII characters: ${text}`);
  return text.padEnd(CARD);
}

function formatValue(value: CardValue): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''").padEnd(8)}'`.padEnd(20);
  if (typeof value === 'boolean') return (value ? 'T' : 'F').padStart(20);
  if (!Number.isFinite(value)) throw new RangeError('FITS header values are finite');
  return String(value).toUpperCase().padStart(20);
}

function header(cards: readonly Card[]): Buffer {
  const text = cards.map(formatCard).join('') + 'END'.padEnd(CARD);
  return Buffer.from(text.padEnd(Math.ceil(text.length / BLOCK) * BLOCK), 'ascii');
}

function imageData({ pixels }: Image): Buffer {
  const data = Buffer.alloc(Math.ceil((pixels.length * 4) / BLOCK) * BLOCK);
  pixels.forEach((value, index) => data.writeFloatBE(value, index * 4));
  return data;
}

/** A complete file: primary HDU with `cards`, then for each name an extension with `cards` and the pixels. */
export function fitsFile(cards: readonly Card[], image: Image, names: readonly string[] = ['IMAGE']): Buffer {
  const primary = header([
    { keyword: 'SIMPLE', value: true, comment: 'conforms to the FITS standard' },
    { keyword: 'BITPIX', value: 8 },
    { keyword: 'NAXIS', value: 0 },
    { keyword: 'EXTEND', value: true },
    ...cards,
  ]);
  const extension = (name: string): Buffer =>
    header([
      { keyword: 'XTENSION', value: 'IMAGE', comment: 'image extension' },
      { keyword: 'BITPIX', value: -32, comment: 'IEEE float32' },
      { keyword: 'NAXIS', value: 2 },
      { keyword: 'NAXIS1', value: image.side },
      { keyword: 'NAXIS2', value: image.side },
      { keyword: 'PCOUNT', value: 0 },
      { keyword: 'GCOUNT', value: 1 },
      { keyword: 'EXTNAME', value: name },
      ...cards,
    ]);
  const data = imageData(image);
  return Buffer.concat([primary, ...names.flatMap((name) => [extension(name), data])]);
}
