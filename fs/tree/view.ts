/** A view: which datasets a tree shows, and in which order its levels go. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type {
  Catalogue,
  Collection,
  Constraint,
  DataIdValue,
  DatasetType,
  DimensionGroup,
  DimensionName,
  IngestRange,
  SearchPath,
  WhereFilter,
} from '../../registry/contract.js';
import { hashText } from './identity.js';

export interface ViewRequest extends WhereFilter {
  /** Names of the search path; empty: the mount's. */
  readonly collections: readonly string[];
  /** Whether one collection was chosen in a path (`@collections`): no other can be below it. */
  readonly isOfCollection?: boolean;
  /** Keys that come first, in this order (`@by`). */
  readonly order: readonly DimensionName[];
  /** Collections that are searched for a dataset type in place of the search path, by its name. */
  readonly calibrations?: CalibrationChoice;
}

export type CalibrationChoice = Readonly<Record<string, readonly string[]>>;

/** Which datasets of a type a view shows. */
export interface TypeQuestion extends WhereFilter {
  readonly type: DatasetType;
  readonly searchPath: SearchPath;
}

/** A view of one catalogue. Immutable: a new catalogue brings new views. */
export interface View extends ViewRequest {
  readonly searchPath: SearchPath;
  /** Values of governors that paths need not give: the mount's own, else those of which the search path holds one only. */
  readonly defaults: Constraint;
  /** Names the view among those of one mount. */
  readonly hash: number;
  /** Throws `unknown-collection` where the one chosen for the type does not exist. */
  of(type: DatasetType): TypeQuestion;
  /** Dataset types of which the view shows datasets, sorted by name. */
  types(): readonly DatasetType[];
  /** Whether it shows any of this type. Throws where its expression cannot be asked of the type: `unknown-dimension`, `invalid-value`. */
  shows(type: DatasetType): boolean;
}

/**
 * Resolves a view. Throws `unknown-collection`, and `usage` for an expression that is none. `defaults` are the mount's own. `isPartial`: the catalogue lacks data,
 * so that the only governor there is is that of the data to come.
 */
export function openView(catalogue: Catalogue, request: ViewRequest, defaults: Constraint, isPartial = false): View {
  const searchPath = catalogue.searchPath(request.collections.length === 0 ? undefined : request.collections);
  const all = new Map(defaults);
  for (const name of catalogue.universe.names) {
    if (all.has(name) || catalogue.universe.dimension(name)?.isGovernor !== true) continue;
    const found: readonly DataIdValue[] = catalogue.governorValues(searchPath, name, 2);
    const [only, another] = found.length === 0 && isPartial ? catalogue.dimensionValues(name, 2) : found;
    if (only !== undefined && another === undefined) all.set(name, only);
  }
  return new OpenView(catalogue, request, searchPath, all);
}

/** Throws `unknown-dataset-type` and `unknown-collection` for a choice of calibrations that names what is not there. */
export function checkChoices(catalogue: Catalogue, view: View): void {
  for (const name of Object.keys(view.calibrations ?? {})) {
    const type = catalogue.datasetType(name);
    if (type === undefined) {
      const names = catalogue.datasetTypes().map((one) => one.name);
      throw new ButlerfsError('unknown-dataset-type', {
        what: `dataset type '${name}'`,
        where: 'the choice of calibrations',
        why: 'the repository has no such type',
        advice: didYouMean(nearestNames(name, names)),
      });
    }
    view.of(type);
  }
}

/** Another request that shows only what satisfies a further expression as well. */
export function restricted(request: ViewRequest, where: string): ViewRequest {
  return { ...request, where: request.where === undefined ? where : `(${request.where}) AND (${where})` };
}

/** Another request that shows what the repository had taken in at an instant (nanoseconds TAI), and at an earlier one that it has already. */
export function asOf(request: ViewRequest, instant: bigint): ViewRequest {
  const before = request.ingested?.until;
  return { ...request, ingested: { ...request.ingested, until: before === undefined || instant < before ? instant : before } };
}

/** The ends of a range of times as texts, none where there is no range. */
export function rangeTexts(range: IngestRange | undefined): string[] {
  return range === undefined ? [] : [String(range.from ?? ''), String(range.until ?? '')];
}

/** Another request for one collection, in place of the search path and of what was chosen for single types. */
export function ofCollection({ calibrations: _, ...request }: ViewRequest, collection: string): ViewRequest {
  return { ...request, collections: [collection], isOfCollection: true };
}

