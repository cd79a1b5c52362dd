/** Inode numbers: hashes of what a node stands for, so that they are the same on every path, in every mount and after every restart. */

/** Numbers lie in 1..2^52, so that a sum of two is still exact. */
const SPAN = 2 ** 52;
const LANE = 2 ** 26;

/** A hash of the text, in 0..2^52-1. Two multiplicative lanes in the manner of FNV-1a, finished with shifts so that every input bit reaches every output bit. */
export function hashText(text: string): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  a = Math.imul(a ^ (b >>> 15), 0xc2b2ae35);
  b = Math.imul(b ^ (a >>> 13), 0x27d4eb2f);
  a ^= b >>> 16;
  return ((a >>> 0) % LANE) * LANE + (((b ^ (b >>> 15)) >>> 0) % LANE);
}

/** Combines hashes so that their order does not matter: `tract=1/patch=2` is `patch=2/tract=1`. */
export function combine(a: number, b: number): number {
  return (a + b) % SPAN;
}

/** An integer as a summand for {@link combine} that keeps the order of integers, but for those that the sum wraps round. */
export function spread(value: number): number {
  return ((value % SPAN) + SPAN) % SPAN;
}

/** A hash as an inode number, which is never 0 nor that of the root. */
export function inodeNumber(hash: number): number {
  return hash + 2;
}
