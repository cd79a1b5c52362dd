import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cross,
  degree,
  dot,
  fromLonLat,
  length,
  normalize,
  perpendicular,
  robustCross,
  separation,
  toLonLat,
  wrapLongitude,
} from './vector.js';
import type { Vector } from './vector.js';

const longitudes = fc.double({ min: -10, max: 10, noNaN: true });
const latitudes = fc.double({ min: -Math.PI / 2, max: Math.PI / 2, noNaN: true });
const directions = fc.tuple(longitudes, latitudes).map(([longitude, latitude]) => fromLonLat(longitude, latitude));

describe('directions', () => {
  it('go to longitude and latitude, and back', () => {
    fc.assert(
      fc.property(directions, (direction) => {
        const { longitude, latitude } = toLonLat(direction);
        expect(longitude).toBeGreaterThanOrEqual(0);
        expect(longitude).toBeLessThan(2 * Math.PI);
        expect(separation(fromLonLat(longitude, latitude), direction)).toBeLessThan(1e-15);
      }),
    );
  });

  it('have longitudes from 0 to 2 pi', () => {
    expect(wrapLongitude(-1e-300)).toBe(0);
    expect(Object.is(wrapLongitude(-2 * Math.PI), 0)).toBe(true);
    expect(wrapLongitude(7)).toBeCloseTo(7 - 2 * Math.PI, 15);
    expect(toLonLat([0, 0, -2])).toEqual({ longitude: 0, latitude: -Math.PI / 2 });
  });

  it('are apart by the smallest angles', () => {
    const milliarcsecond = degree / 3.6e6;
    for (const [longitude, latitude] of [
      [0, 0],
      [2, 1.2],
      [4, -Math.PI / 2 + 1e-3],
    ] as const) {
      const apart = separation(fromLonLat(longitude, latitude), fromLonLat(longitude, latitude + milliarcsecond));
      expect(Math.abs(apart - milliarcsecond)).toBeLessThan(3e-16);
    }
    expect(separation([1, 0, 0], [-3, 0, 0])).toBe(Math.PI);
  });
});

describe('vectors', () => {
  it('have a direction unless they are 0 or not finite', () => {
    for (const vector of [
      [3e-300, 4e-300, 0],
      [3e300, 4e300, 0],
      [3, 4, 0],
    ] satisfies Vector[]) {
      const unit = normalize(vector);
      expect(unit[0]).toBeCloseTo(0.6, 15);
      expect(length(unit)).toBeCloseTo(1, 15);
    }
    expect(() => normalize([0, 0, 0])).toThrow(RangeError);
    expect(() => normalize([NaN, 0, 1])).toThrow(RangeError);
    expect(() => normalize([Infinity, 0, 1])).toThrow(RangeError);
  });

  it('have others at a right angle', () => {
    fc.assert(
      fc.property(directions, directions, (a, b) => {
        expect(Math.abs(dot(perpendicular(a), a))).toBeLessThan(1e-15);
        expect(Math.abs(dot(cross(a, b), a))).toBeLessThan(1e-15);
        expect(Math.abs(length(robustCross(a, b)) - 2 * Math.sin(separation(a, b)))).toBeLessThan(1e-14);
      }),
    );
  });
});
