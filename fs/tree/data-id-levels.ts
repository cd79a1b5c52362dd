/**
 * Directories over data IDs that dimension records define (docs/queries.md), data or not:
 *
 *     @dimensions/visit/visit=1228/record.json              the record
 *     @missing/calexp/visit=1228/detector=49/explanation.txt  a data ID that the search path lacks
 */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type {
  Catalogue,
  Constraint,
  DataIdQuery,
  DataIdValue,
  DataNeed,
  DatasetType,
  DimensionName,
  WhereFilter,
} from '../../registry/contract.js';
import { type KeyOwner, parseKeyValue } from '../../registry/keys.js';
import { encodeComponent } from '../../registry/values.js';
import type { TreeContext } from './context.js';
import { nameOrNone } from './file-names.js';
import { combine, hashText, inodeNumber } from './identity.js';
import { type DirectoryNode, type Listing, namedListing, noSuchName, type TreeNode } from './node.js';
import { OperatorDirectory } from './operator-directory.js';
import { recordText } from './record-text.js';
import { TextFile } from './text-files.js';
import { EVERYTHING, requireEverything } from './unread.js';
import { remainingKeys, type View, type ViewRequest, withDefaults } from './view.js';

/** The names of the operators. */
export const DIMENSIONS = '@dimensions';
export const MISSING = '@missing';

/** What stands below an operator's first component. */
export interface DataIdLevels {
  readonly owner: KeyOwner;
  readonly question: Pick<DataIdQuery, 'dimensions' | 'element' | 'lacking' | keyof WhereFilter>;
  /** The one file of each leaf. */
  readonly leafName: string;
  leafText(dataId: Constraint): string;
}

/** Throws `unknown-dimension` for an element that has no records, with the nearest. */
export function dimensionLevels(catalogue: Catalogue, { where, aliases, patience }: View, name: string): DataIdLevels {
  const elements = catalogue.recordElements();
  const element = elements.find((one) => one.name === name);
  if (element === undefined) {
    const names = elements.map((one) => one.name);
    throw new ButlerfsError('unknown-dimension', {
      what: `dimension records of '${name}'`,
      where: catalogue.info.repository,
      why: catalogue.universe.dimension(name) === undefined ? 'the universe has no such element' : 'the repository has none',
      advice: didYouMean(nearestNames(name, names)) ?? `there are records of ${names.join(', ') || 'nothing'}`,
    });
  }
  const implied = catalogue.universe.dimension(name)?.implied ?? [];
  return {
    owner: { name, kind: 'dimension', dimensions: { required: element.required, implied } },
    question: { dimensions: [], element: name, where, aliases, patience },
    leafName: 'record.json',
    leafText: (dataId) => recordText(catalogue, element, Object.fromEntries(dataId)),
  };
}

/** Throws `unknown-dataset-type`, with the nearest. A type without any dataset resolves: all of it is missing. */
export function missingLevels(catalogue: Catalogue, view: View, name: string): DataIdLevels {
  const type = catalogue.datasetType(name);
  if (type === undefined) {
    const names = catalogue.datasetTypes().map((one) => one.name);
    throw new ButlerfsError('unknown-dataset-type', {
      what: `dataset type '${name}'`,
      why: 'the repository has no such type',
      advice: didYouMean(nearestNames(name, names)),
    });
  }
  const { searchPath, where, ingested, aliases, patience } = view.of(type);
  return {
    owner: type,
    question: { dimensions: type.dimensions.required, lacking: { type, searchPath }, where, ingested, aliases, patience },
    leafName: 'explanation.txt',
    leafText: (dataId) =>
      missingText(
        type,
        dataId,
        searchPath.collections.map((collection) => collection.name),
      ),
  };
}

function missingText({ name, dimensions }: DatasetType, dataId: Constraint, searched: readonly string[]): string {
  const values = dimensions.required.map((key) => `${key}=${dataId.get(key)}`).join(' ');
  return `missing: ${name} ${values}\nreason: dimension records define this data ID, and no collection searched has a stored dataset of it\nsearched: ${searched.join(', ')}\n`;
}

/** Values of the next key below `given`. */
function levelValues(catalogue: Catalogue, view: View, { owner, question }: DataIdLevels, given: Constraint): DataIdValue[] {
  const constraint = withDefaults(view, owner, given);
  const keys = remainingKeys(view, owner, constraint).slice(0, 1);
  return [...catalogue.dataIds({ ...question, constraint, keys })].map(([value]) => value!);
}

/** Whether there is any data ID below `given`. */
export function hasDataIds(catalogue: Catalogue, view: View, { owner, question }: DataIdLevels, given: Constraint): boolean {
  const found = catalogue.dataIds({ ...question, constraint: withDefaults(view, owner, given), keys: [], limit: 1 });
  return [...found].length > 0;
}

/** `@dimensions` and `@missing` themselves. */
export class DataIdLevelsDirectory extends OperatorDirectory {
  readonly #request: ViewRequest;

  constructor(context: TreeContext, request: ViewRequest, parent: DirectoryNode, name: typeof DIMENSIONS | typeof MISSING) {
    super(context, parent, name);
    this.#request = request;
  }

