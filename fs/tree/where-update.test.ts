/** A tree that an expression restricts, when dimension records change and no dataset does. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCatalogue } from '../../registry/sqlite/build.js';
import { openCatalogue } from '../../registry/sqlite/open.js';
import { updateCatalogue } from '../../registry/sqlite/update.js';
import { collection, dataset, datasetType, dimension, membership, universe } from '../../registry/testing/records.js';
import { readerOf } from '../../registry/testing/repositories.js';
import { treeOf } from '../../test/support/tree-of.js';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-where-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const visit = (id: number, time: number) =>
  dimension('visit', { instrument: 'HSC', id, physical_filter: 'HSC-I', day_obs: 1, exposure_time: time });

it('its directories are looked at again, and only they', async () => {
  const target = join(scratch, 'catalogue.sqlite3');
  const records = [
    universe(),
    collection(1, 'run'),
    datasetType(1, 'calexp', ['visit', 'detector']),
    visit(1, 30),
    visit(2, 300),
    dataset(1),
    dataset(2),
    membership(1, ['HSC', 1, 5]),
    membership(2, ['HSC', 2, 5]),
  ];
  const facts = { target, repository: 'test', validator: null };
  buildCatalogue({ reader: { ...readerOf(() => records), cursor: () => 'begin' }, version: 1, updatable: true, ...facts });
  const { tree, names, follow } = treeOf(openCatalogue(target)!, scratch);
  const restricted = `${encodeURIComponent('@where')}/${encodeURIComponent('visit.exposure_time > 100')}/calexp`.replace('%40', '@');
  expect(names(restricted)).toEqual(['visit=2']);
  expect(names('calexp')).toEqual(['visit=1', 'visit=2']);
  const [restrictedNode, plainNode] = [follow(restricted).node, follow('calexp').node];
  const reader = { ...readerOf(() => []), cursor: () => 'after', changes: () => [visit(1, 200)] };
  expect(await updateCatalogue({ reader, version: 2, ...facts })).toMatchObject({ version: 2 });
  const told = tree.replaceCatalogue(openCatalogue(target)!).map((invalidation) => (invalidation.kind === 'node' ? invalidation.node : 0));
  expect(names(restricted)).toEqual(['visit=1', 'visit=2']);
  expect(told).toContain(restrictedNode);
  expect(told).not.toContain(plainNode);
});
