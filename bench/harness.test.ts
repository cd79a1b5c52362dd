import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, sideBySide, table } from './harness.js';

describe('the harness', () => {
  it('gives a median between the extremes, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (values) => {
        const middle = median(values);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(median([...values].reverse())).toBe(middle);
      }),
    );
  });

  it('runs both in turn', async () => {
    const order: string[] = [];
    const work = (name: string, duration: number) => () => {
      order.push(name);
      return Promise.resolve(duration);
    };
    expect(await sideBySide(2, work('a', 3), work('b', 1))).toEqual({ measured: 3, reference: 1 });
    expect(order).toEqual(['a', 'b', 'a', 'b']);
  });

  it('says where a limit is exceeded', () => {
    const row = { what: 'ls -l', measured: 0.5, reference: 1, unit: 's', against: 'ext4' } as const;
    const lines = table([
      { ...row, limit: 2 },
      { ...row, measured: 3, limit: 2 },
    ]).split('\n');
    expect(lines[1]).toMatch(/500 ms +1\.00 s \(ext4\) +0\.50 +2\.00$/);
    expect(lines[2]).toMatch(/3\.00 +2\.00 EXCEEDED$/);
  });
});
