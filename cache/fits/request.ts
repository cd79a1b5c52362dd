/** Requests for parts of files: what they are called, and the requests that they stand on. */

import { z } from 'zod';
import { formatBox } from '../../sky/fits/cutout.js';
import type { FilePart, ObjectRequest } from '../contract.js';
import { formatDigest } from '../digest.js';

/** Grows when the text of an index changes: content pinned under the former is another's then. */
const INDEX_VERSION = 1;

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x20-\x7e]+$/);
const pixel = z.int().nonnegative();

/** Parts as they may come in. */
export const partSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('index') }),
  z.strictObject({ kind: z.literal('hdu'), name }),
  z.strictObject({
    kind: z.literal('cutout'),
    name: name.nullable(),
    box: z
      .strictObject({ x0: pixel, x1: pixel, y0: pixel, y1: pixel })
      .refine(({ x0, x1, y0, y1 }) => x0 < x1 && y0 < y1, 'it holds no pixel'),
  }),
]);

/** Names the part among those of one file, and of one version of it where its digest is published; undefined where the request is for no part. */
export function partKey({ part, whole }: ObjectRequest): string | undefined {
  if (part === undefined) return undefined;
  return whole?.digest === undefined ? keyWithin(part) : `${keyWithin(part)} of ${formatDigest(whole.digest)}`;
}

function keyWithin(part: FilePart): string {
  switch (part.kind) {
    case 'index':
      return `index-${INDEX_VERSION}`;
    case 'hdu':
      return `hdu ${part.name.toUpperCase()}`;
    case 'cutout':
      return `cutout ${formatBox(part.box)} ${part.name?.toUpperCase() ?? ''}`;
  }
}

/** For messages: `HDU IMAGE`. */
export function partName(part: FilePart): string {
  switch (part.kind) {
    case 'index':
      return 'the headers';
    case 'hdu':
      return `HDU ${part.name.toUpperCase()}`;
    case 'cutout':
      return `cut-out ${formatBox(part.box)}${part.name === null ? '' : ` of HDU ${part.name.toUpperCase()}`}`;
  }
}

/** The request for the whole file that `request` is for a part of. */
export function wholeOf({ origin, member, identity, whole }: ObjectRequest): ObjectRequest {
  return { origin, identity, ...(member === undefined ? {} : { member }), ...whole };
}

/** The request for the index of the file that `request` is for a part of. */
export function indexOf({ origin, member, identity, whole }: ObjectRequest): ObjectRequest {
  return { origin, identity, ...(member === undefined ? {} : { member }), whole, part: { kind: 'index' } };
}
