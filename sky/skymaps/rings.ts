/** The kind `rings`: rings of tracts in declination, counted from the south, and a tract at each pole. */

import { degree } from '../vector.js';
import type { RingsDefinition, SkyPosition } from './contract.js';
import { squareExtent, wcsAt } from './layout.js';
import { wrapDegrees } from './projection.js';
import type { TractLayout } from './tracts.js';

const halfTurn = Math.PI / 2;

export function ringsLayout(definition: RingsDefinition): TractLayout {
  const { numRings, raStart, version } = definition;
  /** Height of a ring, radians. */
  const height = Math.PI / (numRings + 1);
  /** Tracts of each ring. */
  const sizes = Array.from({ length: numRings }, (_, ring) => {
    const start = height * (ring + 0.5) - halfTurn;
    const nearer = Math.min(Math.abs(start), Math.abs(start + height));
    return Math.trunc((2 * Math.PI * Math.cos(nearer)) / height) + 1;
  });
  /** Tracts of all rings before each, and of all. */
  const before = [0];
  for (const size of sizes) before.push(before.at(-1)! + size);
  const last = before[numRings]! + 1;
  const southEdge = height * 0.5 - halfTurn;

  /** Ring -1 is the south pole, `numRings` the north pole. */
  const ringOf = (dec: number): number => {
    if (dec < southEdge) return -1;
    if (dec > -southEdge) return numRings;
    return Math.trunc((dec - southEdge) / height);
  };
  const placeInRing = (ra: number, ring: number): number => {
    const size = sizes[ring]!;
    const place = Math.trunc((wrapDegrees(ra - raStart) * degree) / ((2 * Math.PI) / size) + 0.5);
    return place === size ? 0 : place;
  };
  /** Undefined for the one that the older numbering leaves out. */
  const numberOf = (ring: number, place: number): number | undefined => {
    if (version === 1 || place > 0 || ring === 0) return before[ring]! + place + 1;
    return ring === numRings - 1 ? undefined : before[ring + 1]! + 1;
  };
  const placeOf = (tract: number): { readonly ring: number; readonly place: number } => {
    const index = tract - 1;
    let ring = 0;
    while (ring < numRings - 1 && index - before[ring]! >= sizes[ring]!) ring++;
    const place = index - before[ring]!;
    if (version === 1 || place > 0 || ring === 0) return { ring, place };
    // The first of a ring, by its number, is the first tract of the ring before.
    return { ring: ring - 1, place: 0 };
  };

  return {
    tractCount: last + 1,
    halfSide: (height / degree) * 0.5 + definition.overlap,
    digested: packed(numRings, raStart),
    plan: (tract) => {
      const isPole = tract === 0 || tract === last;
      const { ring, place } = isPole ? { ring: tract === 0 ? -1 : numRings, place: 0 } : placeOf(tract);
      const step = isPole ? 360 : 360 / sizes[ring]!;
      const centre = isPole
        ? { ra: 0, dec: tract === 0 ? -90 : 90 }
        : { ra: wrapDegrees((2 * Math.PI * place) / sizes[ring]! / degree + raStart), dec: (height * (ring + 1) - halfTurn) / degree };
      const toDegrees = (rings: number): number => Math.max(-90, Math.min(90, (-halfTurn + rings * height) / degree));
      return {
        tract,
        centre,
        wcs: wcsAt(centre, definition),
        extent: squareExtent(centre, (height * 0.5) / degree + definition.overlap),
        inner: {
          kind: 'box',
          fromRa: isPole ? 0 : wrapDegrees(raStart + (place - 0.5) * step),
          toRa: isPole ? 360 : wrapDegrees(raStart + (place + 0.5) * step),
          fromDec: toDegrees(ring + 0.5),
          toDec: toDegrees(ring + 1.5),
        },
      };
    },
    find: ({ ra, dec }) => {
      const ring = ringOf(dec * degree);
      if (ring === -1) return 0;
      if (ring === numRings) return last;
      const place = placeInRing(ra, ring);
      // What the older numbering leaves out belongs to the tract that has the number after it.
      return numberOf(ring, place) ?? last;
    },
    near: (position, reach) => nearTracts(position, reach),
  };

  function nearTracts({ ra, dec }: SkyPosition, reach: number): readonly number[] {
    const found = new Set<number>();
    if (dec - reach <= -90) found.add(0);
    if (dec + reach >= 90) found.add(last);
    for (let ring = 0; ring < numRings; ring++) {
      const ringDec = (height * (ring + 1) - halfTurn) / degree;
      if (Math.abs(ringDec - dec) > reach) continue;
      const size = sizes[ring]!;
      const width = haversineWidth(dec, ringDec, reach);
      const middle = wrapDegrees(ra - raStart) / (360 / size);
      const steps = Math.min(Math.ceil(width / (360 / size)) + 1, Math.ceil(size / 2));
      for (let step = -steps; step <= steps; step++) {
        const place = (((Math.round(middle) + step) % size) + size) % size;
        const number = numberOf(ring, place);
        if (number !== undefined) found.add(number);
        if (ring === 0 && place === 0 && version === 0) found.add(before[1]! + 1);
      }
    }
    return [...found].sort((a, b) => a - b);
  }
}

/** The largest difference in right ascension, degrees, of points of two parallels that lie `reach` degrees apart at most. */
function haversineWidth(dec: number, otherDec: number, reach: number): number {
  const [a, b] = [dec * degree, otherDec * degree];
  const sine = (Math.sin((reach * degree) / 2) ** 2 - Math.sin((a - b) / 2) ** 2) / (Math.cos(a) * Math.cos(b));
  return sine >= 1 || !Number.isFinite(sine) ? 180 : (2 * Math.asin(Math.sqrt(Math.max(0, sine)))) / degree;
}

function packed(numRings: number, raStart: number): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeInt32LE(numRings, 0);
  bytes.writeDoubleLE(raStart, 4);
  return bytes;
}
