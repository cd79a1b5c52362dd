/** Questions that are the same are asked once at a time. */

import { abortable, throwIfAborted } from '../common/deadline.js';
import type { ObjectStat, Remote, RemotePath } from './contract.js';
import { delegateRemote } from './delegate.js';

interface Flight {
  readonly outcome: Promise<ObjectStat>;
  readonly control: AbortController;
  waiting: number;
}

/** `inner` with stats of one object that are under way shared by all who ask. The question is taken back when nobody waits for it any more. */
export function coalesceStats(inner: Remote): Remote {
  const flights = new Map<RemotePath, Flight>();
  const begin = (path: RemotePath): Flight => {
    const control = new AbortController();
    const outcome = inner.stat(path, { signal: control.signal }).finally(() => {
      if (flights.get(path) === flight) flights.delete(path);
    });
    outcome.catch(() => undefined);
    const flight: Flight = { outcome, control, waiting: 0 };
    flights.set(path, flight);
    return flight;
  };
  return {
    ...delegateRemote(inner),
    async stat(path, options) {
      const what = `asking for ${inner.urlOf(path)}`;
      throwIfAborted(options?.signal, what);
      const flight = flights.get(path) ?? begin(path);
      flight.waiting++;
      try {
        return await abortable(flight.outcome, options?.signal, what);
      } finally {
        if (--flight.waiting === 0) {
          // The next who asks must not be given a question that is being taken back.
          if (flights.get(path) === flight) flights.delete(path);
          flight.control.abort();
        }
      }
    },
  };
}
