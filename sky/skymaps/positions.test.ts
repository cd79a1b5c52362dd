/**
 * Where a position lies, found by arithmetic, against the polygons, found by trying all of them; at random.
 * `BUTLERFS_TEST_POSITIONS=1000000` tries so many for each sky map.
 */

import { describe, expect, it } from 'vitest';
import { degree, dot, cross, fromLonLat } from '../vector.js';
import type { UnitVector } from '../vector.js';
import type { PolygonVertices, SkyMap, SkyMapDefinition, SkyPosition } from './contract.js';
import { healpixGrid } from './healpix-grid.js';
import { cellPatches, legacyPatches, namedSkyMaps } from './named.js';
import { openSkyMap } from './open.js';
import { positionOf, vectorOf } from './projection.js';

const COUNT = Number(process.env['BUTLERFS_TEST_POSITIONS'] ?? 20_000);
/** Of so many positions one is compared with every patch of its tracts. */
const THOROUGH = 40;
const TIMEOUT = 30_000 + COUNT;

/** Uniform in [0, 1), the same in every run (a linear congruential generator modulo 2^32, by Numerical Recipes). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomVector(random: () => number): UnitVector {
  return fromLonLat(random() * 2 * Math.PI, Math.asin(2 * random() - 1));
}

function holds(polygon: PolygonVertices, point: UnitVector): boolean {
  return polygon.every((vertex, i) => dot(cross(vertex, polygon[(i + 1) % polygon.length]!), point) >= 0);
}

/** All tracts in whose polygons a point lies. Those are tried whose centres are near enough in declination. */
function findByPolygons(map: SkyMap): (point: UnitVector) => readonly number[] {
  const bands = Array.from({ length: 181 }, (): { number: number; polygon: PolygonVertices; x: number; y: number; z: number }[] => []);
  let farthest = 0;
  for (let number = 0; number < map.tractCount; number++) {
    const { polygon, centre } = map.tract(number);
    const [x, y, z] = vectorOf(centre);
    farthest = Math.max(farthest, ...polygon.map((vertex) => Math.acos(dot(vertex, [x, y, z]))));
    bands[Math.floor(centre.dec) + 90]!.push({ number, polygon, x, y, z });
  }
  const least = Math.cos(farthest * 1.01);
  const reach = Math.ceil((farthest / degree) * 1.01) + 1;
  return (point) => {
    const [px, py, pz] = point;
    const band = Math.floor(Math.asin(pz) / degree) + 90;
    return bands
      .slice(Math.max(0, band - reach), band + reach + 1)
      .flatMap((tracts) => tracts.filter(({ polygon, x, y, z }) => px * x + py * y + pz * z > least && holds(polygon, point)))
      .map(({ number }) => number)
      .sort((a, b) => a - b);
  };
}

const hsc = namedSkyMaps['hsc_rings_v1'] as SkyMapDefinition & { kind: 'rings' };
/** Their polygons have straight sides in pixels as on the sky. */
const gnomonic: readonly (readonly [string, SkyMapDefinition])[] = [
  ['hsc_rings_v1', hsc],
  ['hsc_rings_v1 in the older numbering', { ...hsc, version: 0 }],
  ['lsst_cells_v1', namedSkyMaps['lsst_cells_v1']!],
  ['few rings, turned', { ...hsc, numRings: 12, raStart: 33, rotation: 20, overlap: 4, pixelScale: 2 }],
  [
    'discrete',
    {
      ...hsc,
      kind: 'discrete',
      tracts: [
        { ra: 10, dec: 0, radius: 20 },
        { ra: 359, dec: 30, radius: 15 },
        { ra: -170, dec: -80, radius: 12 },
      ],
      pixelScale: 5,
      patches: cellPatches,
    },
  ],
];

