import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sharedData } from '../../../test/shared.js';
import { Database } from '../../sqlite/driver.js';
import { lookUpCalibration, validityOf } from './calibrations.js';
import { Gen2Registry } from './registries.js';
import { dateOfPointing, dayOf, instantOf } from './times.js';

const shared = sharedData();

describe('times', () => {
  test('are TAI', () => {
    expect(instantOf('1970-01-01')).toBe(0n);
    expect(instantOf('2013-11-03')).toBe(1_383_436_800_000_000_000n);
    expect(instantOf('2013-11-03T00:00:01.5')).toBe(1_383_436_801_500_000_000n);
    expect(instantOf('1969-12-31')).toBe(-86_400_000_000_000n);
  });

  test.each(['', '2013-02-30', '2013-13-01', '2013-11-03T25:00:00', 'x', '2013-11-03; drop table raw', '20131103'])(
    '%j is none',
    (text) => {
      expect(instantOf(text)).toBeUndefined();
      expect(dayOf(text)).toBeUndefined();
    },
  );

  test('pointings of HSC are days', () => {
    expect([533, 671, 1052].map(dateOfPointing)).toEqual(['2013-06-17', '2013-11-02', '2014-11-18']);
    expect(dateOfPointing(999_999_999_999)).toBeUndefined();
  });
});

describe('ranges', () => {
  test('an end that belongs to its range becomes the instant after', () => {
    expect(validityOf({ validStart: '2013-06-01', validEnd: '2013-12-01' })).toEqual({
      begin: instantOf('2013-06-01'),
      end: instantOf('2013-12-01')! + 1n,
    });
    expect(validityOf({ validStart: '2013-06-01', validEnd: '2013-06-01' })).toBeDefined();
    expect(validityOf({ validStart: '2013-06-02', validEnd: '2013-06-01' })).toBeUndefined();
    expect(validityOf({ validStart: '', validEnd: '2013-06-01' })).toBeUndefined();
  });

  test('more than one match is told with all of them', () => {
    const row = { ccd: 1, filter: 'HSC-I', calibDate: '2013-01-01', validStart: '2013-01-01', validEnd: '2013-02-01' };
    const later = { ...row, calibDate: '2013-02-01', validStart: '2013-02-01', validEnd: '2013-03-01' };
    const at = (taiObs: string) => lookUpCalibration([row, later], { ccd: 1, filter: 'HSC-I', taiObs });
    expect(at('2013-01-31')).toEqual({ kind: 'found', row });
    expect(at('2013-02-01')).toEqual({ kind: 'ambiguous', rows: [row, later] });
    expect(at('2013-03-02')).toEqual({ kind: 'none' });
  });
});

describe.runIf(shared !== undefined)('the real calibration registry', () => {
  const types = ['bias', 'dark', 'flat', 'fringe', 'sky', 'defects'];
  const byFilter = ['flat', 'fringe', 'sky'];

  test('gives what plain SQL over it gives, by text and by instant', () => {
    const file = join(shared!, 'gen2-hsc/CALIB/calibRegistry.sqlite3');
    const database = new Database(file, { readonly: true });
    const registry = new Gen2Registry(file, file);
    const found = { one: 0, none: 0 };
    try {
      const days = new Set(['1969-12-31', '1970-01-01', '2037-12-31', '2038-01-01', '2013-06-17', '2013-11-02', '2014-11-18']);
      for (const type of types) {
        for (const { validStart, validEnd } of registry.calibrations(type, () => {})) {
          for (const day of [validStart, validEnd]) for (const step of [-1, 0, 1]) days.add(shifted(day, step));
        }
      }
      for (const type of types) {
        const rows = [...registry.calibrations(type, () => {})];
        const condition = byFilter.includes(type) ? 'and filter = ?' : '';
        const query = database
          .prepare(`select calibDate from ${type} where ccd = ? and ? between validStart and validEnd ${condition}`)
          .pluck();
        for (const ccd of [0, 5, 22, 24, 100, 111, 200]) {
          for (const filter of byFilter.includes(type) ? ['HSC-R', 'HSC-I', 'HSC-I2'] : [undefined]) {
            for (const taiObs of days) {
              const expected = query.all(...[ccd, taiObs, ...(filter === undefined ? [] : [filter])]) as string[];
              const answer = lookUpCalibration(rows, { ccd, filter, taiObs });
              const calibDates =
                answer.kind === 'found'
                  ? [answer.row.calibDate]
                  : answer.kind === 'ambiguous'
                    ? answer.rows.map((row) => row.calibDate)
                    : [];
              expect(calibDates, `${type} ${ccd} ${filter ?? ''} ${taiObs}`).toEqual(expected);
              const instant = instantOf(taiObs)!;
              const certified = rows.filter((row) => {
                const { begin, end } = validityOf(row)!;
                return row.ccd === ccd && (filter === undefined || row.filter === filter) && begin! <= instant && instant < end!;
              });
              expect(
                certified.map((row) => row.calibDate),
                `${type} ${ccd} ${filter ?? ''} at ${taiObs}`,
              ).toEqual(expected);
              found[expected.length === 0 ? 'none' : 'one']++;
            }
          }
        }
      }
    } finally {
      registry.close();
      database.close();
    }
    // The grid asks for what is there, and for what is not.
    expect(found.one).toBeGreaterThan(200);
    expect(found.none).toBeGreaterThan(200);
  });
});

function shifted(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
