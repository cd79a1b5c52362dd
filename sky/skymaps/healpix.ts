/**
 * The kind `healpix`: a tract for each pixel of a HEALPix grid. Its author took the colatitude for the latitude from the south pole: north and south are
 * exchanged.
 */

import { degree } from '../vector.js';
import type { HealpixDefinition, SkyPosition } from './contract.js';
import { healpixGrid } from './healpix-grid.js';
import type { GridPoint } from './healpix-grid.js';
import { cornerExtent, wcsAt } from './layout.js';
import { vectorOf, wrapDegrees } from './projection.js';
import type { TractLayout } from './tracts.js';

function skyPosition({ z, phi }: GridPoint): SkyPosition {
  return { ra: wrapDegrees(phi * 90), dec: -Math.asin(z) / degree };
}

export function healpixLayout(definition: HealpixDefinition): TractLayout {
  const { log2NSide, nest } = definition;
  const grid = healpixGrid(2 ** log2NSide, nest);
  const digested = Buffer.alloc(5);
  digested.writeInt32LE(log2NSide, 0);
  digested[4] = nest ? 1 : 0;
  return {
    tractCount: grid.pixelCount,
    halfSide: undefined,
    digested,
    plan: (tract) => {
      const centre = skyPosition(grid.centre(tract));
      const corners = grid.corners(tract).map(skyPosition);
      const vectors = corners.map(vectorOf);
      return {
        tract,
        centre,
        wcs: wcsAt(centre, definition),
        extent: cornerExtent(corners, vectors, definition.overlap),
        inner: { kind: 'polygon', vertices: vectors },
      };
    },
    find: ({ ra, dec }) => grid.find({ z: -Math.sin(dec * degree), phi: wrapDegrees(ra) / 90 }),
    near: () => undefined,
  };
}
