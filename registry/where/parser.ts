/**
 * The expression language of `query --where` and `@where`:
 *
 *     expression  = term { OR term }
 *     term        = factor { AND factor }
 *     factor      = NOT factor | '(' expression ')' | predicate
 *     predicate   = operand operator operand
 *                 | name [NOT] IN '(' item { ',' item } ')'
 *                 | name IS [NOT] NULL
 *                 | name [NOT] (GLOB | LIKE) string | GLOB '(' name ',' string ')'
 *                 | extent OVERLAPS extent
 *     operator    = '=' | '!=' | '<' | '<=' | '>' | '>='
 *     operand     = name | integer | decimal | string | time
 *     item        = integer | decimal | string | integer '..' integer [ ':' integer ]
 *     extent      = name | time | '(' ( time | NULL ) ',' ( time | NULL ) ')' | region
 *     region      = ( POINT | CIRCLE | BOX | POLYGON ) '(' number { ',' number } ')'
 *
 * Names are keys (`tract`, `band`) or fields of dimension records (`visit.exposure_time`, `visit.timespan.begin`). Words of the language are written in either
 * case.
 */

import type { ButlerfsError } from '../../common/errors.js';
import { parseInstant } from './instant.js';
import {
  type ComparisonOperator,
  type ExtentNode,
  type LiteralNode,
  type NameNode,
  type RangeNode,
  type RegionNode,
  type RegionShape,
  regionShapes,
  type SpanNode,
  type TimeNode,
  type WhereNode,
} from './nodes.js';
import { tokenize, whereError } from './tokens.js';
import type { Token } from './tokens.js';

const flipped: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

const reservedWords = /^(and|or|not|in|is|null|like|glob|overlaps)$/i;

/** How many numbers the regions take; a polygon three corners or more. */
const regionNumbers: Readonly<Record<RegionShape, number>> = { POINT: 2, CIRCLE: 3, BOX: 4, POLYGON: 6 };

/** How deep parentheses and NOT may nest. */
const deepest = 200;
/** How many predicates an expression may have: SQL that joins more is refused by SQLite. */
const mostPredicates = 500;

