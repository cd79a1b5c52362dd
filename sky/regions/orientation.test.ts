import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cross, dot, fromLonLat, normalize } from '../vector.js';
import type { Vector } from '../vector.js';
import { arcsCross } from './arcs.js';
import { orientation } from './orientation.js';

const coordinates = fc.double({ min: -1, max: 1, noNaN: true });
const vectors = fc.tuple(coordinates, coordinates, coordinates);

describe('orientation', () => {
  it('is the sign of the determinant where doubles know it', () => {
    fc.assert(
      fc.property(vectors, vectors, vectors, (a, b, c) => {
        const determinant = dot(a, cross(b, c));
        if (Math.abs(determinant) > 1e-13) expect(orientation(a, b, c)).toBe(Math.sign(determinant));
      }),
    );
  });

  it('changes its sign with every exchange, however near to zero', () => {
    const near = fc.tuple(vectors, vectors, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: -3, max: 3 }));
    fc.assert(
      fc.property(near, ([a, b, share, units]) => {
        // On the great circle of a and b but for roundings and a few units of the last place.
        const c: Vector = [0, 1, 2].map(
          (axis) => (a[axis]! * share + b[axis]! * (1 - share)) * (1 + units * 2 ** -52),
        ) as unknown as Vector;
        const sign = orientation(a, b, c);
        expect(orientation(b, c, a)).toBe(sign);
        expect(orientation(c, a, b)).toBe(sign);
        expect(orientation(b, a, c) + sign).toBe(0);
        expect(orientation(a, a, c)).toBe(0);
        expect(orientation(a, b, [-b[0], -b[1], -b[2]])).toBe(0);
      }),
    );
  });

  it('sees one unit in the last place, where doubles do not', () => {
    const [a, b] = [
      [1, 1, 1],
      [1, 1, 1 + 2 ** -52],
    ] as const;
    expect(orientation(a, b, [1, 1 + 2 ** -52, 1])).toBe(-1);
    expect(orientation(a, [1, 1 + 2 ** -52, 1], b)).toBe(1);
    expect(orientation([1, 0, 0], [0, 1, 0], [0.5, 0.5, Number.MIN_VALUE])).toBe(1);
    expect(orientation([1, 0, 0], [0, 1, 0], [0.5, 0.5, -Number.MIN_VALUE])).toBe(-1);
    expect(orientation([1, 0, 0], [0, 1, 0], [0.5, 0.5, 0])).toBe(0);
  });
});

describe('arcs', () => {
  it('cross where both have their ends on both sides of the other, and not where the antipodes do', () => {
    const [west, east, south, north] = [fromLonLat(-0.1, 0), fromLonLat(0.1, 0), fromLonLat(0, -0.1), fromLonLat(0, 0.1)];
    expect(arcsCross(west, east, south, north)).toBe(true);
    expect(arcsCross(east, west, south, north)).toBe(true);
    expect(arcsCross(west, east, normalize([-1, 0, 0.1]), normalize([-1, 0, -0.1]))).toBe(false);
    expect(arcsCross(west, east, fromLonLat(0.2, -0.1), fromLonLat(0.2, 0.1))).toBe(false);
  });
});
