import { afterAll, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import type { DataIdValue } from './contract.js';
import { parseKeyValue, resolveKey } from './keys.js';
import { catalogueOf, readerOf, temporaryDirectory } from './testing/repositories.js';
import { datasetType, dimension, universe } from './testing/records.js';

const directory = temporaryDirectory();
const reader = readerOf(() => [
  universe(),
  datasetType(1, 'calexp', ['visit', 'detector']),
  datasetType(2, 'coadd', ['patch', 'band']),
  datasetType(3, 'flat', ['detector', 'physical_filter']),
  dimension('instrument', { name: 'HSC', detector_max: 200 }),
  dimension('physical_filter', { instrument: 'HSC', name: 'HSC-I2', band: 'i' }),
  dimension('skymap', { name: 'rings', patch_nx_max: 9, patch_ny_max: 7 }),
]);
const { catalogue } = catalogueOf(reader, join(directory.path, 'catalogue.sqlite3'));
afterAll(() => {
  catalogue.close();
  directory.remove();
});

const parse = (type: string, key: string, text: string, constraint: Iterable<[string, DataIdValue]> = [], aliases = {}) => {
  const { dimension: name, value } = parseKeyValue(catalogue, catalogue.datasetType(type)!, key, text, new Map(constraint), { aliases });
  return [name, value];
};

describe('keys', () => {
  it.each([
    ['calexp', 'visit', '1228', ['visit', 1228]],
    ['calexp', 'ccd', '49', ['detector', 49]],
    ['calexp', 'ccdnum', '0', ['detector', 0]],
    ['calexp', 'sensor', '49', ['detector', 49]],
    ['calexp', 'band', 'i', ['band', 'i']],
    ['calexp', 'filter', 'HSC-I2', ['physical_filter', 'HSC-I2']],
    ['calexp', 'filter', 'i', ['band', 'i']],
    ['flat', 'filter', 'HSC-I2', ['physical_filter', 'HSC-I2']],
    ['flat', 'filter', 'unheard', ['physical_filter', 'unheard']],
    ['coadd', 'filter', 'i', ['band', 'i']],
    ['coadd', 'filter', 'HSC-I2', ['band', 'i']],
    ['coadd', 'filter', 'unheard', ['band', 'unheard']],
    ['calexp', 'pointing', '1228', ['visit', 1228]],
    ['coadd', 'patch', '4,5', ['patch', 49]],
    ['coadd', 'patch', '4%2C5', ['patch', 49]],
    ['coadd', 'patch', '42', ['patch', 42]],
    ['coadd', 'skymap', 'a%2Fb', ['skymap', 'a/b']],
    ['calexp', 'visit', '-3', ['visit', -3]],
  ])('%s: %s=%s', (type, key, text, expected) => {
    expect(parse(type, key, text)).toEqual(expected);
  });

  it.each([
    ['tract', '08766', 'write tract=8766'],
    ['tract', '+8766', 'write tract=8766'],
    ['tract', '-0', 'write tract=0'],
    ['tract', '8766.0', 'not an integer'],
    ['tract', '0x10', 'not an integer'],
    ['tract', '9007199254740993', 'not an integer'],
    ['tract', ' 1', 'not an integer'],
    ['tract', '', 'an empty value'],
    ['patch', '9,0', 'x goes from 0 to 8 and y from 0 to 6'],
    ['patch', '0,7', '9 by 7 patches'],
    ['patch', '04,5', 'neither an integer nor two of them'],
    ['patch', '4,5,6', 'neither an integer nor two of them'],
  ])('refuses coadd %s=%s', (key, text, message) => {
    const refused = expect.objectContaining({ code: 'invalid-value', message: expect.stringContaining(message) as string }) as Error;
    expect(() => parse('coadd', key, text)).toThrow(refused);
  });

  it('counts patches in the sky map that the path names', () => {
    const refused = expect.objectContaining({
      code: 'invalid-value',
      message: expect.stringContaining("sky map 'other'") as string,
    }) as Error;
    expect(() => parse('coadd', 'patch', '4,5', [['skymap', 'other']])).toThrow(refused);
    expect(parse('coadd', 'patch', '4,5', [['skymap', 'rings']])).toEqual(['patch', 49]);
  });

  it('lists the keys of a type for one that it has not, with the nearest', () => {
    const refused = (message: string) =>
      expect.objectContaining({ code: 'unknown-dimension', message: expect.stringContaining(message) as string }) as Error;
    expect(() => parse('coadd', 'tracts', '1')).toThrow(refused('the keys are skymap, tract, patch, band'));
    expect(() => parse('coadd', 'tracts', '1')).toThrow("did you mean 'tract'");
    expect(() => parse('coadd', 'visit', '1')).toThrow(refused("dataset type 'coadd'"));
    expect(() => parse('coadd', 'physical_filter', 'HSC-I2')).toThrow(refused("did you mean 'band=i'?"));
  });

  it('takes further aliases before the common ones', () => {
    expect(parse('calexp', 'pointing', '7', [], { pointing: 'visit' })).toEqual(['visit', 7]);
    expect(parse('calexp', 'ccd', '7', [], { ccd: 'visit' })).toEqual(['visit', 7]);
    expect(resolveKey(catalogue, 'pointing', { pointing: 'visit' })).toBe('visit');
  });

  it('resolves keys without a type', () => {
    expect(['ccd', 'tract', 'htm7', 'filter'].map((key) => resolveKey(catalogue, key))).toEqual([
      'detector',
      'tract',
      'htm7',
      'physical_filter',
    ]);
    expect(() => resolveKey(catalogue, 'detectr')).toThrow("did you mean 'detector'?");
    expect(() => resolveKey(catalogue, 'constructor')).toThrow("key 'constructor'");
  });
});
