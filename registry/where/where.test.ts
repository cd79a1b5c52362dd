import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../common/errors.js';
import { catalogueOf, readerOf, temporaryDirectory } from '../testing/repositories.js';
import { collection, dataset, datasetType, dimension, membership, universe } from '../testing/records.js';
import { parseWhere } from './parser.js';

const directory = temporaryDirectory();
const visits = [1, 2, 3, 10, 20];
const reader = readerOf(() => [
  universe(),
  collection(1, 'run'),
  datasetType(1, 'calexp', ['visit', 'detector']),
  dimension('physical_filter', { instrument: 'HSC', name: "it's", band: 'i' }),
  dimension('physical_filter', { instrument: 'HSC', name: 'HSC-G', band: 'g' }),
  ...visits.map((id) =>
    dimension('visit', {
      instrument: 'HSC',
      id,
      physical_filter: id < 5 ? "it's" : 'HSC-G',
      day_obs: 20150000 + id,
      exposure_time: id * 1.5,
    }),
  ),
  // The record of this one is lost: nobody knows its band.
  ...[...visits, 99].flatMap((visit, index) => [dataset(index + 1), membership(index + 1, ['HSC', visit, index])]),
]);
const { catalogue } = catalogueOf(reader, join(directory.path, 'catalogue.sqlite3'));
afterAll(() => {
  catalogue.close();
  directory.remove();
});

const type = catalogue.datasetType('calexp')!;
const found = (where: string): unknown[] =>
  [...catalogue.query({ type, searchPath: catalogue.searchPath(), constraint: new Map(), where })].map(({ values }) => values[1]);
const refused = (code: ErrorCode, message: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;

describe('an expression', () => {
  it.each([
    ['visit = 2', [2]],
    ['2 = visit', [2]],
    ['visit != 2', [1, 3, 10, 20, 99]],
    ['visit <> 2 and visit < 4', [1, 3]],
    ['10 <= visit', [10, 20, 99]],
    ['visit >= 3 and visit <= 10', [3, 10]],
    ['visit in (1, 20)', [1, 20]],
    ['visit IN (1..10:3)', [1, 10]],
    ['visit in (2..3, 20)', [2, 3, 20]],
    ['visit not in (1..20)', [99]],
    ['not visit = 1 and visit < 4', [2, 3]],
    ['not (visit = 1 or visit = 2) and visit < 4', [3]],
    ['visit = 1 or visit = 2 and visit = 3', [1]],
    ['(visit = 1 or visit = 2) and visit < 2', [1]],
    ["band = 'g'", [10, 20]],
    ["physical_filter = 'it''s'", [1, 2, 3]],
    ['physical_filter = "it\'s"', [1, 2, 3]],
    ["filter = 'HSC-G'", [10, 20]],
    ["filter in ('g')", [10, 20]],
    ["not band = 'g'", [1, 2, 3]],
    ['ccd = 4', [20]],
    ['day_obs > 20150003', [10, 20]],
    ['visit.exposure_time > 4.4 and visit.exposure_time < 1.6e1', [3, 10]],
    ["instrument = 'HSC'  AND\n visit=1", [1]],
    ["band = ''' or 1=1 --'", []],
    ['visit in (1..3:1) and visit in (-5..2)', [1, 2]],
  ])('%s', (where, expected) => {
    expect(found(where)).toEqual(expected);
  });

  it.each<[string, ErrorCode, string]>([
    ['tracts = 1', 'unknown-dimension', "unknown dimension 'tracts' at column 1"],
    ['visit = 1 and visits = 1', 'unknown-dimension', "at column 15; did you mean 'visit'"],
    ['tract = 1', 'unknown-dimension', "dataset type 'calexp' has no such key; the keys of 'calexp' are instrument, visit, detector"],
    ['tract.region = 1', 'unknown-dimension', 'does not determine a record'],
    ['visit.exposure_tim > 1', 'usage', "did you mean 'exposure_time'"],
    ["visit = '1'", 'invalid-value', 'visit is an integer; write visit = 1, without quotes'],
    ['visit = 1.5', 'invalid-value', 'visit is an integer'],
    ['band = 1', 'invalid-value', 'band is a string'],
    ['band in (1..3)', 'invalid-value', 'band is a string'],
    ['visit in (3..1)', 'usage', 'which is empty'],
    ['visit in (1..3:0)', 'usage', 'which is empty'],
    ["visit in ('a'..'b')", 'usage', 'not one of integers'],
    ['visit in ()', 'usage', "unexpected ')' at column 11"],
    ['visit = ', 'usage', 'the expression ends at column 9'],
    ['', 'usage', 'the expression ends at column 1'],
    ['visit = 1 visit = 2', 'usage', "an unexpected 'visit' at column 11"],
    ['visit visit', 'usage', 'expected =, !=, <, <=, >, >= or IN'],
    ['visit = detector', 'usage', 'not one name and one value'],
    ['1 = 1', 'usage', 'not one name and one value'],
    ["band = 'g", 'usage', 'a string that does not end at column 8'],
    ['visit = 1;', 'usage', "an unexpected ';' at column 10"],
    ['(visit = 1', 'usage', "expected ')'"],
    ['visit = 99999999999999999999', 'usage', 'too large'],
    [`${'('.repeat(500)}visit = 1${')'.repeat(500)}`, 'usage', 'nested too deeply'],
    [`${'not '.repeat(500)}visit = 1`, 'usage', 'nested too deeply'],
    ["visit.timespan overlaps (T'2014-01-01', T'2015-01-01')", 'unsupported', 'a term of time or region at column 16'],
    ["visit.region = 'x'", 'unsupported', 'visit.region at column 1'],
    ['not', 'usage', 'the expression ends at column 4'],
  ])('%s is refused', (where, code, message) => {
    expect(() => found(where)).toThrow(refused(code, message));
  });

  it('reads AND before OR, and NOT before both', () => {
    expect(parseWhere("not a=1 and b='x' or c in (1)")).toMatchObject({
      kind: 'or',
      parts: [{ kind: 'and', parts: [{ kind: 'not' }, { kind: 'compare' }] }, { kind: 'in' }],
    });
  });
});
