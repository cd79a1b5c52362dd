import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance, nearestIntegers, nearestNames } from './nearest.js';

describe('the nearest name', () => {
  it('counts insertions, deletions, replacements and swapped neighbours', () => {
    expect(editDistance('tract', 'tract')).toBe(0);
    expect(editDistance('tracts', 'tract')).toBe(1);
    expect(editDistance('tarct', 'tract')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('aaaaaaaa', 'b', 2)).toBe(3);
  });

  it('is the one that a slip of the keys would have made', () => {
    const names = ['tract', 'patch', 'band', 'physical_filter'];
    expect(nearestNames('tracts', names)).toEqual(['tract']);
    expect(nearestNames('TRACT', names)).toEqual(['tract']);
    expect(nearestNames('phys', names)).toEqual(['physical_filter']);
    expect(nearestNames('wavelength', names)).toEqual([]);
  });

  it('is one with the same beginning where none is a slip away', () => {
    expect(nearestNames('u/mee', ['u/me/all', 'u/me/rerun1', 'HSC/raw/all'])).toEqual(['u/me/all', 'u/me/rerun1']);
  });

  it('is the nearest number', () => {
    expect(nearestIntegers(1229, [1228, 1240, 1230, 5])).toEqual([1228, 1230, 1240]);
  });

  it('makes a question', () => {
    expect(didYouMean([])).toBeUndefined();
    expect(didYouMean(['a'])).toBe("did you mean 'a'?");
    expect(didYouMean(['a', 'b', 'c'])).toBe("did you mean 'a', 'b' or 'c'?");
  });
});
