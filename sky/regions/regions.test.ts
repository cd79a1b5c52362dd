import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ButlerfsError } from '../../common/errors.js';
import { degree, fromLonLat, separation, tau } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { Box } from './box.js';
import { Circle } from './circle.js';
import { IntersectionRegion, UnionRegion } from './compound.js';
import { ConvexPolygon } from './convex-polygon.js';
import { Ellipse } from './ellipse.js';
import type { AnyRegion } from './relations.js';
import { boxes, circles, directions, ellipses, offset, placesIn, polygons, regions } from './testing.js';

/** A box in degrees with great circles for sides. */
function square(longitude: number, latitude: number, half = 1): ConvexPolygon {
  const at = (east: number, north: number): UnitVector =>
    fromLonLat((longitude + east * half) * degree, (latitude + north * half) * degree);
  return ConvexPolygon.of([at(-1, -1), at(1, -1), at(1, 1), at(-1, 1)]);
}

function polygon(...corners: readonly (readonly [longitude: number, latitude: number])[]): ConvexPolygon {
  return ConvexPolygon.of(corners.map(([longitude, latitude]) => fromLonLat(longitude * degree, latitude * degree)));
}

const few = { numRuns: 300 };

describe('any two regions', () => {
  it('are as far from each other from either side', { timeout: 20_000 }, () => {
    fc.assert(
      fc.property(regions, regions, (a, b) => {
        const { disjoint, contains, within } = a.relate(b);
        expect(b.relate(a)).toEqual({ disjoint, contains: within, within: contains });
        expect(a.intersects(b)).toBe(!disjoint);
        // What contains a region meets it, unless that is empty. An intersection may not know that it is.
        if (contains && disjoint && b.kind !== 'intersection') expect(b.isEmpty).toBe(true);
      }),
      few,
    );
  });

  it('have no point that says otherwise', { timeout: 20_000 }, () => {
    fc.assert(
      fc.property(regions, regions, (a, b) => {
        const relation = a.relate(b);
        for (const place of [...placesIn(a), ...placesIn(b)]) {
          const [inA, inB] = [a.contains(place), b.contains(place)];
          if (inA && inB) expect(relation.disjoint).toBe(false);
          if (inB && !inA) expect(relation.contains).toBe(false);
          if (inA && !inB) expect(relation.within).toBe(false);
        }
      }),
      few,
    );
  });

  it('contain themselves, and are in all of the sky', () => {
    fc.assert(
      fc.property(fc.oneof(polygons, circles, boxes, ellipses), (region) => {
        expect(region.contains(region)).toBe(true);
        expect(Box.full.contains(region) && Circle.full.contains(region) && Ellipse.full.contains(region)).toBe(true);
        expect(region.contains(Box.empty) && region.isDisjointFrom(Circle.empty) && Ellipse.empty.isWithin(region)).toBe(true);
        expect(UnionRegion.of([]).isWithin(region) && IntersectionRegion.of([]).contains(region)).toBe(true);
      }),
      few,
    );
  });
});

describe('bounds', () => {
  it('contain the region', { timeout: 20_000 }, () => {
    fc.assert(
      fc.property(regions, (region) => {
        const { center, openingAngle } = region.boundingCircle();
        const box = Box.of(region.boundingBox());
        expect(box.isEmpty || openingAngle < 0).toBe(region.isEmpty);
        for (const place of placesIn(region)) {
          if (!region.contains(place)) continue;
          expect(separation(center, place)).toBeLessThanOrEqual(openingAngle + 1e-15);
          expect(box.contains(place)).toBe(true);
        }
      }),
      few,
    );
  });

  it('are tight round simple things', () => {
    const { west, east, south, north } = square(0, 10).boundingBox();
    expect([west - tau, east, south]).toEqual([-degree, degree, 9 * degree].map((value) => expect.closeTo(value, 13) as number));
    // An edge along a great circle bulges north of its ends.
    expect(north).toBeGreaterThan(11 * degree + 1e-6);
    expect(polygon([0, 80], [120, 80], [240, 80]).boundingBox()).toMatchObject({ west: 0, east: tau, north: Math.PI / 2 });
    expect(Circle.around([0, 0, 1], 0.1).boundingBox()).toMatchObject({ west: 0, east: tau });
  });
});

