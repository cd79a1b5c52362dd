/** Convex polygons, whose edges are arcs of great circles. */

import { ButlerfsError } from '../../common/errors.js';
import { cross, dot, length, normalize, robustCross, separation, sum, tau, toLonLat } from '../vector.js';
import type { UnitVector, Vector } from '../vector.js';
import { AbstractRegion } from './abstract-region.js';
import { distanceToArc } from './arcs.js';
import { angleError } from './contract.js';
import type { BoundingCircle, LonLatBounds } from './contract.js';
import { orientation, orientationOf } from './orientation.js';

/** How far from a great circle (the sine of it) doubles tell the side. */
const certainSide = 4e-15;
/** Of the square of a length, from 1. */
const unitTolerance = 1e-12;
const vectorBytes = 24;
const typeByte = 0x70;

export class ConvexPolygon extends AbstractRegion {
  readonly kind = 'polygon';
  readonly isEmpty = false;
  readonly isFull = false;
  /** x, y, z of each vertex, counterclockwise as seen from outside. */
  readonly coordinates: Float64Array;
  /** Of each edge, from its vertex to the next, the unit normal that points inside. */
  readonly normals: Float64Array;

  /** Takes over the coordinates, which must be those of a convex polygon: use {@link ConvexPolygon.of} where that is not known. */
  constructor(coordinates: Float64Array) {
    super();
    this.coordinates = coordinates;
    this.normals = normalsOf(coordinates);
  }

  /**
   * Vertices: three or more unit vectors, counterclockwise as seen from outside, inside an open hemisphere. Throws `invalid-value` for what makes no convex
   * polygon.
   */
  static of(vertices: readonly UnitVector[]): ConvexPolygon {
    const fault = faultOf(vertices);
    if (fault !== undefined) throw new ButlerfsError('invalid-value', { what: 'a convex polygon', why: fault });
    return new ConvexPolygon(Float64Array.from(vertices.flat()));
  }

  /** The smallest convex polygon round unit vectors, which must lie inside an open hemisphere and not all on one great circle; else throws `invalid-value`. */
  static around(directions: readonly UnitVector[]): ConvexPolygon {
    const middle = sum(directions);
    const none = (why: string): ButlerfsError => new ButlerfsError('invalid-value', { what: 'a convex polygon', why });
    if (!(length(middle) > 0)) throw none('its points lie all round the sky');
    const pole = normalize(middle);
    if (!directions.every((direction) => dot(direction, pole) > 0)) throw none('its points do not lie in a hemisphere round their middle');
    const hull = hullOf(directions, pole);
    if (hull.length < 3) throw none('its points lie on one great circle');
    return ConvexPolygon.of(hull);
  }

  get count(): number {
    return this.coordinates.length / 3;
  }

  /** Counted round: -1 is the last, `count` the first. */
  vertex(index: number): UnitVector {
    return vectorAt(this.coordinates, index);
  }

  normal(index: number): UnitVector {
    return vectorAt(this.normals, index);
  }

  vertices(): UnitVector[] {
    return Array.from({ length: this.count }, (_, index) => this.vertex(index));
  }

  containsDirection(x: number, y: number, z: number): boolean {
    const { coordinates: v, normals: n } = this;
    for (let at = 0, size = v.length; at < size; at += 3) {
      const side = n[at]! * x + n[at + 1]! * y + n[at + 2]! * z;
      if (side > certainSide) continue;
      if (side < -certainSide) return false;
      const next = at + 3 === size ? 0 : at + 3;
      if (orientationOf(x, y, z, v[at]!, v[at + 1]!, v[at + 2]!, v[next]!, v[next + 1]!, v[next + 2]!) < 0) return false;
    }
    return true;
  }

  distanceTo(direction: UnitVector): number {
    if (this.containsDirection(...direction)) return 0;
    let least = Infinity;
    for (let index = 0; index < this.count; index++) {
      // The nearest edge has the direction on its far side.
      if (dot(this.normal(index), direction) > certainSide) continue;
      least = Math.min(least, distanceToArc(direction, this.vertex(index), this.vertex(index + 1), this.normal(index)));
    }
    return least;
  }

