/**
 * Sky maps: the sky divided into tracts, each a square of pixels in a projection of its own, and tracts into patches.
 *
 * Everything here is arithmetic: a sky map is made from its definition, and nothing of it is stored. Angles are degrees, positions are ICRS. Pixels are
 * counted as in LSST: the centre of a tract's first pixel is (0, 0), x runs along its rows. Source of the numbers: lsst.skymap; integers and digests come
 * out as there, doubles that pass a projection to about 5e-14 for each component of a unit vector.
 */

import type { UnitVector } from '../vector.js';

/** Vertices of a convex polygon, counterclockwise as seen from outside: `ConvexPolygon.of` in sky/regions makes a region of them. */
export type PolygonVertices = readonly UnitVector[];

/** ICRS, degrees: `ra` in [0, 360) where it comes out, any finite number where it goes in; `dec` in [-90, 90]. */
export interface SkyPosition {
  readonly ra: number;
  readonly dec: number;
}

/** A point in the pixels of a tract. */
export interface PixelPosition {
  readonly x: number;
  readonly y: number;
}

/** Whole pixels, both ends included. */
export interface PixelBox {
  readonly minX: number;
  readonly minY: number;
  readonly maxX: number;
  readonly maxY: number;
}

/** FITS codes: gnomonic, stereographic, cylindrical equal area. */
export const projectionCodes = ['TAN', 'STG', 'CEA'] as const;
export type ProjectionCode = (typeof projectionCodes)[number];

/** Patches with a border of pixels that ends at the tract's edge. Lengths are pixels. */
export interface LegacyPatches {
  readonly kind: 'legacy';
  readonly inner: readonly [x: number, y: number];
  readonly border: number;
}

/** Patches made of square cells, with a border of cells that goes on over the tract's edge. Lengths are pixels. */
export interface CellPatches {
  readonly kind: 'cells';
  /** Side of a cell without its border. */
  readonly cellInner: number;
  readonly cellBorder: number;
  /** Cells along a side of a patch without its border. */
  readonly cellsInner: number;
  /** Cells across the border of a patch, on each side. */
  readonly cellsBorder: number;
}

export type PatchScheme = LegacyPatches | CellPatches;

/** What every sky map says. */
export interface CommonDefinition {
  readonly projection: ProjectionCode;
  /** Arcseconds a pixel at the centre of a tract. */
  readonly pixelScale: number;
  /** By how much neighbouring tracts overlap at least, degrees. */
  readonly overlap: number;
  /** Position angle of +y at the centre of a tract, from north through east, degrees. */
  readonly rotation: number;
  readonly patches: PatchScheme;
}

/** Rings of tracts in declination, and one at each pole. */
export interface RingsDefinition extends CommonDefinition {
  readonly kind: 'rings';
  readonly numRings: number;
  /** Right ascension of the first tract of each ring, degrees. */
  readonly raStart: number;
  /**
   * 1: as now. 0: the older numbering, in which the first tract of each ring but the first counts as the last, tract 1 is there twice, and the first tract of
   * the last ring is missing. The digest of a sky map does not tell them apart.
   */
  readonly version: 0 | 1;
}

/** A square tract at each of some positions. */
export interface DiscreteDefinition extends CommonDefinition {
  readonly kind: 'discrete';
  /** In order of tract numbers; `radius` is half the side, degrees. */
  readonly tracts: readonly (SkyPosition & { readonly radius: number })[];
}

/** Tracts side by side along the equator. */
export interface EquatDefinition extends CommonDefinition {
  readonly kind: 'equat';
  readonly numTracts: number;
  /** Degrees. */
  readonly decRange: readonly [from: number, to: number];
}

/** The twelve faces of a dodecahedron. */
export interface DodecaDefinition extends CommonDefinition {
  readonly kind: 'dodeca';
  /** Whether a face is centred on each pole, or a corner lies there. */
  readonly tractsOnPoles: boolean;
}

/** A tract for each pixel of a HEALPix grid, of which north and south are exchanged. */
export interface HealpixDefinition extends CommonDefinition {
  readonly kind: 'healpix';
  /** 0 to 12. */
  readonly log2NSide: number;
  /** Whether pixels are numbered in the NESTED scheme, or in RING. */
  readonly nest: boolean;
}

export type SkyMapDefinition = RingsDefinition | DiscreteDefinition | EquatDefinition | DodecaDefinition | HealpixDefinition;

