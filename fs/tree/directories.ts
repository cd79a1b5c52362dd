/**
 * The directories above the trees of dataset types: the root and the operators (docs/paths.md, rule 8).
 *
 *     /                      dataset types
 *     /coadd<rest>/flavor=<name>/  coadds by their flavour, listed nowhere
 *     /@collections/<name>/  the same tree, of one collection
 *     /@by/<key>,<key>/      the same tree, in another key order
 *     /@where/<expression>/  the same tree, restricted to what satisfies it
 *     /@at/<time>/           the same tree, as it was then
 *     /@missing/<type>/      data IDs that the search path lacks
 *     /@dimensions/<name>/   data IDs that dimension records define, data or not
 *     /@repo/                the repository's own files
 *     /@explain/<path>       how a path resolves
 *     /@status               the mount's state
 */

import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { DataNeed } from '../../registry/contract.js';
import { resolveKey } from '../../registry/keys.js';
import { decodeValue, encodeValue } from '../../registry/values.js';
import { AT, atRequest } from './at.js';
import { ContextDirectory } from './context-directory.js';
import type { TreeContext } from './context.js';
import { DataIdDirectory } from './data-id-directory.js';
import { fileKey, partRequest } from './dataset-file.js';
import { DataIdLevelsDirectory, DIMENSIONS, MISSING } from './data-id-levels.js';
import { explainPath } from './explain.js';
import { findFamily } from './find-family.js';
import { findType } from './find-type.js';
import { FlavorsDirectory } from './flavors-directory.js';
import { indexIfPresent } from './fits-index.js';
import { nameOrNone } from './file-names.js';
import { combine, hashText, inodeNumber } from './identity.js';
import type { TreeNode, DirectoryNode } from './node.js';
import { type Listing, namedListing, noSuchName } from './node.js';
import { RepositoryDirectory } from './repository-files.js';
import { StatusFile, TextFile } from './text-files.js';
import { mayHoldMore, TypeTree } from './type-tree.js';
import { EVERYTHING, NotReadYet, requireEverything } from './unread.js';
import { ofCollection, type ViewRequest } from './view.js';
import { whereRequest } from './where.js';

/** A directory that lists dataset types: the root, or the top of another view. */
export class TypesDirectory extends ContextDirectory {
  readonly #view: ViewRequest;

  constructor(context: TreeContext, view: ViewRequest, parent: DirectoryNode | undefined, name: string) {
    super(context, parent, name);
    this.#view = view;
  }

