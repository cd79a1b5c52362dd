/**
 * `coadd_calexp/`: coadds by their flavour (docs/paths.md).
 *
 *     coadd_calexp/                          the flavours that hold data
 *       flavor=deep/                         deepCoadd_calexp
 *         tract=8766/
 *       tract=8766/                          the flavours that hold data of it
 *         flavor=deep/                       deepCoadd_calexp/tract=8766
 */

import { ButlerfsError } from '../../common/errors.js';
import { flavorKey, givenFlavor, typeOfFlavor } from '../../registry/coadd-flavors.js';
import type { DataNeed } from '../../registry/contract.js';
import { decodeValue, encodeComponent } from '../../registry/values.js';
import type { TreeContext } from './context.js';
import { DataIdDirectory } from './data-id-directory.js';
import { type Family, findFamily } from './find-family.js';
import { combine, hashText, inodeNumber } from './identity.js';
import { DirectoryNode, type Listing, namedListing, noSuchName, type TreeNode } from './node.js';
import { OperatorDirectory } from './operator-directory.js';
import { mayHoldMore, TypeTree } from './type-tree.js';
import { NotReadYet } from './unread.js';
import type { ViewRequest } from './view.js';

export class FlavorsDirectory extends OperatorDirectory {
  readonly #request: ViewRequest;
  /** The directory of the family, below which the trees of its types stand. */
  readonly #top: FlavorsDirectory;
  /** Keys given before the flavour, as written. */
  readonly #given: readonly string[];

  /** `name` is that of a family in the view ({@link findFamily}), or below another such directory a key. */
  constructor(context: TreeContext, request: ViewRequest, name: string, parent: DirectoryNode) {
    super(context, parent, name);
    this.#request = request;
    this.#top = parent instanceof FlavorsDirectory ? parent.#top : this;
    this.#given = parent instanceof FlavorsDirectory ? [...parent.#given, name] : [];
  }

  get ino(): number {
    const view = combine(this.context.view(this.#request).hash, hashText(`flavors of ${this.#top.name}`));
    return inodeNumber(this.#given.reduce((hash, component) => combine(hash, hashText(component)), view));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const flavor = givenFlavor(name);
      const family = this.#family();
      if (flavor !== undefined) return this.#follow(family, decodeValue(flavor), this.#given);
      if (!name.includes('=')) throw noSuchName(this, name);
      this.#requireAny(family, [...this.#given, name]);
      return new FlavorsDirectory(this.context, this.#request, name, this);
    });
  }

  listing(): Listing {
    const family = this.#family();
    const names = family.flavors
      .filter(({ flavor, types }) => types.length === 1 && this.#holds(family, flavor))
      .map(({ flavor }) => encodeComponent(flavorKey, flavor));
    return namedListing(names, true, (name) => this.find(name));
  }

  /** What the first flavour needs of which it is not known whether it holds any. */
  override needToList(): DataNeed | undefined {
    if (this.context.unread === undefined || this.#given.length === 0) return undefined;
    const family = this.#family();
    for (const { flavor, types } of family.flavors) {
      if (types.length > 1) continue;
      try {
        const node = this.#follow(family, flavor, this.#given);
        const need = node instanceof DataIdDirectory && node.isUncertain ? node.needToList() : undefined;
        if (need !== undefined) return need;
      } catch (error) {
        if (error instanceof NotReadYet) return error.need;
        if (!(error instanceof ButlerfsError)) throw error;
      }
    }
    return undefined;
  }

  /** Throws `unknown-dataset-type` where an update took the last flavour away. */
  #family(): Family {
    const { name } = this.#top;
    const { context } = this;
    const family = findFamily(context.catalogue, context.view(this.#request), name, (type) => mayHoldMore(context, this.#request, type));
    if (family !== undefined) return family;
    throw new ButlerfsError('unknown-dataset-type', { what: `coadds '${name}'`, why: 'the repository no longer has any' });
  }

  /** The directory of a flavour's type below which `components` lead. */
  #follow({ name, component, flavors }: Family, flavor: string, components: readonly string[]): TreeNode {
    const type = typeOfFlavor(name, flavors, flavor);
    const tree = new TypeTree(this.context, this.#request, type.name, component);
    const top = new DataIdDirectory(tree, this.#top, encodeComponent(flavorKey, flavor));
    top.isProvisional = mayHoldMore(this.context, this.#request, type.name);
    if (component !== null && !top.isUncertain && top.listing().count === 0) throw noSuchName(this.#top, top.name);
    let node: TreeNode = top;
    for (const key of components) {
      if (!(node instanceof DirectoryNode)) throw noSuchName(this.#top, key);
      node = node.find(key);
    }
    return node;
  }

  #holds(family: Family, flavor: string): boolean {
    try {
      this.#follow(family, flavor, this.#given);
      return true;
    } catch (error) {
      if (error instanceof ButlerfsError) return false;
      throw error;
    }
  }

  /** Throws what the first flavour says where `components` lead nowhere in any, or {@link NotReadYet} where that cannot be told yet of one. */
  #requireAny(family: Family, components: readonly string[]): void {
    let first: unknown;
    for (const { flavor } of family.flavors) {
      try {
        this.#follow(family, flavor, components);
        return;
      } catch (error) {
        if (!(error instanceof ButlerfsError)) throw error;
        first = error instanceof NotReadYet ? error : (first ?? error);
      }
    }
    throw first;
  }
}
