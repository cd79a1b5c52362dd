/** Sky maps that surveys use, by the names that their registries give them. */

import type { CellPatches, LegacyPatches, SkyMapDefinition } from './contract.js';

/** Patches of 4000 pixels with a border of 100. */
export const legacyPatches: LegacyPatches = { kind: 'legacy', inner: [4000, 4000], border: 100 };
/** Patches of 20 cells of 150 pixels, with a border of one cell and the cell's own of 50 pixels. */
export const cellPatches: CellPatches = { kind: 'cells', cellInner: 150, cellBorder: 50, cellsInner: 20, cellsBorder: 1 };

const survey = { kind: 'rings', numRings: 120, raStart: 0, version: 1, projection: 'TAN', overlap: 1 / 60, rotation: 0 } as const;

export const namedSkyMaps: Readonly<Record<string, SkyMapDefinition>> = {
  hsc_rings_v1: { ...survey, pixelScale: 0.168, patches: legacyPatches },
  lsst_cells_v1: { ...survey, pixelScale: 0.2, patches: cellPatches },
  DC2: { ...survey, pixelScale: 0.2, patches: legacyPatches },
  'discrete/ci_hsc': {
    kind: 'discrete',
    tracts: [{ ra: 320.36749197602893, dec: 0.3131554006070023, radius: 1.4388796242707318 }],
    projection: 'TAN',
    pixelScale: 0.168,
    overlap: 0,
    rotation: 0,
    patches: legacyPatches,
  },
};
