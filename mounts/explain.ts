/** Explanations of paths on a mount, also of ones that do not exist, from the catalogue that the mount serves. */

import { ButlerfsError } from '../common/errors.js';
import { explainPath } from '../fs/tree/explain.js';
import { openCatalogue } from '../registry/open.js';
import { parseDefaults } from './defaults.js';
import { currentCatalogueFile } from './source-store.js';
import type { Catalogue } from '../registry/contract.js';
import type { MountState } from './state.js';

export type CatalogueOfMount = Pick<MountState, 'mountPoint' | 'catalogueDirectory'>;

/** Opens the catalogue of a mount for reading, beside its daemon. The caller closes it. */
export async function openMountedCatalogue({ mountPoint, catalogueDirectory }: CatalogueOfMount): Promise<Catalogue> {
  // The version may be replaced and removed between finding and opening it: then there is a newer one.
  for (let attempt = 0; attempt < 3; attempt++) {
    const file = await currentCatalogueFile(catalogueDirectory);
    const catalogue = file === undefined ? undefined : openCatalogue(file);
    if (catalogue !== undefined) return catalogue;
  }
  throw new ButlerfsError('mount-failed', {
    what: `the catalogue of ${mountPoint} is not in ${catalogueDirectory}`,
    advice: `unmount and mount again: butlerfs umount ${mountPoint}`,
  });
}

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