describe('distances', () => {
  it('are those of the nearest point', { timeout: 20_000 }, () => {
    fc.assert(
      fc.property(fc.oneof(polygons, circles, boxes, ellipses), directions, (region, direction) => {
        const distance = region.distanceTo(direction);
        if (region.contains(direction)) expect(distance).toBe(0);
        // A circle that ends just before the region is apart from it; one that reaches it is not.
        const isClear = distance > 1e-12 && distance < Math.PI - 1e-7;
        if (isClear) expect(Circle.around(direction, distance * (1 - 1e-9) - 1e-14).isDisjointFrom(region)).toBe(true);
        expect(Circle.around(direction, distance + 1e-14).intersects(region)).toBe(true);
        for (const place of placesIn(region)) {
          if (region.contains(place)) expect(separation(direction, place)).toBeGreaterThanOrEqual(distance - 1e-14);
        }
      }),
      few,
    );
  });

  it('of ellipses are those to points all round them', () => {
    fc.assert(
      fc.property(ellipses, directions, (ellipse, direction) => {
        if (ellipse.isLarge || ellipse.contains(direction)) return;
        const { inside, outside } = ellipse.polygons(512);
        expect(inside.distanceTo(direction)).toBeGreaterThanOrEqual(ellipse.distanceTo(direction) - 1e-14);
        expect(outside.distanceTo(direction)).toBeLessThanOrEqual(ellipse.distanceTo(direction) + 1e-14);
      }),
      few,
    );
  });
});

describe('convex polygons', () => {
  it.each<[string, ConvexPolygon, ConvexPolygon, boolean]>([
    ['the same', square(0, 0), square(0, 0), true],
    ['side by side', square(0, 0), square(2.1, 0), false],
    ['over a corner', square(0, 0), square(1.9, 1.9), true],
    ['past a corner', square(0, 0), square(2.1, 2.1), false],
    ['one in the other', square(0, 0, 5), square(1, 1, 0.1), true],
    ['crossing, without a corner in each other', square(0, 0), polygon([-3, -0.1], [3, -0.1], [3, 0.1], [-3, 0.1]), true],
    ['across the meridian', square(359.5, 10), square(0.5, 10), true],
    ['round the pole', square(0, 89, 0.9), square(180, 89.5, 0.4), false],
    ['over the pole', polygon([0, 89], [90, 89], [180, 89], [270, 89]), square(40, 89.8, 0.1), true],
    ['on the far side of the sky', square(0, 0), square(180, 0), false],
    [
      'crossed on the far side of the sky',
      polygon([-40, -1], [40, -1], [40, 1], [-40, 1]),
      polygon([179, -40], [181, -40], [181, 40], [179, 40]),
      false,
    ],
    ['that share an edge', polygon([0, 0], [1, 0], [0, 1]), polygon([1, 0], [1, 1], [0, 1]), true],
  ])('%s', (_, a, b, expected) => {
    expect(a.intersects(b)).toBe(expected);
    expect(b.intersects(a)).toBe(expected);
  });

  it('have the area of what they are made of', () => {
    expect(polygon([0, 0], [90, 0], [0, 90]).area()).toBeCloseTo(Math.PI / 2, 14);
    const milliarcsecond = degree / 3.6e6;
    const center = fromLonLat(1, 0.5);
    const corners = [0, 1, 2, 3].map((corner) => offset(center, milliarcsecond, (corner * Math.PI) / 2));
    expect(ConvexPolygon.of(corners).area() / (2 * milliarcsecond ** 2)).toBeCloseTo(1, 6);
  });

  it('are the hulls of points', () => {
    const hull = ConvexPolygon.around([
      ...square(20, 70).vertices(),
      fromLonLat(20 * degree, 70 * degree),
      fromLonLat(20.5 * degree, 70.2 * degree),
    ]);
    expect(hull.count).toBe(4);
    expect(hull.contains(square(20, 70)) && square(20, 70).contains(hull)).toBe(true);
  });

  it.each<[string, () => unknown]>([
    ['it has 2 vertices', () => polygon([0, 0], [1, 0])],
    ['clockwise', () => polygon([0, 0], [0, 1], [1, 0])],
    [
      'no unit vector',
      () =>
        ConvexPolygon.of([
          [1, 0, 0],
          [0, 2, 0],
          [0, 0, 1],
        ]),
    ],
    [
      'no unit vector',
      () =>
        ConvexPolygon.of([
          [1, 0, 0],
          [0, NaN, 0],
          [0, 0, 1],
        ]),
    ],
    ['turns right', () => polygon([0, 0], [10, 0], [5, 1], [10, 10], [0, 10])],
    ['round more than once', () => polygon(...[0, 144, 288, 432, 576].map((turn) => [turn, 80] as const))],
    ['does not go round its middle', () => polygon([0, 0], [120, 0], [240, 0])],
    ['on one great circle', () => ConvexPolygon.around([0, 1, 2].map((step) => fromLonLat(step * degree, 0)))],
    [
      'all round the sky',
      () =>
        ConvexPolygon.around([
          [1, 0, 0],
          [-1, 0, 0],
        ]),
    ],
  ])('refuse what they are not: %s', (why, make) => {
    expect(make).toThrow(ButlerfsError);
    expect(make).toThrow(why);
  });
});

