/**
 * Data IDs packed into integers and back, one at a time and by the million.
 *
 * A packed integer is a sum of fields, each a code times a weight (mixed radix, not bit fields, but where a size is a power of two). Integers are exact:
 * `bigint` one at a time, unsigned 64-bit in arrays. Everything that does not fit is ButlerfsError `invalid-value`, which says the range.
 */

import type { DataIdValue } from './values.js';

/** Values by key. Keys that a packer does not know are not looked at. */
export type PackableDataId = Readonly<Record<string, DataIdValue>>;

/** Words of a small set, as their places in `labels`. */
export interface LabelColumn {
  readonly codes: Uint8Array;
  /** At most 256. */
  readonly labels: readonly string[];
}

/** One key's values, row by row. */
export type Column = Uint32Array | BigUint64Array | LabelColumn;

/** Columns of one length. */
export type Columns = Readonly<Record<string, Column>>;

export interface Packer {
  readonly name: string;
  /** What a data ID must give, in path order. */
  readonly keys: readonly string[];
  /** Keys that hold for all that is packed (`skymap`, `instrument`): a data ID that gives another value does not fit. */
  readonly fixed: PackableDataId;
  /** The number of bits that the largest packed integer takes. */
  readonly bits: number;
  /** All packed integers are less; not all integers that are less are packed ones. */
  readonly limit: bigint;
  pack(dataId: PackableDataId): bigint;
  /** {@link keys} and {@link fixed}. */
  unpack(packed: bigint): Record<string, DataIdValue>;
  /** `columns` has all of {@link keys}, of one length. An error names the first row that does not fit, from 0. */
  packColumns(columns: Columns): BigUint64Array;
  /**
   * Columns of {@link keys}: words as labels, integers as Uint32Array where all of the key's values are below 2^32, else as BigUint64Array. An error names the
   * first row that is no packed integer, from 0.
   */
  unpackColumns(packed: BigUint64Array): Record<string, Column>;
}
