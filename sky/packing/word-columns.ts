/**
 * The same as columns.ts does field by field, in one pass, for what is most common: two or three fields above a counter, all in Uint32Array. Loops over arrays of one
 * kind, with few of them, are what the compiler makes quick.
 */

/**
 * Writes sums of codes times weights to the first `count` of `rest`. Of two fields the third has weight 0, and the column of another. Returns the largest sum, or
 * -1 where a code is its size or more.
 */
export function sumWords(
  rest: Float64Array,
  [a, b, c]: readonly [Uint32Array, Uint32Array, Uint32Array],
  [weightA, weightB, weightC]: readonly [number, number, number],
  [sizeA, sizeB, sizeC]: readonly [number, number, number],
  from: number,
  count: number,
): number {
  let most = 0;
  let isWithin = true;
  for (let i = 0; i < count; i++) {
    const codeA = a[from + i]!;
    const codeB = b[from + i]!;
    const codeC = c[from + i]!;
    if (codeA >= sizeA || codeB >= sizeB || codeC >= sizeC) isWithin = false;
    const sum = codeA * weightA + codeB * weightB + codeC * weightC;
    rest[i] = sum;
    if (sum > most) most = sum;
  }
  return isWithin ? most : -1;
}

/** Puts sums above so many low bits (32 to 63) of which `low` has the values, a column of less than 2^32. */
export function joinAboveWords(rest: Float64Array, low: Uint32Array, bits: number, lanes: Uint32Array, from: number, count: number): void {
  const unit = 2 ** (bits - 32);
  for (let i = 0; i < count; i++) {
    lanes[2 * (from + i)] = low[from + i]!;
    lanes[2 * (from + i) + 1] = rest[i]! * unit;
  }
}

/** The same for less than 32 bits. */
export function joinWithinWords(rest: Float64Array, low: Uint32Array, bits: number, lanes: Uint32Array, from: number, count: number): void {
  const perAbove = 2 ** (bits - 32);
  const above = 2 ** (32 - bits);
  const unit = 2 ** bits;
  for (let i = 0; i < count; i++) {
    const value = rest[i]!;
    const high = Math.floor(value * perAbove);
    lanes[2 * (from + i)] = (value - high * above) * unit + low[from + i]!;
    lanes[2 * (from + i) + 1] = high;
  }
}

/** Takes sums apart. The targets are by descending weights, the last has weight 1. Returns whether all codes are less than their sizes. */
export function splitThree(
  rest: Float64Array,
  [a, b, c]: readonly [Uint32Array, Uint32Array, Uint32Array],
  [weightA, weightB]: readonly [number, number],
  [sizeA, sizeB, sizeC]: readonly [number, number, number],
  from: number,
  count: number,
): boolean {
  let isWithin = true;
  for (let i = 0; i < count; i++) {
    const value = rest[i]!;
    const codeA = Math.floor(value / weightA);
    const below = value - codeA * weightA;
    const codeB = Math.floor(below / weightB);
    const codeC = below - codeB * weightB;
    if (codeA >= sizeA || codeB >= sizeB || codeC >= sizeC) isWithin = false;
    a[from + i] = codeA;
    b[from + i] = codeB;
    c[from + i] = codeC;
  }
  return isWithin;
}
