/**
 * Leaves that are asked for by name, one after the other, in a directory that nobody listed: the rows of the next ones come with those of the one that was
 * asked for. How many is doubled twice for each that followed upon the one before, and is one again where none did: what is asked for at random is not paid
 * for with its neighbours.
 */

import type { DataIdValue, DirectoryQuery } from '../../registry/contract.js';
import type { RowBlock, TreeContext } from './context.js';
import { type Range, rangeWith } from './row-range.js';

/** Values of the key, whether they exist or not, that one question asks for. */
const FEWEST = 2;
const MOST = 1024;
const GROWTH = 4;

export class LeavesAhead {
  /** Of the catalogue that is asked. */
  readonly generation: number;
  readonly #context: TreeContext;
  readonly #question: DirectoryQuery;
  readonly #column: number;
  #block: RowBlock | undefined;
  #first = 0;
  #last = -1;
  #span = FEWEST;

  /** `question` has one key, whose values are integers. */
  constructor(context: TreeContext, question: DirectoryQuery) {
    this.generation = context.generation;
    this.#context = context;
    this.#question = question;
    this.#column = question.type.dimensions.required.indexOf(question.keys[0]!);
  }

  /** Rows with this value; empty where there is none. */
  rangeOf(value: number): Range {
    if (this.#block?.rows === undefined || value < this.#first || value > this.#last) this.#read(value);
    const block = this.#block!;
    return rangeWith({ block, from: 0, to: block.rows!.length }, this.#column, value);
  }

  #read(first: number): void {
    const follows = first > this.#last && first <= this.#last + this.#span;
    this.#span = follows ? Math.min(MOST, this.#span * GROWTH) : FEWEST;
    const last = Math.min(first + this.#span - 1, Number.MAX_SAFE_INTEGER);
    const window: { readonly first: DataIdValue; readonly last: DataIdValue } = { first, last };
    const answer = this.#context.catalogue.directory({ ...this.#question, window });
    this.#block = this.#context.hold(answer.kind === 'rows' ? answer.rows : []);
    this.#first = first;
    this.#last = last;
  }
}
