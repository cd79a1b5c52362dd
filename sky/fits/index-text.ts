/** The index of a FITS file as text, to be kept. */

import { z } from 'zod';
import { CARD } from './card.js';
import { describeHdu, type Hdu } from './hdu.js';
import { parseHeader } from './header.js';
import type { FitsIndex } from './scan.js';
import { formatHeader } from './write.js';

const indexSchema = z.object({
  fits: z.literal(1),
  size: z.int().nonnegative().nullable(),
  hdus: z.array(z.object({ offset: z.int().nonnegative(), headerLength: z.int().positive(), cards: z.array(z.string()) })).min(1),
});

/** What tables, and others that no cut-out is made of, are kept of. */
const STRUCTURE = /^(?:XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|ZIMAGE|EXTNAME|EXTVER|EXTTYPE)$/;

/** JSON. Headers of images, and of the primary HDU, are kept whole; of others what {@link describeHdu} reads. */
export function formatIndex({ size, hdus }: FitsIndex): string {
  return JSON.stringify({
    fits: 1,
    size,
    hdus: hdus.map(({ offset, headerLength, header, kind }) => ({
      offset,
      headerLength,
      cards: header.cards
        .filter(({ keyword }) => kind === 'primary' || kind === 'image' || STRUCTURE.test(keyword))
        .map(({ text }) => text.trimEnd()),
    })),
  } satisfies z.infer<typeof indexSchema>);
}

/** Undefined for anything that {@link formatIndex} does not write. */
export function parseIndex(text: string): FitsIndex | undefined {
  try {
    const { size, hdus } = indexSchema.parse(JSON.parse(text));
    return { size, hdus: hdus.map(restored) };
  } catch {
    return undefined;
  }
}

function restored({ offset, headerLength, cards }: z.infer<typeof indexSchema>['hdus'][number], index: number): Hdu {
  const images = cards.map((text) => text.padEnd(Math.max(1, Math.ceil(text.length / CARD)) * CARD));
  return describeHdu(parseHeader(formatHeader(images), offset), index === 0, headerLength);
}
