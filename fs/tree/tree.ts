/** The tree as a {@link FileSystem}: inodes, lookup counts, and what to tell the kernel when the catalogue moves on. */

import { ButlerfsError } from '../../common/errors.js';
import type { Catalogue, Constraint } from '../../registry/contract.js';
import type { ContentSource } from '../content.js';
import {
  type Attributes,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type FileSystemTotals,
  type Invalidation,
  isWaiting,
  type NodeId,
  type Opened,
  type Waiting,
} from '../contract.js';
import type { KeyAliases } from '../../registry/keys.js';
import { TreeContext } from './context.js';
import { DataIdDirectory } from './data-id-directory.js';
import { DatasetFile } from './dataset-file.js';
import { TypesDirectory } from './directories.js';
import { DirectoryNode, type Listing, listingHash, type TreeNode } from './node.js';
import { invalidations } from './update.js';
import type { ViewRequest } from './view.js';

export interface TreeOptions {
  readonly catalogue: Catalogue;
  readonly content: ContentSource;
  /** View at the root. */
  readonly view: ViewRequest;
  /** Values of keys that paths need not give. */
  readonly defaults: Constraint;
  readonly aliases: KeyAliases;
}

const ROOT: NodeId = 1;
/** Directories that are read at the same time without computing their listings more than once. */
const LISTINGS = 16;

export class Tree implements FileSystem {
  readonly #context: TreeContext;
  readonly #nodes = new Map<NodeId, TreeNode>();
  #nextId = ROOT;
  /** Listings being read, the latest last, so that a directory of many entries is not computed anew for every getdents(2). */
  readonly #listings = new Map<NodeId, Listing>();
  #totals: FileSystemTotals | undefined;

  /** Throws `unknown-collection` where the view cannot be resolved. */
  constructor({ catalogue, content, view, defaults, aliases }: TreeOptions) {
    this.#context = new TreeContext(catalogue, content, defaults, aliases);
    this.#context.view(view);
    const root = new TypesDirectory(this.#context, view, undefined, '');
    this.#register(root);
    root.lookups = Infinity;
  }

  /** Inodes that the kernel knows. */
  get size(): number {
    return this.#nodes.size;
  }

  pathOf(node: NodeId): string {
    return `/${this.#nodes.get(node)?.path ?? ''}`;
  }

  lookup(parent: NodeId, name: string): Entry | Waiting<Entry> {
    const directory = this.#directory(parent);
    const node = directory.find(name);
    const attributes = node.attributes();
    if (!isWaiting<Attributes>(attributes)) return this.#entry(directory, name, node, attributes);
    return {
      begin: (settle) => {
        attributes.begin((outcome) => {
          settle('error' in outcome ? outcome : { value: this.#entry(directory, name, node, outcome.value) });
        });
      },
      abort: () => {
        attributes.abort();
      },
    };
  }

  forget(id: NodeId, count: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    node.lookups -= count;
    if (node.lookups > 0) return;
    this.#nodes.delete(id);
    node.id = 0;
    if (node instanceof DatasetFile) {
      if (node.siblings.get(node.key) === node) node.siblings.delete(node.key);
    } else if (node.parent?.children?.get(node.name) === node) {
      node.parent.children.delete(node.name);
    }
  }

  attributes(id: NodeId): Attributes | Waiting<Attributes> {
    return this.#node(id).attributes();
  }

  list(id: NodeId, offset: number, sink: DirectorySink): void {
    const directory = this.#directory(id);
    const listing = this.#listing(directory, offset);
    if (offset === 0 && directory instanceof DataIdDirectory) directory.listed = listingHash(listing);
    for (let index = offset; index < listing.count; index++) {
      const { name, isDirectory, node } = listing.at(index);
      const taken = sink.add(name, index + 1, isDirectory, () => {
        const child = node();
        const attributes = child.attributes();
        return isWaiting<Attributes>(attributes) ? undefined : this.#entry(directory, name, child, attributes);
      });
      if (!taken) return;
    }
  }

  /** The listing as it was when reading it began at offset 0. */
  #listing(directory: DirectoryNode, offset: number): Listing {
    const listing = (offset > 0 ? this.#listings.get(directory.id) : undefined) ?? directory.listing();
    this.#listings.delete(directory.id);
    this.#listings.set(directory.id, listing);
    if (this.#listings.size > LISTINGS) this.#listings.delete(this.#listings.keys().next().value!);
    return listing;
  }

  open(id: NodeId, forWriting: boolean): Opened | Waiting<Opened> {
    const node = this.#node(id);
    if (forWriting) throw new ButlerfsError('read-only', { what: `writing '/${node.path}'`, why: 'the mount is read-only' });
    return node.open();
  }

  release(id: NodeId, opened: Opened): void {
    const node = this.#nodes.get(id);
    if (node !== undefined) node.close(opened);
    else if ('fd' in opened) this.#context.content.reader.close(opened);
  }

  readLink(id: NodeId): string {
    throw new ButlerfsError('unsupported', { what: `reading the link '/${this.#node(id).path}'`, why: 'it is none' });
  }

  attributeNames(id: NodeId): readonly string[] {
    return this.#node(id).attributeNames();
  }

  attribute(id: NodeId, name: string): Buffer | undefined {
    const value = this.#node(id).extendedAttribute(name);
    return value === undefined ? undefined : Buffer.from(value);
  }

  totals(): FileSystemTotals {
    this.#totals ??= { ...this.#context.catalogue.totals(), freeBytes: 0 };
    return this.#totals;
  }

  /**
   * Goes over to another catalogue of the same repository. Returns what the kernel must forget: of directories that it knows those whose entries
   * changed, and the names that went or now lead elsewhere. The former catalogue may be closed afterwards.
   */
  replaceCatalogue(catalogue: Catalogue): Invalidation[] {
    const former = this.#context.catalogue;
    this.#listings.clear();
    this.#totals = undefined;
    return invalidations(this.#context, former, catalogue, this.#nodes);
  }

  #entry(directory: DirectoryNode, name: string, node: TreeNode, attributes: Attributes): Entry {
    if (node.id === 0) this.#register(node);
    // Another way to a file that the kernel knows: remembered, so that an update can take back this name too.
    if (node.parent !== directory || node.name !== name) directory.remember(name, node);
    node.lookups++;
    return { node: node.id, attributes };
  }

  #register(node: TreeNode): void {
    node.id = this.#nextId++;
    this.#nodes.set(node.id, node);
    if (node instanceof DatasetFile) node.siblings.set(node.key, node);
    else node.parent?.remember(node.name, node);
  }

  #node(id: NodeId): TreeNode {
    const node = this.#nodes.get(id);
    if (node === undefined)
      throw new ButlerfsError('internal', { what: `inode ${id}`, why: 'the kernel asks for an inode that it was not told of' });
    return node;
  }

  #directory(id: NodeId): DirectoryNode {
    const node = this.#node(id);
    if (node instanceof DirectoryNode) return node;
    throw new ButlerfsError('unknown-path', { what: `'/${node.path}'`, why: 'it is not a directory' });
  }
}
