/** Default data IDs, given as text, as values of a repository's dimensions. */

import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { Catalogue, Constraint, DataIdValue, DimensionName } from '../registry/contract.js';

/** Throws `usage` for a key that is no dimension (with the nearest), and for text where an integer is needed. */
export function parseDefaults(catalogue: Catalogue, defaults: Readonly<Record<string, string>>): Constraint {
  const parsed = new Map<DimensionName, DataIdValue>();
  for (const [key, text] of Object.entries(defaults)) {
    const dimension = catalogue.universe.dimension(key);
    if (dimension === undefined) {
      throw new ButlerfsError('usage', {
        what: `default '${key}=${text}'`,
        why: 'the repository has no such dimension',
        advice: didYouMean(nearestNames(key, catalogue.universe.names)) ?? 'give for example instrument=HSC',
      });
    }
    if (dimension.type === 'int' && !(/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)))) {
      throw new ButlerfsError('usage', { what: `default '${key}=${text}'`, why: `values of ${key} are integers` });
    }
    parsed.set(key, dimension.type === 'int' ? Number(text) : text);
  }
  return parsed;
}
