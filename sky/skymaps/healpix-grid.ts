/**
 * The pixels of a HEALPix grid: their centres, corners, and which of them holds a point.
 *
 * Source: Gorski et al. 2005 (ApJ 622, 759). A pixel is a face (0 to 11) and a column and row in it; numbers are of the scheme NESTED or RING. Here `z` is the sine
 * of the latitude of the standard, in which pixel 0 of RING lies in the north; `phi` is in quarters of a turn.
 */

export interface GridPoint {
  readonly z: number;
  readonly phi: number;
}

interface Place {
  readonly face: number;
  readonly column: number;
  readonly row: number;
}

/** Of each face: how many quarters of a face lie north of its southern corner, and where that is in eighths of a turn. */
const faceRows = [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
const facePhis = [1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7];

/** A pixel's number in NESTED has the bits of column and row in turn. */
function nestedNumber({ face, column, row }: Place, side: number): number {
  let number = face;
  for (let bit = side / 2; bit >= 1; bit /= 2) number = number * 4 + (row & bit ? 2 : 0) + (column & bit ? 1 : 0);
  return number;
}

function placeOfNested(number: number, side: number): Place {
  let [column, row, rest] = [0, 0, number];
  for (let bit = 1; bit < side; bit *= 2) {
    column += rest % 2 === 1 ? bit : 0;
    row += Math.floor(rest / 2) % 2 === 1 ? bit : 0;
    rest = Math.floor(rest / 4);
  }
  return { face: rest, column, row };
}

/** Ring from 1 in the north to 4 * side - 1. */
function ringOf({ face, column, row }: Place, side: number): number {
  return faceRows[face]! * side - column - row - 1;
}

function ringLength(ring: number, side: number): number {
  return 4 * Math.min(ring, side, 4 * side - ring);
}

/** Pixels in the rings north of one. */
function pixelsBefore(ring: number, side: number): number {
  const pixels = 12 * side * side;
  if (ring <= side) return 2 * ring * (ring - 1);
  if (ring <= 3 * side) return 2 * side * (side - 1) + (ring - side) * 4 * side;
  const fromSouth = 4 * side - ring;
  return pixels - 2 * fromSouth * (fromSouth + 1);
}

function ringNumber(place: Place, side: number): number {
  const ring = ringOf(place, side);
  const length = ringLength(ring, side);
  const quarter = length / 4;
  const isShifted = ring < side || ring > 3 * side || (ring - side) % 2 === 0;
  // In steps of half a pixel from the first of a face's middle.
  const across = (facePhis[place.face]! * quarter + place.column - place.row + (isShifted ? 1 : 2)) / 2;
  const inRing = (((Math.floor(across) - 1) % length) + length) % length;
  return pixelsBefore(ring, side) + inRing;
}

function placeOfRing(number: number, side: number): Place {
  // Where a ring's pixel lies is known; the place is the one that holds its centre.
  let ring = 1;
  while (pixelsBefore(ring + 1, side) <= number && ring < 4 * side - 1) ring++;
  const length = ringLength(ring, side);
  const isShifted = ring < side || ring > 3 * side || (ring - side) % 2 === 0;
  const phi = ((number - pixelsBefore(ring, side) + (isShifted ? 0.5 : 0)) * 4) / length;
  return placeOfPoint({ z: ringHeight(ring / side), phi }, side);
}

/** `z` at a number of rings, in sides, south of the north pole. */
function ringHeight(rings: number): number {
  if (rings < 1) return 1 - (rings * rings) / 3;
  if (rings <= 3) return ((2 - rings) * 2) / 3;
  return (4 - rings) ** 2 / 3 - 1;
}

/** A point of a face: columns and rows as fractions of its side, from its southern corner. */
function pointOf(face: number, column: number, row: number): GridPoint {
  const rings = faceRows[face]! - column - row;
  const reach = Math.min(1, rings, 4 - rings);
  const phi = facePhis[face]! / 2 + (reach > 0 ? (column - row) / (2 * reach) : 0);
  return { z: ringHeight(rings), phi: ((phi % 4) + 4) % 4 };
}

function placeOfPoint({ z, phi }: GridPoint, side: number): Place {
  const turns = ((phi % 4) + 4) % 4;
  const inFace = (fraction: number): number => Math.max(0, Math.min(side - 1, Math.floor(fraction * side)));
  if (Math.abs(z) <= 2 / 3) {
    const [rising, falling] = [0.5 + turns - z * 0.75, 0.5 + turns + z * 0.75];
    const [up, down] = [Math.floor(rising), Math.floor(falling)];
    const face = up === down ? (up % 4) + 4 : up < down ? up % 4 : (down % 4) + 8;
    return { face, column: inFace(falling - down), row: inFace(1 - (rising - up)) };
  }
  const quarter = Math.min(3, Math.floor(turns));
  const within = turns - quarter;
  const reach = Math.sqrt(3 * (1 - Math.abs(z)));
  const [low, high] = [within * reach, (1 - within) * reach];
  return z > 0
    ? { face: quarter, column: inFace(1 - high), row: inFace(1 - low) }
    : { face: quarter + 8, column: inFace(low), row: inFace(high) };
}

/** Grid of 12 * side * side pixels; `side` is a power of two. */
export function healpixGrid(
  side: number,
  nest: boolean,
): {
  readonly pixelCount: number;
  centre(pixel: number): GridPoint;
  /** North, west, south, east. */
  corners(pixel: number): readonly GridPoint[];
  find(point: GridPoint): number;
} {
  const place = (pixel: number): Place => (nest ? placeOfNested(pixel, side) : placeOfRing(pixel, side));
  return {
    pixelCount: 12 * side * side,
    centre: (pixel) => {
      const { face, column, row } = place(pixel);
      return pointOf(face, (column + 0.5) / side, (row + 0.5) / side);
    },
    corners: (pixel) => {
      const { face, column, row } = place(pixel);
      const [west, east] = [column / side, (column + 1) / side];
      const [south, north] = [row / side, (row + 1) / side];
      return [pointOf(face, east, north), pointOf(face, west, north), pointOf(face, west, south), pointOf(face, east, south)];
    },
    find: (point) => {
      const found = placeOfPoint(point, side);
      return nest ? nestedNumber(found, side) : ringNumber(found, side);
    },
  };
}
