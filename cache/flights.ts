/** Work that is done once for all who want it. */

import { abortable, interrupted, longLivedController } from '../common/deadline.js';

interface Flight {
  readonly outcome: Promise<void>;
  readonly controller: AbortController;
  waiters: number;
}

/** Work under way, by key. A waiter that leaves does not disturb the others; when the last has left the work is aborted. A failure is everybody's. */
export class Flights {
  readonly #flights = new Map<string, Flight>();

  get size(): number {
    return this.#flights.size;
  }

  /** Joins the work under `key`, or begins it. Rejects with `interrupted` when `signal` fires, else with what the work failed with. */
  async join(key: string, what: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    flight.waiters++;
    try {
      await abortable(flight.outcome, signal, what);
    } finally {
      flight.waiters--;
      // At once, not when the work has wound down: who comes now begins anew instead of failing with those who left.
      if (flight.waiters === 0 && this.#winding.has(flight.outcome)) this.#end(key, flight, interrupted(what));
    }
  }

  /** Aborts everything and waits until it has wound down. */
  async close(): Promise<void> {
    const outcomes = [...this.#flights].map(([key, flight]) => {
      this.#end(key, flight, interrupted('a fetch', new Error('the cache was closed')));
      return flight.outcome;
    });
    await Promise.allSettled([...outcomes, ...this.#winding]);
  }

  readonly #winding = new Set<Promise<void>>();

  #begin(key: string, work: (signal: AbortSignal) => Promise<void>): Flight {
    const controller = longLivedController();
    const flight: Flight = { outcome: work(controller.signal), controller, waiters: 0 };
    this.#flights.set(key, flight);
    this.#winding.add(flight.outcome);
    const settled = (): void => {
      this.#winding.delete(flight.outcome);
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.outcome.then(settled, settled);
    return flight;
  }

  #end(key: string, flight: Flight, reason: unknown): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.controller.abort(reason);
  }
}
