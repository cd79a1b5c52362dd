/** The kind `equat`: tracts side by side along the equator. */

import type { EquatDefinition, SkyPosition } from './contract.js';
import { cornerExtent, nearestCentre, wcsAt } from './layout.js';
import { vectorOf, wrapDegrees } from './projection.js';
import type { TractLayout } from './tracts.js';

export function equatLayout(definition: EquatDefinition): TractLayout {
  const { numTracts, decRange } = definition;
  const width = 360 / numTracts;
  const middle = (decRange[0] + decRange[1]) / 2;
  const centres = Array.from({ length: numTracts }, (_, tract): SkyPosition => ({ ra: width * tract + width / 2, dec: middle }));
  const vectors = centres.map(vectorOf);
  const digested = Buffer.alloc(20);
  digested.writeInt32LE(numTracts, 0);
  digested.writeDoubleLE(decRange[0], 4);
  digested.writeDoubleLE(decRange[1], 12);
  return {
    tractCount: numTracts,
    halfSide: undefined,
    digested,
    plan: (tract) => {
      const [from, to] = [width * tract, wrapDegrees(width * (tract + 1))];
      const [low, high] = decRange;
      const corners = [
        { ra: from, dec: low },
        { ra: to, dec: low },
        { ra: to, dec: high },
        { ra: from, dec: high },
      ];
      const cornerVectors = corners.map(vectorOf);
      const centre = centres[tract]!;
      return {
        tract,
        centre,
        // About the equator also where the middle of the declinations is not 0, so that both halves are alike.
        wcs: wcsAt({ ra: centre.ra, dec: 0 }, definition),
        extent: cornerExtent(corners, cornerVectors, definition.overlap),
        inner: { kind: 'polygon', vertices: cornerVectors },
      };
    },
    find: (position) => nearestCentre(vectors, vectorOf(position)),
    near: () => undefined,
  };
}
