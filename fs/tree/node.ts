/** The nodes of the tree and what each kind must answer. */

import { ButlerfsError } from '../../common/errors.js';
import type { DataNeed } from '../../registry/contract.js';
import type { Answer, NodeId, OpenedFile } from '../contract.js';
import { FileType } from '../file-type.js';
import { combine, hashText } from './identity.js';

/** What a node says of itself; the tree adds what is the same for all. */
export interface NodeAttributes {
  /** As {@link Attributes.ino}. */
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** File type and permission bits. */
  readonly mode: number;
  /** False where the answer may differ a moment later (`@status`): the kernel is told not to keep it. */
  readonly stable: boolean;
}

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
  abstract attributes(): Answer<NodeAttributes>;

  /** Path below the mount point, without a leading slash; '' is the root. */
  get path(): string {
    const above = this.parent?.path ?? '';
    return above === '' ? this.name : `${above}/${this.name}`;
  }

  open(): Answer<OpenedFile> {
    throw new ButlerfsError('unsupported', { what: `opening '${this.path}'`, why: 'it is not a file' });
  }

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

  /** What must be read before its listing is complete; undefined where it is. */
  needToList(): DataNeed | undefined {
    return undefined;
  }

  attributes(): NodeAttributes {
    return { ino: this.ino, size: 0, modified: this.modified, mode: FileType.DIRECTORY | 0o555, stable: true };
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
