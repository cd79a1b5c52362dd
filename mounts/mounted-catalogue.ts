/** The catalogue that a mount serves, beside its daemon. */

import { ButlerfsError } from '../common/errors.js';
import { openCatalogue } from '../registry/open.js';
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
