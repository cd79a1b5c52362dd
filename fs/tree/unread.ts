/** Questions that the catalogue cannot answer before more of the repository was read. */

import { ButlerfsError } from '../../common/errors.js';
import type { DataNeed } from '../../registry/contract.js';
import { isWaiting, type Answer, type Waiting } from '../contract.js';
import type { UnreadContent } from '../unread.js';

/** How often an answer may turn out to need more: `@calibs` needs every type of calibrations. */
const ROUNDS = 32;

/** Thrown where a name is looked up of which nothing is known yet. */
export class NotReadYet extends ButlerfsError {
  readonly need: DataNeed;

  constructor(need: DataNeed) {
    super('remote-timeout', { what: need.kind === 'data' ? `directories of ${need.type}` : 'the repository', why: 'not read yet' });
    this.need = need;
  }
}

export const EVERYTHING: DataNeed = { kind: 'everything' };

/** Throws {@link NotReadYet} where all of the repository is needed and not all was read. */
export function requireEverything(unread: UnreadContent | undefined): void {
  if (unread !== undefined) throw new NotReadYet(EVERYTHING);
}

/** The answer of `work`, which is asked again when what it needed was read. */
export function whenRead<T>(unread: () => UnreadContent | undefined, work: () => Answer<T>): Answer<T> {
  try {
    return work();
  } catch (error) {
    const source = unread();
    if (!(error instanceof NotReadYet) || source === undefined) throw error;
    return readFirst(unread, source.read(error.need), work);
  }
}

function readFirst<T>(unread: () => UnreadContent | undefined, first: Waiting<unknown>, work: () => Answer<T>): Waiting<T> {
  let current: Waiting<unknown> = first;
  return {
    begin: (settle) => {
      const wait = (waiting: Waiting<unknown>, rounds: number): void => {
        current = waiting;
        waiting.begin((outcome) => {
          if ('error' in outcome) return settle(outcome);
          let answer: Answer<T>;
          try {
            answer = work();
          } catch (error) {
            const source = unread();
            if (error instanceof NotReadYet && source !== undefined && rounds > 0) wait(source.read(error.need), rounds - 1);
            else settle({ error });
            return;
          }
          if (!isWaiting<T>(answer)) return settle({ value: answer });
          current = answer;
          answer.begin(settle);
        });
      };
      wait(first, ROUNDS);
    },
    abort: () => {
      current.abort();
    },
    deadline: Infinity,
  };
}
