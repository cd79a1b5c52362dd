import { expect, test } from 'vitest';
import { mapWaiting, type Outcome, type Waiting } from '../contract.js';
import { ParkedRequests } from './parked.js';

interface Watched extends Waiting<number> {
  settle: ((outcome: Outcome<number>) => void) | undefined;
  aborted: boolean;
}

function watched(interruptible?: boolean): Watched {
  const waiting: Watched = {
    settle: undefined,
    aborted: false,
    begin: (settle) => {
      waiting.settle = settle;
    },
    abort: () => {
      waiting.aborted = true;
    },
    interruptible,
  };
  return waiting;
}

const REQUEST = { uniqueLow: 2, uniqueHigh: 0, opcode: 1, node: 1 };

test('a signal to the caller ends a wait', () => {
  const parked = new ParkedRequests(1000);
  const waiting = watched();
  parked.park(2, REQUEST, waiting, () => undefined);
  expect(parked.interrupt(2)).toMatchObject(REQUEST);
  expect(waiting.aborted).toBe(true);
  expect(parked.size).toBe(0);
});

test('a wait that is not interruptible goes on in spite of signals, and settles', () => {
  const parked = new ParkedRequests(1000);
  const waiting = watched(false);
  const outcomes: unknown[] = [];
  parked.park(
    2,
    REQUEST,
    mapWaiting(waiting, (value) => value + 1),
    (_, outcome) => outcomes.push(outcome),
  );
  expect(parked.interrupt(2)).toBeUndefined();
  expect(waiting.aborted).toBe(false);
  waiting.settle!({ value: 4 });
  expect(outcomes).toEqual([{ value: 5 }]);
});
