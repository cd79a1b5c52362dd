import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../common/errors.js';
import { catalogueOf, readerOf, temporaryDirectory } from '../testing/repositories.js';
import { collection, dataset, datasetType, dimension, membership, universe } from '../testing/records.js';
import { parseWhere } from './parser.js';

const directory = temporaryDirectory();
const visits = [1, 2, 3, 10, 20];
const day = (number: number): bigint => BigInt(Date.UTC(2015, 0, number)) * 1_000_000n;
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
      // Each half a day long, on the first days of 2015 by TAI.
      timespan_begin: day(id),
      timespan_end: day(id) + 43_200_000_000_000n,
      region: null,
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
    [`visit in (${Array.from({ length: 5000 }, (_, i) => i).join(', ')})`, [1, 2, 3, 10, 20, 99]],
    ["band in ('g', 'x')", [10, 20]],
    ['band is null', [99]],
    ['visit.exposure_time IS NOT NULL and visit > 3', [10, 20]],
    ["physical_filter glob 'HSC-*'", [10, 20]],
    ["glob(physical_filter, 'HSC-?')", [10, 20]],
    ["physical_filter glob 'HSC-[G]'", []],
    ["physical_filter not glob 'hsc*' and visit > 3", [10, 20]],
    ["physical_filter like 'HSC-_'", [10, 20]],
    ["physical_filter like '%*%'", []],
    ["physical_filter not like 'HSC%'", [1, 2, 3]],
    ["visit.timespan overlaps (T'2015-01-02/tai', T'2015-01-03T00:00:00/tai')", [2]],
    ["(T'2015-01-02/tai', T'2015-01-03T00:00:01/tai') overlaps visit.timespan", [2, 3]],
    ["visit.timespan overlaps (NULL, T'2015-01-02 12:00/tai')", [1, 2]],
    ["visit.timespan overlaps (T'2015-01-02 12:00/tai', NULL)", [3, 10, 20]],
    ['visit.timespan overlaps (NULL, NULL)', [1, 2, 3, 10, 20]],
    // Half-open: its end is not in it.
    ["visit.timespan overlaps T'2015-01-02 12:00/tai'", []],
    ["visit.timespan overlaps T'2015-01-02T00:00:00/tai'", [2]],
    ["T'2015-01-02 11:59:59.999999999/tai' overlaps visit.timespan", [2]],
    ['visit.timespan overlaps visit.timespan', [1, 2, 3, 10, 20]],
    ["visit.timespan.begin < T'2015-01-02/tai'", [1]],
    ["T'2015-01-02/tai' >= visit.timespan.begin", [1, 2]],
    // TAI is 35 s ahead: what begins at midnight TAI begins before midnight UTC.
    ["visit.timespan.begin < T'2015-01-02'", [1, 2]],
    ["visit.timespan.end > T'mjd/57042.0'", [20]],
    ["visit.timespan < T'2015-01-02 12:00/tai'", [1, 2]],
    ["visit.timespan > T'2015-01-09/tai'", [10, 20]],
    ['visit.id = 2', [2]],
    ['visit.visit = 2', [2]],
  ])('%s', (where, expected) => {
    expect(found(where)).toEqual(expected);
  });

  it.each<[string, ErrorCode, string]>([
    ['tracts = 1', 'unknown-dimension', "unknown dimension 'tracts' at column 1"],
    ['visit = 1 and visits = 1', 'unknown-dimension', "at column 15; did you mean 'visit'"],
    [
      'tract = 1',
      'unknown-dimension',
      "dataset type 'calexp' has no such key, and nothing relates them; the keys of dataset type 'calexp' are",
    ],
    ['tract.region = 1', 'unknown-dimension', "dimension 'tract' at column 1: dataset type 'calexp' has no such key"],
    ['visits.id = 1', 'unknown-dimension', "unknown dimension 'visits' at column 1; did you mean 'visit'?"],
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
    ['visit visit', 'usage', 'expected =, !=, <, <=, >, >=, IN, IS, GLOB or OVERLAPS'],
    ['visit = detector', 'usage', 'not one name and one value'],
    ['1 = 1', 'usage', 'not one name and one value'],
    ["band = 'g", 'usage', 'a string that does not end at column 8'],
    ['visit = 1;', 'usage', "an unexpected ';' at column 10"],
    ['(visit = 1', 'usage', "expected ')'"],
    ['visit = 99999999999999999999', 'usage', 'too large'],
    [`${'('.repeat(500)}visit = 1${')'.repeat(500)}`, 'usage', 'nested too deeply'],
    [`${'not '.repeat(500)}visit = 1`, 'usage', 'nested too deeply'],
    ["visit.region = 'x'", 'invalid-value', 'visit.region at column 1: it is a region; write visit.region OVERLAPS ...'],
    ['visit.region OVERLAPS POINT(12.5, -3)', 'unsupported', 'a region at column 23: expressions cannot compare regions yet'],
    ['CIRCLE(1, 2, 3) OVERLAPS visit.region', 'unsupported', 'a region at column 1'],
    ['visit.region overlaps box(1, 2, 3, 4)', 'unsupported', 'a region at column 23'],
    ['visit.region overlaps polygon(1, 2, 3, 4, 5, 6)', 'unsupported', 'a region'],
    ['visit.region overlaps polygon(1, 2, 3, 4)', 'usage', 'two for each of three corners'],
    ['visit.region overlaps POINT(1)', 'usage', 'POINT of 1 numbers at column 23 in the expression; it takes 2'],
    ["visit.region overlaps POINT('a', 1)", 'usage', "the string 'a' in place of an angle"],
    ["visit.region overlaps T'2014-01-01'", 'usage', 'OVERLAPS between a region and a time'],
    ["visit overlaps (T'2014-01-01', NULL)", 'invalid-value', 'OVERLAPS takes time spans'],
    ['visit.timespan overlaps 1', 'usage', 'OVERLAPS with 1 at column 25'],
    ["(T'2014-01-01', NULL) = visit", 'usage', 'expected OVERLAPS'],
    ["visit.timespan overlaps (T'2015-01-01', T'2014-01-01')", 'usage', 'does not end after it begins at column 25'],
    ["visit.timespan overlaps (T'2015-01-01', 1)", 'usage', 'expected a time'],
    ["visit.timespan = T'2015-01-01'", 'invalid-value', 'visit.timespan is a time span'],
    ['visit.timespan.begin = 1', 'invalid-value', "it is a time; write visit.timespan.begin < T'2014-11-27'"],
    ["visit.timespan.middle > T'2015-01-01'", 'usage', "the unknown field 'timespan.middle'"],
    ["visit < T'2015-01-01'", 'invalid-value', 'visit is not a time'],
    ["visit.timespan.begin < T'soon'", 'usage', "'soon', which is no time, at column 24"],
    ['visit is', 'usage', 'expected NULL'],
    ["visit glob '1*'", 'invalid-value', 'visit is an integer'],
    ['band glob g', 'usage', 'expected a pattern'],
    ["glob('g', band)", 'usage', 'a value in place of a name at column 6'],
    ['band not = 1', 'usage', 'expected IN, GLOB or LIKE'],
    [Array.from({ length: 501 }, (_, i) => `visit = ${i}`).join(' or '), 'usage', 'more than 500 comparisons'],
    ["band = 'g\0' or \u00e9 = 1", 'usage', "an unexpected '\u00e9'"],
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
