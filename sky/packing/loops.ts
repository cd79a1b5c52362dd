/**
 * The innermost loops of unpacking. Each takes the quotients by `weight` of a block of numbers into a column, leaves the remainders in `rest`, and gives the largest quotient.
 *
 * There is one for each kind of column, alike as they are: V8 makes a loop quick for the kind of array that it has met, and for one kind alone.
 */

export const two32 = 2 ** 32;
/** Multiplying by a power of two is exact, and quicker than dividing. */
export const perTwo32 = 2 ** -32;

export function divideToLanes(rest: Float64Array, weight: number, lanes: Uint32Array, from: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const code = Math.floor(rest[i]! / weight);
    rest[i] = rest[i]! - code * weight;
    const high = Math.floor(code * perTwo32);
    lanes[2 * (from + i)] = code - high * two32;
    lanes[2 * (from + i) + 1] = high;
    if (code > most) most = code;
  }
  return most;
}

export function divideToBytes(rest: Float64Array, weight: number, target: Uint8Array, from: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const code = Math.floor(rest[i]! / weight);
    rest[i] = rest[i]! - code * weight;
    target[from + i] = code;
    if (code > most) most = code;
  }
  return most;
}

export function divideToWords(rest: Float64Array, weight: number, target: Uint32Array, from: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const code = Math.floor(rest[i]! / weight);
    rest[i] = rest[i]! - code * weight;
    target[from + i] = code;
    if (code > most) most = code;
  }
  return most;
}

export function copyToWords(rest: Float64Array, target: Uint32Array, from: number, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const code = rest[i]!;
    target[from + i] = code;
    if (code > most) most = code;
  }
  return most;
}
