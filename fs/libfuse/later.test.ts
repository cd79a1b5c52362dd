import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Outcome, Waiting } from '../contract.js';
import { finallyDo, type Later, orElse, andThen, Waits } from './later.js';

afterEach(() => {
  vi.useRealTimers();
});

function wait<T>(deadline?: number) {
  let settle!: (outcome: Outcome<T>) => void;
  const waiting: Waiting<T> = {
    begin: (given) => {
      settle = given;
    },
    abort: vi.fn(),
    deadline,
  };
  return { waiting, settle: (outcome: Outcome<T>) => settle(outcome) };
}

describe('what is there at once', () => {
  it('goes on at once', () => {
    const last = vi.fn();
    expect(
      andThen(
        finallyDo(() => 1, last),
        (value) => value + 1,
      ),
    ).toBe(2);
    expect(last).toHaveBeenCalledOnce();
  });

  it('may fail, and then somebody else has a word', () => {
    const last = vi.fn();
    const fails = (): Later<number> => {
      throw new Error('no');
    };
    expect(() => finallyDo(fails, last)).toThrow('no');
    expect(last).toHaveBeenCalledOnce();
    expect(orElse(fails, () => 3)).toBe(3);
  });
});

describe('what comes later', () => {
  it('is read before anything else can be asked', async () => {
    const waits = new Waits(1_000);
    const { waiting, settle } = wait<{ value: number }>();
    const carrier = { value: 1 };
    const later = waits.when(waiting, ({ value }) => value);
    expect(waits.size).toBe(1);
    settle({ value: carrier });
    carrier.value = 2;
    expect(await later).toBe(1);
    expect(waits.size).toBe(0);
  });

  it('fails with its error, or with that of what is made of it', async () => {
    const waits = new Waits(1_000);
    const first = wait<number>();
    const one = waits.when(first.waiting, (value) => value);
    first.settle({ error: new Error('gone') });
    await expect(one).rejects.toThrow('gone');
    const second = wait<number>();
    const two = waits.when(second.waiting, () => {
      throw new Error('unreadable');
    });
    second.settle({ value: 1 });
    await expect(two).rejects.toThrow('unreadable');
  });

  it('is given up after its deadline, or after that of the transport', async () => {
    vi.useFakeTimers();
    const waits = new Waits(1_000);
    const own = wait<number>(50);
    const none = wait<number>();
    const endless = wait<number>(Infinity);
    const all = [own, none, endless].map(({ waiting }) => waits.when(waiting, (value) => value) as Promise<number>);
    const timedOut = expect.objectContaining({ errnoNumber: 110 }) as unknown;
    const outcomes = Promise.allSettled(all);
    vi.advanceTimersByTime(60);
    expect(own.waiting.abort).toHaveBeenCalledOnce();
    expect(none.waiting.abort).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000_000);
    expect(none.waiting.abort).toHaveBeenCalledOnce();
    expect(endless.waiting.abort).not.toHaveBeenCalled();
    own.settle({ value: 1 });
    endless.settle({ value: 3 });
    expect(await outcomes).toMatchObject([{ reason: timedOut }, { reason: timedOut }, { value: 3 }]);
    expect(waits.size).toBe(0);
  });
});
