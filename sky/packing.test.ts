import { describe, expect, it } from 'vitest';
import { packedBands, packObservation, packSkyMap } from './packing.js';

const hsc = { tracts: 18938, patchColumns: 9, patchRows: 9 };

describe('packing of data IDs', () => {
  it('gives the published numbers for sky maps', () => {
    expect(packSkyMap(9813, 40, hsc)).toEqual({ value: 794893n, bits: 21 });
    expect(packSkyMap(9813, 40, hsc, 'i')).toEqual({ value: 6930805n, bits: 26 });
    expect(packSkyMap(2, 6, { tracts: 5, patchColumns: 3, patchRows: 3 })).toEqual({ value: 24n, bits: 6 });
  });

  it('gives the published numbers for observations', () => {
    expect(packObservation(16, 903334, { detectors: 200, observations: 21474800 })).toEqual({ value: 180666816n, bits: 32 });
    expect(packObservation(16, 903334, { detectors: 200 })).toEqual({ value: 180666816n, bits: 32 });
  });

  it('counts bands as lsst.skymap does', () => {
    expect([packedBands.length, packedBands.indexOf('y'), packedBands.indexOf('K'), packedBands.indexOf('N964')]).toEqual([28, 6, 17, 27]);
  });

  it('is exact beyond 2^53', () => {
    expect(packObservation(255, 2 ** 50, { detectors: 256 })).toEqual({ value: 255n + 256n * 2n ** 50n, bits: 59 });
  });

  it.each([
    () => packSkyMap(18938, 0, hsc),
    () => packSkyMap(0, 81, hsc),
    () => packSkyMap(-1, 0, hsc),
    () => packSkyMap(0, 0, hsc, 'x'),
    () => packObservation(200, 1, { detectors: 200 }),
    () => packObservation(1, 1.5, { detectors: 200 }),
  ])('refuses what lies outside the limits (%#)', (pack) => {
    expect(pack).toThrow(RangeError);
  });
});
