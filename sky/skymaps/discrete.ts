/** The kind `discrete`: a square tract at each of some positions. */

import type { DiscreteDefinition } from './contract.js';
import { nearestCentre, squareExtent, wcsAt } from './layout.js';
import { vectorOf, wrapDegrees } from './projection.js';
import type { TractLayout } from './tracts.js';

export function discreteLayout(definition: DiscreteDefinition): TractLayout {
  const { tracts } = definition;
  const centres = tracts.map(vectorOf);
  const numbers = [...tracts.map(({ ra }) => ra), ...tracts.map(({ dec }) => dec), ...tracts.map(({ radius }) => radius)];
  const digested = Buffer.alloc(8 * numbers.length);
  numbers.forEach((number, index) => digested.writeDoubleLE(number, 8 * index));
  return {
    tractCount: tracts.length,
    halfSide: undefined,
    digested,
    plan: (tract) => {
      const { ra, dec, radius } = tracts[tract]!;
      const centre = { ra: wrapDegrees(ra), dec };
      return { tract, centre, wcs: wcsAt(centre, definition), extent: squareExtent(centre, radius + definition.overlap), inner: undefined };
    },
    find: (position) => nearestCentre(centres, vectorOf(position)),
    near: () => undefined,
  };
}
