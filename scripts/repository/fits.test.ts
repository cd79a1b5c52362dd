import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsFile, formatCard } from './fits.js';
import { starField } from './image.js';

const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 30 });

/** The string value of a card, read back by the standard's rule: a quote ends it unless doubled, trailing blanks do not count. */
function stringValue(card: string): string {
  const match = /^.{8}= '((?:[^']|'')*)'/.exec(card);
  return match![1]!.replaceAll("''", "'").trimEnd();
}

describe('a header card', () => {
  it('has 80 characters and gives its string back', () => {
    fc.assert(
      fc.property(printable, (value) => {
        const card = formatCard({ keyword: 'RUN', value });
        expect(card).toHaveLength(80);
        expect(stringValue(card)).toBe(value.trimEnd());
      }),
    );
  });

  it('ends numbers and logicals in column 30', () => {
    expect(formatCard({ keyword: 'TRACT', value: 8766 })).toBe('TRACT   =                 8766'.padEnd(80));
    expect(formatCard({ keyword: 'SIMPLE', value: true, comment: 'x' })).toBe('SIMPLE  =                    T / x'.padEnd(80));
  });

  it.each([
    { keyword: 'TOO_LONG_X', value: 1 },
    { keyword: 'lower', value: 1 },
    { keyword: 'RUN', value: 'x'.repeat(70) },
    { keyword: 'RUN', value: 'é' },
    { keyword: 'RUN', value: Infinity },
  ])('refuses $keyword = $value', (card) => {
    expect(() => formatCard(card)).toThrow(RangeError);
  });
});

describe('a file', () => {
  it('is whole blocks, with float32 pixels in big-endian order after the second header', () => {
    const image = starField(30, 'any');
    const file = fitsFile([{ keyword: 'TRACT', value: 8766 }], image);
    expect(file.length).toBe(2880 * (1 + 1 + Math.ceil((30 * 30 * 4) / 2880)));
    expect(file.toString('latin1', 0, 9)).toBe('SIMPLE  =');
    expect(file.toString('latin1', 2880, 2889)).toBe('XTENSION=');
    expect(file.readFloatBE(5760 + 4 * 31)).toBe(image.pixels[31]);
  });

  it('differs with the seed only', () => {
    expect(starField(16, 'a').pixels).toEqual(starField(16, 'a').pixels);
    expect(starField(16, 'a').pixels).not.toEqual(starField(16, 'b').pixels);
  });
});
