import { describe, expect, test } from 'vitest';
import { commonText } from './overlap.js';
import { integerSource, literalSource, parseTemplate } from './template.js';

describe('a text that two expressions match', () => {
  test.each([
    ['abc', 'abc', 'abc'],
    ['abc', 'abd', undefined],
    ['a|b', 'b|c', 'b'],
    ['\\d{3}', '[1-9]\\d{2,14}', '100'],
    ['0|[1-9]\\d{0,14}', '\\d{7}|[1-9]\\d{7,14}', '1000000'],
    ['[^/]+?', 'x-(\\d+)', 'x-0'],
    ['[^/]+', 'a\\/b', undefined],
    ['[A-Za-z0-9][A-Za-z0-9_.+-]*?\\.fits', '[^/]+?\\.fits', '0.fits'],
    ['(?:0|[1-9]\\d{0,8}),(?:0|[1-9]\\d{0,8})', '4,4', '4,4'],
    ['(?:ab)*c', 'ababc', 'ababc'],
    ['(?:ab)+c', 'c', undefined],
    ['(?:ab)?c', 'c', 'c'],
    ['[^0-9/]', '[a-]', 'a'],
    ['\\d{4}-\\d\\d-\\d\\d', '[^/]+?', '0000-00-00'],
    ['', '', ''],
  ])('%s and %s', (left, right, common) => {
    expect(commonText(left, right)).toBe(common);
    expect(commonText(right, left)).toBe(common);
    if (common !== undefined) for (const source of [left, right]) expect(common).toMatch(new RegExp(`^(?:${source})$`));
  });

  test('is found among long expressions in no time', () => {
    const long = `${'[^/]+?\\/'.repeat(12)}CORR-(?:${integerSource(7)})`;
    const begun = performance.now();
    expect(commonText(long, `${'[^/]+?-[^/]+?\\/'.repeat(12)}CORR-(?:${integerSource(15)})`)).toBeDefined();
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

describe('a template', () => {
  test('may write its fields in either form', () => {
    const fields = (template: string): unknown =>
      parseTemplate(template)
        .flat()
        .map((piece) => ('text' in piece ? piece.text : [piece.field, piece.width, piece.conversion]));
    expect(fields('a/{visit:07d}-{band}.{ccd:d}')).toEqual(['a', ['visit', 7, 'd'], '-', ['band', 0, undefined], '.', ['ccd', 0, 'd']]);
    expect(fields('%(visit)07d_%(filter)s')).toEqual([['visit', 7, 'd'], '_', ['filter', 0, 's']]);
  });

  test.each([
    ['/a', /absolute/],
    ['a//b', /empty component/],
    ['a/../b', /'\.\.'/],
    ['', /empty component/],
    ['a/{visit', /'\{' that begins no field/],
    ['a/100%', /'%' that begins no field/],
    ['{visit:7d}', /width/],
    ['{visit:07s}', /width/],
    ['{visit:.3f}', /form that is not understood/],
    ['{visit:x}', /form that is not understood/],
    ['%(visit)07x', /form that is not understood/],
    ['{}', /form that is not understood/],
    ['{visit:016d}', /width/],
  ])('%j is refused', (template, message) => {
    expect(() => parseTemplate(template)).toThrow(message);
  });

  test('integers have one text each', () => {
    const matches = (width: number, text: string): boolean => new RegExp(`^(?:${integerSource(width)})$`).test(text);
    expect(['0', '7', '07'].map((text) => matches(0, text))).toEqual([true, true, false]);
    expect(['007', '07', '1234', '0007'].map((text) => matches(3, text))).toEqual([true, false, true, false]);
    expect(new RegExp(`^${literalSource('a.b+c')}$`).test('a.b+c')).toBe(true);
  });
});