/** A linear map of pixels to the plane of a projection about a point of the sky. */
export interface CelestialWcs {
  readonly projection: ProjectionCode;
  /** The point of the sky that lies at the reference pixel. */
  readonly reference: SkyPosition;
  readonly referencePixel: PixelPosition;
  /** Degrees a pixel: [[dx/di, dx/dj], [dy/di, dy/dj]]. */
  readonly cd: readonly [readonly [number, number], readonly [number, number]];
  /** Undefined for pixels that lie on no point of the sky (of CEA: beyond the poles). */
  pixelToSky(pixel: PixelPosition): SkyPosition | undefined;
  pixelToVector(pixel: PixelPosition): UnitVector | undefined;
  /** Undefined for positions that the projection does not show (of TAN: a quarter of a turn or more from the reference). */
  skyToPixel(position: SkyPosition): PixelPosition | undefined;
  vectorToPixel(vector: UnitVector): PixelPosition | undefined;
}

/** One patch of a tract. Its pixels are its tract's. */
export interface Patch {
  readonly tract: number;
  /** Number within the tract: columns * row + column. */
  readonly patch: number;
  readonly column: number;
  readonly row: number;
  /** Of its tract alone it has this box to itself. */
  readonly inner: PixelBox;
  /** With its border; shared with its neighbours. */
  readonly outer: PixelBox;
  readonly centre: SkyPosition;
  /** The outer box to its pixels' edges, as dimension records have it: lower right, lower left, upper left, upper right. */
  readonly polygon: PolygonVertices;
  /** The inner box, likewise. */
  readonly innerPolygon: PolygonVertices;
  /** Sides of its cells in number, border included; undefined for a patch that is not made of cells. */
  readonly cells: { readonly columns: number; readonly rows: number } | undefined;
  /**
   * One cell, by the cell's column and row from 0 in the patch with its border: the pixels that it has to itself, and with its border. Throws
   * `invalid-value` for a cell that the patch does not have.
   */
  cell(column: number, row: number): { readonly cell: number; readonly inner: PixelBox; readonly outer: PixelBox };
}

export interface Tract {
  readonly tract: number;
  /** Where its projection is centred. */
  readonly centre: SkyPosition;
  readonly wcs: CelestialWcs;
  /** From (0, 0). */
  readonly box: PixelBox;
  readonly columns: number;
  readonly rows: number;
  /** The whole box to its pixels' edges, as dimension records have it: lower right, lower left, upper left, upper right. */
  readonly polygon: PolygonVertices;
  /** What is nearer to it than to other tracts: see {@link InnerRegion}. */
  readonly inner: InnerRegion;
  /** By number, or by column and row. Throws `invalid-value`, which says the range. */
  patch(number: number): Patch;
  patchAt(column: number, row: number): Patch;
  /** The patch whose inner box holds the position. Undefined outside the tract. */
  findPatch(position: SkyPosition): Patch | undefined;
  /**
   * Patches that hold, or may hold, a part of the region that the positions are corners of: those within a border's width of the positions' box of pixels. By
   * columns, then rows. Positions that the projection does not show are left out.
   */
  findPatchList(positions: readonly SkyPosition[]): readonly Patch[];
  /** Patches whose outer boxes hold the position, in order of numbers. */
  patchesContaining(position: SkyPosition): readonly Patch[];
  /** Whether the box holds the pixel that the position lies on. */
  contains(position: SkyPosition): boolean;
}

/** A box in right ascension and declination (degrees; `fromRa` above `toRa` where it passes 0; 0 to 360 round a pole), or a polygon. */
export type InnerRegion =
  | { readonly kind: 'box'; readonly fromRa: number; readonly toRa: number; readonly fromDec: number; readonly toDec: number }
  | { readonly kind: 'polygon'; readonly vertices: PolygonVertices };

/** Immutable. Tracts are made when they are asked for, and kept. */
export interface SkyMap {
  readonly definition: SkyMapDefinition;
  /** Tracts are numbered from 0 to below this: `tract_max` of a dimension record. */
  readonly tractCount: number;
  /** SHA-1 of the definition, 20 bytes, as dimension records have it. */
  readonly digest: Uint8Array;
  /** Throws `invalid-value`, which says the range. */
  tract(number: number): Tract;
  /** The tract that the position belongs to; of a map that does not cover the sky, the nearest. */
  findTract(position: SkyPosition): Tract;
  /** Tracts whose boxes hold the position, in order of numbers. */
  tractsContaining(position: SkyPosition): readonly Tract[];
  /** Patches whose outer boxes hold the position, in order of tracts and patches. */
  patchesContaining(position: SkyPosition): readonly Patch[];
  /**
   * Tracts that hold one of the positions, in order of numbers, each with the patches that {@link Tract.findPatchList} gives for all of them. Of maps without
   * rings every tract is looked at, so that one which lies inside the region is found too.
   */
  findTractPatchList(positions: readonly SkyPosition[]): readonly { readonly tract: Tract; readonly patches: readonly Patch[] }[];
}
