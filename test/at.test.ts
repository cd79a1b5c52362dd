/** `@at/<time>`: what a repository had taken in by then, on a tree without a kernel. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import type { Catalogue } from '../registry/contract.js';
import { makeRepository } from '../registry/testing/gen3.js';
import { uuidOf } from '../registry/testing/repositories.js';
import { parseMoment } from '../registry/moment.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';
import { catalogueOf, treeOf, type TreeOf } from './support/tree-of.js';

let place: string;
let catalogue: Catalogue;
let here: TreeOf;

beforeAll(() => {
  place = temporaryDirectory('at');
  const small = makeRepository(`${place}/repository`);
  // 2, in the rerun, hides 1 from noon on. 3 is written as managers of version 1.0.0 did; of 4 nobody knows when it came.
  small.sql(`insert into collection values (2, 'rerun', 1, null), (3, 'all', 3, null);
    insert into collection_chain values (3, 0, 2), (3, 1, 1);
    insert into dataset_type values (2, 'late', 'Text', 1, 'dataset_tags_00000001', null)`);
  for (const [number, visit, detector] of [
    [1, 10, 1],
    [2, 10, 2],
    [3, 11, 1],
    [4, 12, 1],
    [5, 13, 1],
  ] as const)
    small.add(number, visit, detector, `run/${number}.fits`);
  const set = (number: number, date: string): void => small.sql(`update dataset set ingest_date = ${date} where id = '${uuidOf(number)}'`);
  set(1, String(parseMoment('2026-11-24')));
  set(2, String(parseMoment('2026-11-24T12:00:00Z')));
  set(3, "'2026-11-25 00:00:00.000001'");
  set(4, 'null');
  set(5, String(parseMoment('2026-11-26')));
  small.sql(`update dataset set run_id = 2 where id = '${uuidOf(2)}';
    update dataset_tags_00000001 set collection_id = 2, detector = 1 where dataset_id = '${uuidOf(2)}';
    update dataset set dataset_type_id = 2 where id = '${uuidOf(5)}';
    update dataset_tags_00000001 set dataset_type_id = 2 where dataset_id = '${uuidOf(5)}'`);
  small.close();
  catalogue = catalogueOf(`${place}/repository`, place);
  here = treeOf(catalogue, place, { collections: ['all'] });
});
afterAll(() => {
  catalogue?.close();
  removeDirectory(place);
});

function errorOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof ButlerfsError ? `${error.errno} ${error.message}` : String(error);
  }
}

const file = 'calexp/visit=10/detector=1/calexp_10_1.fits';
const uuidAt = (path: string): string => here.tree.attribute(here.follow(path).node, 'user.butler.uuid')!.toString().replaceAll('-', '');

it('shows what was there, and what was found first then', () => {
  expect(here.names('@at/2026-11-23')).toEqual([]);
  expect(here.names('@at/2026-11-24')).toEqual(['calexp']);
  expect(here.names('@at/2026-11-24/calexp')).toEqual(['visit=10']);
  expect(uuidAt(`@at/2026-11-24/${file}`)).toBe(uuidOf(1));
  expect(uuidAt(`@at/2026-11-24T11:59:59.999999Z/${file}`)).toBe(uuidOf(1));
  expect(uuidAt(`@at/2026-11-24T12:00:00Z/${file}`)).toBe(uuidOf(2));
  expect(uuidAt(`@at/2026-11-24T12:00:37%2Ftai/${file}`)).toBe(uuidOf(2));
  expect(here.names('@at/2026-11-25T00:00:00/calexp')).toEqual(['visit=10']);
  expect(here.names('@at/2026-11-25T00:00:00.000001/calexp')).toEqual(['visit=10', 'visit=11']);
  expect(here.names('@at/2027-01-01')).toEqual(['calexp', 'late']);
  // The file itself is one and the same.
  expect(here.follow(`@at/2027-01-01/${file}`).attributes.ino).toBe(here.follow(file).attributes.ino);
  expect(here.follow('@at/2027-01-01/calexp').attributes.ino).not.toBe(here.follow('calexp').attributes.ino);
  expect(here.names('calexp')).toEqual(['visit=10', 'visit=11', 'visit=12']);
  expect(here.names('')).not.toContain('@at');
  expect(here.names('@at')).toEqual([]);
});

it('goes with the other operators, in any order', () => {
  expect(here.names('@by/detector/@at/2026-11-24/calexp')).toEqual(['detector=1']);
  expect(here.names('@at/2026-11-24/@by/detector/calexp')).toEqual(['detector=1']);
  expect(here.names('@collections/rerun/@at/2026-11-24')).toEqual([]);
  expect(here.names('@at/2026-11-24T12:00:00Z/@collections/rerun/calexp')).toEqual(['visit=10']);
  expect(here.names('@at/2027-01-01/@where/visit=11/calexp')).toEqual(['visit=11']);
  expect(here.names('@where/visit=11/@at/2026-11-24')).toEqual([]);
  // Of two times the earlier one.
  for (const path of ['@at/2026-11-24/@at/2027-01-01', '@at/2027-01-01/@at/2026-11-24'])
    expect(here.names(`${path}/calexp`)).toEqual(['visit=10']);
});

it('is explained, and of a time that is none says what is one', () => {
  const text = here.text(`@explain/${`@at/2026-11-24T12:00:00Z/${file}`.replaceAll('/', '%2F')}`);
  expect(text).toContain('as of: 2026-11-24T12:00:00Z');
  expect(text).toContain('found in: rerun');
  const message = errorOf(() => here.follow('@at/yesterday'));
  expect(message).toMatch(/^EINVAL .*'yesterday' of @at: it is no time; write 2026-11-24, 2026-11-24T12:00:00Z/);
  expect(here.text('@explain/@at/yesterday')).toContain('it is no time; write 2026-11-24');
  for (const bad of ['2026-13-01', '2026-11-24T25:00', '-2d', 'T', '1e400'])
    expect(errorOf(() => here.follow(`@at/${encodeURIComponent(bad)}`))).toContain('EINVAL');
  expect(here.text('@explain/@at%2F2026-11-24%2Flate')).toContain('at that time');
});
