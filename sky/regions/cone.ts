/** Distances from an elliptical cone. */

import type { Vector } from '../vector.js';

/**
 * The direction of the cone (x cotA)^2 + (y cotB)^2 = z^2, z > 0, that is nearest to a direction, which may lie inside or outside. 0 < cotA < cotB.
 *
 * With D = diag(a, b, -1), where a = cotA^2 and b = cotB^2, the nearest p is where p + t D p is parallel to the direction q for some t: p_i = q_i / (1 + t D_i). The t
 * at which p lies on the cone is found by bisection, in the interval in which the signs are those of the nearest point, measured from that end of it at which a
 * coordinate of p may be lost: there the cone gives it.
 */
export function nearestOnCone(direction: Vector, cotA: number, cotB: number): Vector {
  const [a, b] = [cotA * cotA, cotB * cotB];
  const [, , z] = direction;
  if (z <= 0) return nearestFromBelow(direction, a, b);
  return excess(direction, a, b) > 0 ? nearestFromOutside(direction, a, b) : nearestFromInside(direction, a, b);
}

/** Positive outside the cone. */
function excess([x, y, z]: Vector, a: number, b: number): number {
  return a * x * x + b * y * y - z * z;
}

function nearestFromOutside([x, y, z]: Vector, a: number, b: number): Vector {
  const at = (t: number): Vector => [x / (1 + t * a), y / (1 + t * b), z / (1 - t)];
  const [px, py] = at(root((t) => excess(at(t), a, b), 0, 1));
  return [px, py, Math.sqrt(a * px * px + b * py * py)];
}

/** Where y is 0, or nearly so, two points may be nearest. */
function nearestFromInside([x, y, z]: Vector, a: number, b: number): Vector {
  // s = 1 + t b.
  const at = (s: number): Vector => [x / (1 - a / b + (s * a) / b), y / s, z / (1 + (1 - s) / b)];
  const s = root((value) => excess(at(value), a, b), 0, 1);
  const [px, py, pz] = at(s);
  if (s > 0) return [px, py, Math.sqrt(a * px * px + b * py * py)];
  return [px, Math.sqrt(Math.max(0, pz * pz - a * px * px) / b), pz];
}

function nearestFromBelow([x, y, z]: Vector, a: number, b: number): Vector {
  // s = 1 / t + a.
  const at = (s: number): Vector => [x / s, y / (s + (b - a)), z / (s - (1 + a))];
  const s = root((value) => excess(at(value), a, b), 0, 1 + a);
  const [px, py, pz] = at(s);
  if (s > 0) return [px, py, Math.sqrt(a * px * px + b * py * py)];
  return [Math.sqrt(Math.max(0, pz * pz - b * py * py) / a), py, pz];
}

/** Of a function that falls from positive to negative, between two numbers; the lower one where it is positive nowhere. */
function root(falling: (at: number) => number, low: number, high: number): number {
  for (;;) {
    const middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) return low;
    if (falling(middle) > 0) low = middle;
    else high = middle;
  }
}
