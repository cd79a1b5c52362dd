/** What is fetched ahead of whom: the next files of a sequence, and nothing for those who jump. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Catalogue } from '../../registry/contract.js';
import { writeSmallRepository } from '../../scripts/repository/repository.js';
import { catalogueOf, treeOf } from '../../test/support/tree-of.js';

let scratch: string;
let catalogue: Catalogue;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-following-'));
  writeSmallRepository(join(scratch, 'repository'), {
    tracts: [8766],
    patches: 40,
    bands: ['g', 'i', 'r'],
    visits: 3,
    detectors: 6,
    pixels: 8,
  });
  catalogue = catalogueOf(join(scratch, 'repository'), scratch);
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

/** Opens files in turn; gives what was fetched ahead after each. */
function opener() {
  const asked: string[][] = [];
  const { tree, follow, names } = treeOf(catalogue, scratch, {
    collections: ['demo/runs/w_01'],
    onExpect: (requests) => asked.at(-1)!.push(...requests.map(({ origin }) => basename(origin))),
  });
  const open = (path: string): string[] => {
    asked.push([]);
    tree.open(follow(path).node, { flags: 0, killSetId: false });
    return asked.at(-1)!;
  };
  const leaf = (directory: string): string => `${directory}/${names(directory)[0]!}`;
  return { open, names, leaf };
}

it('patches of one tract and band: from the second on, more and more, each once', () => {
  const { open, names, leaf } = opener();
  const patches = names('deepCoadd_calexp/tract=8766');
  const files = patches.map((patch) => leaf(`deepCoadd_calexp/tract=8766/${patch}/band=i`));
  const ahead = files.map((file) => open(file));
  expect(ahead[0]).toEqual([]);
  expect(ahead[1]).toHaveLength(2);
  expect(ahead[2]!.length + ahead[3]!.length).toBeGreaterThanOrEqual(4);
  const all = ahead.flat();
  expect(new Set(all).size).toBe(all.length);
  // All but the two that were opened before anything could be known.
  expect(all).toHaveLength(files.length - 2);
  expect(all.every((name) => /_i_/.test(name))).toBe(true);
});

it('detectors of one visit', () => {
  const { open, names, leaf } = opener();
  const [visit] = names('calexp');
  const files = names(`calexp/${visit!}`).map((detector) => leaf(`calexp/${visit!}/${detector}`));
  expect(files.map((file) => open(file)).flat()).toHaveLength(files.length - 2);
});

it("files of a directory of the repository's own", () => {
  const { open, names } = opener();
  let directory = '@repo';
  while (!names(directory).some((name) => name.endsWith('.fits'))) directory += `/${names(directory).find((name) => !name.includes('.'))!}`;
  const files = names(directory).filter((name) => name.endsWith('.fits'));
  expect(files.length).toBeGreaterThan(2);
  expect(files.map((name) => open(`${directory}/${name}`)).flat()).toEqual(files.slice(2));
});

it('one file, files at random, backwards, and every second one bring nothing ahead', () => {
  const orders: ((files: string[]) => string[])[] = [
    (files) => files.slice(3, 4),
    (files) => files.map((_, i) => files[(i * 7 + 3) % files.length]!).filter((_, i) => i < 5),
    (files) => [...files].reverse(),
    (files) => files.filter((_, i) => i % 2 === 0),
  ];
  for (const order of orders) {
    const { open, names, leaf } = opener();
    const files = names('deepCoadd_calexp/tract=8766').map((patch) => leaf(`deepCoadd_calexp/tract=8766/${patch}/band=g`));
    expect(
      order(files)
        .map((file) => open(file))
        .flat(),
    ).toEqual([]);
  }
});

it('two readers in turn are told apart', () => {
  const { open, names, leaf } = opener();
  const patches = names('deepCoadd_calexp/tract=8766').slice(0, 10);
  const ahead = patches.flatMap((patch) => ['g', 'i'].map((band) => open(leaf(`deepCoadd_calexp/tract=8766/${patch}/band=${band}`))));
  expect(ahead.flat().filter((name) => /_g_/.test(name)).length).toBeGreaterThanOrEqual(8);
  expect(ahead.flat().filter((name) => /_i_/.test(name)).length).toBeGreaterThanOrEqual(8);
});

it('all bands of each patch: every one is named before it is opened', () => {
  const { open, names, leaf } = opener();
  const patches = names('deepCoadd_calexp/tract=8766').slice(0, 12);
  const named = new Set<string>();
  const missed: string[] = [];
  for (const patch of patches) {
    for (const band of ['g', 'i', 'r']) {
      const file = leaf(`deepCoadd_calexp/tract=8766/${patch}/band=${band}`);
      const number = Number(patch.split('=')[1]);
      if (![...named].some((name) => name.includes(`_${number}_${band}_`))) missed.push(`${patch} ${band}`);
      for (const name of open(file)) named.add(name);
    }
  }
  // Of the first two patches nobody knows yet what follows what.
  expect(missed.filter((file) => !patches.slice(0, 2).includes(file.split(' ')[0]!))).toEqual([]);
});
