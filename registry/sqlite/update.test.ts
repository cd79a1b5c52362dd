/** A catalogue that is updated in place answers as one that is built anew, tells what was touched, and leaves readers their version. */

import fc from 'fast-check';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Catalogue, CatalogueInfo, DataIdValue, RepositoryChange, RepositoryRecord, StoredFile, Validity } from '../contract.js';
import { answersOf } from '../testing/answers.js';
import { collection, dataset, datasetType, dimension, fileAt, membership, universe } from '../testing/records.js';
import { readerOf, temporaryDirectory, uuidOf } from '../testing/repositories.js';
import { buildCatalogue } from './build.js';
import { openCatalogue } from './open.js';
import { updateCatalogue } from './update.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

let made = 0;
const facts = { repository: 'test', validator: null };

function build(records: readonly RepositoryRecord[]): string {
  const target = join(directory.path, `${made++}.sqlite3`);
  buildCatalogue({ reader: { ...readerOf(() => records), cursor: () => 'begin' }, target, version: 1, updatable: true, ...facts });
  return target;
}

function update(target: string, changes: readonly RepositoryChange[], version = 2): Promise<CatalogueInfo | undefined> {
  const reader = { ...readerOf(() => []), cursor: () => `after ${version}`, changes: () => changes };
  return updateCatalogue({ reader, target, version, ...facts });
}

function opened<Result>(target: string, work: (catalogue: Catalogue) => Result): Result {
  const catalogue = openCatalogue(target)!;
  try {
    return work(catalogue);
  } finally {
    catalogue.close();
  }
}

/** A repository as a test makes it up: what it has of each of a few datasets. */
interface MadeDataset {
  readonly type: number;
  readonly run: number;
  readonly visit: number;
  readonly detector: number;
  readonly files: readonly StoredFile[];
  readonly tagged: boolean;
  readonly certified: readonly Validity[];
}
interface MadeRepository {
  /** By number. */
  readonly datasets: ReadonlyMap<number, MadeDataset>;
  readonly collections: readonly number[];
  readonly chained: readonly number[];
  /** Band by visit. */
  readonly bands: readonly string[];
}

const fileArbitrary = fc
  .record({
    // Few locations: many are shared.
    location: fc.constantFrom('a/1.fits', 'a/2.fits', 'b/c/3.fits', 'b.txt', 'https://x.org/y.fits'),
    size: fc.constantFrom(null, 1, 20),
    checksum: fc.constantFrom(null, 'ab'.repeat(64)),
  })
  .map(({ location, size, checksum }) => fileAt(location, { size, checksum, extension: location.endsWith('.txt') ? '.txt' : '.fits' }));
const filesArbitrary = fc.oneof(
  fc.constant([]),
  fileArbitrary.map((file) => [file]),
  fc.tuple(fileArbitrary, fileArbitrary).map(([a, b]) => [
    { ...a, component: 'image' },
    { ...b, component: 'mask', member: 'm.fits' },
  ]),
);
const validities: readonly Validity[] = [
  { begin: null, end: 10n },
  { begin: 10n, end: 20n },
  { begin: 30n, end: null },
];
const datasetArbitrary = fc.record({
  type: fc.constantFrom(1, 2),
  run: fc.constantFrom(1, 2),
  files: filesArbitrary,
  tagged: fc.boolean(),
  certified: fc.subarray([...validities]),
});
const slot = fc.option(datasetArbitrary, { nil: undefined });
const repositoryArbitrary: fc.Arbitrary<MadeRepository> = fc
  .record({
    slots: fc.array(slot, { minLength: 8, maxLength: 8 }),
    places: fc.array(fc.nat(40), { minLength: 8, maxLength: 8 }),
    hasRun2: fc.boolean(),
    chained: fc.shuffledSubarray([1, 3, 4]),
    bands: fc.array(fc.constantFrom('g', 'r'), { minLength: 3, maxLength: 3 }),
  })
  .map(({ slots, places, hasRun2, chained, bands }) => {
    const datasets = new Map<number, MadeDataset>();
    slots.forEach((made, index) => {
      if (made === undefined || (made.run === 2 && !hasRun2)) return;
      // The detector is its own: no two of one collection have one data ID.
      datasets.set(index + 1, { ...made, visit: 1 + (places[index]! % 3), detector: index });
    });
    return { datasets, collections: hasRun2 ? [1, 2, 3, 4, 5] : [1, 3, 4, 5], chained, bands };
  });

