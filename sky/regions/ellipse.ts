/**
 * Ellipses: all directions whose distances from two foci have at most a given sum.
 *
 * Seen from the center of the sphere an ellipse smaller than a hemisphere is an elliptical cone. In the frame of its axes it is
 * (x cot alpha)^2 + (y cot beta)^2 <= z^2, z >= 0, with the semi-major axis alpha along x and the semi-minor axis beta along y. Stretched by these cotangents it is the
 * circle of 45 degrees round z, and great circles stay great circles: so ellipses are related to polygons exactly. One larger than a hemisphere is the complement of a
 * smaller one round the opposite point.
 *
 * Source of the encoding and of its frame: LSST sphgeom, Ellipse.
 */

import { ButlerfsError } from '../../common/errors.js';
import { cross, dot, negate, normalize, perpendicular, scale, separation, sum, toLonLat } from '../vector.js';
import type { UnitVector, Vector } from '../vector.js';
import { AbstractRegion } from './abstract-region.js';
import { boundsRound, fullBounds, noBounds } from './bounds.js';
import { Circle } from './circle.js';
import { angleError } from './contract.js';
import type { BoundingCircle, LonLatBounds } from './contract.js';
import { ConvexPolygon } from './convex-polygon.js';
import { nearestOnCone } from './cone.js';

const typeByte = 0x65;
const encodedBytes = 113;
const quarter = Math.PI / 2;

/** The numbers that an encoded ellipse has. Axes: unit vectors along the major axis, the minor axis and the center. */
interface Shape {
  readonly major: UnitVector;
  readonly minor: UnitVector;
  readonly center: UnitVector;
  /** Semi-axes less pi/2, half the angle between the foci, and the tangents of the first two without sign. */
  readonly a: number;
  readonly b: number;
  readonly gamma: number;
  readonly tanA: number;
  readonly tanB: number;
}

export class Ellipse extends AbstractRegion {
  readonly kind = 'ellipse';
  readonly #shape: Shape;

  private constructor(shape: Shape) {
    super();
    this.#shape = shape;
  }

  /**
   * Semi-axes in radians, both under pi/2, both over it, or both pi/2. The orientation is the angle from north through east to the axis of `alpha`. Empty where a
   * semi-axis is negative, full where both are pi or one is more. Throws `invalid-value` for other semi-axes, for NaN, and for a center that is no unit vector.
   */
  static around(center: UnitVector, alpha: number, beta: number, orientation: number): Ellipse {
    const refused = (why: string): ButlerfsError => new ButlerfsError('invalid-value', { what: 'an ellipse', why });
    if (!Number.isFinite(orientation)) throw refused(`its orientation is ${orientation}`);
    if (!isUnit(center)) throw refused(`its center is no unit vector: (${center.join(', ')})`);
    const sameSide = Math.sign(alpha - quarter) === Math.sign(beta - quarter);
    if (!sameSide) throw refused(`its semi-axes ${alpha} and ${beta} are not both under pi/2, over it, or equal to it`);
    if (alpha < 0 || beta < 0) return Ellipse.empty;
    if (alpha > Math.PI || beta > Math.PI || (alpha === Math.PI && beta === Math.PI)) return Ellipse.full;
    if (alpha === beta) return new Ellipse(circular(center, alpha));
    // The foci lie on the longer axis of the smaller one of the ellipse and its complement.
    const swapped = alpha < quarter ? alpha < beta : alpha > beta;
    const [first, second] = swapped ? [beta, alpha] : [alpha, beta];
    const major = towards(center, swapped ? orientation + quarter : orientation);
    const gamma = Math.acos(Math.min(1, Math.max(-1, Math.cos(first) / Math.cos(second))));
    return new Ellipse(
      withTangents({ major, minor: normalize(cross(major, center)), center, a: first - quarter, b: second - quarter, gamma }),
    );
  }

