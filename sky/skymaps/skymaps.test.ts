/** Published numbers of sky maps, and what real registries hold of them. */

import Database from 'better-sqlite3';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../test/shared.js';
import { ConvexPolygon } from '../regions/convex-polygon.js';
import type { PolygonVertices, SkyMapDefinition } from './contract.js';
import { cellPatches, legacyPatches, namedSkyMaps } from './named.js';
import { openSkyMap } from './open.js';

const shared = sharedData();
const named = (name: string): SkyMapDefinition => namedSkyMaps[name]!;
const hsc = openSkyMap(named('hsc_rings_v1'));
const older = openSkyMap({ ...named('hsc_rings_v1'), kind: 'rings', numRings: 120, raStart: 0, version: 0 });
const text = (digest: Uint8Array): string => Buffer.from(digest).toString('base64');

/** Largest difference of a component. */
function difference(a: PolygonVertices, b: PolygonVertices): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.flatMap((vertex, i) => vertex.map((component, j) => Math.abs(component - b[i]![j]!))));
}

describe('published sky maps', () => {
  it.each([
    ['hsc_rings_v1', '4p/p8QCONZ82o2d+fWnMQ5N20eY=', 18938],
    ['DC2', 'Hl+oX+JCYGQmUo9fe42/Acuq/54=', 18938],
    ['discrete/ci_hsc', 'Kt7swQ9e5zUif7fo1Onj3ezH+Ts=', 1],
  ])('%s has its digest and its number of tracts', (name, digest, tracts) => {
    const map = openSkyMap(named(name));
    expect({ digest: text(map.digest), tracts: map.tractCount }).toEqual({ digest, tracts });
  });

  it.each([
    ['hsc_rings_v1', 9813, 9, 36000, 17999],
    ['DC2', 4431, 7, 28000, 13999],
    ['lsst_cells_v1', 9813, 10, 30000, 14999],
    ['discrete/ci_hsc', 0, 16, 64000, 31999],
  ])('%s has tracts of so many patches and pixels', (name, number, patches, pixels, reference) => {
    const { columns, rows, box, wcs } = openSkyMap(named(name)).tract(number);
    expect({ columns, rows }).toEqual({ columns: patches, rows: patches });
    expect(box).toEqual({ minX: 0, minY: 0, maxX: pixels - 1, maxY: pixels - 1 });
    expect(wcs.referencePixel).toEqual({ x: reference, y: reference });
  });

  it('counts the tracts of rings', () => {
    const rings = new Map<number, number>();
    for (let tract = 1; tract < hsc.tractCount - 1; tract++) {
      const dec = Math.round(hsc.tract(tract).centre.dec * 1e6);
      rings.set(dec, (rings.get(dec) ?? 0) + 1);
    }
    const sizes = [...rings.values()];
    expect(sizes.length).toBe(120);
    expect([...sizes.slice(0, 5), sizes[60], sizes[61]]).toEqual([10, 16, 22, 29, 35, 243, 242]);
  });

  it.each([
    [older, 9712, 0, 0.7438016528925696],
    [older, 9813, 150.2479338842975, 2.2314049586776834],
    [hsc, 9712, 0, 2.2314049586776834],
    [hsc, 8279, 29.87551867219917, -6.69421487603305],
    [hsc, 8766, 35.70247933884298, -3.71900826446281],
    [hsc, 9615, 216.2962962962963, 0.7438016528925696],
    [hsc, 0, 0, -90],
    [hsc, 18937, 0, 90],
  ])('has tracts at their centres (%#)', (map, number, ra, dec) => {
    const { centre } = map.tract(number);
    expect(centre.ra).toBeCloseTo(ra, 12);
    expect(centre.dec).toBeCloseTo(dec, 12);
  });

  it('numbers the first tracts of rings as the older version did', () => {
    expect(older.tractCount).toBe(hsc.tractCount);
    expect(older.tract(11).centre).toEqual(older.tract(1).centre);
    expect(older.tract(8766).centre).toEqual(hsc.tract(8766).centre);
    // 9712 moved by a ring, and the first of the last ring has no number.
    expect(older.findTract(older.tract(9712).centre).tract).toBe(9712);
    const firstOfLast = hsc.tract(18937 - 10);
    expect(firstOfLast.centre.ra).toBe(0);
    for (let tract = 0; tract < older.tractCount; tract++) expect(older.tract(tract).centre).not.toEqual(firstOfLast.centre);
    const differing = Array.from({ length: hsc.tractCount }, (_, i) => i).filter(
      (i) => hsc.tract(i).centre.ra !== older.tract(i).centre.ra || hsc.tract(i).centre.dec !== older.tract(i).centre.dec,
    );
    expect(differing.length).toBe(119);
  });

  it('has cells of 150 pixels in patches of 3400', () => {
    const patch = openSkyMap(named('lsst_cells_v1')).tract(9813).patchAt(0, 3);
    expect(patch.inner).toEqual({ minX: 0, minY: 9000, maxX: 2999, maxY: 11999 });
    expect(patch.outer).toEqual({ minX: -200, minY: 8800, maxX: 3199, maxY: 12199 });
    expect(patch.cells).toEqual({ columns: 22, rows: 22 });
    expect(patch.cell(2, 1)).toEqual({
      cell: 24,
      inner: { minX: 150, minY: 9000, maxX: 299, maxY: 9149 },
      outer: { minX: 100, minY: 8950, maxX: 349, maxY: 9199 },
    });
    expect(() => patch.cell(22, 0)).toThrow('from 0 to 21');
    expect(() => hsc.tract(1).patch(0).cell(0, 0)).toThrow('no cells');
  });

  it('clips the borders of patches to the tract', () => {
    const tract = hsc.tract(9813);
    expect(tract.patch(0).outer).toEqual({ minX: 0, minY: 0, maxX: 4099, maxY: 4099 });
    expect(tract.patch(40)).toMatchObject({ column: 4, row: 4, outer: { minX: 15900, minY: 15900, maxX: 20099, maxY: 20099 } });
  });

  it.each([
    () => hsc.tract(18938),
    () => hsc.tract(-1),
    () => hsc.tract(1.5),
    () => hsc.tract(1).patch(81),
    () => hsc.tract(1).patchAt(9, 0),
    () => hsc.findTract({ ra: 0, dec: 91 }),
    () => hsc.tractsContaining({ ra: NaN, dec: 0 }),
  ])('refuses what does not exist, and says the range (%#)', (ask) => {
    expect(ask).toThrow(/go from/);
  });

  it('refuses a tract that its projection cannot show', () => {
    const wide = openSkyMap({
      kind: 'equat',
      numTracts: 2,
      decRange: [-1, 1],
      projection: 'TAN',
      pixelScale: 1,
      overlap: 1,
      rotation: 0,
      patches: legacyPatches,
    });
    expect(() => wide.tract(0)).toThrow('does not fit');
    const cea = openSkyMap({ ...named('hsc_rings_v1'), projection: 'CEA' });
    expect(() => cea.tract(5)).toThrow('equator');
  });
});

