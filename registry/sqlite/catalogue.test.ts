/** Catalogues of made-up repositories: listings against a plain reckoning, summaries, layout. */

import fc from 'fast-check';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Catalogue, DataIdValue, DirectoryAnswer, RepositoryRecord } from '../contract.js';
import { catalogueOf, readerOf, temporaryDirectory, uuidOf } from '../testing/repositories.js';
import { collection, dataset, datasetType, dimension, fileAt, membership, universe } from '../testing/records.js';

const directory = temporaryDirectory();
const open: Catalogue[] = [];
let made = 0;
function catalogueFrom(...records: RepositoryRecord[]): Catalogue {
  const { catalogue } = catalogueOf(
    readerOf(() => records),
    join(directory.path, `${made++}.sqlite3`),
  );
  open.push(catalogue);
  return catalogue;
}
afterAll(() => {
  open.forEach((catalogue) => catalogue.close());
  directory.remove();
});

const list = (
  catalogue: Catalogue,
  type: string,
  collections: string[],
  keys: string[],
  constraint: [string, DataIdValue][] = [],
  rowLimit = 1000,
): DirectoryAnswer =>
  catalogue.directory({
    type: catalogue.datasetType(type)!,
    searchPath: catalogue.searchPath(collections),
    constraint: new Map(constraint),
    keys,
    rowLimit,
  });
const rowsOf = (answer: DirectoryAnswer) => (answer.kind === 'rows' ? answer.rows : []);

/** A catalogue of visits 1 to 4 with detectors, in three runs and a chain, and the memberships it was made of. */
const memberOf = fc.record({
  collection: fc.integer({ min: 1, max: 3 }),
  visit: fc.integer({ min: 1, max: 4 }),
  detector: fc.integer({ min: 0, max: 12 }),
  stored: fc.boolean(),
});
type Member = typeof memberOf extends fc.Arbitrary<infer T> ? T : never;
const bands = ['g', 'r', 'i', 'g'];

function visitCatalogue(members: readonly Member[]): Catalogue {
  return catalogueFrom(
    universe(),
    ...[1, 2, 3].map((id) => collection(id, `run${id}`)),
    datasetType(1, 'calexp', ['visit', 'detector']),
    ...bands.map((band, index) => dimension('physical_filter', { instrument: 'HSC', name: `filter${index}`, band })),
    ...bands.map((_, index) =>
      dimension('visit', {
        instrument: 'HSC',
        id: index + 1,
        physical_filter: `filter${index}`,
        day_obs: 20150101 + index,
        exposure_time: 30,
      }),
    ),
    ...members.flatMap(({ collection: where, stored, visit, detector }, index) => [
      dataset(index + 1, { run: where, ...(stored ? {} : { files: [] }) }),
      membership(index + 1, ['HSC', visit, detector], { collection: where }),
    ]),
  );
}

