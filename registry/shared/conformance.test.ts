/** What a shared catalogue promises, on every engine with a real server. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedData } from '../../test/shared.js';
import { eventually, removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import type { KnownContent, RepositoryChange, RepositoryRecord } from '../contract.js';
import { buildCatalogueFrom } from '../sqlite/build.js';
import { openCatalogue } from '../sqlite/open.js';
import { collection, dataset, datasetType, dimension, fileAt, membership, universe } from '../testing/records.js';
import { openRepository, uuidOf } from '../testing/repositories.js';
import type { DatabaseAccess, SharedCatalogue } from './contract.js';
import { createSharedCatalogue, openSharedCatalogue } from './open.js';
import { testEngines } from '../../test/support/engines.js';
import type { TestEngine } from '../../test/support/engines.js';

/** The changes of a shared catalogue do not depend on what is known. */
const nothingKnown = {} as KnownContent;
const ROOT = 'https://data.example.org/repo';

const small = (): RepositoryRecord[] => [
  universe(),
  { kind: 'file', location: 'butler.yaml', size: 12, checksum: null },
  collection(7, 'run'),
  collection(9, 'tagged', 'TAGGED'),
  collection(8, 'calib', 'CALIBRATION'),
  collection(5, 'all', 'CHAINED'),
  { kind: 'chain', parent: 5, position: -1, child: 7 },
  { kind: 'chain', parent: 5, position: 3, child: 9 },
  datasetType(4, 'calexp', ['instrument', 'visit', 'detector']),
  datasetType(3, 'bias', ['instrument', 'detector'], true),
  dimension('instrument', { name: 'HSC', detector_max: 112 }),
  dimension('visit', { instrument: 'HSC', id: 1228, physical_filter: 'HSC-I', day_obs: 20140101, exposure_time: 1.5, big: 2n ** 62n }),
  dataset(1, { type: 4, run: 7 }),
  dataset(2, { type: 4, run: 7, files: [fileAt('run/2.zip', { member: 'a.fits', component: 'image', checksum: 'ab'.repeat(64) })] }),
  dataset(3, { type: 3, run: 7, files: [] }),
  membership(1, ['HSC', 1228, 1], { type: 4, collection: 7 }),
  membership(2, ['HSC', 1228, 2], { type: 4, collection: 7 }),
  membership(1, ['HSC', 1228, 1], { type: 4, collection: 9 }),
  membership(3, ['HSC', 1], { type: 3, collection: 7 }),
  membership(3, ['HSC', 1], { type: 3, collection: 8, validity: { begin: null, end: 1_700_000_000_000_000_001n } }),
  membership(3, ['HSC', 1], { type: 3, collection: 8, validity: { begin: 1_700_000_000_000_000_003n, end: null } }),
];

/** Records with the names of collections and types in place of numbers, in an order of their own. */
function canonical(records: readonly RepositoryChange[]): unknown[] {
  const names = new Map<string, string>();
  for (const record of records) {
    if (record.kind === 'collection' || record.kind === 'dataset-type') names.set(`${record.kind} ${record.id}`, record.name);
  }
  const texts = records.map((record) =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(record)
          .filter(([key]) => key !== 'id')
          .map(([key, value]: [string, unknown]) => {
            if (['parent', 'child', 'run', 'collection'].includes(key)) return [key, names.get(`collection ${String(value)}`)];
            return key === 'type' && typeof value === 'number' ? [key, names.get(`dataset-type ${value}`)] : [key, value];
          })
          .sort(([a], [b]) => String(a).localeCompare(String(b))),
      ),
      (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value),
    ),
  );
  return texts.sort();
}

async function collect<T>(stream: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

async function readAll(shared: SharedCatalogue): Promise<{ readonly records: RepositoryRecord[]; readonly cursor: string }> {
  const reader = await shared.reader();
  try {
    const records = await collect(reader.records());
    return { records, cursor: reader.cursor()! };
  } finally {
    await reader.close();
  }
}

async function changesSince(shared: SharedCatalogue, cursor: string): Promise<RepositoryChange[] | undefined> {
  const reader = await shared.reader();
  try {
    const changes = reader.changes(cursor, nothingKnown);
    return changes === undefined ? undefined : await collect(changes);
  } finally {
    await reader.close();
  }
}

const failing = (code: string, ...words: readonly string[]): unknown =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(new RegExp(words.map((word) => `(?=.*${word})`).join(''), 's')) as string,
  });

