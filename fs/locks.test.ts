import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno, systemCallError } from '../common/errors.js';
import type { FileLock, LockRequest, NodeId, Outcome, Waiting } from './contract.js';
import { isWaiting } from './contract.js';
import { LAST_BYTE, LockTable } from './locks.js';

type Type = FileLock['type'];

const FILE = 7;

function record(owner: number, type: Type, start: number | bigint = 0, end: number | bigint = LAST_BYTE): LockRequest {
  return { lock: { type, start: BigInt(start), end: BigInt(end), pid: 1000 + owner }, owner: BigInt(owner), isFlock: false };
}

function flock(owner: number, type: Type): LockRequest {
  return { ...record(owner, type), isFlock: true };
}

/** Sets without waiting: `undefined` where granted, else the errno. */
function trySet(table: LockTable, request: LockRequest, node: NodeId = FILE): number | undefined {
  try {
    expect(table.set(node, request, false)).toBeUndefined();
    return undefined;
  } catch (error) {
    return errnoNumber(error);
  }
}

function errnoNumber(error: unknown): number {
  for (const errno of Object.values(Errno)) if (error === systemCallError(errno)) return errno;
  throw error;
}

/** A wait that must have been needed, begun. `result`: `waiting`, `granted`, or the errno it ended with. */
class Wait {
  readonly #waiting: Waiting<void>;
  result: 'waiting' | 'granted' | number = 'waiting';

  constructor(table: LockTable, request: LockRequest, onSettled: (wait: Wait) => void = () => {}, node: NodeId = FILE) {
    const answer = table.set(node, request, true);
    if (!isWaiting(answer)) throw new Error('granted at once');
    this.#waiting = answer;
    expect(this.#waiting.deadline).toBe(Infinity);
    this.#waiting.begin((outcome: Outcome<void>) => {
      expect(this.result).toBe('waiting');
      this.result = 'error' in outcome ? errnoNumber(outcome.error) : 'granted';
      onSettled(this);
    });
  }

  abort(): void {
    this.#waiting.abort();
  }
}

/** The locks of one owner as others see them, as `r0-9 w10-`, found by asking for one after the other. */
function locksOf(table: LockTable, owner: number): string {
  const found: string[] = [];
  for (let start = 0n; start <= LAST_BYTE;) {
    const held = table.get(FILE, record(-1, 'write', start));
    if (held.type === 'none') break;
    if (held.pid === 1000 + owner) found.push(`${held.type === 'read' ? 'r' : 'w'}${held.start}-${held.end === LAST_BYTE ? '' : held.end}`);
    start = held.end + 1n;
  }
  return found.join(' ');
}