function withStructureOf({ collections, chained }: MadeRepository, { datasets, bands }: MadeRepository): MadeRepository {
  return { datasets: new Map([...datasets].filter(([, { run }]) => collections.includes(run))), collections, chained, bands };
}

const kinds = ['RUN', 'RUN', 'TAGGED', 'CALIBRATION', 'CHAINED'] as const;

function structureOf({ collections, chained }: MadeRepository): RepositoryRecord[] {
  return [
    universe(),
    { kind: 'file', location: 'butler.yaml', size: collections.length, checksum: null },
    ...collections.map((id) => collection(id, `c${id}`, kinds[id - 1])),
    ...chained.map((child, position) => ({ kind: 'chain', parent: 5, position, child }) as const),
    datasetType(1, 'calexp', ['visit', 'detector']),
    datasetType(2, 'bias', ['visit', 'detector'], true),
  ];
}

function recordsOf({ bands }: MadeRepository): RepositoryRecord[] {
  return bands.flatMap((band, index) => [
    dimension('physical_filter', { instrument: 'HSC', name: `f-${band}`, band }),
    dimension('visit', { instrument: 'HSC', id: index + 1, physical_filter: `f-${band}`, day_obs: 20150101, exposure_time: 30 }),
  ]);
}

function membershipsOf(number: number, { type, run, visit, detector, tagged, certified }: MadeDataset): RepositoryRecord[] {
  const dataId: DataIdValue[] = ['HSC', visit, detector];
  return [
    membership(number, dataId, { type, collection: run }),
    ...(tagged ? [membership(number, dataId, { type, collection: 3 })] : []),
    ...(type === 2 ? certified.map((validity) => membership(number, dataId, { type, collection: 4, validity })) : []),
  ];
}

function contentOf(repository: MadeRepository): RepositoryRecord[] {
  const datasets = [...repository.datasets];
  return [
    ...recordsOf(repository),
    ...datasets.map(([number, { type, run, files }]) => dataset(number, { type, run, files })),
    ...datasets.flatMap(([number, made]) => membershipsOf(number, made)),
  ];
}

/** What leads from one to the other; all that is still there comes again, as a reader may give it. */
function changesBetween(before: MadeRepository, after: MadeRepository): RepositoryChange[] {
  const gone: RepositoryChange[] = [];
  for (const [number, old] of before.datasets) {
    const now = after.datasets.get(number);
    if (now === undefined || now.type !== old.type || now.run !== old.run) {
      gone.push({ kind: 'dataset-gone', uuid: uuidOf(number) });
      continue;
    }
    const texts = new Set(membershipsOf(number, now).map(textOf));
    for (const each of membershipsOf(number, old)) {
      if (each.kind !== 'membership' || texts.has(textOf(each))) continue;
      const { uuid, type, collection: where, validity } = each;
      gone.push({ kind: 'membership-gone', uuid, type, collection: where, ...(validity === null ? {} : { begin: validity.begin }) });
    }
  }
  return [{ kind: 'whole-structure' }, ...structureOf(after), ...gone, ...contentOf(after)];
}

