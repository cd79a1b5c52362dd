import { describe, expect, it } from 'vitest';
import { type ConvexPolygon, decodeConvexPolygon, htmTriangle, polygonsOverlap, type UnitVector } from './convex-region.js';

const degrees = Math.PI / 180;

function at(longitude: number, latitude: number): UnitVector {
  const [l, b] = [longitude * degrees, latitude * degrees];
  return [Math.cos(b) * Math.cos(l), Math.cos(b) * Math.sin(l), Math.sin(b)];
}

function square(longitude: number, latitude: number, half = 1): ConvexPolygon {
  return [
    at(longitude - half, latitude - half),
    at(longitude + half, latitude - half),
    at(longitude + half, latitude + half),
    at(longitude - half, latitude + half),
  ];
}

function encode(polygon: ConvexPolygon): string {
  const bytes = Buffer.alloc(1 + 24 * polygon.length);
  bytes.write('p');
  polygon.flat().forEach((value, index) => bytes.writeDoubleLE(value, 1 + 8 * index));
  return bytes.toString('base64');
}

describe('convex polygons', () => {
  it.each<[string, ConvexPolygon, ConvexPolygon, boolean]>([
    ['the same', square(0, 0), square(0, 0), true],
    ['side by side', square(0, 0), square(2.1, 0), false],
    ['over a corner', square(0, 0), square(1.9, 1.9), true],
    ['past a corner', square(0, 0), square(2.1, 2.1), false],
    ['one in the other', square(0, 0, 5), square(1, 1, 0.1), true],
    ['crossing, without a corner in each other', square(0, 0, 1), [at(-3, -0.1), at(3, -0.1), at(3, 0.1), at(-3, 0.1)], true],
    ['across the meridian', square(359.5, 10), square(0.5, 10), true],
    ['round the pole', square(0, 89, 0.9), square(180, 89.5, 0.4), false],
    ['over the pole', [at(0, 89), at(90, 89), at(180, 89), at(270, 89)], square(40, 89.8, 0.1), true],
    ['on the far side of the sky', square(0, 0), square(180, 0), false],
  ])('%s', (_, a, b, expected) => {
    expect(polygonsOverlap(a, b)).toBe(expected);
    expect(polygonsOverlap(b, a)).toBe(expected);
    // Whichever way round their corners go.
    expect(polygonsOverlap([...a].reverse(), b)).toBe(expected);
  });

  it('are read from base64, and nothing else is', () => {
    const polygon = square(10, 20);
    expect(decodeConvexPolygon(encode(polygon))).toEqual(polygon);
    expect(decodeConvexPolygon('')).toBeUndefined();
    expect(decodeConvexPolygon(Buffer.from('c'.padEnd(41, '\0')).toString('base64'))).toBeUndefined();
    expect(decodeConvexPolygon(encode(polygon).slice(0, -4))).toBeUndefined();
    expect(decodeConvexPolygon(encode([...polygon.slice(0, 3), [NaN, 0, 0]]))).toBeUndefined();
  });
});

describe('HTM trixels', () => {
  it('tile the sky: a point lies in one of a level, and in one of its children', () => {
    const point: ConvexPolygon = square(35.7, -3.65, 1e-6);
    const inside = (level: number, numbers: readonly number[]): number[] =>
      numbers.filter((number) => polygonsOverlap(htmTriangle(level, number)!, point));
    let found = inside(0, [8, 9, 10, 11, 12, 13, 14, 15]);
    for (let level = 1; level <= 7; level++) {
      expect(found.length).toBe(1);
      found = inside(
        level,
        [0, 1, 2, 3].map((child) => found[0]! * 4 + child),
      );
    }
    expect(found.length).toBe(1);
  });

  it('have numbers of their level', () => {
    expect(htmTriangle(0, 7)).toBeUndefined();
    expect(htmTriangle(0, 16)).toBeUndefined();
    expect(htmTriangle(7, 8 * 4 ** 7 - 1)).toBeUndefined();
    expect(htmTriangle(7, 8.5 * 4 ** 7 + 0.5)).toBeUndefined();
  });
});