  containsCircle([x, y, z]: UnitVector, openingAngle: number): boolean {
    if (openingAngle >= Math.PI / 2) return false;
    const least = Math.sin(openingAngle) + angleError;
    for (let at = 0; at < this.normals.length; at += 3) {
      if (this.normals[at]! * x + this.normals[at + 1]! * y + this.normals[at + 2]! * z < least) return false;
    }
    return true;
  }

  boundingCircle(): BoundingCircle {
    const center = this.#centroid();
    let openingAngle = 0;
    for (let index = 0; index < this.count; index++) openingAngle = Math.max(openingAngle, separation(center, this.vertex(index)));
    return { center, openingAngle: openingAngle + 2 * angleError };
  }

  /** The mean of its area. Source: J. E. Brock, The centroid and inertia tensor for a spherical triangle (1974): the sum of edge lengths times normals. */
  #centroid(): UnitVector {
    const moments = Array.from({ length: this.count }, (_, index): Vector => {
      const [x, y, z] = this.normal(index);
      const angle = separation(this.vertex(index), this.vertex(index + 1));
      return [x * angle, y * angle, z * angle];
    });
    const centroid = sum(moments);
    // Of a very small polygon nothing is left of it but rounding errors.
    const middle = normalize(sum(this.vertices()));
    if (length(centroid) < 1e-12) return middle;
    const direction = normalize(centroid);
    return this.containsDirection(...direction) ? direction : middle;
  }

  boundingBox(): LonLatBounds {
    const places = this.vertices().map(toLonLat);
    let [south, north] = [Math.PI / 2, -Math.PI / 2];
    for (const { latitude } of places) [south, north] = [Math.min(south, latitude), Math.max(north, latitude)];
    for (let index = 0; index < this.count; index++) {
      const [x, y, z] = this.normal(index);
      // The northernmost point of the great circle, and whether it or its antipode lies on the edge.
      const top = Math.atan2(Math.hypot(x, y), Math.abs(z));
      const from = this.vertex(index);
      const to = this.vertex(index + 1);
      const [leaving, arriving] = [from[1] * x - from[0] * y, to[1] * x - to[0] * y];
      if (leaving > 0 && arriving < 0) north = Math.max(north, top);
      if (leaving < 0 && arriving > 0) south = Math.min(south, -top);
    }
    const hasNorthPole = this.containsDirection(0, 0, 1);
    const hasSouthPole = this.containsDirection(0, 0, -1);
    const latitudes = {
      south: hasSouthPole ? -Math.PI / 2 : Math.max(-Math.PI / 2, south - 2 * angleError),
      north: hasNorthPole ? Math.PI / 2 : Math.min(Math.PI / 2, north + 2 * angleError),
    };
    if (hasNorthPole || hasSouthPole) return { west: 0, east: tau, ...latitudes };
    return { ...longitudesRound(places.map(({ longitude }) => longitude)), ...latitudes };
  }

  /** The sum of the triangles that its vertices make with the first. Source: A. van Oosterom & J. Strackee, The solid angle of a plane triangle (1983). */
  area(): number {
    const a = this.vertex(0);
    let area = 0;
    for (let index = 1; index + 1 < this.count; index++) {
      const b = this.vertex(index);
      const c = this.vertex(index + 1);
      // a . (b x c), from differences so that small triangles keep their digits.
      const volume = dot(a, cross([b[0] - a[0], b[1] - a[1], b[2] - a[2]], [c[0] - a[0], c[1] - a[1], c[2] - a[2]]));
      area += 2 * Math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a));
    }
    return area;
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(1 + this.coordinates.byteLength);
    const view = new DataView(bytes.buffer);
    bytes[0] = typeByte;
    this.coordinates.forEach((value, index) => view.setFloat64(1 + 8 * index, value, true));
    return bytes;
  }

  /** Bytes as {@link encode} gives them. Throws `invalid-value`. */
  static decode(bytes: Uint8Array): ConvexPolygon {
    const count = (bytes.length - 1) / vectorBytes;
    if (bytes[0] !== typeByte || count < 3 || !Number.isInteger(count)) {
      const why = `it has ${bytes.length} bytes, not 1 and ${vectorBytes} for each of three vertices or more`;
      throw new ButlerfsError('invalid-value', { what: 'an encoded polygon', why });
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = (index: number): number => view.getFloat64(1 + 8 * index, true);
    return ConvexPolygon.of(Array.from({ length: count }, (_, index) => [at(3 * index), at(3 * index + 1), at(3 * index + 2)]));
  }
}

