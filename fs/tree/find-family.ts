/** Coadds by their flavour: the family that the first component of a path names. */

import { type Flavor, flavorsOf } from '../../registry/coadd-flavors.js';
import type { Catalogue, DatasetType } from '../../registry/contract.js';
import { decodeValue } from '../../registry/values.js';
import { showsAny, type View } from './view.js';

export interface Family {
  readonly name: string;
  /** As of `coadd_calexp.image`. */
  readonly component: string | null;
  /** Those of which the view shows datasets, or may come to; never empty. */
  readonly flavors: readonly Flavor[];
}

/**
 * Undefined for a dataset type, which comes first, and for what is no family of those that the view shows. `mayShow` tells of a type whether the view may come to show
 * it when more of the repository was read.
 */
export function findFamily(
  catalogue: Catalogue,
  view: View,
  name: string,
  mayShow: (type: string) => boolean = () => false,
): Family | undefined {
  const isShown = (type: DatasetType): boolean => showsAny(view, type) || mayShow(type.name);
  const dot = name.lastIndexOf('.');
  const [family, component] = dot > 0 ? [name.slice(0, dot), name.slice(dot + 1)] : [name, null];
  for (const own of [name, family]) {
    const type = catalogue.datasetType(own);
    if (type !== undefined && isShown(type)) return undefined;
  }
  const flavors = flavorsOf(catalogue, catalogue.datasetTypes(), family, view.flavors).flatMap(({ flavor, types }) => {
    const shown = types.filter(isShown);
    return shown.length === 0 ? [] : [{ flavor, types: shown }];
  });
  if (flavors.length === 0) return undefined;
  return { name: family, component: component === null ? null : decodeValue(component), flavors };
}