/** Whether the view shows datasets of a type. An expression over keys that the type has not says nothing of it, and shows none. */
export function showsAny(view: Pick<View, 'shows'>, type: DatasetType): boolean {
  try {
    return view.shows(type);
  } catch (error) {
    if (error instanceof ButlerfsError && (error.code === 'unknown-dimension' || error.code === 'invalid-value')) return false;
    throw error;
  }
}

class OpenView implements View {
  readonly collections: readonly string[];
  readonly order: readonly DimensionName[];
  readonly where: string | undefined;
  readonly ingested: WhereFilter['ingested'];
  readonly aliases: WhereFilter['aliases'];
  readonly flavors: WhereFilter['flavors'];
  readonly patience: number | undefined;
  readonly calibrations: CalibrationChoice;
  readonly searchPath: SearchPath;
  readonly defaults: Constraint;
  readonly hash: number;
  readonly #catalogue: Catalogue;
  readonly #chosen = new Map<string, SearchPath>();
  readonly #held = new Map<SearchPath, ReadonlySet<string>>();
  readonly #shown = new Map<string, boolean>();
  #types: readonly DatasetType[] | undefined;

  constructor(catalogue: Catalogue, request: ViewRequest, searchPath: SearchPath, defaults: Constraint) {
    this.#catalogue = catalogue;
    this.collections = request.collections;
    this.order = request.order;
    this.where = request.where;
    this.ingested = request.ingested;
    this.aliases = request.aliases;
    this.flavors = request.flavors;
    this.patience = request.patience;
    this.calibrations = request.calibrations ?? {};
    this.searchPath = searchPath;
    this.defaults = defaults;
    const names = searchPath.collections.map(({ name }: Collection) => name);
    const isPlain = !this.#isRestricted && Object.keys(this.calibrations).length === 0;
    this.hash = hashText(JSON.stringify(isPlain ? names : [names, this.where, this.calibrations, ...rangeTexts(this.ingested)]));
  }

  of(type: DatasetType): TypeQuestion {
    const { where, ingested, aliases, flavors, patience } = this;
    return { type, searchPath: this.#searchPathOf(type), where, ingested, aliases, flavors, patience };
  }

  #searchPathOf({ name }: DatasetType): SearchPath {
    if (!Object.hasOwn(this.calibrations, name)) return this.searchPath;
    let chosen = this.#chosen.get(name);
    if (chosen === undefined) this.#chosen.set(name, (chosen = this.#catalogue.searchPath(this.calibrations[name])));
    return chosen;
  }

  types(): readonly DatasetType[] {
    this.#types ??= this.#catalogue.datasetTypes().filter((type) => showsAny(this, type));
    return this.#types;
  }

  shows(type: DatasetType): boolean {
    let shown = this.#shown.get(type.name);
    if (shown === undefined) this.#shown.set(type.name, (shown = this.#holds(type) && !this.#isEmpty(type)));
    return shown;
  }

  #holds(type: DatasetType): boolean {
    const { searchPath } = this.of(type);
    let names = this.#held.get(searchPath);
    if (names === undefined) this.#held.set(searchPath, (names = new Set(this.#catalogue.typesOn(searchPath).map(({ name }) => name))));
    return names.has(type.name);
  }

  /** Whether datasets of the search path may be left out. */
  get #isRestricted(): boolean {
    return this.where !== undefined || this.ingested !== undefined;
  }

  #isEmpty(type: DatasetType): boolean {
    if (!this.#isRestricted) return false;
    const constraint = withDefaults(this, type, new Map());
    const keys = remainingKeys(this, type, constraint);
    const answer = this.#catalogue.directory({ ...this.of(type), constraint, keys, rowLimit: 0 });
    return answer.kind === 'rows' ? answer.rows.length === 0 : answer.values.length === 0;
  }
}

/** What identifies a thing in paths: a dataset type, or a dimension record. */
export interface Keyed {
  readonly dimensions: DimensionGroup;
}

/** The data ID so far with the defaults for governors of the type that it does not give. */
export function withDefaults(view: View, type: Keyed, given: Constraint): Constraint {
  const all = new Map<DimensionName, DataIdValue>(given);
  for (const dimension of type.dimensions.required) {
    const value = view.defaults.get(dimension);
    if (value !== undefined && !all.has(dimension)) all.set(dimension, value);
  }
  return all;
}

/** Required dimensions that are still to be given, in the order of the directory levels. */
export function remainingKeys(view: View, type: Keyed, constraint: Constraint): DimensionName[] {
  const missing = type.dimensions.required.filter((dimension) => !constraint.has(dimension));
  const asked = view.order.filter((dimension) => missing.includes(dimension));
  return [...asked, ...missing.filter((dimension) => !asked.includes(dimension))];
}
