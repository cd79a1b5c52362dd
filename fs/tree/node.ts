/** The nodes of the tree and what each kind must answer. */

import { ButlerfsError } from '../../common/errors.js';
import type { Attributes, NodeId, Opened, Waiting } from '../contract.js';
import { FileType } from '../kernel/protocol.js';
import { combine, hashText } from './identity.js';

/** A thing with an inode. It gets its id when the kernel first learns of it. */
export abstract class TreeNode {
  /** 0 while the kernel does not know it. */
  id: NodeId = 0;
  /** Lookups that the kernel holds. */
  lookups = 0;

  constructor(
    readonly parent: DirectoryNode | undefined,
    readonly name: string,
  ) {}

  abstract readonly isDirectory: boolean;
  abstract attributes(): Attributes | Waiting<Attributes>;

  /** Path below the mount point, without a leading slash; '' is the root. */
  get path(): string {
    const above = this.parent?.path ?? '';
    return above === '' ? this.name : `${above}/${this.name}`;
  }

  open(): Opened | Waiting<Opened> {
    throw new ButlerfsError('unsupported', { what: `opening '${this.path}'`, why: 'it is not a file' });
  }

  /** Called once for every {@link open} that was answered. */
  close(_opened: Opened): void {}

  attributeNames(): readonly string[] {
    return [];
  }

  extendedAttribute(_name: string): string | undefined {
    return undefined;
  }
}

/** What a directory lists; `at(i)` for 0 <= i < count. */
export interface Listing {
  readonly count: number;
  at(index: number): { readonly name: string; readonly isDirectory: boolean; readonly node: () => TreeNode };
}

/** A hash of the names in a listing, never 0. */
export function listingHash(listing: Listing): number {
  let hash = listing.count + 1;
  for (let i = 0; i < listing.count; i++) hash = combine(hash, hashText(listing.at(i).name));
  return hash + 1;
}

export abstract class DirectoryNode extends TreeNode {
  readonly isDirectory = true;
  /** Children that the kernel knows, by the name it knows them by. */
  children: Map<string, TreeNode> | undefined;

  abstract readonly ino: number;
  /** Milliseconds since 1970. */
  abstract readonly modified: number;

  /** The child of that name: one the kernel knows, else a new one. Throws where there is none. */
  abstract find(name: string): TreeNode;
  abstract listing(): Listing;

  attributes(): Attributes {
    // One link says "not counted": with two, find(1) would take it that there are no subdirectories.
    return { ino: this.ino, size: 0, modified: this.modified, mode: FileType.DIRECTORY | 0o555, nlink: 1, stable: true };
  }

  /** Remembers a child that the kernel was told of under this name. */
  remember(name: string, child: TreeNode): void {
    this.children ??= new Map();
    this.children.set(name, child);
  }

  known<T extends TreeNode>(name: string, make: () => T): TreeNode {
    return this.children?.get(name) ?? make();
  }
}

/** A directory whose entries are computed from a fixed list of names. */
export function namedListing(names: readonly string[], isDirectory: boolean, find: (name: string) => TreeNode): Listing {
  return { count: names.length, at: (index) => ({ name: names[index]!, isDirectory, node: () => find(names[index]!) }) };
}

export function noSuchName(directory: DirectoryNode, name: string): ButlerfsError {
  return new ButlerfsError('unknown-path', { what: `'${name}'`, where: `'/${directory.path}'` });
}
