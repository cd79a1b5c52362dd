/**
 * How small spherical triangles lie to a region: fast, for the descent through the triangles of HTM. A triangle is nine numbers, x, y, z of its vertices
 * counterclockwise, in an array from an offset on.
 *
 * Each test answers {@link OUTSIDE} and {@link INSIDE} only where that is certain. Any other answer is a hint for the triangles within that one.
 */

import { normalize, separation, sum } from '../vector.js';
import type { UnitVector } from '../vector.js';
import type { Circle } from './circle.js';
import { angleError } from './contract.js';
import { ConvexPolygon } from './convex-polygon.js';
import { orientationOf } from './orientation.js';
import { areDisjoint, containsRegion } from './relations.js';
import type { SimpleRegion } from './relations.js';

export const OUTSIDE = 0;
export const INSIDE = -1;
/** The hint that nothing is known. */
export const UNKNOWN = 0x7fffffff;

/** `size`: radians that no two points of the triangle are farther apart than. `isLast`: the answer is final, so that it should be exact. */
export type TrixelTest = (triangle: Float64Array, offset: number, size: number, hint: number, isLast: boolean) => number;

export function trixelTest(region: SimpleRegion): TrixelTest {
  if (region.kind === 'polygon') return polygonTest(region);
  const circle = region.kind === 'ellipse' ? region.asCircle() : region.kind === 'circle' ? region : undefined;
  return circle === undefined ? anyTest(region) : circleTest(circle);
}

/** Triangles larger than this may lie on both sides of the sky from a region; radians. */
const small = 0.2;
/** The sine of how far from a great circle doubles tell the side. */
const certainSide = 4e-15;
/** The edges of a polygon that have a bit of the hint each; all others share the last. */
const ownBits = 30;

/** The hint has the edges of the polygon that may cross the triangle. */
function polygonTest(polygon: ConvexPolygon): TrixelTest {
  const { coordinates, normals } = polygon;
  const { center, openingAngle } = polygon.boundingCircle();
  const [cx, cy, cz] = center;
  const vertices = coordinates.length;

  function isLeftOfEdge(triangle: Float64Array, offset: number, edge: number): boolean {
    const next = edge + 3 === vertices ? 0 : edge + 3;
    for (let at = offset; at < offset + 9; at += 3) {
      const [x, y, z] = [triangle[at]!, triangle[at + 1]!, triangle[at + 2]!];
      const side = orientationOf(
        x,
        y,
        z,
        coordinates[edge]!,
        coordinates[edge + 1]!,
        coordinates[edge + 2]!,
        coordinates[next]!,
        coordinates[next + 1]!,
        coordinates[next + 2]!,
      );
      if (side < 0) return false;
    }
    return true;
  }

  /** Whether all of the polygon lies beyond an edge of the triangle. */
  function isBeyond(triangle: Float64Array, from: number, to: number, size: number): boolean {
    const [ax, ay, az] = [triangle[from]!, triangle[from + 1]!, triangle[from + 2]!];
    const [bx, by, bz] = [triangle[to]!, triangle[to + 1]!, triangle[to + 2]!];
    const [sx, sy, sz, dx, dy, dz] = [bx + ax, by + ay, bz + az, bx - ax, by - ay, bz - az];
    const [nx, ny, nz] = [sy * dz - sz * dy, sz * dx - sx * dz, sx * dy - sy * dx];
    const limit = -2 * size * certainSide;
    for (let at = 0; at < vertices; at += 3) {
      if (nx * coordinates[at]! + ny * coordinates[at + 1]! + nz * coordinates[at + 2]! >= limit) return false;
    }
    return true;
  }

  return (triangle, offset, size, hint, isLast) => {
    const [ax, ay, az] = [triangle[offset]!, triangle[offset + 1]!, triangle[offset + 2]!];
    const [bx, by, bz] = [triangle[offset + 3]!, triangle[offset + 4]!, triangle[offset + 5]!];
    const [dx, dy, dz] = [triangle[offset + 6]!, triangle[offset + 7]!, triangle[offset + 8]!];
    const nearness = cx * ax + cy * ay + cz * az;
    const reach = openingAngle + size;
    if (reach < Math.PI && nearness < Math.cos(reach) - angleError) return OUTSIDE;
    let active = 0;
    for (let edge = 0, number = 0; edge < vertices; edge += 3, number++) {
      const bit = 1 << Math.min(number, ownBits);
      if ((hint & bit) === 0) continue;
      const [nx, ny, nz] = [normals[edge]!, normals[edge + 1]!, normals[edge + 2]!];
      const [a, b, c] = [nx * ax + ny * ay + nz * az, nx * bx + ny * by + nz * bz, nx * dx + ny * dy + nz * dz];
      const least = a < b ? (a < c ? a : c) : b < c ? b : c;
      if (least > certainSide) continue;
      if (a < -certainSide && b < -certainSide && c < -certainSide) return OUTSIDE;
      if (least < -certainSide || !isLeftOfEdge(triangle, offset, edge)) active |= bit;
    }
    if (active === 0) return INSIDE;
    // What is in the hemisphere opposite to that of a polygon is not parted from it by edges.
    if (openingAngle < 1.5 && nearness < 0 && cx * bx + cy * by + cz * bz < 0 && cx * dx + cy * dy + cz * dz < 0) return OUTSIDE;
    if (isBeyond(triangle, offset, offset + 3, size) || isBeyond(triangle, offset + 3, offset + 6, size)) return OUTSIDE;
    if (isBeyond(triangle, offset + 6, offset, size)) return OUTSIDE;
    if (isLast && (size > small || openingAngle >= 1.5) && areDisjoint(polygonOf(triangle, offset), polygon)) return OUTSIDE;
    return active;
  };
}