describe('record locks', () => {
  it.each([
    ['ones that touch become one', [record(1, 'read', 0, 9), record(1, 'read', 10, 19)], 'r0-19'],
    ['ones that touch become one, the later one first', [record(1, 'read', 10, 19), record(1, 'read', 0, 9)], 'r0-19'],
    ['one that fills a gap makes three to one', [record(1, 'write', 0, 4), record(1, 'write', 8, 9), record(1, 'write', 5, 7)], 'w0-9'],
    ['one that holds others swallows them', [record(1, 'read', 3, 4), record(1, 'read', 6, 7), record(1, 'read', 0, 9)], 'r0-9'],
    ['one inside another of its type changes nothing', [record(1, 'read', 0, 9), record(1, 'read', 3, 4)], 'r0-9'],
    ['ones with a byte between them stay two', [record(1, 'read', 0, 3), record(1, 'read', 5, 9)], 'r0-3 r5-9'],
    ['ones that touch stay two where their types differ', [record(1, 'read', 0, 4), record(1, 'write', 5, 9)], 'r0-4 w5-9'],
    ['a change of type in the middle splits', [record(1, 'read', 0, 9), record(1, 'write', 4, 5)], 'r0-3 w4-5 r6-9'],
    ['a change back joins again', [record(1, 'read', 0, 9), record(1, 'write', 4, 5), record(1, 'read', 4, 5)], 'r0-9'],
    [
      'a change of type over several cuts the outer ones',
      [record(1, 'read', 0, 4), record(1, 'read', 8, 9), record(1, 'write', 3, 8)],
      'r0-2 w3-8 r9-9',
    ],
    ['unlocking the middle splits', [record(1, 'write'), record(1, 'none', 4, 5)], 'w0-3 w6-'],
    ['unlocking the ends shortens', [record(1, 'write', 2, 9), record(1, 'none', 0, 3), record(1, 'none', 8)], 'w4-7'],
    ['unlocking everything leaves nothing', [record(1, 'write', 2, 9), record(1, 'read', 20), record(1, 'none')], ''],
    ['unlocking what is not locked does nothing', [record(1, 'write', 2, 3), record(1, 'none', 4), record(1, 'none', 0, 1)], 'w2-3'],
  ])('are merged, split and replaced: %s', (_what, requests, expected) => {
    const table = new LockTable();
    for (const request of requests) expect(trySet(table, request)).toBeUndefined();
    expect(locksOf(table, 1)).toBe(expected);
    expect(table.size).toBe(expected === '' ? 0 : expected.split(' ').length);
    expect(table.nodes).toBe(expected === '' ? 0 : 1);
  });

  it('reach to the last byte and not beyond it', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write', LAST_BYTE), false);
    expect(trySet(table, record(2, 'read', LAST_BYTE))).toBe(Errno.EAGAIN);
    expect(trySet(table, record(2, 'read', 0, LAST_BYTE - 1n))).toBeUndefined();
    expect(table.get(FILE, record(3, 'write', LAST_BYTE - 1n))).toEqual({ type: 'read', start: 0n, end: LAST_BYTE - 1n, pid: 1002 });
  });

  it.each([
    [5, 4],
    [-1, 4],
    [0, LAST_BYTE + 1n],
    [0, -1],
  ])('from %s to %s are refused, whatever is asked', (start, end) => {
    const table = new LockTable();
    for (const type of ['read', 'write', 'none'] as const) {
      for (const request of [record(1, type, start, end), { ...record(1, type, start, end), isFlock: true }]) {
        expect(() => table.get(FILE, request)).toThrow(systemCallError(Errno.EINVAL));
        expect(() => table.set(FILE, request, false)).toThrow(systemCallError(Errno.EINVAL));
        expect(() => table.set(FILE, request, true)).toThrow(systemCallError(Errno.EINVAL));
      }
    }
    expect(table.nodes).toBe(0);
  });

  it('are told with the owner that has the lowest', () => {
    const table = new LockTable();
    table.set(FILE, record(3, 'read', 20, 29), false);
    table.set(FILE, record(2, 'read', 5, 9), false);
    table.set(FILE, record(1, 'read', 0, 3), false);
    expect(table.get(FILE, record(1, 'write'))).toEqual({ type: 'read', start: 5n, end: 9n, pid: 1002 });
    expect(table.get(FILE, record(2, 'write', 8))).toEqual({ type: 'read', start: 20n, end: 29n, pid: 1003 });
    expect(table.get(FILE, record(2, 'read', 1, 30))).toEqual({ type: 'none', start: 1n, end: 30n, pid: 0 });
    expect(table.get(FILE, record(4, 'none', 1, 30))).toEqual({ type: 'read', start: 0n, end: 3n, pid: 1001 });
    expect(table.get(FILE + 1, record(4, 'write', 1, 30))).toEqual({ type: 'none', start: 1n, end: 30n, pid: 0 });
    expect(table.nodes).toBe(1);
  });

  it('are those of a naive table of bytes', () => {
    // Byte 31 of the model stands for all bytes from 31 on.
    const bytes = 32;
    const endOf = (byte: number): bigint => (byte === bytes - 1 ? LAST_BYTE : BigInt(byte));
    const operation = fc.record({
      does: fc.constantFrom('set', 'set', 'set', 'get', 'release'),
      owner: fc.integer({ min: 1, max: 3 }),
      type: fc.constantFrom<Type>('read', 'read', 'write', 'none'),
      range: fc.tuple(fc.nat(bytes - 1), fc.nat(bytes - 1)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    });
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }), (operations) => {
        const table = new LockTable();
        const model = new Map([1, 2, 3].map((owner) => [owner, new Array<Type>(bytes).fill('none')]));
        const runs = (owner: number): FileLock[] => {
          const types = model.get(owner)!;
          const starts = types.flatMap((type, byte) => (type !== 'none' && type !== types[byte - 1] ? [byte] : []));
          return starts.map((start) => {
            const after = types.findIndex((type, byte) => byte > start && type !== types[start]);
            return { type: types[start]!, start: BigInt(start), end: endOf(after < 0 ? bytes - 1 : after - 1), pid: 1000 + owner };
          });
        };
        const all = (): FileLock[] => [...model.keys()].flatMap(runs);
        for (const { does, owner, type, range } of operations) {
          const [first, last] = range;
          const request = record(owner, type, first, endOf(last));
          const conflicting = [...model.keys()]
            .filter((other) => other !== owner)
            .flatMap(runs)
            .filter(({ start, end }) => start <= request.lock.end && end >= request.lock.start)
            .filter((held) => held.type === 'write' || type !== 'read');
          if (does === 'get') {
            const answer = table.get(FILE, request);
            const lowest = conflicting.reduce((low, { start }) => (start < low ? start : low), LAST_BYTE);
            const right = conflicting.filter(({ start }) => start === lowest);
            expect(right.length > 0 ? right : [{ ...request.lock, type: 'none', pid: 0 }]).toContainEqual(answer);
          } else if (does === 'release') {
            table.releaseOwner(FILE, BigInt(owner), false);
            model.get(owner)!.fill('none');
          } else {
            const refused = type !== 'none' && conflicting.length > 0;
            expect(trySet(table, request)).toBe(refused ? Errno.EAGAIN : undefined);
            if (!refused) model.get(owner)!.fill(type, first, last + 1);
          }
          expect(table.size).toBe(all().length);
          expect(table.nodes).toBe(table.size > 0 ? 1 : 0);
        }
        for (const { start, pid } of all())
          expect(all()).toContainEqual(table.get(FILE, record(pid - 1000 === 1 ? 2 : 1, 'none', start, start)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('waits for record locks', () => {
  it('end in order of arrival', () => {
    const table = new LockTable();
    const order: number[] = [];
    table.set(FILE, record(1, 'write'), false);
    for (const owner of [2, 3, 4]) new Wait(table, record(owner, 'write', 5, 9), () => order.push(owner));
    expect(table.waiting).toBe(3);
    for (const [owner, expected] of [
      [1, [2]],
      [2, [2, 3]],
      [3, [2, 3, 4]],
    ] as const) {
      table.set(FILE, record(owner, 'none'), false);
      expect(order).toEqual(expected);
    }
    expect(table.waiting).toBe(0);
    expect(locksOf(table, 4)).toBe('w5-9');
  });

  it('that do not exclude each other end together', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const waits = [record(2, 'read'), record(3, 'write', 50, 59), record(4, 'read', 0, 49), record(5, 'read', 60)].map(
      (request) => new Wait(table, request),
    );
    table.set(FILE, record(1, 'none'), false);
    expect(waits.map(({ result }) => result)).toEqual(['granted', 'waiting', 'granted', 'granted']);
  });

  it('end when the lock gets weaker, shorter, or its owner closes the file', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const [reader, writer, last] = [record(2, 'read', 0, 9), record(3, 'write', 20, 29), record(4, 'write', 30, 39)].map(
      (request) => new Wait(table, request),
    );
    table.set(FILE, record(1, 'read', 0, 9), false);
    expect([reader!.result, writer!.result, last!.result]).toEqual(['granted', 'waiting', 'waiting']);
    table.set(FILE, record(1, 'none', 15, 29), false);
    expect([writer!.result, last!.result]).toEqual(['granted', 'waiting']);
    table.releaseOwner(FILE, 1n, true);
    table.releaseOwner(FILE, 2n, false);
    table.releaseOwner(FILE + 1, 1n, false);
    expect(last!.result).toBe('waiting');
    table.releaseOwner(FILE, 1n, false);
    expect(last!.result).toBe('granted');
  });

  it('do not keep others from what is free', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'read'), false);
    const writer = new Wait(table, record(2, 'write'));
    expect(trySet(table, record(3, 'read'))).toBeUndefined();
    table.set(FILE, record(1, 'none'), false);
    expect(writer.result).toBe('waiting');
    table.set(FILE, record(3, 'none'), false);
    expect(writer.result).toBe('granted');
  });

  it('end when a grant makes another lock of its owner weaker, the one that came first before others', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write', 0, 9), false);
    table.set(FILE, record(2, 'write', 10, 19), false);
    const order: number[] = [];
    new Wait(table, record(3, 'read', 0, 12), () => order.push(3));
    new Wait(table, record(1, 'read', 0, 15), () => order.push(1));
    const writer = new Wait(table, record(4, 'write', 11, 12));
    table.set(FILE, record(2, 'none'), false);
    expect(order).toEqual([1, 3]);
    expect(writer.result).toBe('waiting');
  });

  it('that were interrupted are not granted later, and keep nothing', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write', 0, 9), false);
    const interrupted = new Wait(table, record(2, 'write', 0, 9));
    const next = new Wait(table, record(3, 'write', 0, 9));
    interrupted.abort();
    interrupted.abort();
    expect(table.waiting).toBe(1);
    table.releaseOwner(FILE, 1n, false);
    expect([interrupted.result, next.result]).toEqual(['waiting', 'granted']);
    next.abort();
    expect(locksOf(table, 3)).toBe('w0-9');
    table.set(FILE, record(3, 'none'), false);
    expect(table.nodes).toBe(0);
  });

  it('end in begin() where the lock has become free by then', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const waiting = table.set(FILE, record(2, 'write'), true) as Waiting<void>;
    table.set(FILE, record(1, 'none'), false);
    expect([table.size, table.nodes]).toEqual([0, 0]);
    const outcomes: Outcome<void>[] = [];
    waiting.begin((outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([{ value: undefined }]);
    expect(locksOf(table, 2)).toBe('w0-');
    expect(table.waiting).toBe(0);
  });

  it('that were never begun or were aborted before leave nothing behind', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const waiting = table.set(FILE, record(2, 'write'), true) as Waiting<void>;
    expect(table.waiting).toBe(0);
    waiting.abort();
    table.set(FILE, record(1, 'none'), false);
    expect([table.size, table.nodes]).toEqual([0, 0]);
  });

  it('may call back when they end', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const order: string[] = [];
    const third: Wait[] = [];
    new Wait(table, record(2, 'write', 0, 9), () => {
      order.push('second has it');
      third[0]!.abort();
      expect(trySet(table, record(1, 'read', 5, 5))).toBe(Errno.EAGAIN);
      new Wait(table, record(5, 'write', 0, 9), () => order.push('fifth has it'));
      table.set(FILE, record(2, 'none'), false);
      order.push('second is done');
    });
    third.push(new Wait(table, record(3, 'write', 0, 9), () => order.push('third has it')));
    new Wait(table, record(4, 'write', 0, 9), () => {
      order.push('fourth has it');
      table.releaseOwner(FILE, 4n, false);
    });
    table.set(FILE, record(1, 'none'), false);
    expect(order).toEqual(['second has it', 'fourth has it', 'fifth has it', 'second is done']);
    expect([table.size, table.waiting, third[0]!.result]).toEqual([1, 0, 'waiting']);
    table.set(FILE, record(5, 'none'), false);
    expect(table.nodes).toBe(0);
  });

  it('may forget the inode when they end, and begin it anew', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    new Wait(table, record(2, 'write', 0, 9), () => {
      table.drop(FILE);
      table.set(FILE, record(6, 'write', 100, 109), false);
    });
    const other = new Wait(table, record(3, 'write', 20, 29));
    table.set(FILE, record(1, 'none'), false);
    expect(other.result).toBe(Errno.EBADF);
    expect([table.size, table.waiting, table.nodes]).toEqual([1, 0, 1]);
    expect(locksOf(table, 6)).toBe('w100-109');
  });

  it('may leave nothing of the inode when they end, and begin it anew', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    new Wait(table, record(2, 'write'), () => {
      table.set(FILE, record(2, 'none'), false);
      expect(table.nodes).toBe(0);
      table.set(FILE, record(6, 'write', 100, 109), false);
    });
    table.set(FILE, record(1, 'none'), false);
    expect([table.size, table.nodes]).toEqual([1, 1]);
    expect(locksOf(table, 6)).toBe('w100-109');
  });

  it('go on when another thread of the process closes the file', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write', 0, 9), false);
    table.set(FILE, record(2, 'write', 20, 29), false);
    const waiting = new Wait(table, record(2, 'write', 0, 9));
    table.releaseOwner(FILE, 2n, false);
    expect([waiting.result, locksOf(table, 2)]).toEqual(['waiting', '']);
    table.set(FILE, record(1, 'none'), false);
    expect([waiting.result, locksOf(table, 2)]).toEqual(['granted', 'w0-9']);
  });

  it('keep what they asked for when the request is used again', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const lock = { type: 'write' as Type, start: 3n, end: 4n, pid: 1002 };
    const request = { lock, owner: 2n, isFlock: false };
    new Wait(table, request);
    Object.assign(lock, { type: 'none', start: 50n, end: 60n });
    request.owner = 9n;
    table.set(FILE, record(1, 'none'), false);
    expect(locksOf(table, 2)).toBe('w3-4');
  });
});