describe('a listing', () => {
  const unique = fc.uniqueArray(memberOf, {
    selector: ({ collection: where, visit, detector }) => `${where} ${visit} ${detector}`,
    maxLength: 60,
  });
  const searched = fc.shuffledSubarray(['run1', 'run2', 'run3'], { minLength: 1 });
  const constrained = fc.constantFrom<[string, DataIdValue][]>(
    [],
    [['visit', 2]],
    [['detector', 7]],
    [['band', 'g']],
    [['instrument', 'HSC']],
    [
      ['instrument', 'HSC'],
      ['physical_filter', 'filter1'],
    ],
  );
  const ordered = fc.shuffledSubarray(['instrument', 'visit', 'detector'], { minLength: 3 });

  it('is what a plain reckoning of the memberships says, in every order and under every constraint', () => {
    fc.assert(
      fc.property(unique, searched, constrained, ordered, fc.integer({ min: 0, max: 20 }), (members, path, constraint, order, rowLimit) => {
        const catalogue = visitCatalogue(members);
        const keys = order.filter((key) => !constraint.some(([name]) => name === key));
        const valuesOf = ({ visit, detector }: Member): Record<string, DataIdValue> => ({
          instrument: 'HSC',
          visit,
          detector,
          band: bands[visit - 1]!,
          physical_filter: `filter${visit - 1}`,
        });
        const matching = members
          .map((member, index) => ({
            uuid: uuidOf(index + 1),
            rank: path.indexOf(`run${member.collection}`),
            values: valuesOf(member),
            stored: member.stored,
          }))
          .filter(({ rank, values, stored }) => rank >= 0 && stored && constraint.every(([name, value]) => values[name] === value));
        const best = matching.filter(
          (one) =>
            !matching.some(
              (other) =>
                other.rank < one.rank &&
                other.values['visit'] === one.values['visit'] &&
                other.values['detector'] === one.values['detector'],
            ),
        );
        const compare = (a: (typeof best)[0], b: (typeof best)[0]): number => {
          const key = keys.find((name) => a.values[name] !== b.values[name]);
          return key === undefined ? 0 : a.values[key]! < b.values[key]! ? -1 : 1;
        };
        const answer = list(catalogue, 'calexp', path, keys, constraint, rowLimit);
        if (matching.length > rowLimit && keys.length > 1) {
          const values = [...new Set(best.map(({ values: named }) => named[keys[0]!]!))].sort((a, b) => (a < b ? -1 : 1));
          expect(answer).toEqual({ kind: 'values', values });
        } else {
          expect(rowsOf(answer).map(({ uuid }) => uuid)).toEqual([...best].sort(compare).map(({ uuid }) => uuid));
        }
        const queried = [
          ...catalogue.query({
            type: catalogue.datasetType('calexp')!,
            searchPath: catalogue.searchPath(path),
            constraint: new Map(constraint),
          }),
        ];
        expect(queried.map(({ uuid }) => uuid).sort()).toEqual(best.map(({ uuid }) => uuid).sort());
        catalogue.close();
        open.pop();
      }),
      { numRuns: 60 },
    );
  });

  it('fills in implied values through the records, step by step', () => {
    const catalogue = visitCatalogue([{ collection: 1, visit: 3, detector: 5, stored: true }]);
    expect(catalogue.dataset(1)).toMatchObject({
      values: ['HSC', 3, 5],
      implied: [20150103, 'filter2', 'i'],
      run: 'run1',
      ingested: 1_700_000_000_000_000_123n,
    });
    expect(
      rowsOf(
        list(
          catalogue,
          'calexp',
          ['run1'],
          [],
          [
            ['visit', 3],
            ['detector', 5],
            ['band', 'r'],
          ],
        ),
      ),
    ).toEqual([]);
  });

  it('searches more collections than a statement names one by one', () => {
    const runs = Array.from({ length: 40 }, (_, index) => index + 1);
    const catalogue = catalogueFrom(
      universe(),
      ...runs.map((id) => collection(id, `run${id}`)),
      datasetType(1, 'calexp', ['visit', 'detector']),
      ...runs.flatMap((id) => [dataset(id, { run: id }), membership(id, ['HSC', 7, id % 5], { collection: id })]),
    );
    const path = runs.map((id) => `run${id}`).reverse();
    expect(rowsOf(list(catalogue, 'calexp', path, ['detector'], [['visit', 7]])).map(({ collection: { name } }) => name)).toEqual([
      'run40',
      'run36',
      'run37',
      'run38',
      'run39',
    ]);
    expect(list(catalogue, 'calexp', path, ['instrument', 'visit', 'detector'], [], 3)).toEqual({ kind: 'values', values: ['HSC'] });
    expect(catalogue.governorValues(catalogue.searchPath(path), 'instrument', 2)).toEqual(['HSC']);
  });

  it('refuses a key that the type has not', () => {
    const refused = expect.objectContaining({
      code: 'unknown-dimension',
      message: expect.stringContaining("did you mean 'visit'") as string,
    }) as Error;
    expect(() => list(visitCatalogue([]), 'calexp', ['run1'], [], [['visits', 1]])).toThrow(refused);
  });

  it('gives every validity of one calibration, unbounded ones first, exact to the nanosecond', () => {
    const spans = [
      { begin: 1_420_070_400_000_000_001n, end: null },
      { begin: null, end: 1_420_070_400_000_000_001n },
    ];
    const catalogue = catalogueFrom(
      universe(),
      collection(1, 'run'),
      collection(2, 'calib', 'CALIBRATION'),
      datasetType(1, 'bias', ['detector'], true),
      dataset(1),
      membership(1, ['HSC', 3]),
      ...spans.map((validity) => membership(1, ['HSC', 3], { collection: 2, validity })),
    );
    expect(rowsOf(list(catalogue, 'bias', ['calib', 'run'], ['instrument', 'detector'])).map(({ validity }) => validity)).toEqual([
      spans[1],
      spans[0],
    ]);
    expect(rowsOf(list(catalogue, 'bias', ['run', 'calib'], ['instrument', 'detector'])).map(({ validity }) => validity)).toEqual([null]);
    expect(catalogue.dataset(1)!.validity).toBeNull();
  });
});

