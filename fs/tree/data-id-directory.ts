/**
 * A directory of the tree of one dataset type: the data ID given so far.
 *
 *     deepCoadd_calexp/            nothing given
 *       tract=8766/                one key given
 *         patch=42/
 *           band=i/                all given: the leaf, which holds the dataset's files
 */

import { ButlerfsError } from '../../common/errors.js';
import type { Constraint, DataIdValue, DataNeed, DatasetRow, DatasetType, DimensionName } from '../../registry/contract.js';
import { parseKeyValue } from '../../registry/keys.js';
import { encodeComponent } from '../../registry/values.js';
import { ROW_LIMIT } from './context.js';
import { CALIBRATIONS, CalibrationsDirectory, hasCalibrations } from './calibrations.js';
import { CUTOUTS, CutoutsDirectory } from './cutouts.js';
import { fileNames, filesOf, nameOrNone, type NamedFile, shortNames } from './file-names.js';
import { combine, hashText, inodeNumber, spread } from './identity.js';
import { LeavesAhead } from './leaves-ahead.js';
import { LongDirectory } from './long-directory.js';
import { DirectoryNode, type Listing, type NodeAttributes, noSuchName, type TreeNode } from './node.js';
import { type Range, rangeWith } from './row-range.js';
import type { TypeTree } from './type-tree.js';
import { NotReadYet } from './unread.js';
import { remainingKeys, type View, withDefaults } from './view.js';

export class DataIdDirectory extends DirectoryNode {
  readonly tree: TypeTree;
  /** The key that this directory adds to its parent's; undefined at the top of the type's tree. */
  readonly dimension: DimensionName | undefined;
  readonly value: DataIdValue | undefined;
  /** Whether the name was taken to lead somewhere although the catalogue has nothing there yet. */
  isProvisional = false;
  /** Hash of what was last listed, to tell whether an update changed it; 0 while nothing was. */
  listed = 0;
  #range: Range | undefined;
  #ino: number | undefined;
  /** Set where there were too many rows and the children are leaves. */
  #long: LongDirectory | undefined;
  /** Set where leaves were asked for by name. */
  #ahead: LeavesAhead | undefined;

  constructor(tree: TypeTree, parent: DirectoryNode, name: string, dimension?: DimensionName, value?: DataIdValue, range?: Range) {
    super(parent, name);
    this.tree = tree;
    this.dimension = dimension;
    this.value = value;
    this.#range = range;
  }

  get ino(): number {
    this.#ino ??= inodeNumber(this.#hash());
    return this.#ino;
  }

  /**
   * The same for every order of the keys, with and without what the defaults give, and for a leaf with and without implied keys.
   *
   * The last integer goes in as it is, not hashed: so the inodes of siblings ascend as their values do, and programs that visit a long directory by inode
   * (find(1), tar(1)) go through the catalogue in order. Two data IDs collide no more often for it, because the rest of each is hashed.
   */
  #hash(): number {
    const { typeName, component } = this.tree;
    let hash = combine(this.#view.hash, hashText(component === null ? typeName : `${typeName}.${component}`));
    const { required } = this.#type.dimensions;
    const constraint = this.constraint();
    const isLeaf = required.every((dimension) => constraint.has(dimension));
    const last = required.findLast((dimension) => typeof constraint.get(dimension) === 'number');
    for (const [dimension, value] of constraint) {
      if (isLeaf && !required.includes(dimension)) continue;
      if (dimension === last) hash = combine(combine(hash, hashText(dimension)), spread(Number(value)));
      else hash = combine(hash, hashText(`${dimension}=${value}`));
    }
    return hash;
  }

  get modified(): number {
    return this.tree.context.catalogue.info.readAt;
  }

