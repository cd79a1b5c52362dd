/** Data IDs that made-up dimension records define: relations that have records of some instruments only, records that are lost, odd texts. */

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DataIdQuery, DataIdValue } from '../contract.js';
import { collection, dataset, datasetType, dimension, membership, universe } from '../testing/records.js';
import { catalogueOf, readerOf, temporaryDirectory } from '../testing/repositories.js';

const directory = temporaryDirectory();
const [composed, decomposed] = ['\u00e9', 'e\u0301'];
const reader = readerOf(() => [
  universe(),
  collection(1, 'run'),
  collection(2, 'other'),
  datasetType(1, 'calexp', ['visit', 'detector']),
  datasetType(2, 'config', []),
  ...['A', 'B'].flatMap((instrument) => [
    dimension('instrument', { instrument, name: instrument, detector_max: 2 }),
    ...[0, 1].map((id) => dimension('detector', { instrument, id })),
    dimension('physical_filter', { instrument, name: `${instrument}-g`, band: 'g' }),
    ...[1, 2].map((id) =>
      dimension('visit', { instrument, id, physical_filter: `${instrument}-g`, day_obs: 20150100 + id, exposure_time: id }),
    ),
  ]),
  dimension('physical_filter', { instrument: 'A', name: composed, band: null }),
  dimension('physical_filter', { instrument: 'A', name: decomposed, band: 'x\0y' }),
  // Of A only, and of its visit 1 only.
  ...[0, 1].map((detector) => dimension('visit_detector_region', { instrument: 'A', visit: 1, detector, region: null })),
  dataset(1),
  membership(1, ['A', 1, 0]),
  // Registered, without a file.
  dataset(2, { files: [] }),
  membership(2, ['A', 1, 1]),
  dataset(3),
  membership(3, ['B', 2, 1], { collection: 2 }),
]);
const { catalogue } = catalogueOf(reader, join(directory.path, 'catalogue.sqlite3'));
afterAll(() => {
  catalogue.close();
  directory.remove();
});

const found = (query: Partial<DataIdQuery> & Pick<DataIdQuery, 'dimensions'>): (readonly DataIdValue[])[] => [
  ...catalogue.dataIds({ constraint: new Map(), keys: catalogue.universe.pathOrder(query.dimensions), ...query }),
];
const missing = (collections: readonly string[], type = 'calexp') =>
  found({
    dimensions: catalogue.datasetType(type)!.dimensions.required,
    lacking: { type: catalogue.datasetType(type)!, searchPath: catalogue.searchPath(collections) },
  }).map((values) => values.join(' '));

describe('data IDs', () => {
  it('are those that a relation has, and every combination for an instrument that it has no records of', () => {
    const pairs = found({ dimensions: ['visit', 'detector'], keys: ['instrument', 'visit', 'detector'] });
    expect(pairs.map((values) => values.join(' '))).toEqual(['A 1 0', 'A 1 1', 'B 1 0', 'B 1 1', 'B 2 0', 'B 2 1']);
  });

  it('are missing where no collection searched has a stored dataset', () => {
    expect(missing(['run'])).toEqual(['A 1 1', 'B 1 0', 'B 1 1', 'B 2 0', 'B 2 1']);
    expect(missing(['run', 'other'])).toEqual(['A 1 1', 'B 1 0', 'B 1 1', 'B 2 0']);
    expect(missing(['run'], 'config')).toEqual(['']);
  });

  it('come once for each combination of the keys asked for, and may be restricted', () => {
    expect(found({ dimensions: ['visit'], keys: ['band'] })).toEqual([['g']]);
    expect(found({ dimensions: ['visit'], keys: ['visit', 'band'], constraint: new Map([['physical_filter', 'B-g']]) })).toEqual([
      [1, 'g'],
      [2, 'g'],
    ]);
    expect(
      found({ dimensions: ['visit'], keys: ['instrument', 'visit'], where: 'visit.exposure_time > 1 and instrument.detector_max = 2' }),
    ).toEqual([
      ['A', 2],
      ['B', 2],
    ]);
    expect(found({ dimensions: ['visit'], keys: ['visit'], limit: 1 })).toEqual([[1]]);
    expect(found({ dimensions: ['visit'], keys: [], where: 'visit = 3' })).toEqual([]);
    expect(found({ dimensions: ['visit'], keys: [], where: 'visit = 2' })).toEqual([[]]);
  });

  it('keep texts as they are: forms of Unicode apart, NUL, and SQL', () => {
    const filters = (where: string) => found({ dimensions: ['physical_filter'], keys: ['physical_filter'], where }).map(([value]) => value);
    expect(filters(`physical_filter = '${composed}'`)).toEqual([composed]);
    expect(filters(`physical_filter = '${decomposed}'`)).toEqual([decomposed]);
    expect(filters("band = 'x\0y'")).toEqual([decomposed]);
    expect(filters('band is null')).toEqual([composed]);
    expect(filters(`physical_filter in ('" or 1=1', '); drop table dataset; --')`)).toEqual([]);
    expect(catalogue.dataset(1)).toBeDefined();
  });

  it('are refused for what records do not define', () => {
    const refused = (query: Parameters<typeof found>[0]) => () => found(query);
    expect(refused({ dimensions: ['tract'] })).toThrow('no dimension records of');
    expect(refused({ dimensions: ['htm7'] })).toThrow(expect.objectContaining({ code: 'unsupported' }));
    expect(refused({ dimensions: ['vist'] })).toThrow("did you mean 'visit'?");
    expect(refused({ dimensions: ['visit'], keys: ['detector'] })).toThrow("key 'detector'");
    expect(refused({ dimensions: ['visit'], where: 'tract = 1' })).toThrow('nothing relates them');
    expect(refused({ dimensions: [], element: 'patch', keys: [] })).toThrow("dimension records of 'patch'");
  });
});