function textOf(record: RepositoryRecord): string {
  return JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

describe('a catalogue updated in place', () => {
  it('answers as one that is built anew, and tells all that was touched', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(repositoryArbitrary, repositoryArbitrary, repositoryArbitrary, fc.boolean(), async (first, other, last, alike) => {
        // With other collections anything counts as touched: half of the time they stay.
        const [second, third] = [other, last].map((each) => (alike ? withStructureOf(first, each) : each)) as [
          MadeRepository,
          MadeRepository,
        ];
        const target = build([...structureOf(first), ...contentOf(first)]);
        const before = openCatalogue(target)!;
        try {
          const former = answersOf(before);
          await update(target, changesBetween(first, second), 2);
          const info = await update(target, changesBetween(second, third), 3);
          const fresh = openCatalogue(build([...structureOf(third), ...contentOf(third)]))!;
          const now = openCatalogue(target)!;
          try {
            expect(answersOf(now)).toEqual(answersOf(fresh));
            // The one that was open is what it was.
            expect(answersOf(before)).toEqual(former);
            if (info !== undefined) expect(now.info.version).toBe(3);
            expectTouched(before, now);
          } finally {
            fresh.close();
            now.close();
          }
        } finally {
          before.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('says that nothing changed by leaving it to the caller to look again', async () => {
    const repository = { datasets: new Map(), collections: [1, 3, 4, 5], chained: [1], bands: ['g', 'g', 'r'] };
    const target = build([...structureOf(repository), ...contentOf(repository)]);
    expect(await update(target, changesBetween(repository, repository))).toBeUndefined();
    expect(opened(target, ({ info }) => info.version)).toBe(1);
  });

  it('is left as it was where a change cannot be applied, or reading fails', async () => {
    const target = build([universe(), collection(1, 'run'), datasetType(1, 'calexp', ['visit', 'detector'])]);
    const before = opened(target, answersOf);
    expect(await update(target, [collection(2, 'new'), datasetType(1, 'calexp', ['visit'])])).toBeUndefined();
    expect(await update(target, [collection(1, 'run', 'TAGGED')])).toBeUndefined();
    const failing = {
      ...readerOf(() => []),
      *changes(): Generator<RepositoryChange> {
        yield collection(2, 'new');
        throw new Error('the reader failed');
      },
    };
    await expect(updateCatalogue({ reader: { ...failing, cursor: () => 'x' }, target, version: 2, ...facts })).rejects.toThrow('failed');
    expect(opened(target, answersOf)).toEqual(before);
  });

  it('tells data IDs and collections that were touched since a version, and nothing of what it does not know', async () => {
    const target = build([
      universe(),
      collection(1, 'run'),
      collection(2, 'tag', 'TAGGED'),
      datasetType(1, 'calexp', ['visit', 'detector']),
      datasetType(2, 'src', ['visit', 'detector']),
    ]);
    await update(target, [dataset(1), membership(1, ['HSC', 1, 1])], 2);
    await update(target, [membership(1, ['HSC', 1, 1], { collection: 2 })], 3);
    const touched = (version: number) => opened(target, (catalogue) => catalogue.touchedSince!(version));
    expect(touched(2)).toEqual({
      structure: false,
      records: false,
      types: new Map([['calexp', { dataIds: [['HSC', 1, 1]], collections: new Set(['tag']) }]]),
    });
    expect(touched(1)!.types.get('calexp')!.collections).toEqual(new Set(['run', 'tag']));
    expect(touched(3)).toEqual({ structure: false, records: false, types: new Map() });
    expect([0, 4].map(touched)).toEqual([undefined, undefined]);
    const fingerprints = opened(target, (catalogue) => catalogue.datasetTypes().map((type) => catalogue.fingerprint(type)));
    await update(target, [dataset(2), membership(2, ['HSC', 2, 1])], 4);
    const next = opened(target, (catalogue) => catalogue.datasetTypes().map((type) => catalogue.fingerprint(type)));
    expect(next[0]).not.toBe(fingerprints[0]);
    expect(next[1]).toBe(fingerprints[1]);
    // Another file touches it wherever it stands.
    await update(target, [dataset(1, { files: [fileAt('run/other.fits')] })], 5);
    expect(touched(4)!.types.get('calexp')).toEqual({ dataIds: [['HSC', 1, 1]], collections: new Set(['run', 'tag']) });
  });
});

/** What differs between two versions must be among what was touched. */
function expectTouched(before: Catalogue, now: Catalogue): void {
  const touched = now.touchedSince!(1)!;
  const listed = (catalogue: Catalogue): Map<string, string> => {
    const rows = new Map<string, string>();
    for (const { name } of catalogue.collections()) {
      for (const type of catalogue.datasetTypes()) {
        for (const row of catalogue.query({ type, searchPath: catalogue.searchPath([name]), constraint: new Map() })) {
          const key = JSON.stringify([type.name, row.values]);
          const { uuid, files, validity, implied } = row;
          const text = JSON.stringify([name, uuid, files, String(validity?.begin), String(validity?.end), implied]);
          rows.set(key, (rows.get(key) ?? '') + text);
        }
      }
    }
    return rows;
  };
  const [former, present] = [listed(before), listed(now)];
  for (const key of new Set([...former.keys(), ...present.keys()])) {
    if (former.get(key) === present.get(key) || touched.structure) continue;
    const [type, dataId] = JSON.parse(key) as [string, DataIdValue[]];
    const found = touched.types.get(type);
    expect([key, found === undefined]).toEqual([key, false]);
    if (found!.dataIds !== undefined) expect(found!.dataIds).toContainEqual(dataId);
  }
}
