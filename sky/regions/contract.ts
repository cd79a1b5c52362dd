/**
 * Regions on the sky: what a kind of region offers, how two of them lie to each other, and which pixels of a pixelisation they touch.
 *
 * Angles are radians, directions unit vectors, areas steradians. Regions never change, and contain their boundaries. An empty region is disjoint from every
 * region, and within every region.
 *
 * What is computed is conservative: `disjoint`, `contains` and `within` are true only where they are certain. Polygons are related to polygons, and to points,
 * exactly as their doubles are; between other kinds an answer within {@link angleError} of touching is "they intersect, and neither contains the other". What
 * the kinds beside `union` and `intersection` answer is exact otherwise; those two say what they leave open.
 */

import type { UnitVector } from '../vector.js';

export type RegionKind = 'polygon' | 'circle' | 'box' | 'ellipse' | 'union' | 'intersection';

/** Radians within which two regions that are no polygons may touch or not. */
export const angleError = 1e-15;

/** How a region lies to another. Where both regions are empty all three hold. */
export interface Relationship {
  /** They have no point in common. */
  readonly disjoint: boolean;
  /** The first contains all of the second. */
  readonly contains: boolean;
  /** The second contains all of the first. */
  readonly within: boolean;
}

/** A circle round a region; empty where `openingAngle` is negative, the whole sky where it is pi. */
export interface BoundingCircle {
  readonly center: UnitVector;
  readonly openingAngle: number;
}

/**
 * Longitudes from `west` eastward to `east`, both in [0, 2 pi], and latitudes. `west` greater than `east` reaches across longitude 0; [0, 2 pi] is all round.
 * NaN in all four: empty.
 */
export interface LonLatBounds {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

export interface Region {
  readonly kind: RegionKind;
  readonly isEmpty: boolean;
  readonly isFull: boolean;
  contains(other: UnitVector | Region): boolean;
  /** Not certainly disjoint. */
  intersects(other: Region): boolean;
  isDisjointFrom(other: Region): boolean;
  isWithin(other: Region): boolean;
  relate(other: Region): Relationship;
  /** Contains the region; not always the smallest that does. */
  boundingCircle(): BoundingCircle;
  /** Contains the region; not always the smallest that does. */
  boundingBox(): LonLatBounds;
  /** Throws `unsupported` for a union or an intersection whose members overlap in part. */
  area(): number;
  /** The bytes in which LSST sphgeom writes it (codec.ts). */
  encode(): Uint8Array;
  /** Every pixel that the region may touch. See {@link Pixelisation.envelope}. */
  envelope(pixelisation: Pixelisation, maxRanges?: number): PixelRanges;
  /** Pixels that lie in the region. See {@link Pixelisation.interior}. */
  interior(pixelisation: Pixelisation, maxRanges?: number): PixelRanges;
}

/** Sorted ranges of pixel indices, `[first, end)` in turn, that neither overlap nor touch. */
export type PixelRanges = readonly number[];

/**
 * The sky cut into pixels, four times as many at each level. Indices are numbers, and exact: those of HTM level 24 end at 2^52, those of HEALPix level 24 below
 * 2^52 as well.
 */
export interface Pixelisation {
  /** As dimensions are called: `htm7`, `healpix9`. */
  readonly name: string;
  readonly level: number;
  /** Of all pixels. */
  readonly universe: readonly [first: number, end: number];
  /** The pixel of a direction of any length but 0. */
  index(direction: UnitVector): number;
  /** The convex polygon of a pixel. Throws `invalid-value` for an index that is none. */
  pixel(index: number): Region;
  /**
   * Every pixel that the region may touch: all that it does touch are among them. With `maxRanges` (1 or more), no more ranges than that, filled up with
   * pixels of which they have most to spare.
   */
  envelope(region: Region, maxRanges?: number): PixelRanges;
  /** Pixels that certainly lie in the region, with `maxRanges` the longest ranges of them. */
  interior(region: Region, maxRanges?: number): PixelRanges;
}
