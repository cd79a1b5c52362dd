import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromLonLat, separation } from '../vector.js';
import { Circle } from './circle.js';
import { IntersectionRegion, UnionRegion } from './compound.js';
import type { Pixelisation } from './contract.js';
import { HealpixPixelisation } from './healpix.js';
import { HtmPixelisation } from './htm.js';
import { intersectionOfRanges, rangesInclude, sizeOfRanges, unionOfRanges } from './pixel-ranges.js';
import type { AnyRegion } from './relations.js';
import { directions, placesIn, regions } from './testing.js';

/** Radians: about as long as the border of a region is, so that no level is taken at which it has millions of pixels. */
function extentOf(region: AnyRegion): number {
  if (region.kind === 'union') return Math.max(0, ...region.members.map(extentOf));
  if (region.kind === 'circle') return Math.min(region.openingAngle, Math.PI - region.openingAngle);
  if (region.kind === 'ellipse' && region.isLarge) return Math.PI - Math.min(region.alpha, region.beta);
  // A box may leave out little and have a long border, and so what several cut out.
  return region.boundingCircle().openingAngle;
}

/** Of a level at which the region has some tens of pixels. */
function fitting(region: AnyRegion, make: (level: number) => Pixelisation, deepest: number): Pixelisation {
  return make(Math.min(deepest, Math.max(0, Math.floor(Math.log2(4 / Math.max(1e-9, extentOf(region)))))));
}

it('a level that fits has few pixels, also of what lies all round the sky', () => {
  const around = UnionRegion.of([Circle.around([1, 0, 0], 0.5), Circle.around([-1, 0, 0], 0.5)]);
  expect(around.boundingCircle().openingAngle).toBeGreaterThan(3);
  expect(fitting(around, (level) => new HtmPixelisation(level), 24).level).toBeLessThan(5);
});

describe.each<[string, (level: number) => Pixelisation, number]>([
  ['HTM', (level) => new HtmPixelisation(level), 24],
  ['HEALPix', (level) => new HealpixPixelisation(level), 17],
])('%s', (kind, make, deepest) => {
  it('has the pixel of every direction', () => {
    fc.assert(
      fc.property(directions, fc.integer({ min: 0, max: deepest }), (direction, level) => {
        const pixelisation = make(level);
        const index = pixelisation.index(direction);
        const [first, end] = pixelisation.universe;
        expect(Number.isSafeInteger(index) && index >= first && index < end).toBe(true);
        // It is in the pixel above, and near or in its polygon.
        if (level > 0) expect(make(level - 1).index(direction)).toBe(Math.floor(index / 4));
        const { center, openingAngle } = pixelisation.pixel(index).boundingCircle();
        expect(separation(center, direction)).toBeLessThan(1.1 * openingAngle + 1e-15);
      }),
      { numRuns: 300 },
    );
  });

  it('has envelopes that hold the region, and interiors that it holds', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(regions, (region) => {
        const pixelisation = fitting(region, make, deepest);
        const [envelope, interior] = [pixelisation.envelope(region), region.interior(pixelisation)];
        expect(sizeOfRanges(intersectionOfRanges(envelope, interior))).toBe(sizeOfRanges(interior));
        for (const place of placesIn(region)) {
          const index = pixelisation.index(place);
          if (region.contains(place)) expect(rangesInclude(envelope, index)).toBe(true);
          else if (rangesInclude(interior, index)) expect(region.distanceTo(place)).toBeLessThan(1e-15);
        }
        const [fewer, fewerInside] = [pixelisation.envelope(region, 3), pixelisation.interior(region, 3)];
        expect(Math.max(fewer.length, fewerInside.length)).toBeLessThanOrEqual(6);
        expect(unionOfRanges([fewer, envelope])).toEqual(fewer);
        expect(intersectionOfRanges(fewerInside, interior)).toEqual(fewerInside);
      }),
      { numRuns: 60 },
    );
  });

  it('has all of the sky, and nothing', () => {
    const pixelisation = make(3);
    expect(pixelisation.envelope(Circle.full)).toEqual(pixelisation.universe);
    expect(pixelisation.interior(Circle.full)).toEqual(pixelisation.universe);
    expect(pixelisation.envelope(Circle.empty)).toEqual([]);
  });

  it('refuses levels and indices that it has not', () => {
    expect(() => make(deepest + 1)).toThrow(`levels are integers from 0 to ${deepest}`);
    expect(() => make(0.5)).toThrow('levels are integers');
    const pixelisation = make(2);
    for (const index of [pixelisation.universe[1], -1, NaN, pixelisation.universe[0] + 0.5]) {
      expect(() => pixelisation.pixel(index)).toThrow(`of ${kind.toLowerCase()}2`);
    }
  });

  it('has few ranges of a large region at a fine level in no time', { timeout: 5000 }, () => {
    const envelope = make(deepest).envelope(Circle.around(fromLonLat(1, 0.3), 0.5), 50);
    expect(envelope.length).toBeLessThanOrEqual(100);
    expect(sizeOfRanges(envelope) / (make(deepest).universe[1] - make(deepest).universe[0])).toBeLessThan(0.1);
  });
});