  /** Directions of which the distances from two foci have at most twice the angle `alpha` as their sum. Throws `invalid-value` for NaN and for what are no unit vectors. */
  static ofFoci(first: UnitVector, second: UnitVector, alpha: number): Ellipse {
    if (Number.isNaN(alpha) || !isUnit(first) || !isUnit(second)) {
      throw new ButlerfsError('invalid-value', { what: 'an ellipse', why: 'its foci are no unit vectors, or its semi-axis is NaN' });
    }
    const gamma = separation(first, second) / 2;
    if (alpha < gamma) return Ellipse.empty;
    if (Math.PI - alpha <= gamma) return Ellipse.full;
    if (gamma === 0) return new Ellipse(circular(first, alpha));
    const [difference, total] = [sum([first, negate(second)]), sum([first, second])];
    const beta = Math.acos(Math.min(1, Math.max(-1, Math.cos(alpha) / Math.cos(gamma))));
    const a = alpha - quarter;
    const b = a <= 0 ? Math.min(a, beta - quarter) : Math.max(a, beta - quarter);
    return new Ellipse(
      withTangents({ major: normalize(difference), minor: normalize(cross(difference, total)), center: normalize(total), a, b, gamma }),
    );
  }

  static readonly empty = new Ellipse(constant(-2, [1, 0, 0], [0, 0, 1]));
  static readonly full = new Ellipse(constant(2, [-1, -0, -0], [-0, -0, -1]));

  get isEmpty(): boolean {
    return this.#shape.a < -quarter;
  }

  get isFull(): boolean {
    return this.#shape.a >= quarter;
  }

  get center(): UnitVector {
    return this.#shape.center;
  }

  /** The semi-axis on which the foci lie, radians. */
  get alpha(): number {
    return quarter + this.#shape.a;
  }

  get beta(): number {
    return quarter + this.#shape.b;
  }

  /** Whether it is larger than a hemisphere. */
  get isLarge(): boolean {
    return this.#shape.a > 0;
  }

  /** A circle where both semi-axes are the same, or where it is empty or full. */
  asCircle(): Circle | undefined {
    if (this.isEmpty) return Circle.empty;
    if (this.isFull) return Circle.full;
    return this.#shape.a === this.#shape.b ? Circle.around(this.center, this.alpha) : undefined;
  }

  /** What is outside, with the boundary. */
  complement(): Ellipse {
    if (this.isEmpty) return Ellipse.full;
    if (this.isFull) return Ellipse.empty;
    const { major, minor, center, a, b, gamma, tanA, tanB } = this.#shape;
    return new Ellipse({ major, minor, center: negate(center), a: -a, b: -b, gamma, tanA, tanB });
  }

