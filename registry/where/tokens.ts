/** Splits an expression (docs/queries.md) into tokens. */

import { ButlerfsError } from '../../common/errors.js';

export type TokenKind = 'name' | 'integer' | 'decimal' | 'string' | 'time' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written, but for strings and times: without quotes. */
  readonly text: string;
  /** Counted from 1. */
  readonly column: number;
}

const patterns: readonly (readonly [TokenKind | 'space', RegExp])[] = [
  ['space', /\s+/y],
  ['time', /[Tt]'[^']*'/y],
  ['string', /'(?:[^']|'')*'|"(?:[^"]|"")*"/y],
  ['decimal', /[+-]?(?:\d+\.(?!\.)\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)/y],
  ['integer', /[+-]?\d+/y],
  ['name', /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y],
  ['operator', /\.\.|!=|<>|<=|>=|[=<>(),:]/y],
];

/** Ends with a token of kind `end`. Throws `usage` for a character that begins no token. */
export function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < expression.length) {
    const token = tokenAt(expression, position);
    if (token === undefined) {
      const character = String.fromCodePoint(expression.codePointAt(position)!);
      const quote = character === "'" || character === '"';
      throw whereError(position + 1, quote ? 'a string that does not end' : `an unexpected '${character}'`);
    }
    const [kind, text] = token;
    if (kind !== 'space')
      tokens.push({ kind, text: kind === 'string' ? unquote(text) : kind === 'time' ? text.slice(2, -1) : text, column: position + 1 });
    position += text.length;
  }
  tokens.push({ kind: 'end', text: '', column: expression.length + 1 });
  return tokens;
}

function tokenAt(expression: string, position: number): [TokenKind | 'space', string] | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = position;
    const match = pattern.exec(expression);
    if (match !== null) return [kind, match[0]];
  }
  return undefined;
}

function unquote(text: string): string {
  const quote = text[0]!;
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}

/** An expression that cannot be understood; the message says at which column. */
export function whereError(column: number, what: string, advice?: string): ButlerfsError {
  return new ButlerfsError('usage', { what: `${what} at column ${column}`, where: 'the expression', advice });
}
