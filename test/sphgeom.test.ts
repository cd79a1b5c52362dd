/**
 * Regions at random, compared with lsst-sphgeom: their bytes, how they lie to each other, and their pixels. `BUTLERFS_SPHGEOM_PAIRS` says how many pairs, 10,000 by
 * default; `BUTLERFS_SPHGEOM_SEED` which.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRegion, encodeRegionHex } from '../sky/regions/codec.js';
import type { PixelRanges } from '../sky/regions/contract.js';
import { HtmPixelisation } from '../sky/regions/htm.js';
import { intersectionOfRanges, sizeOfRanges } from '../sky/regions/pixel-ranges.js';
import type { AnyRegion } from '../sky/regions/relations.js';
import { sphgeom } from './support/python.js';
import { runSuccessfully } from './support/run.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';

const PAIRS = Number(process.env['BUTLERFS_SPHGEOM_PAIRS'] ?? 10_000);
const SEED = Number(process.env['BUTLERFS_SPHGEOM_SEED'] ?? 20_240_229);
const ENVELOPES = Math.min(PAIRS, 500);
const DISJOINT = 1;
const CONTAINS = 2;
const WITHIN = 4;

interface Pair {
  readonly bytes: readonly [Buffer, Buffer];
  readonly regions: readonly [AnyRegion, AnyRegion];
  /** What sphgeom is certain of. */
  readonly relation: number;
  /** What points of the regions show not to be so. */
  readonly refuted: number;
}

interface Pixels {
  readonly region: AnyRegion;
  readonly level: number;
  readonly envelope: PixelRanges;
  readonly interior: PixelRanges;
}

function bitsOf(a: AnyRegion, b: AnyRegion): number {
  const { disjoint, contains, within } = a.relate(b);
  return (disjoint ? DISJOINT : 0) | (contains ? CONTAINS : 0) | (within ? WITHIN : 0);
}

/** Boxes that both reach a pole meet there; sphgeom looks at their longitudes alone. */
function meetAtPole(a: AnyRegion, b: AnyRegion): boolean {
  return a.kind === 'box' && b.kind === 'box' && [-1, 1].some((z) => a.contains([0, 0, z]) && b.contains([0, 0, z]));
}

function told({ regions: [a, b], relation, refuted }: Pair): string {
  return `${a.kind} ${encodeRegionHex(a)}, ${b.kind} ${encodeRegionHex(b)}: ${bitsOf(a, b)}, sphgeom ${relation}, refuted ${refuted}`;
}

function read(data: Buffer): { pairs: Pair[]; pixels: Pixels[] } {
  let at = 0;
  const next = (size: number): Buffer => data.subarray(at, (at += size));
  const pairs = Array.from({ length: PAIRS }, (): Pair => {
    const bytes = [next(next(4).readUInt32LE()), next(next(4).readUInt32LE())] as const;
    const [relation, refuted] = next(2) as unknown as [number, number];
    return { bytes, regions: [decodeRegion(bytes[0]), decodeRegion(bytes[1])], relation, refuted };
  });
  const ranges = (): number[] => Array.from({ length: 2 * next(4).readUInt32LE() }, () => Number(next(8).readBigUInt64LE()));
  const pixels = pairs
    .slice(0, ENVELOPES)
    .map(({ regions: [region] }): Pixels => ({ region, level: next(1)[0]!, envelope: ranges(), interior: ranges() }));
  expect(at).toBe(data.length);
  return { pairs, pixels };
}

(sphgeom() === undefined ? describe.skip : describe)(`lsst-sphgeom and ${PAIRS} pairs of regions of seed ${SEED}`, () => {
  const directory = temporaryDirectory();
  let pairs: Pair[] = [];
  let pixels: Pixels[] = [];

  beforeAll(
    async () => {
      const program = fileURLToPath(new URL('./support/sphgeom.py', import.meta.url));
      const output = join(directory, 'pairs');
      await runSuccessfully(sphgeom()!, [program, String(SEED), String(PAIRS), String(ENVELOPES), output], { timeout: 30_000 + 5 * PAIRS });
      ({ pairs, pixels } = read(readFileSync(output)));
    },
    60_000 + 10 * PAIRS,
  );
  afterAll(() => {
    removeDirectory(directory);
  });

  it('write the same bytes', () => {
    for (const { bytes, regions } of pairs) {
      regions.forEach((region, index) => {
        if (Buffer.compare(region.encode(), bytes[index]!) !== 0) expect(encodeRegionHex(region)).toBe(bytes[index]!.toString('hex'));
      });
    }
  });

  it(
    'agree in every relation that sphgeom is certain of, and what is certain here no point refutes',
    { timeout: 60_000 + 10 * PAIRS },
    () => {
      const wrong = pairs.filter((pair) => {
        const bits = bitsOf(...pair.regions);
        const certain = meetAtPole(...pair.regions) ? pair.relation & ~DISJOINT : pair.relation;
        return (certain & ~bits) !== 0 || (bits & pair.refuted) !== 0;
      });
      expect(wrong.map(told).slice(0, 5)).toEqual([]);
      // It must have been put to the test.
      for (const bit of [DISJOINT, CONTAINS, WITHIN]) {
        expect(pairs.filter(({ relation }) => (relation & bit) !== 0).length).toBeGreaterThan(PAIRS / 100);
      }
    },
  );

  it('agree exactly where both are polygons', () => {
    const wrong = pairs.filter(
      ({ regions: [a, b], relation }) => a.kind === 'polygon' && b.kind === 'polygon' && bitsOf(a, b) !== relation,
    );
    expect(wrong.map(told).slice(0, 5)).toEqual([]);
  });

  it(
    'have the same pixels, and here fewer too many where sphgeom takes a circle or a box in place of the region',
    { timeout: 60_000 },
    () => {
      for (const { region, level, envelope, interior } of pixels) {
        const pixelisation = new HtmPixelisation(level);
        const here = pixelisation.envelope(region);
        const what = `${region.kind} ${encodeRegionHex(region)} at level ${level}`;
        if (region.kind === 'polygon') expect(here, what).toEqual(envelope);
        else expect(sizeOfRanges(intersectionOfRanges(here, envelope)), what).toBe(sizeOfRanges(here));
        const inside = pixelisation.interior(region);
        if (region.kind === 'polygon') expect(inside, what).toEqual(interior);
        else if (region.kind !== 'ellipse') expect(sizeOfRanges(intersectionOfRanges(inside, interior)), what).toBe(sizeOfRanges(interior));
      }
    },
  );
});
