/**
 * A directory with many leaves below it, of which only the values of the key are at hand. Where the leaves are gone through in order, the rows of the next
 * ones are read with those of the one that was asked for: one question for hundreds of leaves. A few such windows are kept, because programs that sort names
 * as text go through several places in turn: `visit=1`, `visit=10`, `visit=100`, `visit=2`.
 */

import type { DataIdValue, DimensionName, DirectoryQuery } from '../../registry/contract.js';
import { compareValues } from '../../registry/values.js';
import type { RowBlock, TreeContext } from './context.js';
import { firstNotBelow, type Range, rangeWith } from './row-range.js';

/** Leaves whose rows are read together. */
const WINDOW = 512;
const WINDOWS = 8;

interface Window {
  readonly block: RowBlock;
  /** Positions of its first and last value. */
  readonly first: number;
  readonly last: number;
}

export class LongDirectory {
  /** Of the catalogue that it was read from. */
  readonly generation: number;
  readonly key: DimensionName;
  readonly #context: TreeContext;
  readonly #question: DirectoryQuery;
  readonly #values: readonly DataIdValue[];
  readonly #column: number;
  readonly #windows: Window[] = [];
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
    if (this.#values[position] !== value) return undefined;
    const inOrder = position === this.#lastAsked + 1 || this.#windows.some(({ last }) => last === position - 1);
    this.#lastAsked = position;
    const window =
      this.#windows.find(({ first, last }) => first <= position && position <= last) ?? (inOrder ? this.#read(position) : undefined);
    const rows = window?.block.rows;
    if (window === undefined || rows === undefined) return undefined;
    const range = rangeWith({ block: window.block, from: 0, to: rows.length }, this.#column, value);
    return range.from === range.to ? undefined : range;
  }

  #read(first: number): Window {
    const last = Math.min(first + WINDOW, this.#values.length) - 1;
    const answer = this.#context.catalogue.directory({
      ...this.#question,
      window: { first: this.#values[first]!, last: this.#values[last]! },
    });
    const window = { block: this.#context.hold(answer.kind === 'rows' ? answer.rows : []), first, last };
    // Whatever was emptied, or is the oldest of too many, makes room.
    const kept = this.#windows.filter(({ block }) => block.rows !== undefined).slice(1 - WINDOWS);
    this.#windows.splice(0, this.#windows.length, ...kept, window);
    return window;
  }
}