describe.each([new HtmPixelisation(24), new HealpixPixelisation(17)])('of unions and intersections $name', (pixelisation) => {
  const [large, small] = [Circle.around([0, 0, 1], 1.5), Circle.around(fromLonLat(1, Math.PI / 2 - 1.5), 2e-7)];

  it('follows the border of a large member only where the others are', { timeout: 5000 }, () => {
    const both = pixelisation.envelope(IntersectionRegion.of([large, small]));
    expect(both).toEqual(intersectionOfRanges(both, pixelisation.envelope(small)));
    expect(sizeOfRanges(both)).toBeGreaterThan(0);
    expect(sizeOfRanges(both)).toBeLessThan(1000);
    expect(rangesInclude(both, pixelisation.index(fromLonLat(1, Math.PI / 2 - 1.5)))).toBe(true);
    // Also where one of several parts is small, and within each other.
    const parts = UnionRegion.of([large, Circle.around([1, 0, 0], 1)]);
    expect(pixelisation.envelope(IntersectionRegion.of([parts, small]))).toEqual(both);
  });

  it('has few ranges of large ones in no time', { timeout: 5000 }, () => {
    const other = Circle.around([0, 1, 0], 1);
    for (const region of [UnionRegion.of([large, other]), IntersectionRegion.of([large, other])]) {
      const [outside, inside] = [pixelisation.envelope(region, 20), pixelisation.interior(region, 20)];
      expect(Math.max(outside.length, inside.length)).toBeLessThanOrEqual(40);
      expect(intersectionOfRanges(outside, inside)).toEqual(inside);
      expect(rangesInclude(outside, pixelisation.index(fromLonLat(Math.PI / 2, 0.5)))).toBe(true);
      expect(rangesInclude(outside, pixelisation.index([0, 0, -1]))).toBe(false);
    }
  });
});

describe('triangles of HTM', () => {
  it('are in the interior and the envelope of the triangle they are cut from', () => {
    const [coarse, fine] = [new HtmPixelisation(4), new HtmPixelisation(6)];
    const triangle = coarse.pixel(3000);
    const children = [3000 * 16, 3001 * 16] as const;
    expect(intersectionOfRanges(fine.envelope(triangle), children)).toEqual(children);
    expect(intersectionOfRanges(fine.interior(triangle), children)).toEqual(fine.interior(triangle));
  });
});

describe('pixels of HEALPix', () => {
  it('have the indices of Górski et al.', () => {
    expect([0.1, Math.PI / 2 + 0.1, 4].map((longitude) => new HealpixPixelisation(0).index(fromLonLat(longitude, 1.2)))).toEqual([0, 1, 2]);
    expect([0, 1.6, 3.2, 4.8].map((longitude) => new HealpixPixelisation(0).index(fromLonLat(longitude, 0)))).toEqual([4, 5, 6, 7]);
    expect(new HealpixPixelisation(17).index([0, 0, -1])).toBe(8 * 4 ** 17);
  });

  it('have the same area, by their outlines', () => {
    const pixelisation = new HealpixPixelisation(6);
    for (const index of [0, 1000, 20_000, 49_151]) {
      const center = pixelisation.center(index);
      expect(pixelisation.index(center)).toBe(index);
      expect(pixelisation.pixel(index).contains(center)).toBe(true);
      expect((pixelisation.pixel(index).area() / (4 * Math.PI)) * 12 * 4 ** 6).toBeCloseTo(1, 1);
    }
  });
});