function circleTest(circle: Circle): TrixelTest {
  const [cx, cy, cz] = circle.center;
  const isLarge = circle.openingAngle > Math.PI / 2;
  // Of the chords to the center, or, where the circle is larger than a hemisphere, to its antipode.
  const sign = isLarge ? -1 : 1;
  const [ox, oy, oz] = [sign * cx, sign * cy, sign * cz];
  const radius = isLarge ? Math.PI - circle.openingAngle : circle.openingAngle;
  const chord = 2 * Math.sin(radius / 2);
  const [least, most] = [Math.max(0, chord - 2 * angleError) ** 2, (chord + 2 * angleError) ** 2];
  const squaredSine = Math.sin(Math.min(Math.PI / 2, radius + 2 * angleError)) ** 2;

  function squaredChord(triangle: Float64Array, at: number): number {
    const [x, y, z] = [triangle[at]! - ox, triangle[at + 1]! - oy, triangle[at + 2]! - oz];
    return x * x + y * y + z * z;
  }

  /** Of a triangle none of whose vertices is in the (small) circle: whether an edge is, or the circle is in the triangle. */
  function meets(triangle: Float64Array, offset: number): boolean {
    let isAround = true;
    for (let edge = 0; edge < 9; edge += 3) {
      const [from, to] = [offset + edge, offset + ((edge + 3) % 9)];
      const [ax, ay, az] = [triangle[from]!, triangle[from + 1]!, triangle[from + 2]!];
      const [bx, by, bz] = [triangle[to]!, triangle[to + 1]!, triangle[to + 2]!];
      const [sx, sy, sz, dx, dy, dz] = [bx + ax, by + ay, bz + az, bx - ax, by - ay, bz - az];
      const [nx, ny, nz] = [sy * dz - sz * dy, sz * dx - sx * dz, sx * dy - sy * dx];
      const height = nx * ox + ny * oy + nz * oz;
      if (height >= 0) continue;
      isAround = false;
      const past = (ny * az - nz * ay) * ox + (nz * ax - nx * az) * oy + (nx * ay - ny * ax) * oz;
      const before = (by * nz - bz * ny) * ox + (bz * nx - bx * nz) * oy + (bx * ny - by * nx) * oz;
      if (past >= 0 && before >= 0 && height * height <= squaredSine * (nx * nx + ny * ny + nz * nz)) return true;
    }
    return isAround;
  }

  return (triangle, offset, size) => {
    const reach = radius + size;
    const nearness = ox * triangle[offset]! + oy * triangle[offset + 1]! + oz * triangle[offset + 2]!;
    if (reach < Math.PI && nearness < Math.cos(reach) - angleError) return isLarge ? INSIDE : OUTSIDE;
    const [a, b, c] = [squaredChord(triangle, offset), squaredChord(triangle, offset + 3), squaredChord(triangle, offset + 6)];
    const isWithin = a < least && b < least && c < least;
    const isClear = a > most && b > most && c > most;
    if (isWithin) return isLarge ? OUTSIDE : INSIDE;
    if (isClear && !meets(triangle, offset)) return isLarge ? INSIDE : OUTSIDE;
    return UNKNOWN;
  };
}

/** By the circle round the triangle; where it is the last, by the triangle. */
function anyTest(region: SimpleRegion): TrixelTest {
  return (triangle, offset, _size, _hint, isLast) => {
    const corners = [vertexOf(triangle, offset), vertexOf(triangle, offset + 3), vertexOf(triangle, offset + 6)];
    const center = normalize(sum(corners));
    const radius = Math.max(...corners.map((corner) => separation(center, corner))) + angleError;
    if (region.distanceTo(center) > radius + angleError) return OUTSIDE;
    if (region.containsCircle(center, radius)) return INSIDE;
    if (!isLast) return UNKNOWN;
    const polygon = polygonOf(triangle, offset);
    if (areDisjoint(region, polygon)) return OUTSIDE;
    return containsRegion(region, polygon) ? INSIDE : UNKNOWN;
  };
}

function vertexOf(triangle: Float64Array, at: number): UnitVector {
  return [triangle[at]!, triangle[at + 1]!, triangle[at + 2]!];
}

function polygonOf(triangle: Float64Array, offset: number): ConvexPolygon {
  return new ConvexPolygon(triangle.slice(offset, offset + 9));
}
