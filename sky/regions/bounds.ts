/** Bounds in longitude and latitude. */

import { tau } from '../vector.js';
import { angleError } from './contract.js';
import type { LonLatBounds } from './contract.js';

export const noBounds: LonLatBounds = { west: NaN, east: NaN, south: NaN, north: NaN };
export const fullBounds: LonLatBounds = { west: 0, east: tau, south: -Math.PI / 2, north: Math.PI / 2 };

/** Of a circle that is neither empty nor full. */
export function boundsRound(longitude: number, latitude: number, openingAngle: number): LonLatBounds {
  const reach = openingAngle + 2 * angleError;
  const south = Math.max(-Math.PI / 2, latitude - reach);
  const north = Math.min(Math.PI / 2, latitude + reach);
  if (south <= -Math.PI / 2 || north >= Math.PI / 2) return { west: 0, east: tau, south, north };
  // sin(half width) = sin(reach) / cos(latitude), which near pi/2 is better known from the tangent.
  const half =
    Math.atan2(Math.sin(reach), Math.sqrt(Math.max(0, Math.cos(latitude - reach) * Math.cos(latitude + reach)))) + 4 * angleError;
  return { west: wrapped(longitude - half), east: wrapped(longitude + half), south, north };
}

function wrapped(longitude: number): number {
  if (longitude < 0) return longitude + tau;
  return longitude > tau ? longitude - tau : longitude;
}

/** The eastward width of an interval of longitudes, as in {@link LonLatBounds}. */
export function widthOf({ west, east }: { readonly west: number; readonly east: number }): number {
  return west <= east ? east - west : east + tau - west;
}

/** The smallest bounds that hold both. */
export function boundsOfBoth(a: LonLatBounds, b: LonLatBounds): LonLatBounds {
  if (Number.isNaN(a.west)) return b;
  if (Number.isNaN(b.west)) return a;
  const latitudes = { south: Math.min(a.south, b.south), north: Math.max(a.north, b.north) };
  const holds = (bounds: LonLatBounds, other: LonLatBounds): boolean => eastOf(bounds.west, other.west) + widthOf(other) <= widthOf(bounds);
  if (widthOf(a) >= tau || widthOf(b) >= tau) return { west: 0, east: tau, ...latitudes };
  if (holds(a, b)) return { west: a.west, east: a.east, ...latitudes };
  if (holds(b, a)) return { west: b.west, east: b.east, ...latitudes };
  const fromA = Math.max(eastOf(a.west, b.west) + widthOf(b), widthOf(a));
  const fromB = Math.max(eastOf(b.west, a.west) + widthOf(a), widthOf(b));
  if (Math.min(fromA, fromB) >= tau) return { west: 0, east: tau, ...latitudes };
  return fromA <= fromB ? { west: a.west, east: b.east, ...latitudes } : { west: b.west, east: a.east, ...latitudes };
}

/** How far east one longitude lies of another, in [0, 2 pi). */
function eastOf(from: number, to: number): number {
  const angle = to - from;
  return angle >= 0 ? angle % tau : (angle % tau) + tau;
}
