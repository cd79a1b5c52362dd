/** Whether two templates can match one and the same path, and which: both as finite automata, gone through together. */

interface CharacterRange {
  readonly first: number;
  readonly last: number;
}

/** A state with what leads on from it. */
interface State {
  readonly free: number[];
  readonly steps: { readonly ranges: readonly CharacterRange[]; readonly to: number }[];
}

interface Automaton {
  readonly states: readonly State[];
  readonly start: number;
  readonly end: number;
}

const lastCharacter = 0x10ffff;
const digits: readonly CharacterRange[] = [{ first: 48, last: 57 }];

/** Characters that an example is made of where it may be any. */
const readable = [...'0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,-_.'].map((character) => character.codePointAt(0)!);

/**
 * A shortest text that both expressions match whole; undefined where there is none. They are of the kind that templates compile to: characters, `\d`, classes, groups,
 * `|`, and repetitions.
 */
export function commonText(left: string, right: string): string | undefined {
  const [a, b] = [new AutomatonParser(left).parse(), new AutomatonParser(right).parse()];
  const key = (x: number, y: number): number => x * b.states.length + y;
  const before = new Map<number, { readonly from: number; readonly character: string } | undefined>([[key(a.start, b.start), undefined]]);
  let layer: (readonly [number, number])[] = [[a.start, b.start]];
  while (layer.length > 0) {
    const next: (readonly [number, number])[] = [];
    // The queue grows while it is gone through: steps without a character stay in the layer.
    for (const [x, y] of layer) {
      const here = key(x, y);
      if (x === a.end && y === b.end) return textTo(before, here);
      const reach = (to: readonly [number, number], character: string, into: (readonly [number, number])[]): void => {
        const there = key(...to);
        if (before.has(there)) return;
        before.set(there, { from: here, character });
        into.push(to);
      };
      for (const to of a.states[x]!.free) reach([to, y], '', layer);
      for (const to of b.states[y]!.free) reach([x, to], '', layer);
      for (const one of a.states[x]!.steps) {
        for (const other of b.states[y]!.steps) {
          const character = commonCharacter(one.ranges, other.ranges);
          if (character !== undefined) reach([one.to, other.to], character, next);
        }
      }
    }
    layer = next;
  }
  return undefined;
}

function textTo(before: ReadonlyMap<number, { readonly from: number; readonly character: string } | undefined>, end: number): string {
  let text = '';
  for (let step = before.get(end); step !== undefined; step = before.get(step.from)) text = step.character + text;
  return text;
}

function commonCharacter(left: readonly CharacterRange[], right: readonly CharacterRange[]): string | undefined {
  const common = left.flatMap((a) =>
    right.flatMap((b) => {
      const [first, last] = [Math.max(a.first, b.first), Math.min(a.last, b.last)];
      return first <= last ? [{ first, last }] : [];
    }),
  );
  if (common.length === 0) return undefined;
  const isIn = (code: number): boolean => common.some(({ first, last }) => code >= first && code <= last);
  return String.fromCodePoint(readable.find(isIn) ?? common[0]!.first);
}

/** A part of an automaton, between two states. */
interface Part {
  readonly start: number;
  readonly end: number;
}

class AutomatonParser {
  readonly #source: string;
  readonly #states: State[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Automaton {
    const whole = this.#alternatives();
    if (this.#at < this.#source.length) throw new Error(`not understood in '${this.#source}' at ${this.#at}`);
    return { states: this.#states, ...whole };
  }

  #state(): number {
    return this.#states.push({ free: [], steps: [] }) - 1;
  }

  #free(from: number, to: number): void {
    this.#states[from]!.free.push(to);
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #alternatives(): Part {
    const [start, end] = [this.#state(), this.#state()];
    do {
      const part = this.#sequence();
      this.#free(start, part.start);
      this.#free(part.end, end);
    } while (this.#take('|'));
    return { start, end };
  }

  #sequence(): Part {
    const start = this.#state();
    let end = start;
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const part = this.#repeated();
      this.#free(end, part.start);
      ({ end } = part);
    }
    return { start, end };
  }

  #repeated(): Part {
    const begin = this.#at;
    const once = this.#atom();
    const afterAtom = this.#at;
    const counts = /^(?:([*+?])|\{(\d+)(?:,(\d*))?\})\??/.exec(this.#source.slice(this.#at));
    if (counts === null) return once;
    const afterCounts = this.#at + counts[0].length;
    const [, sign, fewest, most] = counts;
    const least = sign === undefined ? Number(fewest) : sign === '+' ? 1 : 0;
    const greatest = sign === '?' ? 1 : sign !== undefined || most === '' ? Infinity : Number(most ?? fewest);
    const again = (): Part => {
      this.#at = begin;
      const part = this.#atom();
      this.#at = afterAtom;
      return part;
    };
    const start = this.#state();
    let end = start;
    for (let count = 0; count < (greatest === Infinity ? least : greatest); count++) {
      const part = count === 0 ? once : again();
      this.#free(end, part.start);
      if (count >= least) this.#free(part.start, part.end);
      ({ end } = part);
    }
    if (greatest === Infinity) {
      const part = least === 0 ? once : again();
      this.#free(end, part.start);
      this.#free(part.start, part.end);
      this.#free(part.end, part.start);
      ({ end } = part);
    }
    this.#at = afterCounts;
    return { start, end };
  }

  #atom(): Part {
    if (this.#take('(?:') || this.#take('(')) {
      const part = this.#alternatives();
      this.#take(')');
      return part;
    }
    const [start, end] = [this.#state(), this.#state()];
    this.#states[start]!.steps.push({ ranges: this.#take('[') ? this.#class() : this.#character(), to: end });
    return { start, end };
  }

  #character(): readonly CharacterRange[] {
    if (this.#take('\\d')) return digits;
    this.#take('\\');
    const code = this.#source.codePointAt(this.#at)!;
    this.#at += String.fromCodePoint(code).length;
    return [{ first: code, last: code }];
  }

  #class(): readonly CharacterRange[] {
    const isNegated = this.#take('^');
    const ranges: CharacterRange[] = [];
    while (!this.#take(']')) {
      const [{ first, last }] = this.#character() as [CharacterRange];
      const isRange = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      ranges.push({ first, last: isRange ? this.#character()[0]!.last : last });
    }
    if (!isNegated) return ranges;
    const outside: CharacterRange[] = [];
    let from = 1;
    for (const { first, last } of ranges.sort((a, b) => a.first - b.first)) {
      if (first > from) outside.push({ first: from, last: first - 1 });
      from = Math.max(from, last + 1);
    }
    return [...outside, { first: from, last: lastCharacter }];
  }
}
