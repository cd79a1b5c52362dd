/** Sorted ranges of pixel indices, and what is made of them. */

import type { PixelRanges } from './contract.js';

/** Ranges kept while they are found, for each that is wanted in the end. */
const spare = 4;

/**
 * Gathers ranges that come in order. Where only so many are wanted and there are far more, it asks for coarser pixels: `level` becomes less, and what is there is
 * widened (narrowed, of an interior) to pixels of that level.
 */
export class RangeGatherer {
  /** The finest level that is still of use. */
  level: number;
  readonly #finest: number;
  readonly #maxRanges: number;
  readonly #isInterior: boolean;
  readonly #within: PixelRanges | undefined;
  #ranges: number[] = [];

  /** `maxRanges`: as of {@link Pixelisation.envelope}; `within`: where pixels are wanted; undefined: everywhere. */
  constructor(level: number, maxRanges: number | undefined, isInterior: boolean, within?: PixelRanges) {
    this.level = level;
    this.#finest = level;
    this.#maxRanges = maxRanges === undefined ? Infinity : Math.max(1, Math.floor(maxRanges));
    this.#isInterior = isInterior;
    this.#within = within;
  }

  /** Whether anything of a pixel of a level is wanted. */
  wants(index: number, level: number): boolean {
    if (this.#within === undefined) return true;
    const size = 4 ** (this.#finest - level);
    const next = firstEndingAfter(this.#within, index * size);
    return next < this.#within.length && this.#within[next]! < (index + 1) * size;
  }

  /** A pixel of a level. */
  add(index: number, level: number): void {
    const size = 4 ** (this.#finest - level);
    appendRange(this.#ranges, index * size, (index + 1) * size);
    while (this.#ranges.length > 2 * spare * this.#maxRanges && this.level > 0) this.#coarsen();
  }

  #coarsen(): void {
    this.level--;
    this.#ranges = coarser(this.#ranges, 4 ** (this.#finest - this.level), this.#isInterior);
  }

  ranges(): PixelRanges {
    return fewerRanges(this.#ranges, this.#maxRanges, this.#isInterior);
  }
}

/** Appends `[first, end)`, which begins nowhere before the last; grows that one where they touch. */
function appendRange(ranges: number[], first: number, end: number): void {
  const last = ranges.length - 1;
  if (last > 0 && first <= ranges[last]!) ranges[last] = Math.max(ranges[last]!, end);
  else ranges.push(first, end);
}

/** Outward, or inward, to multiples of a size. */
function coarser(ranges: PixelRanges, size: number, inward: boolean): number[] {
  const result: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    const first = (inward ? Math.ceil(ranges[at]! / size) : Math.floor(ranges[at]! / size)) * size;
    const end = (inward ? Math.floor(ranges[at + 1]! / size) : Math.ceil(ranges[at + 1]! / size)) * size;
    if (first < end) appendRange(result, first, end);
  }
  return result;
}

/** At most so many: the smallest gaps are filled, or, of an interior, the longest ranges kept. */
export function fewerRanges(ranges: PixelRanges, maxRanges: number, isInterior: boolean): PixelRanges {
  const count = ranges.length / 2;
  if (count <= maxRanges) return ranges;
  const numbers = Array.from({ length: isInterior ? count : count - 1 }, (_, index) => index);
  const size = (index: number): number =>
    isInterior ? ranges[2 * index + 1]! - ranges[2 * index]! : ranges[2 * index + 2]! - ranges[2 * index + 1]!;
  const largest = new Set(numbers.sort((a, b) => size(b) - size(a) || a - b).slice(0, isInterior ? maxRanges : maxRanges - 1));
  if (isInterior) return ranges.filter((_, at) => largest.has(at >> 1));
  return ranges.filter((_, at) => at === 0 || at === ranges.length - 1 || largest.has((at - 1) >> 1));
}

export function unionOfRanges(all: readonly PixelRanges[]): PixelRanges {
  const pairs = all.flatMap((ranges) =>
    Array.from({ length: ranges.length / 2 }, (_, index) => [ranges[2 * index]!, ranges[2 * index + 1]!] as const),
  );
  pairs.sort((a, b) => a[0] - b[0]);
  const result: number[] = [];
  for (const [first, end] of pairs) appendRange(result, first, end);
  return result;
}

export function intersectionOfRanges(a: PixelRanges, b: PixelRanges): PixelRanges {
  const result: number[] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    const [first, end] = [Math.max(a[i]!, b[j]!), Math.min(a[i + 1]!, b[j + 1]!)];
    if (first < end) appendRange(result, first, end);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return result;
}

/** Where the first range stands that ends after an index; the length where none does. */
function firstEndingAfter(ranges: PixelRanges, index: number): number {
  let [low, high] = [0, ranges.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle + 1]! <= index) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

/** Whether an index is in one of the ranges. */
export function rangesInclude(ranges: PixelRanges, index: number): boolean {
  const at = firstEndingAfter(ranges, index);
  return at < ranges.length && index >= ranges[at]!;
}

/** How many indices are in the ranges. */
export function sizeOfRanges(ranges: PixelRanges): number {
  let size = 0;
  for (let at = 0; at < ranges.length; at += 2) size += ranges[at + 1]! - ranges[at]!;
  return size;
}