  get ino(): number {
    if (this.parent === undefined) return 1;
    return inodeNumber(combine(this.context.view(this.#view).hash, hashText(`types by ${this.#view.order.join(',')}`)));
  }

  find(name: string): TreeNode {
    // A type that was listed stays, empty, while others may be on their way into it.
    return this.known(name, () => (name.startsWith('@') ? this.#operator(name) : this.#typeDirectory(name)));
  }

  listing(): Listing {
    const view = this.context.view(this.#view);
    const shown = view.types();
    const others = this.context.unread === undefined ? [] : this.context.catalogue.datasetTypes();
    const names = [...new Set([...shown, ...others.filter((type) => this.#mayShow(type.name))].map(({ name }) => name))].sort();
    return namedListing(names, true, (name) => this.find(name));
  }

  override needToList(): DataNeed | undefined {
    return this.context.unread === undefined || this.#view.where === undefined ? undefined : EVERYTHING;
  }

  #typeDirectory(name: string): TreeNode {
    const view = this.context.view(this.#view);
    const family = findFamily(this.context.catalogue, view, name, (type) => mayHoldMore(this.context, this.#view, type));
    if (family !== undefined) return new FlavorsDirectory(this.context, this.#view, name, this);
    const { type, component } = this.#typeOf(name);
    const directory = new DataIdDirectory(new TypeTree(this.context, this.#view, type, component), this, name);
    directory.isProvisional = this.#mayShow(type);
    if (component !== null && !directory.isUncertain && directory.listing().count === 0) throw noSuchName(this, name);
    return directory;
  }

  #typeOf(name: string): { readonly type: string; readonly component: string | null } {
    try {
      const { type, component } = findType(this.context.catalogue, this.context.view(this.#view), name);
      return { type: type.name, component };
    } catch (error) {
      if (this.context.unread === undefined) throw error;
      if (this.#view.where !== undefined) throw new NotReadYet(EVERYTHING);
      if (this.#mayShow(name)) return { type: name, component: null };
      const dot = name.lastIndexOf('.');
      if (dot > 0 && this.#mayShow(name.slice(0, dot))) return { type: name.slice(0, dot), component: decodeValue(name.slice(dot + 1)) };
      throw error;
    }
  }

  /** Whether there may be data of a type that were not read yet. */
  #mayShow(name: string): boolean {
    if (this.context.catalogue.datasetType(name) === undefined) return false;
    return mayHoldMore(this.context, this.#view, name);
  }

  #operator(name: string): TreeNode {
    switch (name) {
      case '@collections':
        if (this.#view.isOfCollection !== true) return new CollectionsDirectory(this.context, this.#view, this, name);
        break;
      case '@by':
        if (this.#view.order.length === 0) return new ByDirectory(this.context, this.#view, this, name);
        break;
      case '@where':
        return new WhereDirectory(this.context, this.#view, this, name);
      case AT:
        return new AtDirectory(this.context, this.#view, this, name);
      case MISSING:
      case DIMENSIONS:
        return new DataIdLevelsDirectory(this.context, this.#view, this, name);
      case '@explain':
        return new ExplainDirectory(this.context, this.#view, '', this, name);
      case '@repo':
        if (this.parent === undefined) return new RepositoryDirectory(this.context, '', this, name);
        break;
      case '@status':
        if (this.parent === undefined) return new StatusFile(this.context, this, name);
        break;
    }
    throw noSuchName(this, name);
  }
}

/** `@collections`: one directory for every collection. */
export class CollectionsDirectory extends ContextDirectory {
  readonly ino = inodeNumber(hashText('@collections'));
  readonly #view: ViewRequest;

  constructor(context: TreeContext, view: ViewRequest, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#view = view;
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const view = ofCollection(this.#view, decodeValue(name));
      // Calibrations of a date have a collection when they were found.
      if (!this.context.catalogue.collections().some((one) => view.collections.includes(one.name))) requireEverything(this.context.unread);
      this.context.view(view);
      return new TypesDirectory(this.context, view, this, name);
    });
  }

  override needToList(): DataNeed | undefined {
    return this.context.unread === undefined ? undefined : EVERYTHING;
  }

  listing(): Listing {
    const names = this.context.catalogue.collections().flatMap(({ name }) => nameOrNone(() => encodeValue(name)) ?? []);
    return namedListing(names, true, (name) => this.find(name));
  }
}

/** `@by`: any list of keys resolves; none is listed. */
class ByDirectory extends ContextDirectory {
  readonly ino = inodeNumber(hashText('@by'));
  readonly #view: ViewRequest;

  constructor(context: TreeContext, view: ViewRequest, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#view = view;
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const { catalogue, names } = this.context;
      const instrument = this.context.view(this.#view).defaults.get('instrument');
      const order = name.split(',').map((key) => resolveKey(catalogue, key, names.aliases, instrument));
      if (new Set(order).size !== order.length)
        throw new ButlerfsError('unknown-dimension', { what: `'${name}'`, why: 'a key is given twice' });
      return new TypesDirectory(this.context, { ...this.#view, order }, this, name);
    });
  }

  listing(): Listing {
    return namedListing([], true, (name) => this.find(name));
  }
}

/** `@where`: any expression resolves, percent-encoded as values are; none is listed. */
class WhereDirectory extends ContextDirectory {
  readonly #view: ViewRequest;

  constructor(context: TreeContext, view: ViewRequest, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#view = view;
  }

  get ino(): number {
    return inodeNumber(combine(this.parent!.ino, hashText('@where')));
  }

  find(name: string): TreeNode {
    return this.known(name, () => new TypesDirectory(this.context, whereRequest(this.context.catalogue, this.#view, name), this, name));
  }

  listing(): Listing {
    return namedListing([], true, (name) => this.find(name));
  }
}

/** `@at`: any time resolves; none is listed. */
class AtDirectory extends ContextDirectory {
  readonly #view: ViewRequest;

  constructor(context: TreeContext, view: ViewRequest, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#view = view;
  }

  get ino(): number {
    return inodeNumber(combine(this.parent!.ino, hashText(AT)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => new TypesDirectory(this.context, atRequest(this.context.catalogue, this.#view, name), this, name));
  }

  listing(): Listing {
    return namedListing([], true, (name) => this.find(name));
  }
}

/**
 * `@explain`: mirrors the tree. What is a directory there is a directory here, with its explanation in `explanation.txt`; a file, or a name that does not
 * resolve, is a text file. A whole path in one component, with %2F for `/`, is always a text file.
 */
class ExplainDirectory extends ContextDirectory {
  static readonly OWN_TEXT = 'explanation.txt';
  readonly #view: ViewRequest;
  readonly #target: string;

  constructor(context: TreeContext, view: ViewRequest, target: string, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#view = view;
    this.#target = target;
  }

  get ino(): number {
    return inodeNumber(hashText(`@explain:${this.path}`));
  }

  find(name: string): TreeNode {
    if (name === ExplainDirectory.OWN_TEXT) return new TextFile(this, name, this.#explain(this.#target).text);
    // Names of collections and expressions hold %2F of their own; in a whole path it is %252F.
    if (/%2F/i.test(name) && !/(^|\/)@(collections|where|at)$/.test(this.#target)) {
      const whole = name.replace(/%2F/gi, '/').replace(/%252F/gi, '%2F');
      return new TextFile(this, name, this.#explain(this.#join(whole)).text);
    }
    const target = this.#join(name);
    const { text, kind } = this.#explain(target);
    return kind === 'directory' ? new ExplainDirectory(this.context, this.#view, target, this, name) : new TextFile(this, name, text);
  }

  listing(): Listing {
    return namedListing([ExplainDirectory.OWN_TEXT], false, (name) => this.find(name));
  }

  #join(name: string): string {
    return this.#target === '' ? name : `${this.#target}/${name}`;
  }

  #explain(path: string) {
    const { catalogue, content, mountDefaults } = this.context;
    const requestOf = (uuid: string, component: string | null): ObjectRequest | undefined => {
      const file = catalogue.datasetByUuid(uuid)?.files.find((one) => one.component === component);
      return file === undefined ? undefined : content.request(file, fileKey(uuid, component));
    };
    return explainPath(catalogue, this.#view, mountDefaults, path, {
      originOf: (location) => content.request({ location, member: null, size: null, checksum: null }, '').origin,
      isCached: (uuid, component, part) => {
        const request = requestOf(uuid, component);
        return request !== undefined && content.reader.isPresent(part === undefined ? request : partRequest(request, part));
      },
      fitsIndex: (uuid, component) => {
        const request = requestOf(uuid, component);
        return request === undefined ? undefined : indexIfPresent(content, request);
      },
    });
  }
}