/** Throws `usage`, with the column, for what is no expression. */
export function parseWhere(expression: string): WhereNode {
  return new Parser(tokenize(expression)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;
  #predicates = 0;

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

  #isWord(word: string, { kind, text }: Token = this.#token): boolean {
    return kind === 'name' && text.toUpperCase() === word;
  }

  #isOperator(text: string, token: Token | undefined = this.#token): boolean {
    return token?.kind === 'operator' && token.text === text;
  }

  #takeWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#position++;
    return true;
  }

  #takeOperator(text: string): boolean {
    if (!this.#isOperator(text)) return false;
    this.#position++;
    return true;
  }

  #expectOperator(text: string): void {
    if (!this.#takeOperator(text)) throw this.#unexpected(`'${text}'`);
  }

  #unexpected(expected: string): ButlerfsError {
    const { kind, text, column } = this.#token;
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
      if (this.#isSpan() || !this.#takeOperator('(')) return this.#predicate();
      const inner = this.#either();
      this.#expectOperator(')');
      return inner;
    } finally {
      this.#depth--;
    }
  }

  /** Whether a time span begins here, which begins as an expression in parentheses does. */
  #isSpan(): boolean {
    const [first, comma] = [this.#tokens[this.#position + 1], this.#tokens[this.#position + 2]];
    return this.#isOperator('(') && this.#isOperator(',', comma) && (first?.kind === 'time' || this.#isWord('NULL', first));
  }

  #predicate(): WhereNode {
    const { column } = this.#token;
    if (++this.#predicates > mostPredicates) throw whereError(column, `more than ${mostPredicates} comparisons`, 'write x IN (1, 2, 3)');
    if (this.#isWord('GLOB') && this.#isOperator('(', this.#tokens[this.#position + 1])) return this.#globCall();
    const left = this.#extent() ?? this.#operand();
    if (left.kind === 'name') {
      const ofName = this.#afterName(left);
      if (ofName !== undefined) return ofName;
    }
    if (this.#isWord('OVERLAPS')) return this.#overlaps(left, column);
    if (left.kind === 'span' || left.kind === 'region') throw this.#unexpected('OVERLAPS');
    const operator = this.#operator();
    const right = this.#operand();
    if (left.kind === 'name' && right.kind !== 'name') return { kind: 'compare', operator, name: left, value: right };
    if (left.kind !== 'name' && right.kind === 'name') return { kind: 'compare', operator: flipped[operator], name: right, value: left };
    throw whereError(left.column, 'a comparison that has not one name and one value', 'write, for example, tract = 8766');
  }

  /** What may follow a name only. */
  #afterName(name: NameNode): WhereNode | undefined {
    if (this.#takeWord('IS')) {
      const negated = this.#takeWord('NOT');
      if (!this.#takeWord('NULL')) throw this.#unexpected('NULL');
      return negate(negated, { kind: 'null', name });
    }
    const negated = this.#takeWord('NOT');
    if (this.#takeWord('IN')) return negate(negated, { kind: 'in', name, items: this.#items() });
    if (this.#takeWord('GLOB')) return negate(negated, { kind: 'glob', name, pattern: plainGlob(this.#pattern()) });
    if (this.#takeWord('LIKE')) return negate(negated, { kind: 'glob', name, pattern: likeAsGlob(this.#pattern()) });
    if (negated) throw this.#unexpected('IN, GLOB or LIKE');
    return undefined;
  }

  #globCall(): WhereNode {
    this.#position += 2;
    const name = this.#operand();
    if (name.kind !== 'name') throw whereError(name.column, 'a value in place of a name', "write GLOB(physical_filter, 'HSC-*')");
    this.#expectOperator(',');
    const pattern = plainGlob(this.#pattern());
    this.#expectOperator(')');
    return { kind: 'glob', name, pattern };
  }

  #pattern(): string {
    const { kind, text } = this.#token;
    if (kind !== 'string') throw this.#unexpected("a pattern, such as 'HSC-*'");
    this.#position++;
    return text;
  }

  #overlaps(left: LiteralNode | ExtentNode, column: number): WhereNode {
    this.#position++;
    const right = this.#extent() ?? this.#operand();
    for (const extent of [left, right]) {
      if (extent.kind === 'literal')
        throw whereError(extent.column, `OVERLAPS with ${JSON.stringify(extent.value)}`, "write visit.timespan OVERLAPS (T'...', T'...')");
    }
    return { kind: 'overlaps', left: left as ExtentNode, right: right as ExtentNode, column };
  }

  /** A time span or a region, which no other predicate takes. */
  #extent(): SpanNode | RegionNode | undefined {
    if (this.#isSpan()) return this.#span();
    const { kind, text, column } = this.#token;
    const shape = kind === 'name' ? regionShapes.find((name) => name === text.toUpperCase()) : undefined;
    if (shape === undefined || !this.#isOperator('(', this.#tokens[this.#position + 1])) return undefined;
    this.#position += 2;
    const numbers = [this.#number()];
    while (this.#takeOperator(',')) numbers.push(this.#number());
    this.#expectOperator(')');
    const [least, isPolygon] = [regionNumbers[shape], shape === 'POLYGON'];
    if (isPolygon ? numbers.length < least || numbers.length % 2 !== 0 : numbers.length !== least) {
      throw whereError(
        column,
        `${shape} of ${numbers.length} numbers`,
        `it takes ${isPolygon ? 'two for each of three corners or more' : least}`,
      );
    }
    return { kind: 'region', shape, numbers, column };
  }

  #number(): number {
    const { value, column } = this.#literal('an angle in degrees');
    if (typeof value === 'number') return value;
    throw whereError(column, `the string '${value}' in place of an angle in degrees`);
  }

  #span(): SpanNode {
    const { column } = this.#token;
    this.#expectOperator('(');
    const begin = this.#bound();
    this.#expectOperator(',');
    const end = this.#bound();
    this.#expectOperator(')');
    if (begin !== null && end !== null && begin >= end) throw whereError(column, 'a time span that does not end after it begins');
    return { kind: 'span', begin, end, column };
  }

  #bound(): bigint | null {
    if (this.#takeWord('NULL')) return null;
    const { kind } = this.#token;
    if (kind !== 'time') throw this.#unexpected("a time, such as T'2014-11-27', or NULL");
    return this.#time().value;
  }

  #operator(): ComparisonOperator {
    const { kind, text } = this.#token;
    const operator = text === '<>' ? '!=' : text === '==' ? '=' : text;
    if (kind !== 'operator' || !(operator in flipped)) throw this.#unexpected('=, !=, <, <=, >, >=, IN, IS, GLOB or OVERLAPS');
    this.#position++;
    return operator as ComparisonOperator;
  }

  #operand(): NameNode | LiteralNode | TimeNode {
    const { kind, text, column } = this.#token;
    if (kind === 'time') return this.#time();
    if (kind === 'name' && !reservedWords.test(text)) {
      this.#position++;
      return { kind: 'name', name: text, column };
    }
    return this.#literal('a name or a value');
  }

  #time(): TimeNode {
    const { text, column } = this.#token;
    this.#position++;
    return { kind: 'time', value: parseInstant(text, column), column };
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

function negate(isNegated: boolean, part: WhereNode): WhereNode {
  return isNegated ? { kind: 'not', part } : part;
}

/** `%` and `_` of LIKE as SQLite's GLOB has them; GLOB's own signs stand for themselves. Case counts. */
function likeAsGlob(pattern: string): string {
  return pattern.replace(/[*?[]/g, '[$&]').replace(/%/g, '*').replace(/_/g, '?');
}

/** The classes of characters that SQLite's GLOB knows are not in the language. */
function plainGlob(pattern: string): string {
  return pattern.replace(/\[/g, '[[]');
}
