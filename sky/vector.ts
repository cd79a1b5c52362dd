/** Vectors in three dimensions, and directions on the sky. Angles are radians everywhere. */

export type Vector = readonly [x: number, y: number, z: number];

/** Of length 1, as well as doubles can say it. */
export type UnitVector = Vector;

/** A direction: longitude in [0, 2 pi) where it comes from {@link toLonLat}, any otherwise; latitude in [-pi/2, pi/2]. */
export interface LonLat {
  readonly longitude: number;
  readonly latitude: number;
}

/** Radians in a degree. */
export const degree = Math.PI / 180;

export const tau = 2 * Math.PI;

export function fromLonLat(longitude: number, latitude: number): UnitVector {
  const parallel = Math.cos(latitude);
  return [Math.cos(longitude) * parallel, Math.sin(longitude) * parallel, Math.sin(latitude)];
}

/** Of a vector of any length but 0; at a pole the longitude is 0. */
export function toLonLat([x, y, z]: Vector): LonLat {
  const longitude = x === 0 && y === 0 ? 0 : wrapLongitude(Math.atan2(y, x));
  return { longitude, latitude: Math.atan2(z, Math.hypot(x, y)) };
}

/** The same longitude in [0, 2 pi). */
export function wrapLongitude(longitude: number): number {
  if (longitude >= 0 && longitude < tau) return longitude;
  const wrapped = longitude % tau;
  // A negative angle too small to be told from 0 would become 2 pi.
  const positive = wrapped < 0 ? wrapped + tau : wrapped;
  return positive >= tau || positive === 0 ? 0 : positive;
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/**
 * (b + a) x (b - a), which is twice a x b: the same direction, but accurate for vectors that are nearly the same or nearly opposite.
 */
export function robustCross(a: Vector, b: Vector): Vector {
  return cross([b[0] + a[0], b[1] + a[1], b[2] + a[2]], [b[0] - a[0], b[1] - a[1], b[2] - a[2]]);
}

export function sum(vectors: Iterable<Vector>): Vector {
  let [x, y, z] = [0, 0, 0];
  for (const vector of vectors) {
    x += vector[0];
    y += vector[1];
    z += vector[2];
  }
  return [x, y, z];
}

export function scale(vector: Vector, factor: number): Vector {
  return [vector[0] * factor, vector[1] * factor, vector[2] * factor];
}

export function negate([x, y, z]: Vector): Vector {
  return [-x, -y, -z];
}

export function length(vector: Vector): number {
  return Math.sqrt(dot(vector, vector));
}

/**
 * Throws RangeError for a vector of length 0 and one that is not finite: they have no direction. It divides by the largest coordinate first, as sphgeom does: so results
 * are the same to the last bit, and nothing is lost to overflow or underflow.
 */
export function normalize([x, y, z]: Vector): UnitVector {
  const [ax, ay, az] = [Math.abs(x), Math.abs(y), Math.abs(z)];
  const largest = Math.max(ax, ay, az);
  if (!(largest > 0 && largest < Infinity)) throw new RangeError(`(${x}, ${y}, ${z}) has no direction`);
  const [u, v, w] = [x / largest, y / largest, z / largest];
  // The largest is 1 exactly, and added last.
  const [uu, vv, ww] = [u * u, v * v, w * w];
  const squared = ax === largest ? 1 + (vv + ww) : ay === largest ? 1 + (uu + ww) : 1 + (uu + vv);
  const norm = Math.sqrt(squared);
  return [u / norm, v / norm, w / norm];
}

/** The angle between two vectors of any length but 0, in [0, pi]; accurate for the smallest angles and for the largest. */
export function separation(a: Vector, b: Vector): number {
  const [x, y, z] = cross(a, b);
  return Math.atan2(Math.sqrt(x * x + y * y + z * z), dot(a, b));
}

/** A unit vector at a right angle to a vector. */
export function perpendicular(vector: Vector): UnitVector {
  const [x, y, z] = [Math.abs(vector[0]), Math.abs(vector[1]), Math.abs(vector[2])];
  if (x <= y && x <= z) return normalize(cross(vector, [1, 0, 0]));
  return normalize(cross(vector, y <= z ? [0, 1, 0] : [0, 0, 1]));
}
