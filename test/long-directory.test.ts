/** A directory with more leaves than are read at once: every leaf is right, in whatever order they are visited. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeRepository } from '../registry/testing/gen3.js';
import type { Catalogue } from '../registry/contract.js';
import { catalogueOf, treeOf } from './support/tree-of.js';

const COUNT = 5000;
let scratch: string;
let catalogue: Catalogue;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-long-'));
  const repository = makeRepository(join(scratch, 'repository'));
  for (let visit = 1; visit <= COUNT; visit++) repository.add(visit, visit * 2, visit % 7 === 0 ? 1 : 0, `run/calexp-${visit}.fits`);
  repository.close();
  catalogue = catalogueOf(repository.root, scratch);
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

const orders: [string, (names: string[]) => string[]][] = [
  ['by number, as listed', (names) => names],
  ['by text, as ls -R sorts', (names) => [...names].sort()],
  ['backwards', (names) => [...names].reverse()],
  [
    'scattered, as find sorts by inode',
    (names) => [...names].sort((a, b) => ((Number(a.slice(6)) * 7919) % 10007) - ((Number(b.slice(6)) * 7919) % 10007)),
  ],
];

it.each(orders)('%s', (_, order) => {
  const { names } = treeOf(catalogue, scratch);
  const top = 'calexp/detector=0';
  const listed = names(top);
  expect(listed).toHaveLength(COUNT - Math.floor(COUNT / 7));
  expect(listed).toEqual([...listed].sort((a, b) => Number(a.slice(6)) - Number(b.slice(6))));
  for (const name of order(listed)) expect(names(`${top}/${name}`)).toEqual([`calexp_${name.slice(6)}_0.fits`]);
});

it('a value that is not there stays so between those that are', () => {
  const { names, entry } = treeOf(catalogue, scratch);
  const top = 'calexp/detector=0';
  names(top);
  names(`${top}/visit=2`);
  names(`${top}/visit=4`);
  for (const visit of [3, 14, 2 * COUNT + 2]) expect(entry(`${top}/visit=${visit}`)).toBeUndefined();
});

it('two readers of long directories in turn each see every entry once, for one question each', () => {
  const { tree, follow } = treeOf(catalogue, scratch);
  const nodes = ['calexp/detector=0', '@by/detector/calexp/detector=0'].map((path) => follow(path).node);
  const seen = nodes.map(() => [] as string[]);
  const questions = vi.spyOn(catalogue, 'directory');
  for (let going = true; going;) {
    going = false;
    nodes.forEach((node, i) => {
      let taken = 0;
      const from = { low: seen[i]!.length, high: 0 };
      tree.list(node, from, { plus: false, fits: () => taken++ < 20, add: (name) => void seen[i]!.push(name) });
      going ||= taken > 20;
    });
  }
  expect(questions.mock.calls.length).toBeLessThanOrEqual(4);
  questions.mockRestore();
  for (const names of seen) expect(new Set(names).size).toBe(2 + COUNT - Math.floor(COUNT / 7));
});
