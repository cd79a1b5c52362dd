/**
 * How regions lie to each other: every pair of kinds.
 *
 * Two questions answer all: whether two regions are disjoint, and whether one contains the other, which it does where the other is disjoint from all parts of what
 * is outside it. Both answer true only where it is certain.
 */

import { dot, negate, separation } from '../vector.js';
import { arcsCross } from './arcs.js';
import type { Box } from './box.js';
import type { Circle } from './circle.js';
import type { IntersectionRegion, UnionRegion } from './compound.js';
import { angleError } from './contract.js';
import type { ConvexPolygon } from './convex-polygon.js';
import type { Ellipse } from './ellipse.js';
import { isPolygonApartFromBox } from './polygon-box.js';

export type SimpleRegion = ConvexPolygon | Circle | Box | Ellipse;
export type AnyRegion = SimpleRegion | UnionRegion | IntersectionRegion;

/** Vertices of the polygons by which ellipses are related to boxes and ellipses; the first that are near enough decide. */
const fineness = [16, 128, 1024];
/** The sine of how far from a great circle doubles tell the side. */
const certainSide = 4e-15;

export function areDisjoint(a: AnyRegion, b: AnyRegion): boolean {
  if (a.isEmpty || b.isEmpty) return true;
  if (a.isFull || b.isFull) return false;
  if (a.kind === 'union') return a.members.every((member) => areDisjoint(member, b));
  if (b.kind === 'union') return b.members.every((member) => areDisjoint(a, member));
  if (a.kind === 'intersection' || b.kind === 'intersection') {
    const isApart = (one: AnyRegion, other: AnyRegion): boolean =>
      one.kind === 'intersection' && one.members.some((member) => areDisjoint(member, other));
    return isApart(a, b) || isApart(b, a);
  }
  return areApart(a, b);
}

function areApart(a: SimpleRegion, b: SimpleRegion): boolean {
  if (a.kind === 'circle') return isApartFromCircle(b, a);
  if (b.kind === 'circle') return isApartFromCircle(a, b);
  if (a.kind === 'ellipse') return isApartFromEllipse(b, a);
  if (b.kind === 'ellipse') return isApartFromEllipse(a, b);
  if (a.kind === 'box') return b.kind === 'box' ? areBoxesApart(a, b) : isPolygonApartFromBox(b, a);
  return b.kind === 'box' ? isPolygonApartFromBox(a, b) : arePolygonsApart(a, b);
}

function isApartFromCircle(region: SimpleRegion, circle: Circle): boolean {
  // Rounded alike whichever comes first.
  if (region.kind === 'circle') return separation(region.center, circle.center) > region.openingAngle + circle.openingAngle + angleError;
  return region.distanceTo(circle.center) > circle.openingAngle + angleError;
}

function isApartFromEllipse(region: Exclude<SimpleRegion, Circle>, ellipse: Ellipse): boolean {
  const circle = ellipse.asCircle();
  if (circle !== undefined) return areApart(region, circle);
  if (ellipse.isLarge) return contains(ellipse.complement(), region);
  if (region.kind === 'polygon') {
    return ellipse.stretch(region).distanceTo([0, 0, 1]) > Math.PI / 4 + ellipse.stretching * angleError;
  }
  if (region.kind === 'ellipse') {
    if (region.isLarge || region.asCircle() !== undefined) return isApartFromEllipse(ellipse, region);
    if (areCentersWithin(region, ellipse)) return false;
  }
  for (const count of fineness) {
    const polygons = ellipse.polygons(count);
    if (areApart(polygons.outside, region)) return true;
    if (region.kind === 'ellipse' && areApart(region.polygons(count).outside, ellipse)) return true;
    if (!areApart(polygons.inside, region)) return false;
  }
  return false;
}

function areCentersWithin(a: Ellipse, b: Ellipse): boolean {
  return a.containsDirection(...b.center) || b.containsDirection(...a.center);
}

/** Two polygons that touch are not apart. Exact. */
function arePolygonsApart(a: ConvexPolygon, b: ConvexPolygon): boolean {
  if (isPartedByEdge(a, b) || isPartedByEdge(b, a)) return true;
  if (hasVertexIn(a, b) || hasVertexIn(b, a)) return false;
  for (let i = 0; i < a.count; i++) {
    const [from, to] = [a.vertex(i), a.vertex(i + 1)];
    for (let j = 0; j < b.count; j++) if (arcsCross(from, to, b.vertex(j), b.vertex(j + 1))) return false;
  }
  return true;
}

/** Whether all of the other polygon is certainly on the far side of an edge. */
function isPartedByEdge({ normals }: ConvexPolygon, { coordinates }: ConvexPolygon): boolean {
  edges: for (let edge = 0; edge < normals.length; edge += 3) {
    for (let at = 0; at < coordinates.length; at += 3) {
      const side =
        normals[edge]! * coordinates[at]! + normals[edge + 1]! * coordinates[at + 1]! + normals[edge + 2]! * coordinates[at + 2]!;
      if (side >= -certainSide) continue edges;
    }
    return true;
  }
  return false;
}

