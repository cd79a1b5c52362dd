/** Parts of sorted rows. */

import type { DataIdValue } from '../../registry/contract.js';
import { compareValues } from '../../registry/values.js';
import type { RowBlock } from './context.js';

/** Rows [from, to) of a block. */
export interface Range {
  readonly block: RowBlock;
  readonly from: number;
  readonly to: number;
}

/** The rows of a range with this value at position `column` of their data ID; the range is sorted by it. Empty where none has it, or the block was emptied. */
export function rangeWith({ block, from, to }: Range, column: number, value: DataIdValue): Range {
  const { rows } = block;
  if (rows === undefined) return { block, from, to: from };
  const first = firstNotBelow(from, to, (i) => compareValues(rows[i]!.values[column]!, value));
  let end = first;
  while (end < to && rows[end]!.values[column] === value) end++;
  return { block, from: first, to: end };
}

/** First position in [low, high) that does not come before, by a comparison that grows with the position; `high` where there is none. */
export function firstNotBelow(low: number, high: number, compare: (position: number) => number): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(middle) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