describe('deadlocks', () => {
  /** Owners 1 to `count` hold a byte each, and all but the last wait for the next one's. Every owner's byte is in a file of its own. */
  function chain(table: LockTable, count: number): Wait[] {
    for (let owner = 1; owner <= count; owner++) table.set(owner, record(owner, 'write', owner, owner), false);
    return Array.from({ length: count - 1 }, (_, i) => new Wait(table, record(i + 1, 'read', i + 2, i + 2), undefined, i + 2));
  }

  it.each([2, 3, 40])('of %s owners are refused, and what they hold stays', (count) => {
    const table = new LockTable();
    const waits = chain(table, count);
    const closing = record(count, 'read', 0, 10);
    expect(() => table.set(1, closing, true)).toThrow(systemCallError(Errno.EDEADLK));
    expect(trySet(table, closing, 1)).toBe(Errno.EAGAIN);
    expect(table.size).toBe(count);
    table.releaseOwner(count, BigInt(count), false);
    expect(waits.map(({ result }) => result)).toEqual([...Array<string>(count - 2).fill('waiting'), 'granted']);
    // Nothing is remembered of the wait that was refused or of the one that ended: owner 1 waits for 2, and 2 for 3, but nobody for `count`.
    expect(new Wait(table, record(count + 1, 'write', 1, 1), undefined, 1).result).toBe('waiting');
  });

  it('are not seen in a chain that does not close', () => {
    const table = new LockTable();
    chain(table, 3);
    table.set(4, record(4, 'write'), false);
    expect(new Wait(table, record(3, 'write'), undefined, 4).result).toBe('waiting');
    expect(new Wait(table, record(5, 'write'), undefined, 1).result).toBe('waiting');
  });

  it('are found behind any of several locks in the way', () => {
    const table = new LockTable();
    for (const owner of [1, 2, 3]) table.set(FILE, record(owner, 'read', 0, 9), false);
    table.set(FILE, record(4, 'write', 20, 20), false);
    new Wait(table, record(2, 'write', 20, 20));
    expect(() => table.set(FILE, record(4, 'write', 0, 9), true)).toThrow(systemCallError(Errno.EDEADLK));
  });

  it('are found behind any of several waits of one process', () => {
    for (const [first, second] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const table = new LockTable();
      for (const owner of [1, 2, 3]) table.set(owner, record(owner, 'write'), false);
      new Wait(table, record(1, 'write'), undefined, first);
      new Wait(table, record(1, 'write'), undefined, second);
      expect(() => table.set(1, record(2, 'write'), true)).toThrow(systemCallError(Errno.EDEADLK));
      expect(() => table.set(1, record(3, 'write'), true)).toThrow(systemCallError(Errno.EDEADLK));
    }
  });

  it('are those of two readers that both want to write', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'read'), false);
    table.set(FILE, record(2, 'read'), false);
    const first = new Wait(table, record(1, 'write'));
    expect(() => table.set(FILE, record(2, 'write'), true)).toThrow(systemCallError(Errno.EDEADLK));
    table.set(FILE, record(2, 'none'), false);
    expect(first.result).toBe('granted');
  });

  it('are no longer there when a wait was interrupted', () => {
    const table = new LockTable();
    chain(table, 2)[0]!.abort();
    const waiting = new Wait(table, record(2, 'write'), undefined, 1);
    table.releaseOwner(1, 1n, false);
    expect(waiting.result).toBe('granted');
  });

  it('do not begin at a circle that others are in', () => {
    // Owner 1 waits for 2 with one thread, and 2 for 1 with another, which began before there was a circle.
    const table = new LockTable();
    table.set(1, record(1, 'write'), false);
    new Wait(table, record(2, 'write'), undefined, 1);
    table.set(2, record(3, 'read'), false);
    new Wait(table, record(1, 'write'), undefined, 2);
    table.set(2, record(2, 'read'), false);
    const outsider = new Wait(table, record(4, 'write'), undefined, 1);
    expect(outsider.result).toBe('waiting');
  });

  it('that another thread of an owner has made end the wait when it is retried', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write', 50, 50), false);
    table.set(FILE, record(3, 'write', 0, 0), false);
    const waiting = new Wait(table, record(1, 'write', 0, 1));
    const other = new Wait(table, record(2, 'write', 50, 50));
    table.set(FILE, record(2, 'write', 1, 1), false);
    expect(waiting.result).toBe('waiting');
    table.set(FILE, record(3, 'none'), false);
    expect([waiting.result, other.result]).toEqual([Errno.EDEADLK, 'waiting']);
    expect(locksOf(table, 1)).toBe('w50-50');
    table.set(FILE, record(1, 'none'), false);
    expect(other.result).toBe('granted');
  });

  it('and grants are those of a naive model of owners that wait or act', () => {
    const bytes = 6;
    const owners = [1, 2, 3, 4];
    const operation = fc.record({
      does: fc.constantFrom('wait', 'wait', 'wait', 'wait', 'try', 'unlock', 'abort', 'release', 'release'),
      owner: fc.constantFrom(...owners),
      node: fc.constantFrom(1, 2),
      type: fc.constantFrom<Type>('read', 'write', 'write'),
      range: fc.tuple(fc.nat(bytes - 1), fc.nat(bytes - 1)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    });
    interface Asked {
      readonly owner: number;
      readonly node: number;
      readonly type: Type;
      readonly range: readonly [number, number];
    }
    let deadlocks = 0;
    let grants = 0;
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 100, size: 'max' }), (operations) => {
        const table = new LockTable();
        const log: string[] = [];
        const waits = new Map<number, Wait>();
        /** Type by node, owner and byte. */
        const held = new Map<string, Type>();
        const expected: string[] = [];
        const queue: Asked[] = [];
        const inTheWay = ({ owner, node, type, range }: Asked): number[] =>
          owners.filter((other) => {
            if (other === owner) return false;
            for (let byte = range[0]; byte <= range[1]; byte++) {
              const there = held.get(`${node} ${other} ${byte}`) ?? 'none';
              if (there === 'write' || (there === 'read' && type === 'write')) return true;
            }
            return false;
          });
        const fill = ({ owner, node, range }: Asked, type: Type): void => {
          for (let byte = range[0]; byte <= range[1]; byte++) held.set(`${node} ${owner} ${byte}`, type);
        };
        const grantAll = (): void => {
          for (;;) {
            const next = queue.findIndex((asked) => inTheWay(asked).length === 0);
            if (next < 0) return;
            const [asked] = queue.splice(next, 1);
            fill(asked!, asked!.type);
            expected.push(`${asked!.owner} granted`);
            grants++;
          }
        };
        const reaches = (from: number, to: number, steps: number): boolean =>
          steps > 0 &&
          queue
            .filter(({ owner }) => owner === from)
            .some((asked) => inTheWay(asked).some((next) => next === to || reaches(next, to, steps - 1)));
        for (const asked of operations) {
          const { does, owner, node, type, range } = asked;
          const waitsNow = queue.some((other) => other.owner === owner);
          expect(waits.has(owner)).toBe(waitsNow);
          if (does === 'abort' && waitsNow) {
            waits.get(owner)!.abort();
            waits.delete(owner);
            queue.splice(
              queue.findIndex((other) => other.owner === owner),
              1,
            );
          }
          if (waitsNow || does === 'abort') continue;
          const request = record(owner, does === 'unlock' ? 'none' : type, ...range);
          const free = inTheWay(asked).length === 0;
          if (does === 'release') {
            fill({ ...asked, range: [0, bytes - 1] }, 'none');
            table.releaseOwner(node, BigInt(owner), false);
          } else if (does === 'unlock') {
            fill(asked, 'none');
            expect(trySet(table, request, node)).toBeUndefined();
          } else if (free) {
            fill(asked, type);
            expect(table.set(node, request, does === 'wait')).toBeUndefined();
          } else if (does === 'try') {
            expect(trySet(table, request, node)).toBe(Errno.EAGAIN);
          } else if (inTheWay(asked).some((other) => reaches(other, owner, owners.length))) {
            expect(() => table.set(node, request, true)).toThrow(systemCallError(Errno.EDEADLK));
            deadlocks++;
          } else {
            queue.push(asked);
            const onSettled = ({ result }: Wait): void => {
              log.push(`${owner} ${result}`);
              waits.delete(owner);
            };
            waits.set(owner, new Wait(table, request, onSettled, node));
          }
          grantAll();
          expect(log).toEqual(expected);
          expect(table.waiting).toBe(queue.length);
        }
      }),
      { numRuns: 500 },
    );
    expect(deadlocks).toBeGreaterThan(100);
    expect(grants).toBeGreaterThan(100);
  });
});

