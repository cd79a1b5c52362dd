/** Questions of a thread that talks to the kernel to the main thread, each answered once. */

import type { Outcome, Waiting } from '../fs/contract.js';

export class Questions {
  readonly #pending = new Map<number, (outcome: Outcome<never>) => void>();
  readonly #giveUp: (token: number) => void;
  readonly #unclaimed: (outcome: Outcome<unknown>) => void;
  #next = 1;

  /** `giveUp` tells the main thread that nobody waits for an answer any more; `unclaimed` gets an answer that came all the same. */
  constructor(giveUp: (token: number) => void, unclaimed: (outcome: Outcome<unknown>) => void = () => undefined) {
    this.#giveUp = giveUp;
    this.#unclaimed = unclaimed;
  }

  /** `say` is called when the wait begins. Whoever answers has a deadline of its own. */
  ask<T>(say: (token: number) => void): Waiting<T> {
    let token = 0;
    return {
      begin: (settle: (outcome: Outcome<T>) => void) => {
        token = this.#next++;
        this.#pending.set(token, settle);
        say(token);
      },
      abort: () => {
        if (this.#pending.delete(token)) this.#giveUp(token);
      },
      deadline: Infinity,
    };
  }

  settle(token: number, outcome: Outcome<unknown>): void {
    const settle = this.#pending.get(token);
    this.#pending.delete(token);
    if (settle === undefined) this.#unclaimed(outcome);
    else settle(outcome as Outcome<never>);
  }
}
