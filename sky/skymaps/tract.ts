/** One tract: its pixels, and the patches that it is divided into. */

import { ButlerfsError } from '../../common/errors.js';
import type { UnitVector } from '../vector.js';
import type {
  CelestialWcs,
  InnerRegion,
  Patch,
  PatchScheme,
  PixelBox,
  PixelPosition,
  PolygonVertices,
  SkyPosition,
  Tract,
} from './contract.js';
import { celestialWcs } from './projection.js';

/** What a kind of sky map says of one of its tracts. */
export interface TractPlan {
  readonly tract: number;
  readonly centre: SkyPosition;
  /** Where the projection is centred; its reference pixel is (0, 0), and is moved. */
  readonly wcs: CelestialWcs;
  /** The tract shall hold all of these. */
  readonly extent: readonly UnitVector[];
  readonly inner: InnerRegion | undefined;
}

/** Sides of a patch without its border, and the width of that, in pixels. */
export function patchSizes(patches: PatchScheme): { readonly width: number; readonly height: number; readonly border: number } {
  if (patches.kind === 'legacy') return { width: patches.inner[0], height: patches.inner[1], border: patches.border };
  const side = patches.cellInner * patches.cellsInner;
  return { width: side, height: side, border: patches.cellsBorder * patches.cellInner + patches.cellBorder };
}

/** Along one axis: the patches that hold the pixels from `least` to `most`, and the first pixel of the first of them. */
function divide(least: number, most: number, inner: number): { readonly count: number; readonly first: number } {
  const low = Math.ceil(least - 0.5);
  const length = Math.floor(most + 0.5) - low + 1;
  const count = Math.ceil(length / inner);
  return { count, first: low - Math.floor((count * inner - length) / 2) };
}

/** The pixel that a point lies on; halves belong to the next. */
function pixelOf({ x, y }: PixelPosition): PixelPosition {
  return { x: Math.floor(x + 0.5), y: Math.floor(y + 0.5) };
}

function holds(box: PixelBox, { x, y }: PixelPosition): boolean {
  return x >= box.minX && x <= box.maxX && y >= box.minY && y <= box.maxY;
}

function grown({ minX, minY, maxX, maxY }: PixelBox, by: number): PixelBox {
  return { minX: minX - by, minY: minY - by, maxX: maxX + by, maxY: maxY + by };
}

function clipped(box: PixelBox, to: PixelBox): PixelBox {
  return {
    minX: Math.max(box.minX, to.minX),
    minY: Math.max(box.minY, to.minY),
    maxX: Math.min(box.maxX, to.maxX),
    maxY: Math.min(box.maxY, to.maxY),
  };
}

/** To the edges of its pixels, less `inset`: lower right, lower left, upper left, upper right. */
function boxPolygon(wcs: CelestialWcs, box: PixelBox, inset = 0): PolygonVertices {
  const [left, right] = [box.minX - 0.5 + inset, box.maxX + 0.5 - inset];
  const [bottom, top] = [box.minY - 0.5 + inset, box.maxY + 0.5 - inset];
  const corners = [
    { x: right, y: bottom },
    { x: left, y: bottom },
    { x: left, y: top },
    { x: right, y: top },
  ];
  return corners.map((corner) => wcs.pixelToVector(corner)).filter((vector) => vector !== undefined);
}

/** By this much, in pixels, a tract's own corners lie inside it. */
const cornerInset = 0.001;