describe.each(gnomonic)('%s', (_, definition) => {
  it(
    'has each position in the tracts and patches whose polygons hold it',
    () => {
      const map = openSkyMap(definition);
      const random = randomNumbers(20141127);
      const byPolygons = findByPolygons(map);
      let outside = 0;
      for (let i = 0; i < COUNT; i++) {
        const point = randomVector(random);
        const position = positionOf(point);
        const expected = byPolygons(point);
        const containing = map.tractsContaining(position);
        if (containing.map(({ tract }) => tract).join() !== expected.join()) {
          expect({ position, tracts: containing.map(({ tract }) => tract) }).toEqual({ position, tracts: expected });
        }
        const tract = map.findTract(position);
        const patch = tract.findPatch(position);
        if (!expected.includes(tract.tract)) {
          outside++;
          if (patch !== undefined) expect({ position, patch }).toBe('outside');
          continue;
        }
        if (patch === undefined || !holds(patch.innerPolygon, point)) expect({ position, patch }).toBe('in the polygon of its patch');
        if (i % THOROUGH === 0) expect(patchesByPolygons(containing, point)).toEqual(patchesFound(map, position));
      }
      // Rings cover the sky, but where the older numbering has left a tract out.
      if (definition.kind === 'rings') expect(outside).toBeLessThan(definition.version === 1 ? 1 : COUNT / 1000);
      else expect(outside).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});

function patchesFound(map: SkyMap, position: SkyPosition): readonly string[] {
  const tracts = new Set(map.tractsContaining(position).map(({ tract }) => tract));
  return map
    .patchesContaining(position)
    .filter(({ tract }) => tracts.has(tract))
    .map(({ tract, patch }) => `${tract}/${patch}`);
}

function patchesByPolygons(tracts: readonly ReturnType<SkyMap['tract']>[], point: UnitVector): readonly string[] {
  return tracts.flatMap((tract) =>
    Array.from({ length: tract.columns * tract.rows }, (_, number) => tract.patch(number))
      .filter(({ polygon }) => holds(polygon, point))
      .map(({ patch }) => `${tract.tract}/${patch}`),
  );
}

const common = { pixelScale: 20, overlap: 1, rotation: 0, patches: legacyPatches } as const;
const covering: readonly (readonly [string, SkyMapDefinition])[] = [
  ['dodeca', { ...common, kind: 'dodeca', tractsOnPoles: false, projection: 'STG', overlap: 3.5 }],
  ['dodeca on the poles', { ...common, kind: 'dodeca', tractsOnPoles: true, projection: 'STG', overlap: 3.5 }],
  ['healpix', { ...common, kind: 'healpix', log2NSide: 0, nest: false, projection: 'STG', rotation: 45 }],
  ['healpix of 192 tracts', { ...common, kind: 'healpix', log2NSide: 2, nest: true, projection: 'TAN', rotation: 45 }],
  ['equat', { ...common, kind: 'equat', numTracts: 4, decRange: [-90, 90], projection: 'CEA' }],
  ['rings, stereographic', { ...common, kind: 'rings', numRings: 10, raStart: 0, version: 1, projection: 'STG' }],
];

describe.each(covering)('%s', (_, definition) => {
  it('has each position in its tract, and the pixels of its patch', () => {
    const map = openSkyMap(definition);
    const random = randomNumbers(7);
    for (let i = 0; i < COUNT / 10; i++) {
      const point = randomVector(random);
      const position = positionOf(point);
      const tract = map.findTract(position);
      const { x, y } = tract.wcs.skyToPixel(position)!;
      const patch = tract.findPatch(position)!;
      const { minX, maxX, minY, maxY } = patch.inner;
      expect(x >= minX - 0.5 && x < maxX + 0.5 && y >= minY - 0.5 && y < maxY + 0.5).toBe(true);
      const back = vectorOf(tract.wcs.pixelToSky({ x, y })!);
      expect(Math.max(...back.map((component, j) => Math.abs(component - point[j]!)))).toBeLessThan(1e-13);
      expect(map.tractsContaining(position).includes(tract)).toBe(true);
      expect(map.patchesContaining(position).some((other) => other.tract === patch.tract && other.patch === patch.patch)).toBe(true);
      const inner = tract.inner;
      if (inner.kind === 'polygon' && definition.kind === 'dodeca') expect(isIn(inner.vertices, point)).toBe(true);
    }
  });
});

/** Whichever way round the vertices go. */
function isIn(vertices: PolygonVertices, point: UnitVector): boolean {
  return holds(vertices, point) || holds([...vertices].reverse(), point);
}

describe('tracts and patches of a region', () => {
  const map = openSkyMap(hsc);

  it('hold every position of it', () => {
    const random = randomNumbers(3);
    for (let i = 0; i < 300; i++) {
      const { ra, dec } = positionOf(randomVector(random));
      const corners = [0, 1, 2, 3].map((k) => ({ ra: ra + (k % 2) * 0.3, dec: Math.max(-90, Math.min(90, dec + (k > 1 ? 0.3 : 0))) }));
      const found = map.findTractPatchList(corners);
      expect(found.map(({ tract }) => tract.tract)).toEqual([...found.map(({ tract }) => tract.tract)].sort((a, b) => a - b));
      for (const corner of corners) {
        const { tract, patch } = map.findTract(corner).findPatch(corner)!;
        expect(found.some((one) => one.tract.tract === tract && one.patches.some((other) => other.patch === patch))).toBe(true);
      }
    }
  });

  it('are one tract and four patches at a corner of patches', () => {
    const tract = map.tract(9813);
    const corner = tract.wcs.pixelToSky({ x: 15999.5, y: 15999.5 })!;
    const found = map.findTractPatchList([corner]);
    expect(found.map((one) => [one.tract.tract, one.patches.map(({ patch }) => patch)])).toEqual([[9813, [30, 39, 31, 40]]]);
    expect(map.patchesContaining(corner).map(({ patch }) => patch)).toEqual([30, 31, 39, 40]);
  });

  it('are none for no positions', () => {
    expect(map.findTractPatchList([])).toEqual([]);
  });
});

describe('HEALPix grids', () => {
  it.each([1, 2, 16])('number pixels of RING from north to south (%i)', (side) => {
    const grid = healpixGrid(side, false);
    const pixels = Array.from({ length: grid.pixelCount }, (_, pixel) => ({ pixel, ...grid.centre(pixel) }));
    pixels.sort((a, b) => (Math.abs(a.z - b.z) > 1e-9 ? b.z - a.z : a.phi - b.phi));
    expect(pixels.map(({ pixel }) => pixel)).toEqual(Array.from({ length: grid.pixelCount }, (_, pixel) => pixel));
  });

  it.each([1, 2, 16])('find the pixel of each centre (%i)', (side) => {
    for (const nest of [true, false]) {
      const grid = healpixGrid(side, nest);
      for (let pixel = 0; pixel < grid.pixelCount; pixel++) expect(grid.find(grid.centre(pixel))).toBe(pixel);
    }
  });

  it('has pixels of NESTED where sphgeom has them', () => {
    // lsst.sphgeom, HealpixPixelization(3).index of longitude and latitude in degrees.
    const known: readonly (readonly [number, number, number])[] = [
      [10, 80, 62],
      [100, 55, 110],
      [200, 41, 169],
      [300, 5, 471],
      [359, -1, 271],
      [45, -42, 527],
      [180, -88, 640],
      [270.5, -30, 449],
    ];
    const grid = healpixGrid(8, true);
    for (const [longitude, latitude, pixel] of known) {
      expect(grid.find({ z: Math.sin(latitude * degree), phi: longitude / 90 })).toBe(pixel);
    }
  });
});