describe.runIf(shared !== undefined)('polygons of real registries', () => {
  const encoded = (hexadecimal: string): PolygonVertices => ConvexPolygon.decode(Buffer.from(hexadecimal, 'hex')).vertices();

  it('of hsc_rings_v1 are those of the HSC export', () => {
    const yaml = readFileSync(join(shared!, 'dimensions/hsc-rc2-subset.yaml'), 'utf8');
    const tracts = [...yaml.matchAll(/- skymap: hsc_rings_v1\n +id: (\d+)\n +region: .*\n +encoded: ([0-9a-f]+)/g)];
    const patches = [
      ...yaml.matchAll(
        /- skymap: hsc_rings_v1\n +tract: (\d+)\n +id: (\d+)\n +cell_x: (\d+)\n +cell_y: (\d+)\n +region: .*\n +encoded: ([0-9a-f]+)/g,
      ),
    ];
    expect([tracts.length, patches.length]).toEqual([2, 2]);
    for (const [, tract, hexadecimal] of tracts) {
      expect(difference(hsc.tract(Number(tract)).polygon, encoded(hexadecimal!))).toBeLessThan(5e-14);
    }
    for (const [, tract, number, x, y, hexadecimal] of patches) {
      const patch = hsc.tract(Number(tract)).patch(Number(number));
      expect([patch.column, patch.row]).toEqual([Number(x), Number(y)]);
      expect(difference(patch.polygon, encoded(hexadecimal!))).toBeLessThan(5e-14);
    }
  });

  it('of DC2 are those of its repository', () => {
    const dc2 = openSkyMap(named('DC2'));
    const database = new Database(join(shared!, 'gen3-dc2/gen3.sqlite3'), { readonly: true });
    try {
      const tracts = database.prepare('select id, region from tract').all() as { id: number; region: string }[];
      const patches = database.prepare('select tract, id, cell_x, cell_y, region from patch').all() as {
        tract: number;
        id: number;
        cell_x: number;
        cell_y: number;
        region: string;
      }[];
      expect([tracts.length, patches.length]).toEqual([1, 4]);
      for (const { id, region } of tracts)
        expect(difference(dc2.tract(id).polygon, ConvexPolygon.decode(Buffer.from(region, 'base64')).vertices())).toBeLessThan(5e-14);
      for (const row of patches) {
        const patch = dc2.tract(row.tract).patch(row.id);
        expect([patch.column, patch.row]).toEqual([row.cell_x, row.cell_y]);
        expect(difference(patch.polygon, ConvexPolygon.decode(Buffer.from(row.region, 'base64')).vertices())).toBeLessThan(5e-14);
      }
    } finally {
      database.close();
    }
  });
});

it('names what every definition of it has', () => {
  expect(Object.keys(namedSkyMaps).length).toBeGreaterThanOrEqual(4);
  expect(cellPatches.cellInner * cellPatches.cellsInner).toBe(3000);
});
