/**
 * On which side of a great circle a direction lies, exactly.
 *
 * The sign of the determinant |a b c| of three vectors. Doubles decide it where the result is larger than its rounding error can be; else it is computed with
 * integers, of which doubles are fractions. Source of the error bound: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
 * Predicates (1997), section 4.3, for the determinant without differences.
 */

import type { Vector } from '../vector.js';

/** Relative to the sum of the absolute values of the six products: over four roundings, with room to spare. */
const relativeError = 8 * 2 ** -53;
/** What may have been lost to underflow. */
const underflow = 1e-290;

/** 1 where a, b, c are counterclockwise as seen from outside the sphere (`a . (b x c) > 0`), -1 clockwise, 0 on one great circle. */
export function orientation(a: Vector, b: Vector, c: Vector): -1 | 0 | 1 {
  return orientationOf(a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]);
}

/** As {@link orientation}, of coordinates. */
export function orientationOf(
  ax: number,
  ay: number,
  az: number,
  bx: number,
  by: number,
  bz: number,
  cx: number,
  cy: number,
  cz: number,
): -1 | 0 | 1 {
  const byCz = by * cz;
  const bzCy = bz * cy;
  const bzCx = bz * cx;
  const bxCz = bx * cz;
  const bxCy = bx * cy;
  const byCx = by * cx;
  const determinant = ax * (byCz - bzCy) + ay * (bzCx - bxCz) + az * (bxCy - byCx);
  const magnitude =
    Math.abs(ax) * (Math.abs(byCz) + Math.abs(bzCy)) +
    Math.abs(ay) * (Math.abs(bzCx) + Math.abs(bxCz)) +
    Math.abs(az) * (Math.abs(bxCy) + Math.abs(byCx));
  const error = relativeError * magnitude + underflow;
  if (determinant > error) return 1;
  if (determinant < -error) return -1;
  return exactOrientation([ax, ay, az, bx, by, bz, cx, cy, cz]);
}

function exactOrientation(coordinates: readonly number[]): -1 | 0 | 1 {
  if (isSame(coordinates, 0, 3) || isSame(coordinates, 3, 6) || isSame(coordinates, 0, 6)) return 0;
  const [ax, ay, az, bx, by, bz, cx, cy, cz] = toIntegers(coordinates) as Nine;
  const determinant = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx);
  if (determinant === 0n) return 0;
  return determinant > 0n ? 1 : -1;
}

type Nine = [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

function isSame(coordinates: readonly number[], a: number, b: number): boolean {
  return coordinates[a] === coordinates[b] && coordinates[a + 1] === coordinates[b + 1] && coordinates[a + 2] === coordinates[b + 2];
}

const view = new DataView(new ArrayBuffer(8));
const fractionBits = 52n;

/** All of them times the same power of two. Source of the layout: IEEE 754, binary64. */
function toIntegers(numbers: readonly number[]): bigint[] {
  const parts = numbers.map((number) => {
    view.setFloat64(0, number);
    const bits = view.getBigUint64(0);
    const exponent = (bits >> fractionBits) & 0x7ffn;
    const fraction = bits & ((1n << fractionBits) - 1n);
    const magnitude = exponent === 0n ? fraction : fraction | (1n << fractionBits);
    return { mantissa: number < 0 ? -magnitude : magnitude, exponent: exponent === 0n ? 1n : exponent };
  });
  let least = 0x7ffn;
  for (const { mantissa, exponent } of parts) if (mantissa !== 0n && exponent < least) least = exponent;
  return parts.map(({ mantissa, exponent }) => (mantissa === 0n ? 0n : mantissa << (exponent - least)));
}
