/** Explanations of paths on a mount, also of ones that do not exist, from the catalogue that the mount serves. */

import { explainPath } from '../fs/tree/explain.js';
import { parseDefaults } from './defaults.js';
import { openMountedCatalogue } from './mounted-catalogue.js';
import type { CatalogueOfMount } from './mounted-catalogue.js';
import type { MountState } from './state.js';

/** `path` is below the mount point, without a leading slash. */
export async function explainOn(
  state: CatalogueOfMount & Pick<MountState, 'collections' | 'calibrations' | 'defaults' | 'aliases' | 'flavors'>,
  path: string,
): Promise<string> {
  const catalogue = await openMountedCatalogue(state);
  try {
    const defaults = parseDefaults(catalogue, state.defaults);
    const { collections, calibrations = {}, aliases, flavors } = state;
    return explainPath(catalogue, { collections, calibrations, order: [], aliases, flavors }, defaults, path).text;
  } finally {
    catalogue.close();
  }
}