describe('circles, boxes and ellipses', () => {
  it('may be a point, and nearly all of the sky', () => {
    const point = Circle.around([0, 0, 1], 0);
    expect(point.contains([0, 0, 1]) && !point.contains([1e-8, 0, 1])).toBe(true);
    const nearlyAll = Circle.around([0, 0, 1], Math.PI - 1e-7);
    expect([nearlyAll.contains([0, 0, -1]), nearlyAll.contains(fromLonLat(0, -Math.PI / 2 + 2e-7))]).toEqual([false, true]);
    expect(nearlyAll.isDisjointFrom(Circle.around([0, 0, -1], 1e-8))).toBe(true);
    expect(Circle.around([1, 0, 0], -1).isEmpty && Circle.around([1, 0, 0], 4).isFull).toBe(true);
  });

  it('of boxes: longitudes across 0, and poles', () => {
    const box = Box.of({ west: 350 * degree, east: 10 * degree, south: -0.1, north: 0.1 });
    expect([box.contains([1, 0, 0]), box.contains([-1, 0, 0])]).toEqual([true, false]);
    expect(box.area()).toBeCloseTo(20 * degree * 2 * Math.sin(0.1), 14);
    expect(Box.of({ west: -10 * degree, east: 10 * degree, south: -0.1, north: 0.1 }).relate(box)).toMatchObject({ disjoint: false });
    const cap = Box.of({ west: 0, east: 7, south: 1.5, north: 2 });
    expect([cap.isAllRound, cap.north, cap.contains([0, 0, 1])]).toEqual([true, Math.PI / 2, true]);
    expect(cap.contains(Circle.around([0, 0, 1], Math.PI / 2 - 1.51))).toBe(true);
    expect(Box.of({ west: 1, east: 2, south: 0.2, north: 0.1 }).isEmpty).toBe(true);
    expect(() => Box.of({ west: 7, east: 1, south: 0, north: 1 })).toThrow('give the western one first');
  });

  it('of ellipses: their axes, their foci, and their areas', () => {
    const ellipse = Ellipse.around([1, 0, 0], 0.2, 0.1, 0);
    expect([
      ellipse.contains(fromLonLat(0, 0.1999)),
      ellipse.contains(fromLonLat(0.1001, 0)),
      ellipse.contains(fromLonLat(0.0999, 0)),
    ]).toEqual([true, false, true]);
    const foci = [fromLonLat(0.1, 0), fromLonLat(-0.1, 0)] as const;
    const ofFoci = Ellipse.ofFoci(...foci, 0.3);
    fc.assert(
      fc.property(directions, (direction) => {
        const total = separation(direction, foci[0]) + separation(direction, foci[1]);
        if (Math.abs(total - 0.6) > 1e-12) expect(ofFoci.contains(direction)).toBe(total < 0.6);
      }),
      few,
    );
    expect(Ellipse.around([1, 0, 0], 0.3, 0.3, 0).area()).toBeCloseTo(Circle.around([1, 0, 0], 0.3).area(), 14);
    expect(ellipse.area() + ellipse.complement().area()).toBeCloseTo(4 * Math.PI, 13);
    expect(ellipse.area()).toBeGreaterThan(ellipse.polygons(4096).inside.area());
    expect(ellipse.area()).toBeLessThan(ellipse.polygons(4096).outside.area());
  });

  it.each<[string, () => unknown]>([
    ['NaN', () => Circle.around([1, 0, 0], NaN)],
    ['no unit vector', () => Circle.around([1, 1, 0], 1)],
    ['orientation', () => Ellipse.around([1, 0, 0], 1, 1, Infinity)],
    ['not both under pi/2', () => Ellipse.around([1, 0, 0], 1, 2, 0)],
    ['no unit vectors', () => Ellipse.ofFoci([1, 0, 0], [0, 0, 3], 1)],
  ])('refuse what they are not: %s', (why, make) => {
    expect(make).toThrow(why);
  });
});

describe('unions and intersections', () => {
  it('take in their own kind, and have areas where that is simple', () => {
    const [near, far]: AnyRegion[] = [square(0, 0), square(90, 0)];
    const union = UnionRegion.of([UnionRegion.of([near!]), far!]);
    expect(union.members).toEqual([near, far]);
    expect(union.area()).toBeCloseTo(near!.area() + far!.area(), 14);
    expect(IntersectionRegion.of([near!, far!]).isEmpty).toBe(true);
    expect(IntersectionRegion.of([square(0, 0, 2), near!]).area()).toBe(near!.area());
    expect(() => UnionRegion.of([near!, square(1, 0)]).area()).toThrow('overlap in part');
  });
});
