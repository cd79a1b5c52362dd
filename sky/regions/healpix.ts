/**
 * HEALPix with nested indices: twelve faces, each cut in four at each level. Pixels have the same area; their edges are no great circles.
 *
 * Source: K. M. Górski et al., HEALPix (2005), sections 4 and 5. `healpixN` has 12 * 4^N pixels.
 */

import { fromLonLat, normalize, tau } from '../vector.js';
import type { UnitVector } from '../vector.js';
import { AbstractPixelisation } from './abstract-pixelisation.js';
import { angleError } from './contract.js';
import { ConvexPolygon } from './convex-polygon.js';
import type { RangeGatherer } from './pixel-ranges.js';
import type { SimpleRegion } from './relations.js';

export const deepestHealpixLevel = 17;

const faces = 12;
/** Of each face, how many faces its southern corner is from the north pole, and how many eighths of a turn east its middle. */
const ring = [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
const meridian = [1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7];
/** Points on a side of the polygon of a pixel. */
const sidePoints = 4;
/** Levels below its own that a pixel is looked at, where it neither is wholly in a region nor wholly out of it. */
const closerLook = 4;

export class HealpixPixelisation extends AbstractPixelisation {
  readonly name: string;
  readonly universe: readonly [first: number, end: number];
  /** Pixels along a side of a face. */
  readonly #side: number;

  /** `level`: 0 to 17; else throws `invalid-value`. */
  constructor(level: number) {
    super('HEALPix', level, deepestHealpixLevel);
    this.name = `healpix${level}`;
    this.#side = 2 ** level;
    this.universe = [0, faces * 4 ** level];
  }

  index(direction: UnitVector): number {
    const side = this.#side;
    const [x, y, z] = normalize(direction);
    // A pole with -0 would be elsewhere than with 0.
    const turn = Math.atan2(y + 0, x + 0) / (tau / 4);
    const quarters = turn < 0 ? turn + 4 : turn;
    if (Math.abs(z) <= 2 / 3) return this.#equatorial(quarters >= 4 ? 0 : quarters, z);
    const quadrant = Math.min(3, Math.floor(quarters));
    const along = quarters - quadrant;
    // sqrt(3 (1 - |z|)), from the distance to the axis.
    const fromPole = (side * Math.hypot(x, y)) / Math.sqrt((1 + Math.abs(z)) / 3);
    const east = Math.min(side - 1, Math.floor(along * fromPole));
    const west = Math.min(side - 1, Math.floor((1 - along) * fromPole));
    return z >= 0 ? this.#nested(quadrant, side - west - 1, side - east - 1) : this.#nested(quadrant + 8, east, west);
  }

  #equatorial(quarters: number, z: number): number {
    const side = this.#side;
    const descending = Math.floor(side * (0.5 + quarters) - side * (z * 0.75));
    const ascending = Math.floor(side * (0.5 + quarters) + side * (z * 0.75));
    const [down, up] = [Math.floor(descending / side), Math.floor(ascending / side)];
    const face = down === up ? (down === 4 ? 4 : down + 4) : down < up ? down : up + 8;
    return this.#nested(face, ascending % side, side - (descending % side) - 1);
  }

  #nested(face: number, x: number, y: number): number {
    return face * this.#side * this.#side + interleaved(x) + 2 * interleaved(y);
  }

  #place(index: number): [face: number, x: number, y: number] {
    const perFace = this.#side * this.#side;
    const within = index % perFace;
    return [Math.floor(index / perFace), alternate(within), alternate(Math.floor(within / 2))];
  }

  /** Of a point of the outline on each corner and three between them on each side, as sphgeom has it. */
  pixel(index: number): ConvexPolygon {
    return ConvexPolygon.around(this.outline(index, sidePoints));
  }

  /** Points on the edges of a pixel, so many on each side, counterclockwise from its northern corner. Throws `invalid-value` for an index that is none. */
  outline(index: number, points: number): UnitVector[] {
    const [face, x, y] = this.#place(this.checked(index));
    const steps = Array.from({ length: points }, (_, step) => step / points);
    const around = [
      ...steps.map((step) => [1 - step, 1]),
      ...steps.map((step) => [0, 1 - step]),
      ...steps.map((step) => [step, 0]),
      ...steps.map((step) => [1, step]),
    ] as [number, number][];
    return around.map(([right, up]) => directionAt(face, (x + right) / this.#side, (y + up) / this.#side));
  }

  /** The middle of a pixel. Throws `invalid-value` for an index that is none. */
  center(index: number): UnitVector {
    const [face, x, y] = this.#place(this.checked(index));
    return directionAt(face, (x + 0.5) / this.#side, (y + 0.5) / this.#side);
  }

  /** By circles round pixels, and, where these do not tell, round pixels up to four levels finer. */
  protected gather(region: SimpleRegion, gatherer: RangeGatherer, isInterior: boolean): void {
    const visit = (index: number, level: number, face: number, x: number, y: number): void => {
      if (level > gatherer.level || !gatherer.wants(index, level)) return;
      const side = 2 ** level;
      const center = directionAt(face, (x + 0.5) / side, (y + 0.5) / side);
      const radius = largestRadius(level);
      if (region.distanceTo(center) > radius + angleError) return;
      if (region.containsCircle(center, radius)) {
        gatherer.add(index, level);
      } else if (level < gatherer.level) {
        for (let child = 0; child < 4; child++) visit(4 * index + child, level + 1, face, 2 * x + (child & 1), 2 * y + (child >> 1));
      } else if (
        isInterior ? isInside(region, face, x, y, level, level + closerLook) : touches(region, face, x, y, level, level + closerLook)
      ) {
        gatherer.add(index, level);
      }
    };
    for (let face = 0; face < faces; face++) visit(face, 0, face, 0, 0);
  }
}

/** Whether a pixel may touch the region, as seen at a finer level. */
function touches(region: SimpleRegion, face: number, x: number, y: number, level: number, finest: number): boolean {
  const side = 2 ** level;
  const distance = region.distanceTo(directionAt(face, (x + 0.5) / side, (y + 0.5) / side));
  if (distance === 0) return true;
  if (distance > largestRadius(level) + angleError) return false;
  if (level === finest) return true;
  for (let child = 0; child < 4; child++) {
    if (touches(region, face, 2 * x + (child & 1), 2 * y + (child >> 1), level + 1, finest)) return true;
  }
  return false;
}

/** Whether a pixel is certainly in the region, as seen at a finer level. */
function isInside(region: SimpleRegion, face: number, x: number, y: number, level: number, finest: number): boolean {
  const side = 2 ** level;
  const center = directionAt(face, (x + 0.5) / side, (y + 0.5) / side);
  if (region.containsCircle(center, largestRadius(level))) return true;
  if (level === finest || !region.containsDirection(...center)) return false;
  for (let child = 0; child < 4; child++) {
    if (!isInside(region, face, 2 * x + (child & 1), 2 * y + (child >> 1), level + 1, finest)) return false;
  }
  return true;
}

const radii: number[] = [];

/** Radians from the middle of a pixel of a level to its farthest corner, at most: that of pixels whose corner is the one between three faces. */
function largestRadius(level: number): number {
  let radius = radii[level];
  if (radius === undefined) {
    const side = 2 ** level;
    // On face 0 the pixel at its eastern corner, which is the middle of pixels with the most different diagonals.
    const center = directionAt(0, (side - 0.5) / side, 0.5 / side);
    const corners = [0, 1].flatMap((right) => [0, 1].map((up) => directionAt(0, (side - 1 + right) / side, up / side)));
    radius = 1.05 * Math.max(...corners.map((corner) => Math.hypot(...corner.map((value, axis) => value - center[axis]!))));
    radii[level] = radius;
  }
  return radius;
}

/** A point of a face: both coordinates from 0 at its southern corner to 1, x to the north-east and y to the north-west. */
function directionAt(face: number, x: number, y: number): UnitVector {
  const south = ring[face]! - x - y;
  const isNorthern = south < 1;
  const isPolar = isNorthern || south > 3;
  const width = isPolar ? (isNorthern ? south : 4 - south) : 1;
  const eighths = meridian[face]! * width + x - y;
  const longitude = width < 1e-15 ? 0 : ((tau / 8) * eighths) / width;
  if (!isPolar) return fromLonLat(longitude, Math.asin(((2 - south) * 2) / 3));
  // z = 1 - width^2 / 3, whose distance from the axis keeps its digits near the pole.
  const fromOne = (width * width) / 3;
  const aside = Math.sqrt(fromOne * (2 - fromOne));
  return [aside * Math.cos(longitude), aside * Math.sin(longitude), isNorthern ? 1 - fromOne : fromOne - 1];
}

/** The bits of a number below 2^26 with zeros between them. */
function interleaved(value: number): number {
  return spread(value & 0x1fff) + spread(value >>> 13) * 2 ** 26;
}

/** Of 13 bits. */
function spread(value: number): number {
  let bits = value;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Every second bit of a number below 2^52, the lowest first. */
function alternate(value: number): number {
  return gathered(value % 2 ** 26) + gathered(Math.floor(value / 2 ** 26)) * 2 ** 13;
}

/** Of 26 bits. */
function gathered(value: number): number {
  let bits = value & 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0xffff;
}
