/**
 * A directory with many leaves below it, of which only the values of the key are at hand. Where the leaves are gone through in order, as find(1) does, the
 * rows of the next ones are read with those of the one that was asked for: one question for hundreds of leaves, and memory for no more.
 */

import type { DataIdValue, DimensionName, DirectoryQuery } from '../../registry/contract.js';
import type { RowBlock, TreeContext } from './context.js';
import { compareValues, firstNotBelow, type Range, rangeWith } from './row-range.js';

/** Leaves whose rows are read together. */
const WINDOW = 512;

export class LongDirectory {
  /** Of the catalogue that it was read from. */
  readonly generation: number;
  readonly key: DimensionName;
  readonly #context: TreeContext;
  readonly #question: DirectoryQuery;
  readonly #values: readonly DataIdValue[];
  readonly #column: number;
  #window: { readonly block: RowBlock; readonly last: DataIdValue } | undefined;
  #lastAsked = -1;

  /** `values` are the sorted answer to `question`, which has one key. */
  constructor(context: TreeContext, question: DirectoryQuery, values: readonly DataIdValue[]) {
    this.generation = context.generation;
    this.key = question.keys[0]!;
    this.#context = context;
    this.#question = question;
    this.#values = values;
    this.#column = question.type.dimensions.required.indexOf(this.key);
  }

  /** Rows with this value; undefined where it is out of order, and the leaf had better ask for itself. */
  rangeOf(value: DataIdValue): Range | undefined {
    const position = firstNotBelow(0, this.#values.length, (i) => compareValues(this.#values[i]!, value));
    const inOrder = position === this.#lastAsked + 1;
    this.#lastAsked = position;
    let range = this.#rangeInWindow(value);
    if (range === undefined && inOrder && this.#values[position] === value) {
      this.#read(value, this.#values[Math.min(position + WINDOW, this.#values.length) - 1]!);
      range = this.#rangeInWindow(value);
    }
    return range;
  }

  #rangeInWindow(value: DataIdValue): Range | undefined {
    const rows = this.#window?.block.rows;
    if (this.#window === undefined || rows === undefined || compareValues(this.#window.last, value) < 0) return undefined;
    const range = rangeWith({ block: this.#window.block, from: 0, to: rows.length }, this.#column, value);
    return range.from === range.to ? undefined : range;
  }

  #read(first: DataIdValue, last: DataIdValue): void {
    const answer = this.#context.catalogue.directory({ ...this.#question, window: { first, last } });
    this.#window = { block: this.#context.hold(answer.kind === 'rows' ? answer.rows : []), last };
  }
}