describe('what a catalogue knows beside datasets', () => {
  const catalogue = catalogueFrom(
    universe(),
    { kind: 'file', location: 'butler.yaml', size: 12, checksum: null },
    collection(1, 'run'),
    collection(2, 'other'),
    datasetType(1, 'calexp', ['visit', 'detector']),
    datasetType(2, 'catalog', ['htm7']),
    dimension('skymap', { name: 'rings', patch_nx_max: 9, hash: 'x' }),
    ...['r', 'g', 'r'].map((band, index) =>
      dimension('physical_filter', { instrument: index === 1 ? 'LATISS' : 'HSC', name: `f${index}`, band }),
    ),
    ...[10, 9, 100].map((id) => dimension('tract', { skymap: 'rings', id, begin: 1_400_000_000_000_000_007n })),
    dataset(1, { files: [fileAt('run/a/1.fits', { checksum: '0f'.repeat(64), size: 7 })] }),
    dataset(2, { files: [fileAt('run/a/1.fits', { size: null }), fileAt('run/b.fits', { component: 'b', size: 5 })] }),
    dataset(3, { type: 2, run: 2, files: [fileAt('https://example.org/x.fits', { size: 1000 })] }),
    dataset(4, { files: [fileAt('run/z.zip', { member: 'm', size: 3, extension: '.yaml' })] }),
    membership(1, ['HSC', 1, 1]),
    membership(2, ['LATISS', 1, 2]),
    membership(3, [131072], { type: 2, collection: 2 }),
    membership(4, ['HSC', 1, 4]),
  );

  it('lists its own layout', () => {
    expect(catalogue.repositoryDirectory('')!.map(({ name, file }) => [name, file?.size])).toEqual([
      ['butler.yaml', 12],
      ['run', undefined],
    ]);
    expect(catalogue.repositoryDirectory('run')!.map(({ name }) => name)).toEqual(['a', 'b.fits', 'z.zip']);
    expect(catalogue.repositoryFile('run/a/1.fits')).toEqual({ location: 'run/a/1.fits', size: 7, checksum: '0f'.repeat(64) });
    expect(['run/a', 'run/a/2.fits', 'x/y', ''].map((path) => catalogue.repositoryFile(path))).toEqual(Array(4).fill(undefined));
    expect(catalogue.totals()).toEqual({ files: 5, bytes: 12 + 7 + 5 + 1000 });
  });

  it('names every file once, wherever it is, archives without what is known of their members', () => {
    expect([...catalogue.files()].sort((a, b) => (a.location < b.location ? -1 : 1))).toEqual([
      { location: 'butler.yaml', size: 12, checksum: null },
      { location: 'https://example.org/x.fits', size: 1000, checksum: null },
      { location: 'run/a/1.fits', size: 7, checksum: '0f'.repeat(64) },
      { location: 'run/b.fits', size: 5, checksum: null },
      { location: 'run/z.zip', size: null, checksum: null },
    ]);
  });

  it('tells governors by search path', () => {
    const values = (...names: string[]): readonly string[] => catalogue.governorValues(catalogue.searchPath(names), 'instrument', 10);
    expect([values('run'), values('other'), values('run', 'other')]).toEqual([['HSC', 'LATISS'], [], ['HSC', 'LATISS']]);
    expect(catalogue.governorValues(catalogue.searchPath(), 'instrument', 1)).toEqual(['HSC']);
  });

  it('gives records and the values of dimensions', () => {
    expect(catalogue.record('skymap', { skymap: 'rings' })).toEqual({ name: 'rings', patch_nx_max: 9, hash: 'x' });
    expect(catalogue.record('tract', { skymap: 'rings', tract: 9 })).toMatchObject({ id: 9, begin: '1400000000000000007' });
    expect([
      catalogue.record('skymap', { skymap: 'x' }),
      catalogue.record('skymap', {}),
      catalogue.record('visit', { instrument: 'HSC', visit: 1 }),
    ]).toEqual([undefined, undefined, undefined]);
    expect(catalogue.dimensionValues('tract', 10)).toEqual([9, 10, 100]);
    expect(catalogue.dimensionValues('tract', 2, new Map([['skymap', 'rings']]))).toEqual([9, 10]);
    expect(catalogue.dimensionValues('tract', 2, new Map([['skymap', 'other']]))).toEqual([]);
    expect(catalogue.dimensionValues('band', 10)).toEqual(['g', 'r']);
    expect(catalogue.dimensionValues('band', 10, new Map([['instrument', 'HSC']]))).toEqual(['r']);
    expect(catalogue.dimensionValues('htm7', 10)).toEqual([131072]);
    expect(catalogue.dimensionValues('detector', 10, new Map([['instrument', 'HSC']]))).toEqual([1, 4]);
  });

  it('tells datasets by UUID, and nothing for what is none', () => {
    expect(catalogue.datasetByUuid(uuidOf(1))!.key).toBe(1);
    expect([uuidOf(77), 'x', "' or 1=1"].map((uuid) => catalogue.datasetByUuid(uuid))).toEqual([undefined, undefined, undefined]);
    expect(catalogue.dataset(77)).toBeUndefined();
  });
});
