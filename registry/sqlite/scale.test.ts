/** What must stay quick and small where a repository is large. Limits are several times what a slow laptop takes. */

import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalogue, DataIdValue, DirectoryAnswer } from '../contract.js';
import { makeRepository } from '../testing/gen3.js';
import { catalogueOf, openRepository, temporaryDirectory } from '../testing/repositories.js';
import { openCatalogue } from './open.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Processor time of the quickest of `rounds`, in milliseconds: what the work takes whatever else the machine does. */
function quickest(rounds: number, work: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

describe('a hundred thousand datasets of one type', () => {
  let catalogue: Catalogue;
  let file: string;
  let growth: number;

  beforeAll(() => {
    const small = makeRepository(join(directory.path, 'many'));
    small.fill(100_000);
    small.close();
    collectGarbage();
    const resident = process.memoryUsage.rss();
    ({ catalogue, file } = catalogueOf(openRepository(small.root), join(directory.path, 'many.sqlite3')));
    growth = process.memoryUsage.rss() - resident;
  });
  afterAll(() => catalogue?.close());

  const list = (constraint: [string, DataIdValue][], keys: string[], rowLimit = 5000): DirectoryAnswer =>
    catalogue.directory({
      type: catalogue.datasetType('calexp')!,
      searchPath: catalogue.searchPath(['run']),
      constraint: new Map(constraint),
      keys,
      rowLimit,
    });

  it('is built in the memory of its page cache and little more', () => {
    expect(growth).toBeLessThan(128 * 2 ** 20);
  });

  it('opens in milliseconds', () => {
    expect(quickest(10, () => openCatalogue(file)!.close())).toBeLessThan(25);
  });

  it('finds a leaf in less than 0.1 ms', () => {
    let detector = 0;
    const leaf = (): DirectoryAnswer =>
      list(
        [
          ['instrument', 'HSC'],
          ['visit', 1500],
          ['detector', detector++ % 100],
        ],
        [],
      );
    expect(leaf()).toMatchObject({ kind: 'rows', rows: [{ values: ['HSC', 1500, 0] }] });
    expect(quickest(20, () => Array.from({ length: 100 }, leaf)) / 100).toBeLessThan(0.1);
  });

  it('lists the visits without a look at every dataset', () => {
    const visits = (): DirectoryAnswer => list([['instrument', 'HSC']], ['visit', 'detector']);
    expect(visits()).toEqual({ kind: 'values', values: Array.from({ length: 1000 }, (_, index) => 1000 + index) });
    expect(quickest(5, visits)).toBeLessThan(30);
  });

  it('finds what an expression names without a look at every dataset', () => {
    const question = { type: catalogue.datasetType('calexp')!, searchPath: catalogue.searchPath(['run']), constraint: new Map() };
    const find = (where: string): number => [...catalogue.query({ ...question, where })].length;
    expect(find('visit = 1500')).toBe(100);
    // An instrument of which there is one need not be given; nor is anything else found where it is.
    expect(find("instrument = 'HSC' AND visit = 1500")).toBe(100);
    expect(find("instrument = 'LATISS' AND visit = 1500")).toBe(0);
    expect(quickest(20, () => find('visit = 1500'))).toBeLessThan(quickest(3, () => find('detector = 50')) / 3);
  });

  it('lists all of them for no more a row than a thousandth of them', () => {
    const all = (): DirectoryAnswer => list([['instrument', 'HSC']], ['visit', 'detector'], 1_000_000);
    const one = (): DirectoryAnswer =>
      list(
        [
          ['instrument', 'HSC'],
          ['visit', 1500],
        ],
        ['detector'],
      );
    const rowsOf = (answer: DirectoryAnswer): number => (answer.kind === 'rows' ? answer.rows.length : 0);
    expect(rowsOf(all())).toBe(100_000);
    expect(rowsOf(one())).toBe(100);
    expect(quickest(3, all)).toBeLessThan(3 * 1000 * quickest(20, one));
  });
});

describe('three hundred thousand memberships', () => {
  it('are read in memory that does not grow with them', () => {
    const small = makeRepository(join(directory.path, 'flat'));
    small.fill(300_000);
    small.close();
    const reader = openRepository(small.root);
    let records = 0;
    let peak = 0;
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const resident = process.memoryUsage.rss();
    for (const _ of reader.records()) {
      if (++records % 100_000 !== 0) continue;
      collectGarbage();
      peak = Math.max(peak, process.memoryUsage().heapUsed - before);
    }
    reader.close();
    expect(records).toBeGreaterThan(600_000);
    expect(peak).toBeLessThan(8 * 2 ** 20);
    expect(process.memoryUsage.rss() - resident).toBeLessThan(64 * 2 ** 20);
  });
});