describe('flock', () => {
  it('has the whole file, and owners share or exclude each other', () => {
    const table = new LockTable();
    expect(trySet(table, { ...record(1, 'read', 5, 6), isFlock: true })).toBeUndefined();
    expect(trySet(table, flock(2, 'read'))).toBeUndefined();
    expect(trySet(table, { ...record(3, 'write', 9, 9), isFlock: true })).toBe(Errno.EAGAIN);
    expect(table.get(FILE, { ...record(3, 'write', 9, 9), isFlock: true })).toEqual({ type: 'read', start: 0n, end: LAST_BYTE, pid: 1001 });
    expect(trySet(table, flock(2, 'read'))).toBeUndefined();
    expect(table.size).toBe(2);
  });

  it('and record locks do not see each other', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'write'), false);
    expect(trySet(table, record(2, 'write'))).toBeUndefined();
    expect(table.get(FILE, record(2, 'write')).type).toBe('none');
    expect(trySet(table, flock(2, 'none'))).toBeUndefined();
    table.releaseOwner(FILE, 2n, true);
    expect(trySet(table, record(3, 'read'))).toBe(Errno.EAGAIN);
    table.releaseOwner(FILE, 1n, false);
    expect(trySet(table, flock(3, 'read'))).toBe(Errno.EAGAIN);
    expect(table.size).toBe(2);
  });

  it('is lost where its conversion is refused', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'read'), false);
    table.set(FILE, flock(2, 'read'), false);
    expect(trySet(table, flock(1, 'write'))).toBe(Errno.EAGAIN);
    expect(table.size).toBe(1);
    expect(trySet(table, flock(2, 'write'))).toBeUndefined();
  });

  it('given up for a conversion that is refused may be what another conversion waits for', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'read'), false);
    table.set(FILE, flock(2, 'read'), false);
    const second = new Wait(table, flock(2, 'write'));
    // By another process that has the same open file description.
    table.set(FILE, flock(2, 'read'), false);
    const third = new Wait(table, flock(3, 'write'));
    expect([second.result, third.result, table.size]).toEqual(['waiting', 'waiting', 2]);
    expect(trySet(table, flock(1, 'write'))).toBe(Errno.EAGAIN);
    expect([second.result, third.result, table.size]).toEqual(['granted', 'waiting', 1]);
    table.releaseOwner(FILE, 2n, true);
    expect(third.result).toBe('granted');
  });

  it('is converted before those that wait get it', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'read'), false);
    const other = new Wait(table, flock(2, 'write'));
    expect(trySet(table, flock(1, 'write'))).toBeUndefined();
    expect(other.result).toBe('waiting');
    const reader = new Wait(table, flock(3, 'read'));
    expect(trySet(table, flock(1, 'read'))).toBeUndefined();
    expect([other.result, reader.result]).toEqual(['waiting', 'granted']);
  });

  it('is not granted after an interrupt, and the lock before it is lost', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'read'), false);
    table.set(FILE, flock(2, 'read'), false);
    new Wait(table, flock(1, 'write')).abort();
    table.releaseOwner(FILE, 2n, true);
    expect([table.size, table.nodes]).toEqual([0, 0]);
  });

  it('never finds a deadlock', () => {
    const table = new LockTable();
    table.set(1, flock(1, 'write'), false);
    table.set(2, flock(2, 'write'), false);
    const first = new Wait(table, flock(1, 'write'), undefined, 2);
    const second = new Wait(table, flock(2, 'write'), undefined, 1);
    expect([first.result, second.result]).toEqual(['waiting', 'waiting']);
    // A wait for a flock is no edge of a circle of record locks either.
    table.set(3, record(1, 'write'), false);
    table.set(3, flock(2, 'write'), false);
    expect(new Wait(table, record(2, 'write'), undefined, 3).result).toBe('waiting');
    // Nor is one of record locks: owner 2 waits for one of 1 by now.
    table.set(4, flock(2, 'write'), false);
    expect(new Wait(table, flock(1, 'write'), undefined, 4).result).toBe('waiting');
  });

  it('ends with its descriptor, and so do waits of that', () => {
    const table = new LockTable();
    table.set(FILE, flock(1, 'read'), false);
    const own = new Wait(table, flock(2, 'write'));
    const records = [record(1, 'write'), record(2, 'write')];
    table.set(FILE, records[0]!, false);
    const ofRecord = new Wait(table, records[1]!);
    const next = new Wait(table, flock(3, 'write'));
    table.releaseOwner(FILE, 2n, false);
    expect(own.result).toBe('waiting');
    table.releaseOwner(FILE, 2n, true);
    expect([own.result, ofRecord.result, next.result]).toEqual([Errno.EBADF, 'waiting', 'waiting']);
    table.releaseOwner(FILE, 1n, true);
    expect([own.result, ofRecord.result, next.result]).toEqual([Errno.EBADF, 'waiting', 'granted']);
  });

  it('is that of a naive table of owners', () => {
    const operation = fc.record({ owner: fc.integer({ min: 1, max: 3 }), type: fc.constantFrom<Type>('read', 'write', 'none') });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30, size: 'max' }), (operations) => {
        const table = new LockTable();
        const model = new Map<number, Type>();
        for (const { owner, type } of operations) {
          const others = [...model].filter(([other]) => other !== owner).map(([, held]) => held);
          const refused = type === 'read' ? others.includes('write') : type === 'write' && others.length > 0;
          expect(trySet(table, flock(owner, type))).toBe(refused ? Errno.EAGAIN : undefined);
          if (refused || type === 'none') model.delete(owner);
          else model.set(owner, type);
          expect(table.size).toBe(model.size);
        }
      }),
    );
  });
});

