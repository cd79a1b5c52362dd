import { describe, expect, it } from 'vitest';
import { boundOf, ingestTime } from './time.js';

describe('times of a registry', () => {
  it.each([
    ['2024-02-28 18:36:34.930842', 1709145394930842000n + 37_000_000_000n],
    ['2024-02-28T18:36:34', 1709145394000000000n + 37_000_000_000n],
    ['2016-12-31 23:59:59', 1483228799000000000n + 36_000_000_000n],
    ['2017-01-01 00:00:00', 1483228800000000000n + 37_000_000_000n],
    ['2012-06-30 00:00:00.000000001', 1341014400000000001n + 34_000_000_000n],
    [1795409982519037000n, 1795409982519037000n],
    ['yesterday', null],
    ['2024-13-45 00:00:00', null],
    [null, null],
  ])('%s is %s ns TAI', (value, expected) => {
    expect(ingestTime(value)).toBe(expected);
  });

  it('takes the ends of all time for unbounded', () => {
    expect([0n, 4102444800000000000n, null, 8000082000n].map(boundOf)).toEqual([null, null, null, 8000082000n]);
  });
});
