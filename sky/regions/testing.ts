/** Regions at random, of all sizes and in awkward places. */

import fc from 'fast-check';
import { ButlerfsError } from '../../common/errors.js';
import { cross, fromLonLat, normalize, perpendicular, scale, sum } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { Box } from './box.js';
import { Circle } from './circle.js';
import { IntersectionRegion, UnionRegion } from './compound.js';
import { ConvexPolygon } from './convex-polygon.js';
import { Ellipse } from './ellipse.js';
import type { AnyRegion } from './relations.js';

const fractions = fc.double({ min: 0, max: 1, noNaN: true });

/** Anywhere, and near the poles and longitude 0. */
export const directions: fc.Arbitrary<UnitVector> = fc.oneof(
  fc.tuple(fractions, fractions).map(([a, b]) => fromLonLat(2 * Math.PI * a, Math.asin(2 * b - 1))),
  fc.tuple(fractions, fractions).map(([a, b]) => fromLonLat(2 * Math.PI * a, Math.PI / 2 - 1e-3 * b)),
  fc.tuple(fractions, fractions).map(([a, b]) => fromLonLat(1e-3 * (a - 0.5), 2 * (b - 0.5))),
  fc.constantFrom<UnitVector>([0, 0, 1], [0, 0, -1], [1, 0, 0], [0, -1, 0]),
);

/** From a milliarcsecond to 80 degrees. */
const sizes = fractions.map((fraction) => 5e-9 * (1.4 / 5e-9) ** fraction);

export function offset(center: UnitVector, angle: number, direction: number): UnitVector {
  const aside = perpendicular(center);
  const up = cross(center, aside);
  const along = sum([scale(aside, Math.cos(direction)), scale(up, Math.sin(direction))]);
  return normalize(sum([scale(center, Math.cos(angle)), scale(along, Math.sin(angle))]));
}

/** Undefined where the points lie on one great circle, or too far apart: few at random do. */
function polygonAround(points: readonly UnitVector[]): ConvexPolygon | undefined {
  try {
    return ConvexPolygon.around(points);
  } catch (error) {
    if (error instanceof ButlerfsError && error.code === 'invalid-value') return undefined;
    throw error;
  }
}

export const polygons = fc
  .tuple(directions, sizes, fc.array(fractions, { minLength: 3, maxLength: 8 }))
  .map(([center, size, jitter]) => {
    const corner = (value: number, index: number): UnitVector =>
      offset(center, size * (0.4 + 0.6 * value), (2 * Math.PI * (index + 0.7 * value)) / jitter.length);
    return polygonAround(jitter.map(corner));
  })
  .filter((polygon) => polygon !== undefined);
export const circles = fc
  .tuple(directions, sizes, fc.boolean())
  .map(([center, size, isLarge]) => Circle.around(center, isLarge ? Math.PI - size : size));
export const boxes = fc.tuple(fractions, sizes, fractions, fractions).map(([west, width, south, height]) =>
  Box.of({
    west: 7 * (west - 0.5),
    east: 7 * (west - 0.5) + 4.5 * width,
    south: Math.PI * (south - 0.5),
    north: Math.PI * (south - 0.5) + height * width,
  }),
);
export const ellipses = fc.tuple(directions, sizes, fractions, fractions, fc.boolean()).map(([center, size, share, turn, isLarge]) => {
  const [alpha, beta] = [size, size * (0.05 + 0.95 * share)];
  return Ellipse.around(center, isLarge ? Math.PI - alpha : alpha, isLarge ? Math.PI - beta : beta, turn * Math.PI);
});
const simple: fc.Arbitrary<AnyRegion> = fc.oneof(polygons, circles, boxes, ellipses);
export const regions: fc.Arbitrary<AnyRegion> = fc.oneof(
  { weight: 6, arbitrary: simple },
  { weight: 1, arbitrary: fc.array(simple, { maxLength: 3 }).map((members) => UnionRegion.of(members)) },
  { weight: 1, arbitrary: fc.array(simple, { maxLength: 3 }).map((members) => IntersectionRegion.of(members)) },
  { weight: 1, arbitrary: fc.constantFrom<AnyRegion>(Circle.empty, Circle.full, Box.empty, Box.full, Ellipse.empty, Ellipse.full) },
);

/** Directions in and near a region. */
export function placesIn(region: AnyRegion): UnitVector[] {
  const { center, openingAngle } = region.boundingCircle();
  return [0, 0.3, 0.7, 0.99, 1.2].flatMap((share) =>
    [0.1, 1.7, 3.3, 4.9].map((turn) => offset(center, Math.min(Math.PI, share * openingAngle), turn)),
  );
}
