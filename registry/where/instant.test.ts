import { describe, expect, it } from 'vitest';
import type { ButlerfsError } from '../../common/errors.js';
import { parseInstant } from './instant.js';

// TAI was 35 s ahead of UTC in 2014, TT is 32.184 s ahead of TAI.
describe('a time', () => {
  it.each<[string, bigint]>([
    ['2014-11-27', 1_417_046_435_000_000_000n],
    ['2014-11-27/utc', 1_417_046_435_000_000_000n],
    ['2014-11-27/TAI', 1_417_046_400_000_000_000n],
    ['2014-11-27/tt', 1_417_046_367_816_000_000n],
    ['2014-11-27T10:00:00.5', 1_417_082_435_500_000_000n],
    ['2014-11-27 10:00', 1_417_082_435_000_000_000n],
    ['isot/2014-11-27T10:00:00+00:00', 1_417_082_435_000_000_000n],
    ['2014:331:10:00:00', 1_417_082_435_000_000_000n],
    ['mjd/56988.25/tai', 1_417_068_000_000_000_000n],
    ['56988.25', 1_417_068_000_000_000_000n],
    ['jd/2456988.75', 1_417_068_000_000_000_000n],
    ['unix/1417046400', 1_417_046_435_000_000_000n],
    ['unix_tai/-1.5', -1_500_000_000n],
    // Round the leap second of 2017.
    ['2016-12-31T23:59:59', 1_483_228_835_000_000_000n],
    ['2017-01-01T00:00:00', 1_483_228_837_000_000_000n],
    ['1971-01-01/tai', 31_536_000_000_000_000n],
  ])('%s', (text, expected) => {
    expect(parseInstant(text, 1)).toBe(expected);
  });

  it.each([
    ['', 'which is no time'],
    ['2014-02-30', 'which is no time'],
    ['2014-13-01', 'which is no time'],
    ['2014-11-27T24:00:00', 'which is no time'],
    ['2015:366', 'which is no time'],
    ['mjd/1e9', 'which is no time'],
    ['mjd/999999999999', 'which is no time'],
    ['mjd/2014-11-27', 'which is no time'],
    ['mjdd/1.5', "the unknown time format 'mjdd' at column 7 in the expression; did you mean 'mjd'?"],
    ['2014-11-27/ut1', "the unknown time scale 'ut1'"],
    ["2014'; drop table dataset", 'which is no time'],
  ])('%s is refused', (text, message) => {
    expect(() => parseInstant(text, 7)).toThrow(
      expect.objectContaining<Partial<ButlerfsError>>({ code: 'usage', message: expect.stringContaining(message) as string }),
    );
  });
});