describe('an inode that is forgotten', () => {
  it('leaves nothing, and other inodes alone', () => {
    const table = new LockTable();
    table.set(1, record(1, 'write', 0, 9), false);
    table.set(1, flock(1, 'write'), false);
    table.set(2, record(1, 'write'), false);
    table.set(2, record(2, 'none'), false);
    const waits = [record(2, 'write'), record(3, 'read'), flock(2, 'read')].map((request) => new Wait(table, request, undefined, 1));
    const elsewhere = new Wait(table, record(3, 'write'), undefined, 2);
    expect([table.size, table.waiting, table.nodes]).toEqual([3, 4, 2]);
    table.drop(1);
    table.drop(99);
    expect(waits.map(({ result }) => result)).toEqual([Errno.EBADF, Errno.EBADF, Errno.EBADF]);
    for (const wait of waits) wait.abort();
    expect([elsewhere.result, table.size, table.waiting, table.nodes]).toEqual(['waiting', 1, 1, 1]);
    expect(table.get(1, record(9, 'write')).type).toBe('none');
    // Owner 2 no longer waits for 1.
    table.set(3, record(2, 'write'), false);
    expect(new Wait(table, record(1, 'write'), undefined, 3).result).toBe('waiting');
    table.drop(2);
    table.drop(3);
    expect([table.size, table.waiting, table.nodes]).toEqual([0, 0, 0]);
  });

  it('does not settle a wait that was aborted while the others were', () => {
    const table = new LockTable();
    table.set(FILE, record(1, 'write'), false);
    const waits: Wait[] = [];
    waits.push(new Wait(table, record(2, 'write'), () => waits[1]!.abort()));
    waits.push(new Wait(table, record(3, 'write')));
    table.drop(FILE);
    expect(waits.map(({ result }) => result)).toEqual([Errno.EBADF, 'waiting']);
  });
});
