/** What writers say in the small form, and what they are told where it is wrong. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import type { RepositoryRecord } from '../contract.js';
import { smallUniverse } from '../testing/repositories.js';
import { parseDatabaseUrl } from './address.js';
import type { SharedCatalogue } from './contract.js';
import { writeEntries } from './entries.js';
import { createSharedCatalogue } from './open.js';

const TYPE = { kind: 'dataset-type', name: 'note', dimensions: ['visit'], storageClass: 'Text' };
const note = (visit: number): object => ({
  type: 'note',
  dataId: { instrument: 'HSC', visit },
  run: 'notes',
  path: `notes/${visit}.txt`,
  size: 3,
});

let directory: string;
let catalogue: SharedCatalogue;
beforeAll(async () => {
  directory = temporaryDirectory('entries');
  const address = parseDatabaseUrl(`sqlite://${join(directory, 'catalogue.sqlite3')}`);
  catalogue = await createSharedCatalogue({ address, user: '', password: undefined }, { root: '/data', universe: smallUniverse });
});
afterAll(async () => {
  await catalogue?.close();
  removeDirectory(directory);
});

async function records(): Promise<RepositoryRecord[]> {
  const reader = await catalogue.reader();
  const all: RepositoryRecord[] = [];
  for await (const record of reader.records()) all.push(record);
  await reader.close();
  return all;
}

describe('entries', () => {
  it('become datasets in a RUN, and change nothing when they come again', async () => {
    expect(await writeEntries(catalogue, [TYPE, note(1), note(2)])).toMatchObject({ added: 6, changed: 0 });
    expect(await writeEntries(catalogue, [TYPE, note(2), note(1)])).toMatchObject({ added: 0, changed: 0, removed: 0 });
    expect(await writeEntries(catalogue, [{ ...note(2), size: 4 }])).toMatchObject({ added: 0, changed: 1 });
    const datasets = (await records()).filter((record) => record.kind === 'dataset');
    expect(datasets.map((record) => (record.kind === 'dataset' ? record.files[0] : undefined))).toEqual(
      expect.arrayContaining([expect.objectContaining({ location: 'notes/2.txt', size: 4, extension: '.txt' })]),
    );
    expect(datasets).toHaveLength(2);
  });

  it('make chains, tags, certified ranges and dimension records', async () => {
    const uuid = '11111111-2222-8333-8444-555555555555';
    await writeEntries(catalogue, [
      { kind: 'dataset-type', name: 'dark', dimensions: ['detector'], storageClass: 'ExposureF', isCalibration: true },
      { type: 'dark', dataId: { instrument: 'HSC', detector: 1 }, run: 'darks', path: 'https://example.org/dark.fits.gz', uuid },
      { kind: 'association', collection: 'calib', type: 'dark', dataId: { instrument: 'HSC', detector: 1 }, uuid, begin: '5', end: null },
      { kind: 'association', collection: 'best', type: 'dark', dataId: { instrument: 'HSC', detector: 1 }, uuid },
      { kind: 'collection', name: 'all', type: 'CHAINED', children: ['best', 'darks', 'notes'] },
      { kind: 'dimension', element: 'visit', fields: { instrument: 'HSC', id: 1, exposure_time: 30.5 } },
    ]);
    const all = await records();
    const memberships = all.filter((record) => record.kind === 'membership' && record.uuid === uuid.replaceAll('-', ''));
    expect(memberships.map((record) => (record.kind === 'membership' ? record.validity : undefined))).toEqual(
      expect.arrayContaining([null, null, { begin: 5n, end: null }]),
    );
    expect(all.filter(({ kind }) => kind === 'chain')).toHaveLength(3);
    expect(all).toContainEqual({ kind: 'dimension', element: 'visit', fields: { instrument: 'HSC', id: 1, exposure_time: 30.5 } });
  });

  it.each([
    [{ ...note(1), dataId: {} }, 'invalid-value', 'no instrument'],
    [{ ...note(1), dataId: { instrument: 'HSC', visit: '1' } }, 'invalid-value', 'visit is a number'],
    [{ ...note(1), dataId: { instrument: 'HSC', vist: 1 } }, 'unknown-dimension', "'visit'"],
    [{ ...note(1), type: 'nte' }, 'unknown-dataset-type', "'note'"],
    [{ ...note(1), path: '../x' }, 'invalid-value', 'leads out'],
    [{ ...note(1), path: '/x' }, 'invalid-value', 'neither relative'],
    [{ ...note(1), path: 's3://bucket/x' }, 'invalid-value', 'neither relative'],
    [{ ...note(1), checksum: 'abc' }, 'invalid-value', 'BLAKE2b'],
    [{ ...note(1), size: -1 }, 'invalid-value', 'size'],
    [{ ...note(1), uuid: 'f'.repeat(32) }, 'invalid-value', "in collection 'notes'"],
    [{ ...note(1), run: 'nul\0' }, 'invalid-value', 'NUL'],
    [{ ...note(1), novelty: 1 }, 'invalid-value', 'novelty'],
    [{ kind: 'datset' }, 'invalid-value', "'dataset'"],
    [{ kind: 'collection', name: 'c', type: 'CHAINED', children: ['notse'] }, 'unknown-collection', "'notes'"],
    [{ kind: 'collection', name: 'notes', type: 'TAGGED' }, 'invalid-value', 'RUN'],
    [{ kind: 'dimension', element: 'novelty', fields: {} }, 'corrupt-repository', 'novelty'],
    [[1], 'invalid-value', 'entry 2'],
  ])('%j is refused, with all that came with it', async (entry, code, why) => {
    const stray = { ...TYPE, name: 'stray' };
    const refused = expect.objectContaining({ code, message: expect.stringContaining(why) as string }) as Error;
    await expect(writeEntries(catalogue, [stray, entry])).rejects.toEqual(refused);
    expect((await catalogue.structure()).types.map(({ name }) => name)).not.toContain('stray');
  });
});
