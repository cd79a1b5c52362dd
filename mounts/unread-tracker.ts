/** Remembers which questions were read for, on the thread that has the tree: of those the catalogue has the answer for a while. */

import { mapWaiting } from '../fs/contract.js';
import type { Outcome, Waiting } from '../fs/contract.js';
import type { UnreadContent } from '../fs/unread.js';
import type { DataIdValue, DataNeed, Unread } from '../registry/contract.js';

/** Questions that are remembered. */
const REMEMBERED = 100_000;

type DataQuestion = Extract<DataNeed, { kind: 'data' }>;

export class UnreadTracker implements UnreadContent {
  readonly #unread: Unread;
  readonly #ask: (need: DataNeed) => Waiting<unknown>;
  /** When each question was read for. */
  readonly #read = new Map<string, number>();

  constructor(unread: Unread, ask: (need: DataNeed) => Waiting<unknown>) {
    this.#unread = unread;
    this.#ask = ask;
  }

  mayHold(type: string, collections: readonly string[]): boolean {
    const { types } = this.#unread;
    return collections.some((name) => Object.hasOwn(types, name) && types[name]!.includes(type));
  }

  /** Whether it, or a question that says less of the data ID and so needed more, was read for lately. */
  isRead(need: DataNeed): boolean {
    if (need.kind === 'everything') return false;
    const values = Object.entries(need.dataId);
    const since = Date.now() - this.#unread.trusted;
    for (let subset = 0; subset < 2 ** values.length; subset++) {
      const some = values.filter((_, index) => (subset & (1 << index)) !== 0);
      if ((this.#read.get(keyOf(need, some)) ?? -Infinity) >= since) return true;
    }
    return false;
  }

  /** Where the origin does not answer, what was read for the question before still holds. */
  read(need: DataNeed): Waiting<unknown> {
    const asking = this.#ask(need);
    if (need.kind === 'everything') return asking;
    const key = keyOf(need, Object.entries(need.dataId));
    if (!this.#read.has(key)) return mapWaiting(asking, () => this.#remember(key));
    return {
      begin: (settle: (outcome: Outcome<unknown>) => void) => {
        asking.begin(() => settle({ value: this.#remember(key) }));
      },
      abort: () => {
        asking.abort();
      },
      deadline: asking.deadline,
    };
  }

  #remember(key: string): void {
    this.#read.delete(key);
    this.#read.set(key, Date.now());
    if (this.#read.size > REMEMBERED) this.#read.delete(this.#read.keys().next().value!);
  }
}

function keyOf({ type, collections }: DataQuestion, values: readonly (readonly [string, DataIdValue])[]): string {
  return JSON.stringify([type, collections, [...values].sort(([a], [b]) => (a < b ? -1 : 1))]);
}
