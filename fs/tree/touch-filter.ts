/** Which directories of data IDs an update of the catalogue may have changed. */

import type { Catalogue, Constraint, TouchedType } from '../../registry/contract.js';
import type { DataIdDirectory } from './data-id-directory.js';

/** Whether what is below a directory may be other than it was. */
export type TouchFilter = (directory: DataIdDirectory) => boolean;

export const everything: TouchFilter = () => true;

/** For two catalogues with the same collections, chains and defaults. */
export function touchFilter(former: Catalogue, next: Catalogue): TouchFilter {
  const touched = next.touchedSince?.(former.info.version);
  if (touched === undefined) return typesThatDiffer(former, next);
  if (touched.structure) return everything;
  const types = new Map([...touched.types].map(([name, type]) => [name, new TouchedIds(type)]));
  return (directory) => (touched.records && isRestricted(directory)) || (types.get(directory.tree.typeName)?.concern(directory) ?? false);
}

/** Whether an expression selects what it has; also where that can no longer be told. */
function isRestricted({ tree }: DataIdDirectory): boolean {
  try {
    return tree.view.where !== undefined;
  } catch {
    return true;
  }
}

function typesThatDiffer(former: Catalogue, next: Catalogue): TouchFilter {
  const unchanged = new Set<string>();
  for (const type of next.datasetTypes()) {
    const before = former.datasetType(type.name);
    if (before !== undefined && former.fingerprint(before) === next.fingerprint(type)) unchanged.add(type.name);
  }
  return (directory) => !unchanged.has(directory.tree.typeName);
}

/** The touched data IDs of one type, by the values of each set of keys that a directory may give. */
class TouchedIds {
  readonly #type: TouchedType;
  readonly #byKeys = new Map<string, ReadonlySet<string>>();

  constructor(type: TouchedType) {
    this.#type = type;
  }

  concern(directory: DataIdDirectory): boolean {
    try {
      const { view, type } = directory.tree;
      if (!view.of(type).searchPath.collections.some(({ name }) => this.#type.collections.has(name))) return false;
      return this.#match(type.dimensions.required, directory.constraint());
    } catch {
      // The type or the view is gone: that is for the comparison to find.
      return true;
    }
  }

  /** Implied keys are left aside: of a band all visits count as touched. */
  #match(required: readonly string[], constraint: Constraint): boolean {
    const { dataIds } = this.#type;
    if (dataIds === undefined) return true;
    const positions = required.flatMap((name, position) => (constraint.has(name) ? [position] : []));
    const keys = positions.join();
    let values = this.#byKeys.get(keys);
    if (values === undefined) {
      values = new Set(dataIds.map((dataId) => JSON.stringify(positions.map((position) => dataId[position]))));
      this.#byKeys.set(keys, values);
    }
    return values.has(JSON.stringify(positions.map((position) => constraint.get(required[position]!))));
  }
}
