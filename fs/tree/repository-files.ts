/** `@repo`: the repository's own files under their own names, so that software that knows the layout runs on the mount. */

import type { ObjectRequest } from '../../cache/contract.js';
import type { DataNeed, RepositoryEntry } from '../../registry/contract.js';
import { ContentFile } from './content-file.js';
import { ContextDirectory } from './context-directory.js';
import type { TreeContext } from './context.js';
import { hashText, inodeNumber } from './identity.js';
import { type DirectoryNode, type Listing, noSuchName, type TreeNode } from './node.js';
import { EVERYTHING, requireEverything } from './unread.js';

type FileEntry = NonNullable<RepositoryEntry['file']>;

export class RepositoryDirectory extends ContextDirectory {
  /** Path below the repository's root; '' is the root. */
  readonly #below: string;

  constructor(context: TreeContext, below: string, parent: DirectoryNode, name: string) {
    super(context, parent, name);
    this.#below = below;
  }

  get ino(): number {
    return inodeNumber(hashText(`@repo/${this.#below}`));
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const below = this.#join(name);
      const file = this.context.catalogue.repositoryFile(below);
      if (file !== undefined) return new RepositoryFile(this.context, below, file, this, name);
      if (this.context.catalogue.repositoryDirectory(below) !== undefined) return new RepositoryDirectory(this.context, below, this, name);
      requireEverything(this.context.unread);
      throw noSuchName(this, name);
    });
  }

  override needToList(): DataNeed | undefined {
    return this.context.unread === undefined ? undefined : EVERYTHING;
  }

  listing(): Listing {
    const entries = this.context.catalogue.repositoryDirectory(this.#below) ?? [];
    return {
      count: entries.length,
      at: (index) => {
        const { name, file } = entries[index]!;
        return {
          name,
          isDirectory: file === undefined,
          node: () =>
            this.known(name, () =>
              file === undefined
                ? new RepositoryDirectory(this.context, this.#join(name), this, name)
                : new RepositoryFile(this.context, this.#join(name), file, this, name),
            ),
        };
      },
    };
  }

  #join(name: string): string {
    return this.#below === '' ? name : `${this.#below}/${name}`;
  }
}

export class RepositoryFile extends ContentFile {
  readonly #below: string;
  readonly #file: FileEntry;

  constructor(context: TreeContext, below: string, file: FileEntry, parent: DirectoryNode, name: string) {
    super(parent, name, context, file.size);
    this.#below = below;
    this.#file = file;
  }

  get ino(): number {
    return inodeNumber(hashText(`@repo/${this.#below}`));
  }

  get modified(): number {
    return this.context.catalogue.info.readAt;
  }

  /** A file without a published checksum is one version for as long as the catalogue that lists it is current. */
  request(): ObjectRequest {
    const { info } = this.context.catalogue;
    return this.context.content.request({ ...this.#file, member: null }, `${info.repository} ${info.validator ?? info.version}`);
  }
}