function vectorAt(coordinates: Float64Array, index: number): UnitVector {
  const size = coordinates.length;
  const at = (3 * index + size) % size;
  return [coordinates[at]!, coordinates[at + 1]!, coordinates[at + 2]!];
}

function normalsOf(coordinates: Float64Array): Float64Array {
  const normals = new Float64Array(coordinates.length);
  for (let index = 0; 3 * index < coordinates.length; index++) {
    normals.set(normalize(robustCross(vectorAt(coordinates, index), vectorAt(coordinates, index + 1))), 3 * index);
  }
  return normals;
}

/** Why vertices make no convex polygon; undefined where they do. In linear time: each turns left, and once round in all. */
function faultOf(vertices: readonly UnitVector[]): string | undefined {
  if (vertices.length < 3) return `it has ${vertices.length} vertices, and needs three`;
  const bad = vertices.findIndex((vertex) => !(Math.abs(dot(vertex, vertex) - 1) < unitTolerance));
  if (bad >= 0) return `vertex ${bad} is no unit vector: (${vertices[bad]!.join(', ')})`;
  const middle = sum(vertices);
  let turned = 0;
  for (let index = 0; index < vertices.length; index++) {
    const vertex = vertices[index]!;
    const next = vertices[(index + 1) % vertices.length]!;
    const afterNext = vertices[(index + 2) % vertices.length]!;
    if (orientation(vertex, next, afterNext) < 0)
      return `it turns right at vertex ${(index + 1) % vertices.length}, or its vertices go clockwise`;
    if (orientation(middle, vertex, next) <= 0) return `its edge from vertex ${index} does not go round its middle`;
    turned += turnRound(middle, vertex, next);
  }
  return turned < 1.5 * tau ? undefined : 'it goes round more than once';
}

/** The angle at `middle` between two directions, in [0, pi]. */
function turnRound(middle: Vector, from: Vector, to: Vector): number {
  return separation(robustCross(middle, from), robustCross(middle, to));
}

/** The interval that holds longitudes none of which is pi or more from the next: the sky without the largest gap between them. */
function longitudesRound(longitudes: readonly number[]): { west: number; east: number } {
  const sorted = [...longitudes].sort((a, b) => a - b);
  let [gap, west, east] = [sorted[0]! + tau - sorted.at(-1)!, sorted[0]!, sorted.at(-1)!];
  for (let index = 1; index < sorted.length; index++) {
    const [before, after] = [sorted[index - 1]!, sorted[index]!];
    if (after - before > gap) [gap, west, east] = [after - before, after, before];
  }
  const margin = 4 * angleError;
  return { west: west >= margin ? west - margin : west + tau - margin, east: east + margin < tau ? east + margin : east + margin - tau };
}

/** Counterclockwise, without points on edges. Source: A. M. Andrew's monotone chain (1979), with the exact orientation. */
function hullOf(directions: readonly UnitVector[], pole: UnitVector): UnitVector[] {
  const reference = Math.abs(pole[2]) < 0.9 ? ([0, 0, 1] as const) : ([1, 0, 0] as const);
  const across = normalize(cross(reference, pole));
  const up = cross(pole, across);
  const projected = directions.map((direction) => {
    const depth = dot(direction, pole);
    return { direction, x: dot(direction, across) / depth, y: dot(direction, up) / depth };
  });
  projected.sort((a, b) => a.x - b.x || a.y - b.y);
  const half = (points: readonly { direction: UnitVector }[]): UnitVector[] => {
    const chain: UnitVector[] = [];
    for (const { direction } of points) {
      while (chain.length >= 2 && orientation(chain.at(-2)!, chain.at(-1)!, direction) <= 0) chain.pop();
      chain.push(direction);
    }
    chain.pop();
    return chain;
  };
  return [...half(projected), ...half(projected.reverse())];
}
