/** Polygons and boxes, whose sides are arcs of great circles and of parallels. */

import { cross, separation, tau } from '../vector.js';
import type { UnitVector } from '../vector.js';
import type { Box } from './box.js';
import { angleError } from './contract.js';
import type { ConvexPolygon } from './convex-polygon.js';

const quarter = Math.PI / 2;

/** What nearly touches is not certainly apart. */
const nearness = 2 * angleError;

/** Whether they have no point in common: neither has a corner of the other, and no sides meet. */
export function isPolygonApartFromBox(polygon: ConvexPolygon, box: Box): boolean {
  for (let index = 0; index < polygon.count; index++) if (box.distanceTo(polygon.vertex(index)) <= nearness) return false;
  if (box.corners().some((corner) => polygon.distanceTo(corner) <= nearness)) return false;
  const parallels = [box.south - nearness, box.north + nearness].filter((latitude) => Math.abs(latitude) < quarter);
  for (let index = 0; index < polygon.count; index++) {
    const [from, to] = [polygon.vertex(index), polygon.vertex(index + 1)];
    if (!box.isAllRound && [box.west, box.east].some((longitude) => meetsMeridian(from, to, longitude, box))) return false;
    if (parallels.some((latitude) => meetsParallel(from, to, polygon.normal(index), latitude, box))) return false;
  }
  return true;
}

function meetsMeridian(from: UnitVector, to: UnitVector, longitude: number, { south, north }: Box): boolean {
  const [cosine, sine] = [Math.cos(longitude), Math.sin(longitude)];
  const before = cosine * from[1] - sine * from[0];
  const after = cosine * to[1] - sine * to[0];
  if (before * after > 0 || before === after) return false;
  const [x, y, z] = [0, 1, 2].map((axis) => from[axis]! * Math.abs(after) + to[axis]! * Math.abs(before)) as [number, number, number];
  const latitude = Math.atan2(z, cosine * x + sine * y);
  return latitude >= south && latitude <= north;
}

function meetsParallel(from: UnitVector, to: UnitVector, normal: UnitVector, latitude: number, box: Box): boolean {
  const forward = cross(normal, from);
  // At the angle s along the edge z is steepest * cos(s - top).
  const steepest = Math.hypot(from[2], forward[2]);
  const height = Math.sin(latitude);
  if (Math.abs(height) > steepest) return false;
  const top = Math.atan2(forward[2], from[2]);
  const aside = Math.acos(height / steepest);
  const length = separation(from, to);
  return [top - aside, top + aside].some((angle) => {
    const along = angle < 0 ? angle + tau : angle % tau;
    if (along > length) return false;
    const [x, y] = [0, 1].map((axis) => from[axis]! * Math.cos(along) + forward[axis]! * Math.sin(along)) as [number, number];
    const longitude = Math.atan2(y, x);
    return box.containsLongitude(longitude < 0 ? longitude + tau : longitude);
  });
}