  /** In the frame of the axes. */
  #inFrame(x: number, y: number, z: number): [number, number, number] {
    const { major, minor, center } = this.#shape;
    const along = center[0] * x + center[1] * y + center[2] * z;
    // Near the center, and near its antipode, differences from it keep more digits.
    const base = along > 0.5 ? 1 : along < -0.5 ? -1 : 0;
    const [u, v, w] = [x - base * center[0], y - base * center[1], z - base * center[2]];
    return [
      major[0] * u + major[1] * v + major[2] * w,
      minor[0] * u + minor[1] * v + minor[2] * w,
      center[0] * u + center[1] * v + center[2] * w + base,
    ];
  }

  containsDirection(x: number, y: number, z: number): boolean {
    if (this.isEmpty || this.isFull) return this.isFull;
    const { tanA, tanB } = this.#shape;
    const [u, v, w] = this.#inFrame(x, y, z);
    const outside = (u * tanA) ** 2 + (v * tanB) ** 2 - w * w;
    return this.isLarge ? w >= 0 || outside >= 0 : w >= 0 && outside <= 0;
  }

  distanceTo(direction: UnitVector): number {
    if (this.isEmpty) return Infinity;
    return this.containsDirection(...direction) ? 0 : this.#distanceToBoundary(direction);
  }

  containsCircle(center: UnitVector, openingAngle: number): boolean {
    if (this.isFull) return true;
    return this.containsDirection(...center) && this.#distanceToBoundary(center) >= openingAngle + angleError;
  }

  #distanceToBoundary(direction: UnitVector): number {
    const circle = this.asCircle();
    if (circle !== undefined) return Math.abs(separation(circle.center, direction) - circle.openingAngle);
    const { tanA, tanB } = this.#shape;
    const [u, v, w] = this.#inFrame(...direction);
    const place: Vector = [u, v, this.isLarge ? -w : w];
    return separation(place, nearestOnCone(place, tanA, tanB));
  }

  /** Of an ellipse that is neither large nor a circle: a polygon stretched so that this ellipse is the circle of 45 degrees round z. */
  stretch(polygon: ConvexPolygon): ConvexPolygon {
    const { major, minor, center, tanA, tanB } = this.#shape;
    const mirrored = dot(cross(major, minor), center) < 0 ? -1 : 1;
    const stretched = polygon.vertices().flatMap((vertex) => {
      const [u, v, w] = this.#inFrame(...vertex);
      return normalize([mirrored * u * tanA, v * tanB, w]);
    });
    return new ConvexPolygon(Float64Array.from(stretched));
  }

  /** How much larger an error becomes where {@link Ellipse.stretch} is used. */
  get stretching(): number {
    return Math.max(1, this.#shape.tanB);
  }

  /** Of one that is not large: the least of `normal . p` over its directions p, as a tangent from the center; negative where it reaches past the great circle. */
  clearance(normal: UnitVector): number {
    const { tanA, tanB } = this.#shape;
    const [u, v, w] = this.#inFrame(...normal);
    return w - Math.hypot(u / tanA, v / tanB);
  }

  /** Of one that is not large: polygons of so many vertices, one inside and one round it. */
  polygons(count: number): { inside: ConvexPolygon; outside: ConvexPolygon } {
    const { major, minor, center, tanA, tanB } = this.#shape;
    const direction = dot(cross(major, minor), center) < 0 ? -1 : 1;
    const at = (stretched: number): ConvexPolygon => {
      const vertices = Array.from({ length: count }, (_, index) => {
        const angle = (direction * 2 * Math.PI * index) / count;
        const [u, v] = [(stretched * Math.cos(angle)) / tanA, (stretched * Math.sin(angle)) / tanB];
        return normalize(sum([scale(major, u), scale(minor, v), center]));
      });
      return new ConvexPolygon(Float64Array.from(vertices.flat()));
    };
    return { inside: at(1), outside: at((1 + 4 * angleError) / Math.cos(Math.PI / count)) };
  }

  boundingCircle(): BoundingCircle {
    return { center: this.center, openingAngle: Math.min(Math.PI, Math.max(this.alpha, this.beta) + 2 * angleError) };
  }

  boundingBox(): LonLatBounds {
    if (this.isEmpty) return noBounds;
    if (this.isFull) return fullBounds;
    const { longitude, latitude } = toLonLat(this.center);
    return boundsRound(longitude, latitude, Math.max(this.alpha, this.beta));
  }

  /** From its radius r round the center: the integral of 1 - cos r, to about 1e-14 of itself. */
  area(): number {
    const circle = this.asCircle();
    if (circle !== undefined) return circle.area();
    if (this.isLarge) return 4 * Math.PI - this.complement().area();
    const { tanA, tanB } = this.#shape;
    const oneMinusCosine = (angle: number): number => {
      const squaredCotangent = (Math.cos(angle) * tanA) ** 2 + (Math.sin(angle) * tanB) ** 2;
      const cosine = Math.sqrt(squaredCotangent / (1 + squaredCotangent));
      return 1 / ((1 + squaredCotangent) * (1 + cosine));
    };
    // Periodic and smooth: the trapezoidal rule gains digits with every doubling.
    let [count, total] = [8, 0];
    for (let index = 0; index < count; index++) total += oneMinusCosine((2 * Math.PI * index) / count);
    for (let before = 0; count < 2 ** 18 && Math.abs(total / count - before) > 1e-15 * before; count *= 2) {
      before = total / count;
      for (let index = 0; index < count; index++) total += oneMinusCosine((2 * Math.PI * (index + 0.5)) / count);
    }
    return (2 * Math.PI * total) / count;
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(encodedBytes);
    const view = new DataView(bytes.buffer);
    bytes[0] = typeByte;
    const { major, minor, center, a, b, gamma, tanA, tanB } = this.#shape;
    [...major, ...minor, ...center, a, b, gamma, tanA, tanB].forEach((value, index) => view.setFloat64(1 + 8 * index, value, true));
    return bytes;
  }

  /** Bytes as {@link encode} gives them. Throws `invalid-value`. */
  static decode(bytes: Uint8Array): Ellipse {
    const refused = (why: string): ButlerfsError => new ButlerfsError('invalid-value', { what: 'an encoded ellipse', why });
    if (bytes[0] !== typeByte || bytes.length !== encodedBytes) throw refused(`it has ${bytes.length} bytes, not ${encodedBytes}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = (index: number): number => view.getFloat64(1 + 8 * index, true);
    const vector = (index: number): Vector => [at(index), at(index + 1), at(index + 2)];
    const [major, minor, center] = [vector(0), vector(3), vector(6)];
    const isFrame =
      [major, minor, center].every(isUnit) &&
      [dot(major, minor), dot(minor, center), dot(center, major)].every((product) => Math.abs(product) < 1e-9);
    if (!isFrame) throw refused('its axes are no unit vectors at right angles');
    const [a, b, gamma, tanA, tanB] = [9, 10, 11, 12, 13].map(at) as [number, number, number, number, number];
    if ([a, b, gamma, tanA, tanB].some(Number.isNaN)) throw refused('some of its angles are NaN');
    const ellipse = new Ellipse({ major, minor, center, a, b, gamma, tanA, tanB });
    if (ellipse.isEmpty || ellipse.isFull) return ellipse;
    const isOrdered = a <= 0 ? b <= a && b >= -quarter : b >= a && b <= quarter;
    const fits = (tangent: number, angle: number): boolean => Math.abs(Math.atan(tangent) - Math.abs(angle)) < 1e-9;
    if (!isOrdered || !(gamma >= 0) || !fits(tanA, a) || !fits(tanB, b))
      throw refused(`its semi-axes ${quarter + a} and ${quarter + b} do not fit each other or their tangents`);
    return ellipse;
  }
}

function isUnit(vector: Vector): boolean {
  return Math.abs(dot(vector, vector) - 1) < 1e-12;
}

function withTangents(shape: Omit<Shape, 'tanA' | 'tanB'>): Shape {
  return { ...shape, tanA: Math.abs(Math.tan(shape.a)), tanB: Math.abs(Math.tan(shape.b)) };
}

function circular(center: UnitVector, alpha: number): Shape {
  const major = perpendicular(center);
  return withTangents({ major, minor: normalize(cross(center, major)), center, a: alpha - quarter, b: alpha - quarter, gamma: 0 });
}

function constant(size: number, major: UnitVector, center: UnitVector): Shape {
  return { major, minor: [0, 1, 0], center, a: size, b: size, gamma: 0, tanA: Infinity, tanB: Infinity };
}

/** At a right angle to the center, at this angle from north through east; at the poles north is where x is negative at the north pole, positive at the south. */
function towards(center: UnitVector, orientation: number): UnitVector {
  const [x, y, z] = center;
  const north: UnitVector = x === 0 && y === 0 ? [-Math.sign(z), 0, 0] : normalize([-x * z, -y * z, x * x + y * y]);
  const east = cross(north, center);
  return normalize(sum([scale(north, Math.cos(orientation)), scale(east, -Math.sin(orientation))]));
}