export function makeTract({ tract, centre, wcs: planned, extent, inner }: TractPlan, scheme: PatchScheme): Tract {
  const points = extent.map((vector) => planned.vectorToPixel(vector)).filter((point) => point !== undefined);
  if (points.length < extent.length) {
    throw new ButlerfsError('unsupported', {
      what: `tract ${tract} does not fit into projection ${planned.projection}`,
      advice: 'make more and smaller tracts, or take STG',
    });
  }
  const { width, height, border } = patchSizes(scheme);
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const across = divide(Math.min(...xs), Math.max(...xs), width);
  const up = divide(Math.min(...ys), Math.max(...ys), height);
  const wcs = celestialWcs(planned.projection, planned.reference, { x: -across.first, y: -up.first }, planned.cd);
  const [columns, rows] = [across.count, up.count];
  const box = { minX: 0, minY: 0, maxX: columns * width - 1, maxY: rows * height - 1 };

  const patchAt = (column: number, row: number): Patch => {
    if (!isBelow(column, columns) || !isBelow(row, rows)) {
      throw new ButlerfsError('invalid-value', {
        what: `patch ${column},${row} of tract ${tract}`,
        why: `columns go from 0 to ${columns - 1}, rows from 0 to ${rows - 1}`,
      });
    }
    const own = { minX: column * width, minY: row * height, maxX: (column + 1) * width - 1, maxY: (row + 1) * height - 1 };
    const wide = grown(own, border);
    return new TractPatch(
      { tract, patch: columns * row + column, column, row },
      own,
      scheme.kind === 'legacy' ? clipped(wide, box) : wide,
      wcs,
      scheme,
    );
  };
  const patchesIn = ({ minX, minY, maxX, maxY }: PixelBox, order: 'columns' | 'rows'): Patch[] => {
    const [fromColumn, toColumn] = [Math.floor(minX / width), Math.floor(maxX / width)];
    const [fromRow, toRow] = [Math.floor(minY / height), Math.floor(maxY / height)];
    const found: Patch[] = [];
    for (let column = fromColumn; column <= toColumn; column++) {
      for (let row = fromRow; row <= toRow; row++) found.push(patchAt(column, row));
    }
    return order === 'columns' ? found : found.sort((a, b) => a.patch - b.patch);
  };

  const pixelAt = (position: SkyPosition): PixelPosition | undefined => {
    const point = wcs.skyToPixel(position);
    return point === undefined ? undefined : pixelOf(point);
  };

  return {
    tract,
    centre,
    wcs,
    box,
    columns,
    rows,
    get polygon() {
      return boxPolygon(wcs, box);
    },
    get inner() {
      return inner ?? { kind: 'polygon', vertices: boxPolygon(wcs, box, cornerInset) };
    },
    patch: (number) => {
      if (isBelow(number, columns * rows)) return patchAt(number % columns, Math.floor(number / columns));
      throw new ButlerfsError('invalid-value', {
        what: `patch ${number} of tract ${tract}`,
        why: `patches go from 0 to ${columns * rows - 1}`,
      });
    },
    patchAt,
    findPatch: (position) => {
      const pixel = pixelAt(position);
      return pixel !== undefined && holds(box, pixel) ? patchAt(Math.floor(pixel.x / width), Math.floor(pixel.y / height)) : undefined;
    },
    findPatchList: (positions) => {
      const pixels = positions.map((position) => wcs.skyToPixel(position)).filter((point) => point !== undefined);
      if (pixels.length === 0) return [];
      const [pixelXs, pixelYs] = [pixels.map(({ x }) => x), pixels.map(({ y }) => y)];
      const around = {
        minX: Math.ceil(Math.min(...pixelXs) - 0.5),
        minY: Math.ceil(Math.min(...pixelYs) - 0.5),
        maxX: Math.floor(Math.max(...pixelXs) + 0.5),
        maxY: Math.floor(Math.max(...pixelYs) + 0.5),
      };
      const within = clipped(grown(around, border), box);
      return within.minX > within.maxX || within.minY > within.maxY ? [] : patchesIn(within, 'columns');
    },
    patchesContaining: (position) => {
      const pixel = pixelAt(position);
      if (pixel === undefined) return [];
      const near = clipped(grown({ minX: pixel.x, minY: pixel.y, maxX: pixel.x, maxY: pixel.y }, border), box);
      if (near.minX > near.maxX || near.minY > near.maxY) return [];
      return patchesIn(near, 'rows').filter(({ outer }) => holds(outer, pixel));
    },
    contains: (position) => {
      const pixel = pixelAt(position);
      return pixel !== undefined && holds(box, pixel);
    },
  };
}

function isBelow(number: number, limit: number): boolean {
  return Number.isInteger(number) && number >= 0 && number < limit;
}

class TractPatch implements Patch {
  readonly tract: number;
  readonly patch: number;
  readonly column: number;
  readonly row: number;
  readonly inner: PixelBox;
  readonly outer: PixelBox;
  readonly #wcs: CelestialWcs;
  readonly #scheme: PatchScheme;

  constructor(
    { tract, patch, column, row }: Pick<Patch, 'tract' | 'patch' | 'column' | 'row'>,
    inner: PixelBox,
    outer: PixelBox,
    wcs: CelestialWcs,
    scheme: PatchScheme,
  ) {
    this.tract = tract;
    this.patch = patch;
    this.column = column;
    this.row = row;
    this.inner = inner;
    this.outer = outer;
    this.#wcs = wcs;
    this.#scheme = scheme;
  }

  get centre(): SkyPosition {
    const { minX, maxX, minY, maxY } = this.inner;
    // A patch lies on the sky wherever its tract does.
    return this.#wcs.pixelToSky({ x: (minX + maxX) / 2, y: (minY + maxY) / 2 })!;
  }

  get polygon(): PolygonVertices {
    return boxPolygon(this.#wcs, this.outer);
  }

  get innerPolygon(): PolygonVertices {
    return boxPolygon(this.#wcs, this.inner);
  }

  get cells(): Patch['cells'] {
    if (this.#scheme.kind === 'legacy') return undefined;
    const side = this.#scheme.cellsInner + 2 * this.#scheme.cellsBorder;
    return { columns: side, rows: side };
  }

  cell(column: number, row: number): ReturnType<Patch['cell']> {
    const scheme = this.#scheme;
    const size = this.cells;
    const what = `cell ${column},${row} of patch ${this.patch} of tract ${this.tract}`;
    if (scheme.kind === 'legacy' || size === undefined)
      throw new ButlerfsError('invalid-value', { what, why: 'this sky map has no cells' });
    if (!isBelow(column, size.columns) || !isBelow(row, size.rows)) {
      throw new ButlerfsError('invalid-value', { what, why: `columns and rows go from 0 to ${size.columns - 1}` });
    }
    const minX = this.inner.minX + (column - scheme.cellsBorder) * scheme.cellInner;
    const minY = this.inner.minY + (row - scheme.cellsBorder) * scheme.cellInner;
    const inner = { minX, minY, maxX: minX + scheme.cellInner - 1, maxY: minY + scheme.cellInner - 1 };
    return { cell: size.columns * row + column, inner, outer: grown(inner, scheme.cellBorder) };
  }
}
