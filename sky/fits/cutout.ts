/** Rectangles cut out of images: their headers, and which bytes of the file they are made of. */

import { ButlerfsError } from '../../common/errors.js';
import { type Card, readCard } from './card.js';
import { findHdu, onlyImage } from './find.js';
import { dataOffset, type Hdu, isPlainImage } from './hdu.js';
import { asExtension, emptyPrimary, madeFile, type MadeFile, type Pieces, primaryHeader, requireWhole } from './part.js';
import type { FitsIndex } from './scan.js';
import { formatCard, formatHeader } from './write.js';
import { parseHeader } from './header.js';

/** Columns x0 <= x < x1 and rows y0 <= y < y1 of the array as it is stored; the first pixel is 0, 0. */
export interface Box {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
}

/** `x0:x1,y0:y1`. Throws `invalid-value` for another text, and for a box without pixels. */
export function parseBox(text: string): Box {
  const match = /^(\d{1,15}):(\d{1,15}),(\d{1,15}):(\d{1,15})$/.exec(text);
  if (match === null) {
    throw new ButlerfsError('invalid-value', {
      what: `box '${text}'`,
      why: 'a box is x0:x1,y0:y1 in pixels of the stored array, which begin at 0',
      advice: 'write 100:200,300:400 for columns 100 to 199 and rows 300 to 399',
    });
  }
  const [x0, x1, y0, y1] = match.slice(1).map(Number) as [number, number, number, number];
  if (x0 < x1 && y0 < y1) return { x0, x1, y0, y1 };
  throw new ButlerfsError('invalid-value', { what: `box '${text}'`, why: 'it holds no pixel: the ends are not part of it' });
}

export function formatBox({ x0, x1, y0, y1 }: Box): string {
  return `${x0}:${x1},${y0}:${y1}`;
}

/**
 * The box of the HDU called `name` (null: the only image) as a file. Axes beyond the second are whole. Throws `unsupported` for an HDU that holds no uncompressed image of two or
 * more axes, and `invalid-value` for a box that is not within it.
 */
export function cutoutFile(index: FitsIndex, name: string | null, box: Box): MadeFile {
  const hdu = name === null ? onlyImage(index) : findHdu(index, name);
  const [width, height] = requireImage(hdu, name ?? 'the image');
  if (box.x1 > width || box.y1 > height) {
    throw new ButlerfsError('invalid-value', {
      what: `box '${formatBox(box)}'`,
      why: `the image has ${width} columns and ${height} rows`,
      advice: `the whole is 0:${width},0:${height}`,
    });
  }
  requireWhole(index, hdu);
  const isPrimary = hdu.kind === 'primary';
  const cards = isPrimary ? parseHeader(formatHeader(asExtension(hdu))).cards : hdu.header.cards;
  const heads = [isPrimary ? emptyPrimary([]) : primaryHeader(index), formatHeader(cutCards(cards, box))];
  const pixels = hdu.axes.slice(2).reduce((product, axis) => product * axis, (box.x1 - box.x0) * (box.y1 - box.y0));
  return madeFile(heads, pixels * pixelBytes(hdu), { [Symbol.iterator]: () => piecesOf(hdu, box) });
}

function requireImage(hdu: Hdu, name: string): [width: number, height: number] {
  const refuse = (why: string): never => {
    throw new ButlerfsError('unsupported', { what: `a cut-out of ${name}`, why, advice: 'read the HDU as a whole' });
  };
  if (hdu.kind === 'compressed image') return refuse('it is compressed: cut-outs need an uncompressed image');
  if (!isPlainImage(hdu)) return refuse('it holds no image');
  const [width, height] = hdu.axes;
  return height === undefined ? refuse('it has one axis only') : [width!, height];
}

/** One run of rows for each plane; where whole rows are wanted they are one piece. */
function* piecesOf(hdu: Hdu, { x0, x1, y0, y1 }: Box): Generator<Pieces, undefined, undefined> {
  const [width, height, ...others] = hdu.axes as [number, number, ...number[]];
  const pixel = pixelBytes(hdu);
  const stride = width * pixel;
  const planes = others.reduce((product, axis) => product * axis, 1);
  const isWide = x0 === 0 && x1 === width;
  if (isWide && y0 === 0 && y1 === height) {
    yield whole(dataOffset(hdu), planes * height * stride);
    return;
  }
  for (let plane = 0; plane < planes; plane++) {
    const offset = dataOffset(hdu) + (plane * height + y0) * stride + x0 * pixel;
    yield isWide ? whole(offset, (y1 - y0) * stride) : { offset, length: (x1 - x0) * pixel, stride, count: y1 - y0 };
  }
}

function pixelBytes({ bitpix }: Hdu): number {
  return Math.abs(bitpix) / 8;
}

function whole(offset: number, length: number): Pieces {
  return { offset, length, stride: length, count: 1 };
}

/** Keywords whose values count pixels along the first two axes, the first pixel being 1: what a box cuts off before it is taken away from them. */
const SHIFTED = /^(?:CRPIX([12])[A-Z]?|LTV([12]))$/;
/** No longer true of a part of the pixels. */
const DROPPED = /^(?:CHECKSUM|DATASUM|DATAMIN|DATAMAX)$/;
/** Keywords by which an axis has world coordinates; with the axis and the letter of the description. */
const WORLD = /^(?:CTYPE|CRVAL|CDELT|CD|PC)([12])(?:_\d)?([A-Z]?)$/;

/** Card images of the cut-out's header. */
function cutCards(cards: readonly Card[], { x0, x1, y0, y1 }: Box): string[] {
  const cut = { 1: x0, 2: y0 } as const;
  const sizes: Readonly<Record<string, number>> = { NAXIS1: x1 - x0, NAXIS2: y1 - y0 };
  const images: string[] = [];
  for (const card of cards) {
    const { keyword } = card;
    if (DROPPED.test(keyword)) continue;
    const axis = SHIFTED.exec(keyword);
    if (keyword in sizes) images.push(formatCard(keyword, sizes[keyword]!, readCard(card).comment));
    else images.push(axis === null ? card.text : shifted(card, cut[(axis[1] ?? axis[2]) as '1' | '2']));
  }
  return [...images, ...missingReferences(cards, cut)];
}

/** A value that cannot be read, or is no number, stays as it is. */
function shifted(card: Card, by: number): string {
  try {
    const { value, comment } = readCard(card);
    if (typeof value !== 'number') return card.text;
    return formatCard(card.keyword, value - by, comment, !/^[+-]?\d+$/.test(card.text.slice(10).trim().split(/[ /]/)[0]!));
  } catch {
    return card.text;
  }
}

/** Reference pixels that were left at their default, 0, in a description of world coordinates. */
function missingReferences(cards: readonly Card[], cut: Readonly<Record<'1' | '2', number>>): string[] {
  const given = new Set(cards.map(({ keyword }) => keyword));
  const missing = new Set<string>();
  for (const { keyword } of cards) {
    const [, axis, letter] = WORLD.exec(keyword) ?? [];
    if (axis !== undefined && !given.has(`CRPIX${axis}${letter}`)) missing.add(`CRPIX${axis}${letter}`);
  }
  return [...missing].map((keyword) => formatCard(keyword, -cut[keyword[5] as '1' | '2'], '', true));
}
