/** What the kernel must forget where a catalogue is updated in place. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCatalogue } from '../../registry/sqlite/build.js';
import { openCatalogue } from '../../registry/sqlite/open.js';
import { updateCatalogue } from '../../registry/sqlite/update.js';
import { collection, dataset, datasetType, dimension, membership, universe } from '../../registry/testing/records.js';
import { readerOf } from '../../registry/testing/repositories.js';
import type { RepositoryChange, RepositoryRecord } from '../../registry/contract.js';
import { treeOf } from '../../test/support/tree-of.js';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-where-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const visit = (id: number, time: number) =>
  dimension('visit', { instrument: 'HSC', id, physical_filter: 'HSC-I', day_obs: 1, exposure_time: time });

/** A tree over `records`, and what it tells of `changes` that come to them. */
function changing(name: string, records: readonly RepositoryRecord[], options: Parameters<typeof treeOf>[2] = {}) {
  const facts = { target: join(scratch, name), repository: 'test', validator: null };
  buildCatalogue({ reader: { ...readerOf(() => records), cursor: () => 'begin' }, version: 1, updatable: true, ...facts });
  const made = treeOf(openCatalogue(facts.target)!, scratch, options);
  const change = async (changes: readonly RepositoryChange[]): Promise<number[]> => {
    const reader = { ...readerOf(() => []), cursor: () => 'after', changes: () => changes };
    expect(await updateCatalogue({ reader, version: 2, ...facts })).toMatchObject({ version: 2 });
    const told = made.tree.replaceCatalogue(openCatalogue(facts.target)!);
    return told.flatMap((invalidation) => (invalidation.kind === 'node' ? invalidation.node : []));
  };
  return { ...made, change };
}

it('directories that an expression restricts are looked at again where records changed and no dataset did, and only they', async () => {
  const { names, follow, change } = changing('where.sqlite3', [
    universe(),
    collection(1, 'run'),
    datasetType(1, 'calexp', ['visit', 'detector']),
    visit(1, 30),
    visit(2, 300),
    dataset(1),
    dataset(2),
    membership(1, ['HSC', 1, 5]),
    membership(2, ['HSC', 2, 5]),
  ]);
  const restricted = `@where/${encodeURIComponent('visit.exposure_time > 100')}/calexp`;
  expect(names(restricted)).toEqual(['visit=2']);
  expect(names('calexp')).toEqual(['visit=1', 'visit=2']);
  const [restrictedNode, plainNode] = [follow(restricted).node, follow('calexp').node];
  const told = await change([visit(1, 200)]);
  expect(names(restricted)).toEqual(['visit=1', 'visit=2']);
  expect(told).toContain(restrictedNode);
  expect(told).not.toContain(plainNode);
});

it('a type that is searched for in collections of its own is looked at again where these change', async () => {
  const records = [
    universe(),
    collection(1, 'run'),
    collection(2, 'other'),
    datasetType(1, 'bias', ['detector'], true),
    dataset(1),
    membership(1, ['HSC', 1]),
    dataset(2, { run: 2 }),
    membership(2, ['HSC', 2], { collection: 2 }),
  ];
  const { names, follow, change } = changing('chosen.sqlite3', records, { collections: ['run'], calibrations: { bias: ['other'] } });
  expect(names('bias')).toEqual(['detector=2']);
  const { node } = follow('bias');
  expect(follow('@collections/run/bias').attributes.ino).not.toBe(follow('bias').attributes.ino);
  const told = await change([dataset(3, { run: 2 }), membership(3, ['HSC', 3], { collection: 2 })]);
  expect(names('bias')).toEqual(['detector=2', 'detector=3']);
  expect(told).toContain(node);
});
