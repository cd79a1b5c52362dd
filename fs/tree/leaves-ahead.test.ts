/** Leaves asked for by name in a directory that was not listed: each right, for few questions where they follow each other, for one each otherwise. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Catalogue, DirectoryAnswer } from '../../registry/contract.js';
import { planVisits } from '../../scripts/repository/dimensions.js';
import { writeLargeRegistry } from '../../scripts/repository/repository.js';
import { catalogueOf, treeOf } from '../../test/support/tree-of.js';

const COUNT = 3000;
/** Every second number. */
const visits = planVisits(COUNT, ['g']).map(({ id }) => id);
let scratch: string;
let catalogue: Catalogue;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-ahead-'));
  writeLargeRegistry(join(scratch, 'repository'), COUNT);
  catalogue = catalogueOf(join(scratch, 'repository'), scratch);
});

afterEach(() => {
  vi.restoreAllMocks();
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

const at = (visit: number): string => `visitSummary/visit=${visit}`;

/** How many questions of the catalogue it took, and the rows of the longest answer. */
function questionsFor(order: readonly number[]): { readonly asked: number; readonly longest: number } {
  const { follow, names } = treeOf(catalogue, scratch);
  const questions = vi.spyOn(catalogue, 'directory');
  for (const visit of order) follow(at(visit));
  const answers = questions.mock.results.map(({ value }) => value as DirectoryAnswer);
  for (const visit of [order[0]!, order.at(-1)!]) expect(names(at(visit))).toEqual([`visitSummary_${visit}.fits`]);
  return { asked: answers.length, longest: Math.max(...answers.map((answer) => (answer.kind === 'rows' ? answer.rows.length : 0))) };
}

it('in order: few questions', () => {
  const { asked, longest } = questionsFor(visits);
  expect(asked).toBeLessThan(20);
  expect(longest).toBeLessThanOrEqual(512);
});

it('at random: one question each, which reads no neighbours', () => {
  const scattered = visits.map((_, i) => visits[(i * 1009) % COUNT]!).slice(0, 500);
  const { asked, longest } = questionsFor(scattered);
  expect(asked).toBe(scattered.length);
  expect(longest).toBe(1);
});

it('what is not there is not found, whatever was read before it', () => {
  const { entry } = treeOf(catalogue, scratch);
  const first = visits[0]!;
  for (const visit of visits.slice(0, 50)) expect(entry(at(visit))).toBeDefined();
  for (const visit of [first - 1, first + 1, first + 101, visits.at(-1)! + 2, Number.MAX_SAFE_INTEGER]) {
    expect(entry(at(visit)), `visit ${visit}`).toBeUndefined();
  }
  expect(entry(at(visits.at(-1)!))).toBeDefined();
});

it('goes on with the answers of the next catalogue after an update', () => {
  const { tree, entry } = treeOf(catalogue, scratch);
  for (const visit of visits.slice(0, 10)) expect(entry(at(visit))).toBeDefined();
  const emptied = join(scratch, 'emptied');
  writeLargeRegistry(emptied, 5);
  const next = catalogueOf(emptied, scratch, 2);
  tree.replaceCatalogue(next);
  expect(visits.slice(0, 20).filter((visit) => entry(at(visit)) !== undefined)).toEqual(visits.slice(0, 5));
  next.close();
});
