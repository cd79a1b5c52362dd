/** The kind `dodeca`: the faces of a dodecahedron, from the north to the south, those at one height by right ascension. */

import { degree, dot, normalize, sum } from '../vector.js';
import type { UnitVector } from '../vector.js';
import type { DodecaDefinition, SkyPosition } from './contract.js';
import { cornerExtent, nearestCentre, wcsAt } from './layout.js';
import { positionOf, vectorOf } from './projection.js';
import type { TractLayout } from './tracts.js';

/** Angle between the centres of two faces that share an edge, degrees. */
const neighbours = Math.atan(2) / degree;
/** Angle between the centre of a face and its corners, degrees. */
const corner = Math.acos(Math.sqrt((5 + 2 * Math.sqrt(5)) / 15)) / degree;
/** Angle between a corner and the centres of the three faces next to those that meet there, degrees. */
const farther = Math.acos(Math.sqrt((5 - 2 * Math.sqrt(5)) / 15)) / degree;

function ring(count: number, firstRa: number, dec: number): SkyPosition[] {
  return Array.from({ length: count }, (_, i) => ({ ra: firstRa + (360 / count) * i, dec }));
}

function faceCentres(tractsOnPoles: boolean): readonly SkyPosition[] {
  if (tractsOnPoles) {
    return [{ ra: 0, dec: 90 }, ...ring(5, 0, 90 - neighbours), ...ring(5, 36, neighbours - 90), { ra: 0, dec: -90 }];
  }
  return [...ring(3, 0, 90 - corner), ...ring(3, 60, 90 - farther), ...ring(3, 0, farther - 90), ...ring(3, 60, corner - 90)];
}

/** Corners of a face in order round it: where it meets two of its neighbours that are neighbours too. */
function faceCorners(centres: readonly UnitVector[], face: number): readonly UnitVector[] {
  const areNear = (a: UnitVector, b: UnitVector): boolean => Math.abs(dot(a, b) - Math.cos(neighbours * degree)) < 0.1;
  const own = centres[face]!;
  const around = centres.filter((centre) => areNear(centre, own));
  const corners: UnitVector[] = [];
  let current = around[0]!;
  const left = new Set(around);
  while (left.delete(current)) {
    const next = [...left].find((centre) => areNear(centre, current)) ?? around[0]!;
    corners.push(normalize(sum([own, current, next])));
    current = next;
  }
  return corners;
}

export function dodecaLayout(definition: DodecaDefinition): TractLayout {
  const centres = faceCentres(definition.tractsOnPoles);
  const vectors = centres.map(vectorOf);
  return {
    tractCount: centres.length,
    halfSide: undefined,
    digested: Uint8Array.of(definition.tractsOnPoles ? 1 : 0),
    plan: (tract) => {
      const centre = centres[tract]!;
      const corners = faceCorners(vectors, tract);
      return {
        tract,
        centre,
        wcs: wcsAt(centre, definition),
        extent: cornerExtent(corners.map(positionOf), corners, definition.overlap),
        inner: { kind: 'polygon', vertices: corners },
      };
    },
    find: (position) => nearestCentre(vectors, vectorOf(position)),
    near: () => undefined,
  };
}
