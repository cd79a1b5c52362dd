/** `@repo`: the repository's own files under their own names, so that software that knows the layout runs on the mount. */

import type { ObjectRequest } from '../../cache/contract.js';
import type { RepositoryEntry } from '../../registry/contract.js';
import type { Attributes, Opened, Waiting } from '../contract.js';
import { FileType } from '../kernel/protocol.js';
import type { TreeContext } from './context.js';
import { hashText, inodeNumber } from './identity.js';
import { DirectoryNode, type Listing, noSuchName, TreeNode } from './node.js';
import { fetchAndOpen } from './open-object.js';

type FileEntry = NonNullable<RepositoryEntry['file']>;

export class RepositoryDirectory extends DirectoryNode {
  readonly #context: TreeContext;
  /** Path below the repository's root; '' is the root. */
  readonly #below: string;

  constructor(context: TreeContext, below: string, parent: DirectoryNode, name: string) {
    super(parent, name);
    this.#context = context;
    this.#below = below;
  }

  get ino(): number {
    return inodeNumber(hashText(`@repo/${this.#below}`));
  }

  get modified(): number {
    return this.#context.catalogue.info.readAt;
  }

  find(name: string): TreeNode {
    return this.known(name, () => {
      const below = this.#join(name);
      const file = this.#context.catalogue.repositoryFile(below);
      if (file !== undefined) return new RepositoryFile(this.#context, below, file, this, name);
      if (this.#context.catalogue.repositoryDirectory(below) !== undefined)
        return new RepositoryDirectory(this.#context, below, this, name);
      throw noSuchName(this, name);
    });
  }

  listing(): Listing {
    const entries = this.#context.catalogue.repositoryDirectory(this.#below) ?? [];
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
                ? new RepositoryDirectory(this.#context, this.#join(name), this, name)
                : new RepositoryFile(this.#context, this.#join(name), file, this, name),
            ),
        };
      },
    };
  }

  #join(name: string): string {
    return this.#below === '' ? name : `${this.#below}/${name}`;
  }
}

export class RepositoryFile extends TreeNode {
  readonly isDirectory = false;
  readonly #context: TreeContext;
  readonly #below: string;
  readonly #file: FileEntry;
  #size: number | null;

  constructor(context: TreeContext, below: string, file: FileEntry, parent: DirectoryNode, name: string) {
    super(parent, name);
    this.#context = context;
    this.#below = below;
    this.#file = file;
    this.#size = file.size;
  }

  attributes(): Attributes | Waiting<Attributes> {
    if (this.#size !== null) return this.#attributes(this.#size);
    const request = this.#request();
    const pinned = this.#context.content.reader.pinnedSize(request);
    if (pinned !== undefined) return this.#attributes((this.#size = pinned));
    const waiting = this.#context.content.size(request);
    return {
      begin: (settle) => {
        waiting.begin((outcome) => {
          if ('error' in outcome) settle(outcome);
          else settle({ value: this.#attributes((this.#size = outcome.value.size)) });
        });
      },
      abort: () => {
        waiting.abort();
      },
    };
  }

  override open(): Opened | Waiting<Opened> {
    return fetchAndOpen(this.#context.content, this.#request());
  }

  override close(opened: Opened): void {
    if ('fd' in opened) this.#context.content.reader.close(opened);
  }

  /** A file without a published checksum is one version for as long as the catalogue that lists it is current. */
  #request(): ObjectRequest {
    const { info } = this.#context.catalogue;
    return this.#context.content.request({ ...this.#file, member: null }, `${info.repository} ${info.validator ?? info.version}`);
  }

  #attributes(size: number): Attributes {
    return {
      ino: inodeNumber(hashText(`@repo/${this.#below}`)),
      size,
      modified: this.#context.catalogue.info.readAt,
      mode: FileType.REGULAR | 0o444,
      nlink: 1,
      stable: true,
    };
  }
}
