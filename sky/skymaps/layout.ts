/** What the layouts of the kinds of sky maps share. */

import { dot } from '../vector.js';
import type { UnitVector } from '../vector.js';
import type { CelestialWcs, CommonDefinition, SkyPosition } from './contract.js';
import { celestialWcs, offsetBy, squarePixels } from './projection.js';

/** Centred on a position, which lies at pixel (0, 0). */
export function wcsAt(reference: SkyPosition, { projection, pixelScale, rotation }: CommonDefinition): CelestialWcs {
  return celestialWcs(projection, reference, { x: 0, y: 0 }, squarePixels(pixelScale / 3600, rotation));
}

/** Points to the east, north, west and south at a distance in degrees: a square about them has all of its middle half-lengths. */
export function squareExtent(centre: SkyPosition, distance: number): readonly UnitVector[] {
  return [0, 90, 180, 270].map((bearing) => offsetBy(centre, bearing, distance));
}

/** Directions in which a tract is made larger about each of its corners. */
const bearings = 24;

/** The corners, each with a circle of half the overlap (degrees) about it. */
export function cornerExtent(corners: readonly SkyPosition[], vectors: readonly UnitVector[], overlap: number): readonly UnitVector[] {
  if (overlap === 0) return vectors;
  return corners.flatMap((corner) => Array.from({ length: bearings }, (_, i) => offsetBy(corner, (360 / bearings) * i, overlap / 2)));
}

/** The index of the largest of the dot products; of equals the first. */
export function nearestCentre(centres: readonly UnitVector[], vector: UnitVector): number {
  let best = 0;
  let most = -Infinity;
  centres.forEach((centre, index) => {
    const product = dot(vector, centre);
    if (product > most) [best, most] = [index, product];
  });
  return best;
}
