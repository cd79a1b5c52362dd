/** A view: which datasets a tree shows, and in which order its levels go. */

import type { Catalogue, Collection, Constraint, DatasetType, DimensionName, SearchPath } from '../../registry/contract.js';
import { hashText } from './identity.js';

export interface ViewRequest {
  /** Names of the search path; empty: the mount's. */
  readonly collections: readonly string[];
  /** Keys that come first, in this order (`@by`). */
  readonly order: readonly DimensionName[];
}

/** A view of one catalogue. Immutable: a new catalogue brings new views. */
export interface View extends ViewRequest {
  readonly searchPath: SearchPath;
  /** Values of governors that paths need not give: the mount's own, else those of which the search path holds one only. */
  readonly defaults: Constraint;
  /** Names the view among those of one mount. */
  readonly hash: number;
}

/** Resolves a view. Throws `unknown-collection`. `defaults` are the mount's own. */
export function openView(catalogue: Catalogue, request: ViewRequest, defaults: Constraint): View {
  const searchPath = catalogue.searchPath(request.collections.length === 0 ? undefined : request.collections);
  const all = new Map(defaults);
  for (const name of catalogue.universe.names) {
    if (all.has(name) || catalogue.universe.dimension(name)?.isGovernor !== true) continue;
    const [only, another] = catalogue.governorValues(searchPath, name, 2);
    if (only !== undefined && another === undefined) all.set(name, only);
  }
  return {
    ...request,
    searchPath,
    defaults: all,
    hash: hashText(JSON.stringify(searchPath.collections.map(({ name }: Collection) => name))),
  };
}

/** The data ID so far with the defaults for governors of the type that it does not give. */
export function withDefaults(view: View, type: DatasetType, given: Constraint): Constraint {
  const all = new Map(given);
  for (const dimension of type.dimensions.required) {
    const value = view.defaults.get(dimension);
    if (value !== undefined && !all.has(dimension)) all.set(dimension, value);
  }
  return all;
}

/** Required dimensions that are still to be given, in the order of the directory levels. */
export function remainingKeys(view: View, type: DatasetType, constraint: Constraint): DimensionName[] {
  const missing = type.dimensions.required.filter((dimension) => !constraint.has(dimension));
  const asked = view.order.filter((dimension) => missing.includes(dimension));
  return [...asked, ...missing.filter((dimension) => !asked.includes(dimension))];
}
