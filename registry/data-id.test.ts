import { describe, expect, it } from 'vitest';
import { DataId } from './data-id.js';
import { smallUniverse } from './testing/repositories.js';
import { parseUniverse } from './universe.js';

const universe = parseUniverse(smallUniverse);
const group = universe.group(['visit', 'detector']);

describe('a data ID', () => {
  const dataId = DataId.from(group, { detector: 49, instrument: 'HSC', visit: 1228, band: 'i' });

  it('holds the required values in path order', () => {
    expect(JSON.stringify(dataId)).toBe('{"instrument":"HSC","visit":1228,"detector":49}');
    expect(String(dataId)).toBe('instrument=HSC visit=1228 detector=49');
    expect([dataId.get('visit'), dataId.get('band')]).toEqual([1228, undefined]);
  });

  it('equals another of the same values, and no other', () => {
    expect(dataId.equals(new DataId(parseUniverse(smallUniverse).group(['visit', 'detector']), ['HSC', 1228, 49]))).toBe(true);
    expect(dataId.equals(new DataId(group, ['HSC', 1228, 50]))).toBe(false);
    expect(dataId.equals(new DataId(group, ['HSC', '1228', 49]))).toBe(false);
  });

  it('has subsets', () => {
    expect(dataId.subset(universe.group(['visit'])).values).toEqual(['HSC', 1228]);
    expect(() => dataId.subset(universe.group(['tract']))).toThrow('no value for skymap');
  });

  it('takes constraints, cannot be changed, and needs every value', () => {
    const values = ['HSC', 1228, 49];
    const copied = new DataId(group, values);
    values[1] = 1;
    expect(copied.get('visit')).toBe(1228);
    expect(
      DataId.from(
        group,
        new Map<string, string | number>([
          ['instrument', 'HSC'],
          ['visit', 1228],
          ['detector', 49],
        ]),
      ).equals(dataId),
    ).toBe(true);
    expect(() => new DataId(group, ['HSC'])).toThrow('one for each of instrument, visit, detector');
  });
});