  get #view(): View {
    return this.tree.view;
  }

  get #type(): DatasetType {
    return this.tree.type;
  }

  /** Whether it is still not known if there is anything. */
  get isUncertain(): boolean {
    this.isProvisional &&= this.tree.context.unread !== undefined && this.#isEmpty();
    return this.isProvisional;
  }

  override attributes(): NodeAttributes {
    const attributes = super.attributes();
    return this.isUncertain ? { ...attributes, stable: false } : attributes;
  }

  override needToList(): DataNeed | undefined {
    return this.tree.needOf(this.constraint());
  }

  /** The data ID so far, with the view's defaults. */
  constraint(): Map<DimensionName, DataIdValue> {
    return new Map(withDefaults(this.#view, this.#type, this.#given()));
  }

  #given(): Map<DimensionName, DataIdValue> {
    const given = this.parent instanceof DataIdDirectory ? this.parent.#given() : new Map<DimensionName, DataIdValue>();
    if (this.dimension !== undefined) given.set(this.dimension, this.value!);
    return given;
  }

  find(name: string): TreeNode {
    const known = this.children?.get(name);
    if (known !== undefined && !(known instanceof DataIdDirectory && known.isUncertain)) return known;
    const constraint = this.constraint();
    const keys = remainingKeys(this.#view, this.#type, constraint);
    if (keys.length === 0) {
      if (name === CUTOUTS && this.tree.component !== null) return new CutoutsDirectory(this.tree.context, this, name);
      const named = this.named(name);
      if (named !== undefined) return this.tree.fileNode(named, this);
    }
    if (name === CALIBRATIONS && hasCalibrations(constraint))
      return new CalibrationsDirectory(this.tree.context, this.tree.request, constraint, this, name);
    const equals = name.indexOf('=');
    if (equals <= 0) {
      const need = keys.length === 0 ? this.tree.needOf(constraint) : undefined;
      throw need === undefined ? noSuchName(this, name) : new NotReadYet(need);
    }
    const child = this.#child(name, name.slice(0, equals), name.slice(equals + 1), constraint, keys);
    return known ?? child;
  }

  #child(name: string, key: string, text: string, constraint: Constraint, keys: readonly DimensionName[]): DataIdDirectory {
    const { dimension, value } = parseKeyValue(this.tree.context.catalogue, this.#type, key, text, constraint, this.#view);
    if (this.#given().has(dimension)) {
      throw new ButlerfsError('unknown-value', { what: `'${name}'`, where: `'/${this.path}'`, why: `${dimension} is given already` });
    }
    if (dimension === keys[0]) {
      const range = this.#rangeOf(value) ?? this.#rangeAhead(value, constraint, keys);
      if (range !== undefined) return this.#checked(new DataIdDirectory(this.tree, this, name, dimension, value, range));
    }
    return this.#checked(new DataIdDirectory(this.tree, this, name, dimension, value));
  }

  /**
   * A child that has data. One that may have some that were not read yet is taken to have, until the last key is given: then it is looked for.
   */
  #checked(child: DataIdDirectory): DataIdDirectory {
    if (!child.#isEmpty()) return child;
    const constraint = child.constraint();
    const need = this.tree.needOf(constraint);
    if (need === undefined)
      throw new ButlerfsError('unknown-value', { what: `'${child.name}'`, where: `'/${this.path}'`, why: 'no dataset has it' });
    if (need.kind === 'everything' || remainingKeys(this.#view, this.#type, constraint).length === 0) throw new NotReadYet(need);
    child.isProvisional = true;
    return child;
  }

  #isEmpty(): boolean {
    const answer = this.#answer();
    return 'block' in answer ? answer.from === answer.to : answer.values.length === 0;
  }

  /** The rows below this directory, or only the values of its next key where there are too many. */
  #answer(): Range | { readonly values: readonly DataIdValue[] } {
    if (this.#range?.block.rows !== undefined) return this.#range;
    if (this.parent instanceof DataIdDirectory) {
      const range = this.parent.#rangeOfChild(this);
      if (range !== undefined) return (this.#range = range);
    }
    const { context } = this.tree;
    const type = this.#type;
    const view = this.#view;
    const constraint = this.constraint();
    const keys = remainingKeys(view, type, constraint);
    const question = { ...view.of(type), constraint, keys, rowLimit: ROW_LIMIT };
    const answer = context.catalogue.directory(question);
    if (answer.kind === 'values') {
      if (keys.length === 1 && this.tree.component === null) this.#long = new LongDirectory(context, question, answer.values);
      return { values: answer.values };
    }
    const rows = this.tree.component === null ? answer.rows : answer.rows.filter((row) => this.#hasComponent(row));
    this.#range = { block: context.hold(rows), from: 0, to: rows.length };
    return this.#range;
  }

  /** Rows of a child, where this is a long directory of leaves. */
  #rangeOfChild({ dimension, value }: DataIdDirectory): Range | undefined {
    if (this.#long?.generation !== this.tree.context.generation || dimension !== this.#long.key || value === undefined) return undefined;
    return this.#long.rangeOf(value);
  }

  #hasComponent(row: DatasetRow): boolean {
    return filesOf(row, this.tree.component).length > 0;
  }

  /** Rows with this value of the next key: undefined where the rows are not at hand. */
  #rangeOf(value: DataIdValue): Range | undefined {
    if (this.#range?.block.rows === undefined) return undefined;
    const { block, from, to } = this.#range;
    return rangeWith({ block, from, to }, this.#column(), value);
  }

  /** Rows of a leaf, with the next ones; undefined where the child is no leaf, or was listed with the others. */
  #rangeAhead(value: DataIdValue, constraint: Constraint, keys: readonly DimensionName[]): Range | undefined {
    const { context, component } = this.tree;
    if (keys.length !== 1 || typeof value !== 'number' || component !== null || this.#long?.generation === context.generation)
      return undefined;
    if (this.#ahead?.generation !== context.generation) {
      const question = { ...this.#view.of(this.#type), constraint, keys, rowLimit: ROW_LIMIT };
      this.#ahead = new LeavesAhead(context, question);
    }
    return this.#ahead.rangeOf(value);
  }

  /** Position of the next key among the values of a row. */
  #column(): number {
    const type = this.#type;
    const [next] = remainingKeys(this.#view, type, this.constraint());
    return type.dimensions.required.indexOf(next!);
  }

  listing(): Listing {
    const type = this.#type;
    const keys = remainingKeys(this.#view, type, this.constraint());
    return keys.length === 0 ? this.#leafListing() : this.#levelListing(type, keys[0]!);
  }

  #levelListing(type: DatasetType, key: DimensionName): Listing {
    const answer = this.#answer();
    if ('values' in answer) {
      return this.#valueListing(key, answer.values, () => undefined);
    }
    const { block, from, to } = answer;
    const column = type.dimensions.required.indexOf(key);
    const rows = block.rows!;
    const starts: number[] = [];
    for (let i = from; i < to; i++) {
      if (i === from || rows[i]!.values[column] !== rows[i - 1]!.values[column]) starts.push(i);
    }
    const values = starts.map((start) => rows[start]!.values[column]!);
    return this.#valueListing(key, values, (index) => ({ block, from: starts[index]!, to: starts[index + 1] ?? to }));
  }

  /** One directory for each value that a path can hold; `rangeOf` gives the rows of the value at a position where they are at hand. */
  #valueListing(key: DimensionName, values: readonly DataIdValue[], rangeOf: (index: number) => Range | undefined): Listing {
    const listed: { readonly name: string; readonly index: number }[] = [];
    values.forEach((value, index) => {
      const name = nameOrNone(() => encodeComponent(key, value));
      if (name !== undefined) listed.push({ name, index });
    });
    return {
      count: listed.length,
      at: (position) => {
        const { name, index } = listed[position]!;
        const make = () => new DataIdDirectory(this.tree, this, name, key, values[index], rangeOf(index));
        return { name, isDirectory: true, node: () => this.known(name, make) };
      },
    };
  }

  #leafListing(): Listing {
    const files = this.files();
    return {
      count: files.length,
      at: (index) => {
        const named = files[index]!;
        return { name: named.name, isDirectory: false, node: () => this.tree.fileNode(named, this) };
      },
    };
  }

  /** Files of a leaf with their listed names. */
  files(): NamedFile[] {
    const answer = this.#answer();
    if ('values' in answer) return [];
    return fileNames(this.#view, this.#type, this.tree.component, answer.block.rows!.slice(answer.from, answer.to));
  }

  /** The file of a leaf that has this name, listed or short. Throws `ambiguous` where several have a short one. */
  named(name: string): NamedFile | undefined {
    const files = this.files();
    const listed = files.find((file) => file.name === name);
    if (listed !== undefined) return listed;
    const matching = files.filter((file) => shortNames(this.#view, this.#type, file).includes(name));
    if (matching.length > 1) {
      throw new ButlerfsError('ambiguous', {
        what: `'${name}'`,
        where: `'/${this.path}'`,
        why: `${matching.length} calibrations are valid at different times`,
        advice: `name one of ${matching.map((file) => `'${file.name}'`).join(', ')}`,
      });
    }
    return matching[0];
  }
}
