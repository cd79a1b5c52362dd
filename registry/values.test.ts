import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeValue, encodeComponent, encodeValue } from './values.js';

const invalid = expect.objectContaining({ code: 'invalid-value' }) as Error;

describe('values in paths', () => {
  it.each([
    [8766, '8766'],
    [-1, '-1'],
    ['HSC-R', 'HSC-R'],
    ['u/me', 'u%2Fme'],
    ['50% done', '50%25 done'],
    ['@by', '%40by'],
    ['..', '%2E.'],
    ['.hidden', '%2Ehidden'],
    ['a@b.c', 'a@b.c'],
    ['nul\0', 'nul%00'],
    ['ND 10%~r+i #2', 'ND 10%25~r+i #2'],
    ['zoë', 'zoë'],
  ])('writes %j as %s', (value, text) => {
    expect(encodeValue(value)).toBe(text);
    expect(decodeValue(text)).toBe(String(value));
  });

  it('comes back as it was, and is always one component of a path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), (value) => {
        const text = encodeValue(value);
        expect(decodeValue(text)).toBe(value);
        expect(text).not.toMatch(/[/\0]|^[@.]/);
      }),
    );
  });

  it('gives different values different texts', () => {
    const text = fc.string({ unit: fc.constantFrom('%', '2', 'F', '/', '@', '.', '\0'), minLength: 1, maxLength: 6 });
    fc.assert(fc.property(text, text, (a, b) => (encodeValue(a) === encodeValue(b)) === (a === b)));
  });

  it.each(['%', '%2', '%zz', 'a%', '%FF', '%C3', ''])('refuses the text %j', (text) => {
    expect(() => decodeValue(text)).toThrow(invalid);
  });

  it.each(['', '\ud800', 'x'.repeat(256), 'ë'.repeat(128), 1.5, NaN])('refuses the value %j', (value) => {
    expect(() => encodeValue(value)).toThrow(invalid);
  });

  it('counts bytes of the whole component', () => {
    expect(encodeComponent('band', 'x'.repeat(250))).toHaveLength(255);
    expect(() => encodeComponent('band', 'x'.repeat(251))).toThrow('256 bytes');
  });
});
