import { describe, expect, it } from 'vitest';
import { flattenCollections } from './collections.js';
import type { Collection } from './contract.js';

function collectionsOf(...entries: [name: string, children?: string[]][]): Map<string, Collection> {
  return new Map(
    entries.map(([name, children], id) => [
      name,
      { id, name, type: children === undefined ? 'RUN' : 'CHAINED', doc: null, children: children ?? [] },
    ]),
  );
}

const collections = collectionsOf(
  ['b'],
  ['a'],
  ['c'],
  ['inner', ['b', 'c']],
  ['outer', ['a', 'inner', 'b']],
  ['one', ['two']],
  ['two', ['three']],
  ['three', ['one', 'a']],
);
const names = (...asked: string[]): string[] => flattenCollections(collections, asked, 'here').collections.map(({ name }) => name);

describe('a search path', () => {
  it('flattens chains depth first, each collection at its first place', () => {
    expect(names('outer')).toEqual(['a', 'b', 'c']);
    expect(names('c', 'outer', 'b')).toEqual(['c', 'a', 'b']);
    expect(flattenCollections(collections, ['outer'], 'here').names).toEqual(['outer']);
  });

  it('is every RUN in order of name where nothing is asked for', () => {
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(flattenCollections(collections, undefined, 'here').collections).toHaveLength(3);
  });

  it('refuses a chain that holds itself, and shows the circle', () => {
    const refused = expect.objectContaining({
      code: 'corrupt-repository',
      message: expect.stringContaining('one > two > three > one') as string,
    }) as Error;
    expect(() => names('a', 'one')).toThrow(refused);
  });

  it('names the nearest for an unknown collection', () => {
    const refused = expect.objectContaining({
      code: 'unknown-collection',
      message: expect.stringContaining("did you mean 'inner'") as string,
    }) as Error;
    expect(() => names('inne')).toThrow(refused);
  });
});
