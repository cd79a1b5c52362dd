/**
 * The Hierarchical Triangular Mesh: the eight faces of an octahedron, each triangle cut in four at the middles of its edges.
 *
 * Source: P. Z. Kunszt, A. S. Szalay & A. R. Thakar, The Hierarchical Triangular Mesh (2001); numbered as LSST sphgeom does, and with its arithmetic, so that indices are
 * the same for every direction. Indices of a level are from 8 * 4^level to 16 * 4^level: exact as numbers up to level 24.
 */

import { normalize } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { AbstractPixelisation } from './abstract-pixelisation.js';
import { ConvexPolygon } from './convex-polygon.js';
import { orientation } from './orientation.js';
import type { RangeGatherer } from './pixel-ranges.js';
import type { SimpleRegion } from './relations.js';
import { INSIDE, OUTSIDE, UNKNOWN, trixelTest } from './trixel-test.js';
import type { TrixelTest } from './trixel-test.js';

export const deepestHtmLevel = 24;

type Triangle = readonly [UnitVector, UnitVector, UnitVector];

const [x, y, z]: readonly UnitVector[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
/** With the signs of zero that negation gives. */
const [minusX, minusY, minusZ]: readonly UnitVector[] = [
  [-1, -0, -0],
  [-0, -1, -0],
  [-0, -0, -1],
];
/** S0 to S3, N0 to N3. */
const roots: readonly Triangle[] = [
  [x!, minusZ!, y!],
  [y!, minusZ!, minusX!],
  [minusX!, minusZ!, minusY!],
  [minusY!, minusZ!, x!],
  [x!, z!, minusY!],
  [minusY!, z!, minusX!],
  [minusX!, z!, y!],
  [y!, z!, x!],
];

const rootCoordinates = roots.map((root) => Float64Array.from(root.flat()));

/** Radians that no two points of a triangle of a level are farther apart than: the longest edges are 90, 60, 33.6 degrees, and then nearly halved at each level. */
const sizes = Array.from({ length: deepestHtmLevel + 1 }, (_, level) => Math.min(Math.PI / 2, 2.6 / 2 ** level));

export class HtmPixelisation extends AbstractPixelisation {
  readonly name: string;
  readonly universe: readonly [first: number, end: number];

  /** `level`: 0 to 24; else throws `invalid-value`. */
  constructor(level: number) {
    super('HTM', level, deepestHtmLevel);
    this.name = `htm${level}`;
    this.universe = [8 * 4 ** level, 16 * 4 ** level];
  }

  index(direction: UnitVector): number {
    const v = normalize(direction);
    const root = rootOf(v);
    let [v0, v1, v2] = roots[root]!;
    let index = root + 8;
    for (let level = 0; level < this.level; level++) {
      const [m01, m20] = [middle(v0, v1), middle(v2, v0)];
      index *= 4;
      if (orientation(v, m01, m20) >= 0) {
        [v1, v2] = [m01, m20];
        continue;
      }
      const m12 = middle(v1, v2);
      if (orientation(v, m12, m01) >= 0) {
        [v0, v1, v2] = [v1, m12, m01];
        index += 1;
      } else if (orientation(v, m20, m12) >= 0) {
        [v0, v1, v2] = [v2, m20, m12];
        index += 2;
      } else {
        [v0, v1, v2] = [m12, m20, m01];
        index += 3;
      }
    }
    return index;
  }

  pixel(index: number): ConvexPolygon {
    this.checked(index);
    let triangle = roots[Math.floor(index / 4 ** this.level) - 8]!;
    for (let depth = this.level - 1; depth >= 0; depth--) triangle = child(triangle, Math.floor(index / 4 ** depth) % 4);
    return new ConvexPolygon(Float64Array.from(triangle.flat()));
  }

  protected gather(region: SimpleRegion, gatherer: RangeGatherer, isInterior: boolean): void {
    const descent = new Descent(trixelTest(region), gatherer, isInterior);
    rootCoordinates.forEach((root, number) => {
      descent.start(root, number + 8);
    });
  }
}

/** Goes down through triangles as far as they are neither inside nor outside, without making objects. */
class Descent {
  readonly #test: TrixelTest;
  readonly #gatherer: RangeGatherer;
  readonly #isInterior: boolean;
  /** For each level its triangle: three vertices, and the middles of its edges opposite to them. */
  readonly #triangles = new Float64Array(18 * (deepestHtmLevel + 1));

  constructor(test: TrixelTest, gatherer: RangeGatherer, isInterior: boolean) {
    this.#test = test;
    this.#gatherer = gatherer;
    this.#isInterior = isInterior;
  }

  start(root: Float64Array, index: number): void {
    this.#triangles.set(root);
    this.#visit(index, 0, UNKNOWN);
  }

  #visit(index: number, level: number, hint: number): void {
    const triangles = this.#triangles;
    const gatherer = this.#gatherer;
    if (level > gatherer.level || !gatherer.wants(index, level)) return;
    const own = 18 * level;
    const answer = this.#test(triangles, own, sizes[level]!, hint, level === gatherer.level);
    if (answer === OUTSIDE) return;
    if (answer === INSIDE || level === gatherer.level) {
      if (answer === INSIDE || !this.#isInterior) gatherer.add(index, level);
      return;
    }
    const [v0, v1, v2, m12, m20, m01] = [own, own + 3, own + 6, own + 9, own + 12, own + 15];
    setMiddle(triangles, v1, v2, m12);
    setMiddle(triangles, v2, v0, m20);
    setMiddle(triangles, v0, v1, m01);
    this.#visitChild(4 * index, level, answer, v0, m01, m20);
    this.#visitChild(4 * index + 1, level, answer, v1, m12, m01);
    this.#visitChild(4 * index + 2, level, answer, v2, m20, m12);
    this.#visitChild(4 * index + 3, level, answer, m12, m20, m01);
  }

  #visitChild(index: number, level: number, hint: number, a: number, b: number, c: number): void {
    const triangles = this.#triangles;
    const to = 18 * (level + 1);
    for (let axis = 0; axis < 3; axis++) {
      triangles[to + axis] = triangles[a + axis]!;
      triangles[to + 3 + axis] = triangles[b + axis]!;
      triangles[to + 6 + axis] = triangles[c + axis]!;
    }
    this.#visit(index, level + 1, hint);
  }
}

