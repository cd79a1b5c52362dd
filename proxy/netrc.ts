/**
 * The netrc format, as ftp(1) and curl(1) read it: words separated by white space, `machine NAME` or `default`, then `login`, `password`, `account`
 * with a word each; `macdef NAME` and what follows up to an empty line is skipped; `#` at the start of a word comments the rest of the line out,
 * but for a word that is a value. A value may be in double quotes with `\"`, `\\`, `\n`, `\r`, `\t`.
 */

export interface NetrcEntry {
  /** Null for `default`. */
  readonly machine: string | null;
  readonly login?: string;
  readonly password?: string;
}

export interface NetrcProblem {
  /** From 1. */
  readonly line: number;
  readonly why: string;
}

interface Word {
  readonly text: string;
  readonly line: number;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** Entries in order; the first that matches a host counts, and nothing after `default` does. What cannot be understood is skipped and told. */
export function parseNetrc(text: string): { readonly entries: readonly NetrcEntry[]; readonly problems: readonly NetrcProblem[] } {
  const entries: { machine: string | null; login?: string; password?: string }[] = [];
  const problems: NetrcProblem[] = [];
  const reader = new WordReader(text);
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    const entry = entries.at(-1);
    switch (word.text) {
      case 'default':
        entries.push({ machine: null });
        continue;
      case 'macdef':
        reader.skipMacro();
        continue;
      case 'machine':
      case 'login':
      case 'password':
      case 'account':
        break;
      default:
        // The word itself may be a secret that lost its keyword.
        problems.push({ line: word.line, why: 'a word that is neither machine, default, login, password, account nor macdef is left out' });
        continue;
    }
    const value = reader.value();
    if (value === undefined) problems.push({ line: word.line, why: `'${word.text}' has no value` });
    else if (word.text === 'machine') entries.push({ machine: value.text });
    else if (entry === undefined) problems.push({ line: word.line, why: `'${word.text}' stands before any machine` });
    else if (word.text === 'login') entry.login = value.text;
    else if (word.text === 'password') entry.password = value.text;
  }
  return { entries, problems };
}

class WordReader {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next keyword; comments are skipped. */
  next(): Word | undefined {
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '#') break;
      while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') this.#at++;
    }
    return this.#word();
  }

  /** The next word as a value: `#` means itself, quotes are taken off. */
  value(): Word | undefined {
    this.#skipSpace();
    return this.#text[this.#at] === '"' ? this.#quoted() : this.#word();
  }

  skipMacro(): void {
    const end = /\n[ \t\r]*\n/g;
    end.lastIndex = this.#at;
    const match = end.exec(this.#text);
    this.#moveTo(match === null ? this.#text.length : match.index + match[0].length);
  }

  #word(): Word | undefined {
    const begin = this.#at;
    while (this.#at < this.#text.length && !/\s/.test(this.#text[this.#at]!)) this.#at++;
    return begin === this.#at ? undefined : { text: this.#text.slice(begin, this.#at), line: this.#line };
  }

  #quoted(): Word {
    const line = this.#line;
    let text = '';
    let at = this.#at + 1;
    for (; at < this.#text.length && this.#text[at] !== '"'; at++) {
      const character = this.#text[at]!;
      if (character !== '\\') text += character;
      else {
        const escaped = this.#text[++at] ?? '';
        text += ESCAPES[escaped] ?? escaped;
      }
    }
    this.#moveTo(at + 1);
    return { text, line };
  }

  #skipSpace(): void {
    let at = this.#at;
    while (at < this.#text.length && /\s/.test(this.#text[at]!)) at++;
    this.#moveTo(at);
  }

  #moveTo(at: number): void {
    for (; this.#at < at; this.#at++) if (this.#text[this.#at] === '\n') this.#line++;
  }
}
