/**
 * The expression language of `query --where`:
 *
 *     expression  = term { OR term }
 *     term        = factor { AND factor }
 *     factor      = NOT factor | '(' expression ')' | comparison
 *     comparison  = operand operator operand | name [NOT] IN '(' item { ',' item } ')'
 *     operator    = '=' | '!=' | '<' | '<=' | '>' | '>='
 *     operand     = name | integer | decimal | string
 *     item        = integer | string | integer '..' integer [ ':' integer ]
 *
 * Names are keys of the dataset type (`tract`, `band`) or fields of dimension records (`visit.exposure_time`). Words of the language are written in either case.
 */

import { ButlerfsError } from '../../common/errors.js';
import { tokenize, whereError } from './tokens.js';
import type { Token } from './tokens.js';

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export interface NameNode {
  readonly kind: 'name';
  readonly name: string;
  readonly column: number;
}

export interface LiteralNode {
  readonly kind: 'literal';
  readonly value: number | string;
  readonly column: number;
}

/** Every `step`th integer from `first` to `last`, both included. */
export interface RangeNode {
  readonly kind: 'range';
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly column: number;
}

export type WhereNode =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly WhereNode[] }
  | { readonly kind: 'not'; readonly part: WhereNode }
  | { readonly kind: 'compare'; readonly operator: ComparisonOperator; readonly name: NameNode; readonly value: LiteralNode }
  | { readonly kind: 'in'; readonly name: NameNode; readonly items: readonly (LiteralNode | RangeNode)[] };

const flipped: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

/** How deep parentheses and NOT may nest. */
const deepest = 200;

/** Throws `usage`, with the column, for what is no expression, and `unsupported` for terms of time. */
export function parseWhere(expression: string): WhereNode {
  return new Parser(tokenize(expression)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): WhereNode {
    const node = this.#either();
    if (this.#token.kind !== 'end') throw this.#unexpected('AND, OR or the end');
    return node;
  }

  get #token(): Token {
    return this.#tokens[this.#position]!;
  }

  #isWord(word: string): boolean {
    return this.#token.kind === 'name' && this.#token.text.toUpperCase() === word;
  }

  #takeWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#position++;
    return true;
  }

  #takeOperator(text: string): boolean {
    if (this.#token.kind !== 'operator' || this.#token.text !== text) return false;
    this.#position++;
    return true;
  }

  #expectOperator(text: string): void {
    if (!this.#takeOperator(text)) throw this.#unexpected(`'${text}'`);
  }

  #unexpected(expected: string): ButlerfsError {
    const { kind, text, column } = this.#token;
    if (kind === 'time' || this.#isWord('OVERLAPS')) {
      return new ButlerfsError('unsupported', {
        what: `a term of time or region at column ${column}`,
        where: 'the expression',
        advice: 'compare keys or fields of dimension records, such as day_obs > 20150101',
      });
    }
    return whereError(column, kind === 'end' ? 'the expression ends' : `an unexpected '${text}'`, `expected ${expected}`);
  }

  #either(): WhereNode {
    const parts = [this.#both()];
    while (this.#takeWord('OR')) parts.push(this.#both());
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  #both(): WhereNode {
    const parts = [this.#factor()];
    while (this.#takeWord('AND')) parts.push(this.#factor());
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts };
  }

  #factor(): WhereNode {
    if (++this.#depth > deepest) throw whereError(this.#token.column, 'an expression nested too deeply');
    try {
      if (this.#takeWord('NOT')) return { kind: 'not', part: this.#factor() };
      if (!this.#takeOperator('(')) return this.#comparison();
      const inner = this.#either();
      this.#expectOperator(')');
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #comparison(): WhereNode {
    const left = this.#operand();
    if (left.kind === 'name') {
      const negated = this.#takeWord('NOT');
      if (this.#takeWord('IN')) {
        const node: WhereNode = { kind: 'in', name: left, items: this.#items() };
        return negated ? { kind: 'not', part: node } : node;
      }
      if (negated) throw this.#unexpected('IN');
    }
    const operator = this.#operator();
    const right = this.#operand();
    if (left.kind === 'name' && right.kind === 'literal') return { kind: 'compare', operator, name: left, value: right };
    if (left.kind === 'literal' && right.kind === 'name') return { kind: 'compare', operator: flipped[operator], name: right, value: left };
    throw whereError(left.column, 'a comparison that has not one name and one value', 'write, for example, tract = 8766');
  }

  #operator(): ComparisonOperator {
    const { kind, text } = this.#token;
    const operator = text === '<>' ? '!=' : text;
    if (kind !== 'operator' || !(operator in flipped)) throw this.#unexpected('=, !=, <, <=, >, >= or IN');
    this.#position++;
    return operator as ComparisonOperator;
  }

  #operand(): NameNode | LiteralNode {
    const { kind, text, column } = this.#token;
    if (kind === 'name' && !/^(and|or|not|in|overlaps)$/i.test(text)) {
      this.#position++;
      return { kind: 'name', name: text, column };
    }
    return this.#literal('a name or a value');
  }

  #literal(expected: string): LiteralNode {
    const { kind, text, column } = this.#token;
    if (kind === 'string') {
      this.#position++;
      return { kind: 'literal', value: text, column };
    }
    if (kind !== 'integer' && kind !== 'decimal') throw this.#unexpected(expected);
    const value = Number(text);
    if (!Number.isFinite(value) || (kind === 'integer' && !Number.isSafeInteger(value)))
      throw whereError(column, `the number ${text}, which is too large,`);
    this.#position++;
    return { kind: 'literal', value, column };
  }

  #items(): (LiteralNode | RangeNode)[] {
    this.#expectOperator('(');
    const items = [this.#item()];
    while (this.#takeOperator(',')) items.push(this.#item());
    this.#expectOperator(')');
    return items;
  }

  #item(): LiteralNode | RangeNode {
    const first = this.#literal('a value');
    if (!this.#takeOperator('..')) return first;
    const last = this.#literal('an integer');
    const step = this.#takeOperator(':') ? this.#literal('an integer') : undefined;
    const numbers = [first.value, last.value, step?.value ?? 1].map((value) => (typeof value === 'number' ? value : NaN));
    const [from, to, by] = numbers as [number, number, number];
    if (!numbers.every(Number.isSafeInteger))
      throw whereError(first.column, 'a range that is not one of integers', 'write, for example, 1..10 or 1..10:2');
    if (from > to || by < 1)
      throw whereError(first.column, `the range ${from}..${to}:${by}, which is empty,`, 'ranges go up, in steps of 1 or more');
    return { kind: 'range', first: from, last: to, step: by, column: first.column };
  }
}
