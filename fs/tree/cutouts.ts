/**
 * `@cutout` below the leaf of a component: rectangles of its pixels.
 *
 *     calexp.image/visit=1228/detector=49/@cutout/100:200,300:400/calexp.image_1228_49.fits
 *
 * Nothing is listed in `@cutout`; below a box stand the names of the leaf. Whether the box lies within the image is found out when a file is looked up.
 */

import { formatBox, parseBox } from '../../sky/fits/cutout.js';
import { ContextDirectory } from './context-directory.js';
import type { TreeContext } from './context.js';
import type { DataIdDirectory } from './data-id-directory.js';
import type { FileBox } from './dataset-file.js';
import type { NamedFile } from './file-names.js';
import { combine, hashText, inodeNumber } from './identity.js';
import { type Listing, namedListing, noSuchName, type TreeNode } from './node.js';

/** The name of the operator. */
export const CUTOUTS = '@cutout';

export class CutoutsDirectory extends ContextDirectory {
  readonly #leaf: DataIdDirectory;

  constructor(context: TreeContext, leaf: DataIdDirectory, name: string) {
    super(context, leaf, name);
    this.#leaf = leaf;
  }

  get ino(): number {
    return inodeNumber(combine(this.#leaf.ino, hashText(CUTOUTS)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => new BoxDirectory(this.context, this.#leaf, parseBox(name), this, name));
  }

  listing(): Listing {
    return namedListing([], true, (name) => this.find(name));
  }
}

/** The files of a leaf, cut to one box. */
export class BoxDirectory extends ContextDirectory {
  readonly #leaf: DataIdDirectory;
  readonly #box: FileBox;

  constructor(context: TreeContext, leaf: DataIdDirectory, box: FileBox, parent: CutoutsDirectory, name: string) {
    super(context, parent, name);
    this.#leaf = leaf;
    this.#box = box;
  }

  get ino(): number {
    return inodeNumber(combine(this.#leaf.ino, hashText(`${CUTOUTS} ${formatBox(this.#box)}`)));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const named = this.#leaf.named(name);
      if (named === undefined) throw noSuchName(this, name);
      return this.#leaf.tree.fileNode(named, this, this.#box);
    });
  }

  listing(): Listing {
    const files = this.files();
    return {
      count: files.length,
      at: (index) => {
        const named = files[index]!;
        return { name: named.name, isDirectory: false, node: () => this.#leaf.tree.fileNode(named, this, this.#box) };
      },
    };
  }

  /** Files with their listed names. */
  files(): NamedFile[] {
    return this.#leaf.files();
  }
}