/** As {@link middle}, to the last bit. */
function setMiddle(triangles: Float64Array, a: number, b: number, to: number): void {
  let x = triangles[a]! + triangles[b]!;
  let y = triangles[a + 1]! + triangles[b + 1]!;
  let z = triangles[a + 2]! + triangles[b + 2]!;
  const ax = Math.abs(x);
  const ay = Math.abs(y);
  const az = Math.abs(z);
  const largest = ax > ay ? (ax > az ? ax : az) : ay > az ? ay : az;
  x /= largest;
  y /= largest;
  z /= largest;
  const squared = ax === largest ? 1 + (y * y + z * z) : ay === largest ? 1 + (x * x + z * z) : 1 + (x * x + y * y);
  const norm = Math.sqrt(squared);
  triangles[to] = x / norm;
  triangles[to + 1] = y / norm;
  triangles[to + 2] = z / norm;
}

function middle(a: UnitVector, b: UnitVector): UnitVector {
  return normalize([a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
}

/** On a border it is the one that sphgeom takes. */
function rootOf([x, y, z]: UnitVector): number {
  if (z < 0) {
    if (y > 0) return x > 0 ? 0 : 1;
    if (y === 0) return x >= 0 ? 0 : 2;
    return x < 0 ? 2 : 3;
  }
  if (y > 0) return x > 0 ? 7 : 6;
  if (y === 0) return x >= 0 ? 7 : 5;
  return x < 0 ? 5 : 4;
}

function child([v0, v1, v2]: Triangle, number: number): Triangle {
  const [m12, m20, m01] = [middle(v1, v2), middle(v2, v0), middle(v0, v1)];
  if (number === 0) return [v0, m01, m20];
  if (number === 1) return [v1, m12, m01];
  return number === 2 ? [v2, m20, m12] : [m12, m20, m01];
}