describe.each(testEngines())('a shared catalogue in %s', (_name, start) => {
  let engine: TestEngine;
  const opened: SharedCatalogue[] = [];
  beforeAll(async () => {
    engine = await start();
  }, 60_000);
  afterAll(async () => {
    for (const shared of opened) await shared.close();
    await engine?.stop();
  });

  const kept = <T extends SharedCatalogue>(shared: T): T => {
    opened.push(shared);
    return shared;
  };
  async function fresh(
    records?: readonly RepositoryRecord[],
  ): Promise<{ readonly shared: SharedCatalogue; readonly access: DatabaseAccess }> {
    const access = await engine.fresh();
    const shared = kept(await createSharedCatalogue(access, { root: ROOT, universe: null }));
    if (records !== undefined) await shared.write(records);
    return { shared, access };
  }

  it('gives back what was written, and tells what is new, changed and the same', async () => {
    const { shared } = await fresh();
    expect(await shared.facts()).toMatchObject({ root: ROOT, sequence: 0, universe: null });
    const first = await shared.write(small());
    expect(first).toMatchObject({ changed: 2, removed: 0, sequence: 1 });
    expect(canonical((await readAll(shared)).records)).toEqual(canonical(small()));
    expect(await shared.write(small())).toEqual({ added: 0, changed: 0, removed: 0, unchanged: first.added, sequence: 1 });
    const changed = await shared.write([
      ...small().slice(0, 10),
      dataset(1, { type: 4, run: 7, files: [fileAt('elsewhere.fits')] }),
      membership(3, ['HSC', 1], { type: 3, collection: 8, validity: { begin: null, end: 5n } }),
    ]);
    expect(changed).toMatchObject({ added: 0, changed: 2, sequence: 2 });
  });

  it('tells what came, changed and went since a cursor, in the order in which it counts', async () => {
    const { shared } = await fresh(small());
    const { cursor } = await readAll(shared);
    expect(await changesSince(shared, cursor)).toEqual([]);
    await shared.write([
      ...small().slice(0, 10),
      dataset(4, { type: 4, run: 7 }),
      membership(4, ['HSC', 1228, 4], { type: 4, collection: 7 }),
      membership(3, ['HSC', 1], { type: 3, collection: 8, validity: { begin: null, end: 5n } }),
    ]);
    const after = (await changesSince(shared, cursor))!;
    expect(after.map(({ kind }) => kind)).toEqual(['membership-gone', 'dataset', 'membership', 'membership']);
    expect(after[0]).toMatchObject({ uuid: uuidOf(3), begin: null });
    const second = (await readAll(shared)).cursor;
    await shared.remove({
      datasets: [uuidOf(2)],
      names: [{ type: 'calexp', collection: 'tagged', dataId: { instrument: 'HSC', visit: 1228, detector: 1 } }],
    });
    const removed = (await changesSince(shared, second))!;
    expect(removed).toMatchObject([
      { kind: 'dataset-gone', uuid: uuidOf(2) },
      { kind: 'membership-gone', uuid: uuidOf(1) },
    ]);
    const third = (await readAll(shared)).cursor;
    await shared.write([universe(), collection(1, 'new')]);
    const structural = (await changesSince(shared, third))!;
    expect(structural[0]).toEqual({ kind: 'whole-structure' });
    expect(structural.filter(({ kind }) => kind === 'collection')).toHaveLength(5);
  });

  it('has no changes for a cursor of another catalogue, of a later time, or before another layout', async () => {
    const { shared } = await fresh(small());
    const { cursor } = await readAll(shared);
    expect(await changesSince(shared, cursor.replace(/[0-9a-f]{32}/, '0'.repeat(32)))).toBeUndefined();
    expect(await changesSince(shared, cursor.replace(/\d+$/, '99'))).toBeUndefined();
    expect(await changesSince(shared, 'rowid 5')).toBeUndefined();
    await shared.write([universe(), dimension('visit', { instrument: 'HSC', id: 2, novel: 'x' })]);
    expect(await changesSince(shared, cursor)).toBeUndefined();
    const visits = (await readAll(shared)).records.filter((record) => record.kind === 'dimension' && record.element === 'visit');
    expect(visits.map((record) => (record.kind === 'dimension' ? Object.keys(record.fields) : []))).toEqual(
      Array(2).fill(['instrument', 'id', 'physical_filter', 'day_obs', 'exposure_time', 'big', 'novel']),
    );
  });

  it('never lets a follower miss a change, however many write at once', async () => {
    const { shared, access } = await fresh(small());
    const follower = kept(await openSharedCatalogue(access));
    const seen = new Set<string>();
    let { cursor } = await readAll(follower);
    const writers = [0, 1, 2, 3].map(async (writer) => {
      const own = writer === 0 ? shared : kept(await openSharedCatalogue(access));
      for (let round = 0; round < 6; round++) {
        const number = 1000 + writer * 100 + round;
        await own.write([
          ...small().slice(0, 10),
          dataset(number, { type: 4, run: 7 }),
          membership(number, ['HSC', number, 1], { type: 4, collection: 7 }),
        ]);
      }
    });
    let isDone = false;
    const done = Promise.all(writers).finally(() => (isDone = true));
    for (let last = false; !last;) {
      last = isDone;
      const reader = await follower.reader();
      for await (const change of reader.changes(cursor, nothingKnown)!) if (change.kind === 'dataset') seen.add(change.uuid);
      cursor = reader.cursor()!;
      await reader.close();
      // SQLite answers without ever leaving the thread: others must have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    expect(seen.size).toBe(24);
    expect((await shared.facts()).sequence).toBe(25);
  }, 30_000);

  it('refuses a second dataset for a data ID, shows both, and stores nothing of it', async () => {
    const { shared } = await fresh(small());
    const clashing = [
      ...small().slice(0, 10),
      dataset(50, { type: 4, run: 7 }),
      membership(50, ['HSC', 9, 9], { type: 4, collection: 7 }),
      dataset(51, { type: 4, run: 7 }),
      membership(51, ['HSC', 1228, 1], { type: 4, collection: 7 }),
    ];
    const both = ['calexp', 'visit=1228', "'run'", uuidOf(1), 'run/1\\.fits', uuidOf(51), 'run/51\\.fits'];
    await expect(shared.write(clashing)).rejects.toEqual(failing('invalid-value', ...both));
    expect((await shared.facts()).sequence).toBe(1);
    expect(canonical((await readAll(shared)).records)).toEqual(canonical(small()));
    const twice = [dataset(60, { type: 4, run: 7 }), dataset(61, { type: 4, run: 7 })];
    const same = [60, 61].map((number) => membership(number, ['HSC', 8, 8], { type: 4, collection: 7 }));
    await expect(shared.write([...small().slice(0, 10), ...twice, ...same])).rejects.toEqual(
      failing('invalid-value', uuidOf(60), uuidOf(61)),
    );
  });

  it('removes collections with what they hold, but none that a chain holds', async () => {
    const { shared } = await fresh(small());
    await expect(shared.remove({ collections: ['run'] })).rejects.toEqual(failing('invalid-value', "'run'", "'all'"));
    await expect(shared.remove({ collections: ['tuggd'] })).rejects.toEqual(failing('unknown-collection', "'tagged'"));
    const { cursor } = await readAll(shared);
    await shared.remove({ collections: ['all', 'run'] });
    const { records } = await readAll(shared);
    expect(records.filter(({ kind }) => ['dataset', 'membership', 'chain'].includes(kind))).toEqual([]);
    expect(records.flatMap((record) => (record.kind === 'collection' ? [record.name] : [])).sort()).toEqual(['calib', 'tagged']);
    const gone = (await changesSince(shared, cursor))!.filter(({ kind }) => kind === 'dataset-gone');
    expect(gone.map((change) => (change.kind === 'dataset-gone' ? change.uuid : '')).sort()).toEqual([1, 2, 3].map(uuidOf));
    await shared.write(small());
    expect(canonical((await readAll(shared)).records)).toEqual(canonical(small()));
  });

  it('keeps hostile names apart and as they are', async () => {
    const long = 'x'.repeat(4096);
    const names = [
      `quo'te"s \`and\` \\ back\\'slash`,
      '; drop table dataset; --',
      'caf\u00e9',
      'cafe\u0301',
      'CAFE',
      'cafe',
      'cafe ',
      '\u{1f52d}',
      '%_',
      long,
      `${long}y`,
      '\ufeffbom',
      'line\nbreak\ttab',
    ];
    const records = [
      universe(),
      ...names.map((name, index) => collection(index + 1, name)),
      datasetType(1, `type ${names[0]}`, ['skymap']),
      ...names.map((_, index) => dataset(index + 1, { run: index + 1, files: [fileAt(names[index]!)] })),
      ...names.map((name, index) => membership(index + 1, [name], { collection: index + 1 })),
    ];
    const { shared } = await fresh(records);
    expect(canonical((await readAll(shared)).records)).toEqual(canonical(records));
    await expect(shared.write([universe(), collection(1, 'nul\0')])).rejects.toEqual(failing('invalid-value', 'NUL'));
    await expect(shared.write([universe(), collection(1, 'half \ud800')])).rejects.toEqual(failing('invalid-value', 'Unicode'));
    await shared.remove({ collections: [names[0]!, names[3]!] });
    expect((await shared.structure()).collections.map(({ name }) => name).sort()).toEqual(
      names.filter((_, i) => i !== 0 && i !== 3).sort(),
    );
  });

  it('refuses records that refer to what is not there', async () => {
    const { shared } = await fresh(small());
    const begin = small().slice(0, 10);
    await expect(shared.write([...begin, dataset(9, { type: 4, run: 77 })])).rejects.toEqual(
      failing('corrupt-repository', 'collection 77'),
    );
    await expect(shared.write([...begin, dataset(9, { type: 77, run: 7 })])).rejects.toEqual(
      failing('corrupt-repository', 'dataset type 77'),
    );
    await expect(shared.write([...begin, dataset(9, { type: 4, run: 9 })])).rejects.toEqual(failing('corrupt-repository', 'TAGGED'));
    const orphan = membership(99, ['HSC', 1, 1], { type: 4, collection: 7 });
    await expect(shared.write([...begin, orphan])).rejects.toEqual(failing('corrupt-repository', 'no such dataset'));
    await expect(shared.write([...begin, collection(1, 'run', 'TAGGED')])).rejects.toEqual(failing('invalid-value', 'RUN', 'TAGGED'));
    await expect(shared.write([...begin, datasetType(1, 'calexp', ['tract'])])).rejects.toEqual(failing('invalid-value', 'visit', 'tract'));
  });

  it('is made by several at once, and keeps what it has when made again', async () => {
    const access = await engine.fresh();
    const made = await Promise.all([1, 2, 3].map(async () => kept(await createSharedCatalogue(access, { root: ROOT, universe: null }))));
    const identities = new Set(await Promise.all(made.map(async (shared) => (await shared.facts()).identity)));
    expect(identities.size).toBe(1);
    await made[0]!.write(small());
    const again = kept(await createSharedCatalogue(access, { root: ROOT, universe: null }));
    expect(await again.facts()).toMatchObject({ identity: [...identities][0], sequence: 1 });
    await expect(createSharedCatalogue(access, { root: '/elsewhere', universe: null })).rejects.toEqual(failing('invalid-value', ROOT));
  });

  it('says what is wrong with a database that holds no catalogue, or one that was never filled', async () => {
    const access = await engine.fresh();
    await expect(kept(await openSharedCatalogue(access)).facts()).rejects.toEqual(failing('not-a-repository', 'catalogue create'));
    const { shared } = await fresh();
    await expect(shared.reader()).rejects.toEqual(failing('not-a-repository', 'catalogue import'));
    await expect(shared.write([datasetType(1, 'x', ['visit'])])).rejects.toEqual(failing('not-a-repository', 'universe'));
  });

  it('tells a watcher of a change', async () => {
    const { shared, access } = await fresh(small());
    const follower = kept(await openSharedCatalogue(access));
    const stop = new AbortController();
    let calls = 0;
    follower.watch(() => calls++, { interval: 50, signal: stop.signal });
    await eventually('the watch beginning', () => calls > 0);
    const before = calls;
    await shared.remove({ datasets: [uuidOf(1)] });
    await eventually('the change being told', () => calls > before, 2000);
    stop.abort();
  });

  it('ends what is under way when it is closed', async () => {
    const { access } = await fresh(small());
    const shared = await openSharedCatalogue(access);
    const reader = await shared.reader();
    const records = reader.records();
    await shared.close();
    await expect(collect(records)).rejects.toThrow();
    await reader.close();
  });

  it('answers as the repository does that was imported', async (context) => {
    const data = sharedData();
    if (data === undefined) return context.skip();
    const directory = temporaryDirectory('imported');
    try {
      for (const name of ['gen3-hsc', 'gen3-edge']) {
        const { shared } = await fresh();
        const source = openRepository(join(data, name));
        await shared.write(source.records());
        const reader = await shared.reader();
        const build = async (from: typeof source | typeof reader, file: string) => {
          await buildCatalogueFrom({ reader: from, target: join(directory, file), repository: 'x', validator: null, version: 1 });
          return openCatalogue(join(directory, file))!;
        };
        const [theirs, ours] = [await build(source, `${name}-source`), await build(reader, `${name}-shared`)];
        source.close();
        await reader.close();
        const everything = (catalogue: typeof ours): unknown[] =>
          catalogue.datasetTypes().flatMap((type) => {
            const path = catalogue.searchPath(
              catalogue
                .collections()
                .filter(({ type: kind }) => kind !== 'CALIBRATION')
                .map((one) => one.name),
            );
            return [...catalogue.query({ type, searchPath: path, constraint: new Map() })].map(
              ({ uuid, values, implied, files, run, ingested, collection: place }) => [
                uuid,
                values,
                implied,
                files,
                run,
                ingested,
                place.name,
              ],
            );
          });
        expect(everything(ours)).toEqual(everything(theirs));
        expect(ours.collections().map(({ name: own, type, children, doc }) => [own, type, children, doc])).toEqual(
          theirs.collections().map(({ name: own, type, children, doc }) => [own, type, children, doc]),
        );
        expect(ours.totals()).toEqual(theirs.totals());
        ours.close();
        theirs.close();
      }
    } finally {
      removeDirectory(directory);
    }
  }, 40_000);
});
