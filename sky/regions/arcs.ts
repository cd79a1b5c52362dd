/** Arcs of great circles, shorter than pi. */

import { separation } from '../vector.js';
import type { UnitVector, Vector } from '../vector.js';
import { orientation } from './orientation.js';

/** Radians from a direction to the nearest point of the arc from a to b, whose great circle has the unit normal given (a x b). */
export function distanceToArc(direction: UnitVector, a: UnitVector, b: UnitVector, normal: UnitVector): number {
  const [x, y, z] = direction;
  const [nx, ny, nz] = normal;
  // Of the direction, along n x a and b x n: both are positive where the nearest point of the great circle lies on the arc.
  const past = (ny * a[2] - nz * a[1]) * x + (nz * a[0] - nx * a[2]) * y + (nx * a[1] - ny * a[0]) * z;
  const before = (b[1] * nz - b[2] * ny) * x + (b[2] * nx - b[0] * nz) * y + (b[0] * ny - b[1] * nx) * z;
  if (past >= 0 && before >= 0) {
    const along = a[0] * x + a[1] * y + a[2] * z;
    return Math.atan2(Math.abs(nx * x + ny * y + nz * z), Math.hypot(past, along));
  }
  return Math.min(separation(direction, a), separation(direction, b));
}

/** Whether two arcs cross, exactly. Arcs of which an end lies on the great circle of the other do not. */
export function arcsCross(a: Vector, b: Vector, c: Vector, d: Vector): boolean {
  const side = orientation(a, c, b);
  return side !== 0 && orientation(c, b, d) === side && orientation(b, d, a) === side && orientation(d, a, c) === side;
}