function hasVertexIn({ coordinates }: ConvexPolygon, other: ConvexPolygon): boolean {
  for (let at = 0; at < coordinates.length; at += 3) {
    if (other.containsDirection(coordinates[at]!, coordinates[at + 1]!, coordinates[at + 2]!)) return true;
  }
  return false;
}

function areBoxesApart(a: Box, b: Box): boolean {
  if (a.south > b.north || b.south > a.north) return true;
  const poles = [Math.PI / 2, -Math.PI / 2];
  if (poles.some((pole) => [a, b].every((box) => box.north === pole || box.south === pole))) return false;
  return !a.containsLongitude(b.west) && !b.containsLongitude(a.west);
}

/** Whether all of b is in a. */
export function containsRegion(a: AnyRegion, b: AnyRegion): boolean {
  if (b.isEmpty || a.isFull || a === b) return true;
  if (a.isEmpty || b.isFull) return false;
  if (b.kind === 'union') return b.members.every((member) => containsRegion(a, member));
  if (a.kind === 'intersection') return a.members.every((member) => containsRegion(member, b));
  if (a.kind === 'union' && a.members.some((member) => containsRegion(member, b))) return true;
  if (b.kind === 'intersection') return b.members.some((member) => containsRegion(a, member));
  return a.kind !== 'union' && contains(a, b);
}

function contains(a: SimpleRegion, b: SimpleRegion): boolean {
  if (b.kind === 'ellipse') {
    const circle = b.asCircle();
    if (circle !== undefined) return contains(a, circle);
  }
  switch (a.kind) {
    case 'circle':
      return circleContains(a, b);
    case 'box':
      return b.kind === 'box' ? boxContainsBox(a, b) : a.complement().every((part) => areApart(part, b));
    case 'polygon':
      return polygonContains(a, b);
    case 'ellipse':
      return ellipseContains(a, b);
  }
}

function circleContains(circle: Circle, region: SimpleRegion): boolean {
  if (region.kind !== 'circle') return region.distanceTo(negate(circle.center)) >= Math.PI - circle.openingAngle + angleError;
  const apart = separation(circle.center, region.center);
  if (apart === 0) return region.openingAngle <= circle.openingAngle;
  return apart + region.openingAngle + angleError <= circle.openingAngle;
}

function polygonContains(polygon: ConvexPolygon, region: SimpleRegion): boolean {
  switch (region.kind) {
    case 'polygon':
      return region.vertices().every((vertex) => polygon.containsDirection(...vertex));
    case 'circle':
      return polygon.containsCircle(region.center, region.openingAngle);
    case 'box':
      return everyNormal(polygon, (normal) => region.distanceTo(negate(normal)) >= Math.PI / 2 + angleError);
    case 'ellipse':
      return !region.isLarge && everyNormal(polygon, (normal) => region.clearance(normal) >= angleError);
  }
}

function everyNormal(polygon: ConvexPolygon, holds: (normal: ReturnType<ConvexPolygon['normal']>) => boolean): boolean {
  for (let index = 0; index < polygon.count; index++) if (!holds(polygon.normal(index))) return false;
  return true;
}

function boxContainsBox(a: Box, b: Box): boolean {
  if (b.south < a.south || b.north > a.north) return false;
  if (a.isAllRound) return true;
  if (b.isAllRound) return false;
  const [fromWest, toEast] = [b.west >= a.west, b.east <= a.east];
  const crosses = (box: Box): boolean => box.west > box.east;
  if (crosses(a) === crosses(b)) return fromWest && toEast;
  return crosses(a) && (fromWest || toEast);
}

function ellipseContains(ellipse: Ellipse, region: SimpleRegion): boolean {
  const circle = ellipse.asCircle();
  if (circle !== undefined) return circleContains(circle, region);
  if (region.kind === 'ellipse' && isSame(ellipse, region)) return true;
  if (ellipse.isLarge) return areApart(ellipse.complement(), region);
  switch (region.kind) {
    case 'polygon':
      return region.vertices().every((vertex) => ellipse.containsDirection(...vertex));
    case 'circle':
      return ellipse.containsCircle(region.center, region.openingAngle);
    case 'box':
      return ellipse.containsDirection(...region.corners()[0]!) && polygonContains(ellipse.polygons(fineness.at(-1)!).inside, region);
    case 'ellipse': {
      if (region.isLarge || !ellipse.containsDirection(...region.center)) return false;
      return fineness.some((count) => ellipseContains(ellipse, region.polygons(count).outside));
    }
  }
}

function isSame(a: Ellipse, b: Ellipse): boolean {
  return a.alpha === b.alpha && a.beta === b.beta && dot(a.center, b.center) > 0 && Buffer.compare(a.encode(), b.encode()) === 0;
}