  get ino(): number {
    return inodeNumber(combine(this.parent!.ino, hashText(this.name)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      requireEverything(this.context.unread);
      this.#levels(name);
      return new DataIdLevelDirectory(this.context, this.#request, (view) => this.#levels(name, view), this, name);
    });
  }

  override needToList(): DataNeed | undefined {
    return this.context.unread === undefined ? undefined : EVERYTHING;
  }

  #levels(name: string, view: View = this.context.view(this.#request)): DataIdLevels {
    const { catalogue } = this.context;
    return this.name === DIMENSIONS ? dimensionLevels(catalogue, view, name) : missingLevels(catalogue, view, name);
  }

  listing(): Listing {
    const names = levelNames(this.context.catalogue, this.context.view(this.#request), this.name);
    return namedListing(names, true, (name) => this.find(name));
  }
}

/** What stands in `@dimensions`: elements that have records; in `@missing`: types on the search path whose keys have records. */
export function levelNames(catalogue: Catalogue, view: View, operator: string): string[] {
  const elements = catalogue.recordElements().map(({ name }) => name);
  if (operator === DIMENSIONS) return elements.sort();
  const { universe } = catalogue;
  const types = view.types().filter(({ dimensions }) => dimensions.required.every((name) => universe.dimension(name)?.isSkypix !== true));
  return types.map(({ name }) => name);
}

class DataIdLevelDirectory extends OperatorDirectory {
  readonly #request: ViewRequest;
  readonly #levelsOf: (view: View) => DataIdLevels;
  /** The key that this directory adds to its parent's; undefined at the top. */
  readonly #key: readonly [dimension: DimensionName, value: DataIdValue] | undefined;

  constructor(
    context: TreeContext,
    request: ViewRequest,
    levelsOf: (view: View) => DataIdLevels,
    parent: DirectoryNode,
    name: string,
    key?: readonly [DimensionName, DataIdValue],
  ) {
    super(context, parent, name);
    this.#request = request;
    this.#levelsOf = levelsOf;
    this.#key = key;
  }

  get ino(): number {
    if (!(this.parent instanceof DataIdLevelDirectory)) return inodeNumber(combine(this.parent!.ino, hashText(this.name)));
    return inodeNumber(combine(this.parent.ino, hashText(this.#key!.join('='))));
  }

  #given(): Map<DimensionName, DataIdValue> {
    const given = this.parent instanceof DataIdLevelDirectory ? this.parent.#given() : new Map<DimensionName, DataIdValue>();
    return this.#key === undefined ? given : given.set(...this.#key);
  }

  find(name: string): TreeNode {
    const known = this.children?.get(name);
    if (known !== undefined) return known;
    const { catalogue } = this.context;
    const view = this.context.view(this.#request);
    const levels = this.#levelsOf(view);
    const given = this.#given();
    const constraint = withDefaults(view, levels.owner, given);
    if (name === levels.leafName && this.#isLeaf(view, levels)) return new TextFile(this, name, levels.leafText(constraint));
    const equals = name.indexOf('=');
    if (equals <= 0) throw noSuchName(this, name);
    const { dimension, value } = parseKeyValue(catalogue, levels.owner, name.slice(0, equals), name.slice(equals + 1), constraint, view);
    if (given.has(dimension))
      throw new ButlerfsError('unknown-value', { what: `'${name}'`, where: `'/${this.path}'`, why: `${dimension} is given already` });
    if (!hasDataIds(catalogue, view, levels, given.set(dimension, value)))
      throw new ButlerfsError('unknown-value', { what: `'${name}'`, where: `'/${this.path}'`, why: 'no such data ID' });
    return this.#child(name, dimension, value);
  }

  listing(): Listing {
    const { catalogue } = this.context;
    const view = this.context.view(this.#request);
    const levels = this.#levelsOf(view);
    if (this.#isLeaf(view, levels)) return namedListing([levels.leafName], false, (name) => this.find(name));
    const given = this.#given();
    const [key] = remainingKeys(view, levels.owner, withDefaults(view, levels.owner, given));
    if (key === undefined) return namedListing([], false, (name) => this.find(name));
    const entries = levelValues(catalogue, view, levels, given).flatMap((value) => {
      const name = nameOrNone(() => encodeComponent(key, value));
      return name === undefined ? [] : [{ name, value }];
    });
    return {
      count: entries.length,
      at: (index) => {
        const { name, value } = entries[index]!;
        return { name, isDirectory: true, node: () => this.known(name, () => this.#child(name, key, value)) };
      },
    };
  }

  #child(name: string, dimension: DimensionName, value: DataIdValue): DataIdLevelDirectory {
    return new DataIdLevelDirectory(this.context, this.#request, this.#levelsOf, this, name, [dimension, value]);
  }

  #isLeaf(view: View, levels: DataIdLevels): boolean {
    const given = this.#given();
    return (
      remainingKeys(view, levels.owner, withDefaults(view, levels.owner, given)).length === 0 &&
      hasDataIds(this.context.catalogue, view, levels, given)
    );
  }
}
