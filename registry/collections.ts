/** Chains of collections, flattened to the order in which they are searched. */

import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { Collection, SearchPath } from './contract.js';

/**
 * The collections to search for `names`, each once, at its first place; chains are replaced by what they hold, depth first.
 * Without names: every RUN, in order of name. `collections` maps names to all there are.
 * Throws `unknown-collection` with the nearest names, and `corrupt-repository` for a chain that holds itself.
 */
export function flattenCollections(
  collections: ReadonlyMap<string, Collection>,
  names: readonly string[] | undefined,
  where: string,
): SearchPath {
  if (names === undefined || names.length === 0) {
    const runs = [...collections.values()].filter((collection) => collection.type === 'RUN');
    return { names: [], collections: runs.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }
  const found = new Map<string, Collection>();
  const finished = new Set<string>();
  const visit = (name: string, within: readonly string[]): void => {
    if (within.includes(name)) {
      const circle = [...within.slice(within.indexOf(name)), name].join(' > ');
      throw new ButlerfsError('corrupt-repository', { what: `collection '${name}'`, where, why: `its chain holds itself: ${circle}` });
    }
    if (finished.has(name)) return;
    const collection = collections.get(name);
    if (collection === undefined) {
      const advice = didYouMean(nearestNames(name, collections.keys())) ?? `there are ${collections.size} collections`;
      throw new ButlerfsError('unknown-collection', { what: `collection '${name}'`, where, advice });
    }
    if (collection.type === 'CHAINED') for (const child of collection.children) visit(child, [...within, name]);
    else found.set(name, collection);
    finished.add(name);
  };
  for (const name of names) visit(name, []);
  return { names: [...names], collections: [...found.values()] };
}
