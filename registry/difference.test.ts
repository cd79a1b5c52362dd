/** Which datasets appear and disappear between two versions, by what an update touched and by reading both. */

import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Catalogue } from './contract.js';
import { differences } from './difference.js';
import type { Searched } from './difference.js';
import { openCatalogue } from './sqlite/open.js';
import { buildCatalogue } from './sqlite/build.js';
import { updateCatalogue } from './sqlite/update.js';
import { makeRepository } from './testing/gen3.js';
import { openRepository, temporaryDirectory, uuidOf } from './testing/repositories.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

function searched(catalogue: Catalogue, where?: string, names: readonly string[] = ['all']): Searched {
  return { catalogue, type: catalogue.datasetType('calexp'), searchPath: catalogue.searchPath(names), constraint: new Map(), where };
}

it('are the same both ways, also where collections change', async () => {
  const small = makeRepository(join(directory.path, 'repository'));
  small.fill(250);
  small.sql(`insert into collection values (2, 'rerun', 1, null), (3, 'all', 3, null); insert into collection_chain values (3, 0, 1)`);
  const target = join(directory.path, 'catalogue.sqlite3');
  const reader = openRepository(small.root);
  buildCatalogue({ reader, target, repository: 'test', validator: null, version: 1, updatable: true });
  reader.close();
  const toRerun = (number: number): void =>
    small.sql(`update dataset set run_id = 2 where id = '${uuidOf(number)}';
      update dataset_tags_00000001 set collection_id = 2 where dataset_id = '${uuidOf(number)}'`);
  const remove = (number: number): void => {
    for (const table of ['dataset_tags_00000001', 'file_datastore_records'])
      small.sql(`delete from ${table} where dataset_id = '${uuidOf(number)}'`);
    small.sql(`delete from dataset where id = '${uuidOf(number)}'`);
  };
  const steps: readonly (readonly [() => void, expected: readonly string[]])[] = [
    [() => small.add(1000, 5, 5, 'a.fits'), ['added 1000']],
    [
      () => {
        small.add(1001, 5, 6, 'b.fits');
        remove(7);
      },
      ['added 1001', 'removed 7'],
    ],
    // Of a RUN that is not searched, then of one that comes first.
    [
      () => {
        small.add(1002, 1000, 500, 'c.fits');
        toRerun(1002);
        small.sql(`update dataset_tags_00000001 set detector = 3 where dataset_id = '${uuidOf(1002)}'`);
      },
      [],
    ],
    [
      () => {
        small.sql('update collection_chain set position = 1; insert into collection_chain values (3, 0, 2)');
        small.add(1003, 5, 7, 'd.fits');
      },
      ['added 1002', 'added 1003', 'removed 4'],
    ],
    [
      () => {
        small.sql('update collection_chain set position = 5 where child = 2');
        small.add(1004, 5, 8, 'e.fits');
      },
      ['added 1004', 'added 4', 'removed 1002'],
    ],
  ];
  for (const [index, [step, expected]] of steps.entries()) {
    const former = openCatalogue(target)!;
    step();
    const open = openRepository(small.root);
    const info = await updateCatalogue({ reader: open, target, repository: 'test', validator: null, version: index + 2 });
    open.close();
    expect([index, info?.version]).toEqual([index, index + 2]);
    const next = openCatalogue(target)!;
    // Nobody knows what was touched in a catalogue that was built anew.
    const rebuilt = join(directory.path, `rebuilt-${index}.sqlite3`);
    const again = openRepository(small.root);
    buildCatalogue({ reader: again, target: rebuilt, repository: 'test', validator: null, version: index + 2 });
    again.close();
    const anew = openCatalogue(rebuilt)!;
    try {
      for (const later of [next, anew]) {
        const found = [...differences(searched(former), searched(later))].map(
          ({ event, dataset }) => `${event} ${Number(`0x${dataset.uuid}`)}`,
        );
        expect([index, found.sort()]).toEqual([index, expected]);
        expect([...differences(searched(former, 'visit = 77'), searched(later, 'visit = 77'))]).toEqual([]);
      }
    } finally {
      for (const catalogue of [former, next, anew]) catalogue.close();
    }
  }
  small.close();
});
