/** The tree as a {@link FileSystem}: inodes, lookup counts, and what to tell the kernel when the catalogue moves on. */

import { constants } from 'node:fs';
import { ButlerfsError } from '../../common/errors.js';
import type { Catalogue, Constraint, RepositoryNames } from '../../registry/contract.js';
import type { ContentSource } from '../content.js';
import {
  type Answer,
  type Attributes,
  type DirectoryPosition,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type FileSystemTotals,
  type FileSystemTraits,
  type Invalidation,
  isWaiting,
  mapWaiting,
  type NodeId,
  type OpenedFile,
  type OpenRequest,
  ROOT,
  type Waiting,
} from '../contract.js';
import { FileType } from '../file-type.js';
import type { UnreadContent } from '../unread.js';
import { contentsBelow, type ContentBelow } from './contents.js';
import { ContentFile } from './content-file.js';
import { TreeContext } from './context.js';
import { DataIdDirectory } from './data-id-directory.js';
import { DatasetFile } from './dataset-file.js';
import { TypesDirectory } from './directories.js';
import { DirectoryNode, type Listing, listingHash, type NodeAttributes, noSuchName, type TreeNode } from './node.js';
import { OpenedObject, OpenedPartial } from './open-object.js';
import { operatorInvalidations } from './operator-directory.js';
import { OpenedText } from './text-files.js';
import { TreeAttributes } from './tree-attributes.js';
import { invalidations } from './update.js';
import { NotReadYet, whenRead } from './unread.js';
import { checkChoices, type ViewRequest } from './view.js';

export interface TreeOptions {
  readonly catalogue: Catalogue;
  readonly content: ContentSource;
  /** View at the root. */
  readonly view: ViewRequest;
  /** Values of keys that paths need not give. */
  readonly defaults: Constraint;
  /** The user's aliases and flavours, before those of the repository. */
  readonly names: RepositoryNames;
  /** Shown as the owner of every inode. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Where the catalogue lacks what was not read of the repository yet. */
  readonly unread?: UnreadContent | undefined;
}

/** Seconds for which the kernel may remember that a name does not exist: new data are not announced by name. */
const NEGATIVE_SECONDS = 5;
/** Milliseconds that the catalogue may take over one expression: nothing else is answered meanwhile. */
const PATIENCE = 5_000;
/** What a directory lists before its entries, as every directory does: itself and the one above. */
const OWN_NAMES = ['.', '..'] as const;
/** Directories that are read at the same time without computing their listings more than once. */
const LISTINGS = 16;

export class Tree implements FileSystem {
  readonly traits: FileSystemTraits = {
    writable: false,
    nameEncoding: 'utf8',
    invalidatesByTime: false,
    readdirPlus: 'always',
    accessControlLists: false,
    birthTimes: false,
    negativeValidity: NEGATIVE_SECONDS,
  };
  readonly #context: TreeContext;
  readonly #attributes: TreeAttributes;
  /** Filled anew for every answer. */
  readonly #answer: { node: NodeId; attributes: Attributes };
  readonly #next = { low: 0, high: 0 };
  readonly #nodes = new Map<NodeId, TreeNode>();
  #nextId = ROOT;
  /** Listings being read, the latest last, so that a directory of many entries is not computed anew for every getdents(2). */
  readonly #listings = new Map<NodeId, Listing>();
  /** Files that are open by chunk, with their inodes. */
  readonly #partial = new Map<OpenedPartial, NodeId>();
  #totals: FileSystemTotals | undefined;

  /** Throws `unknown-collection`, or `unknown-dataset-type` of a choice of calibrations, where the view cannot be resolved. */
  constructor({ catalogue, content, view, defaults, names, owner, unread }: TreeOptions) {
    this.#attributes = new TreeAttributes(owner);
    this.#answer = { node: ROOT, attributes: this.#attributes };
    this.#context = new TreeContext(catalogue, content, defaults, names, unread);
    const request = { ...names, patience: PATIENCE, ...view };
    checkChoices(catalogue, this.#context.view(request));
    const root = new TypesDirectory(this.#context, request, undefined, '');
    this.#register(root);
    root.lookups = Infinity;
  }

  /** Inodes that the kernel knows. */
  get size(): number {
    return this.#nodes.size;
  }

  /** As {@link contentsBelow}. */
  contents(path: string): Generator<ContentBelow, void, undefined> {
    return contentsBelow(this.#directory(ROOT), path);
  }

  pathOf(node: NodeId): string {
    return `/${this.#nodes.get(node)?.path ?? ''}`;
  }

  lookup(parent: NodeId, name: string): Answer<Entry> {
    return whenRead(this.#unread, () => this.#lookUp(parent, name));
  }

  #lookUp(parent: NodeId, name: string): Answer<Entry> {
    const directory = this.#directory(parent);
    const node = directory.find(name);
    const attributes = node.attributes();
    if (!isWaiting<NodeAttributes>(attributes)) return this.#entry(directory, name, node, attributes);
    return mapWaiting(attributes, (value) => this.#entry(directory, name, node, value));
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

  attributes(id: NodeId): Answer<Attributes> {
    const attributes = this.#node(id).attributes();
    if (!isWaiting<NodeAttributes>(attributes)) return this.#attributes.fill(attributes);
    return mapWaiting(attributes, (value) => this.#attributes.fill(value));
  }

  list(id: NodeId, { low: offset }: DirectoryPosition, sink: DirectorySink): Waiting<unknown> | undefined {
    const directory = this.#directory(id);
    const reading = offset === 0 ? this.#readToList(directory) : undefined;
    if (reading !== undefined) return reading;
    this.#list(directory, offset, sink);
    return undefined;
  }

  /** Waits until what a listing needs was read; undefined where it was. */
  #readToList(directory: DirectoryNode): Waiting<unknown> | undefined {
    const check = (): true => {
      const need = directory.needToList();
      if (need !== undefined) throw new NotReadYet(need);
      if (directory instanceof DataIdDirectory && directory.dimension !== undefined && directory.isUncertain)
        throw noSuchName(directory, '.');
      return true;
    };
    const answer = whenRead<true>(this.#unread, check);
    return answer === true ? undefined : answer;
  }

  /**
   * What the kernel must forget because what was read for it was read too long ago: directories are read again when they are listed again.
   */
  expireUnread(): Invalidation[] {
    const expired: Invalidation[] = [];
    for (const [id, node] of this.#nodes) {
      // Of types that may have data some turn out to have none.
      if (node instanceof TypesDirectory && this.#context.unread !== undefined) expired.push({ kind: 'node', node: id });
      if (!(node instanceof DataIdDirectory) || node.listed === 0) continue;
      try {
        if (node.needToList() === undefined) continue;
      } catch {
        // Its type or its view is gone: the update that took it has told so.
        continue;
      }
      expired.push({ kind: 'node', node: id });
    }
    return expired;
  }

  readonly #unread = (): UnreadContent | undefined => this.#context.unread;

  #list(directory: DirectoryNode, offset: number, sink: DirectorySink): void {
    const listing = this.#listing(directory, offset);
    if (offset === 0 && directory instanceof DataIdDirectory) directory.listed = listingHash(listing);
    const next = this.#next;
    let position = offset;
    for (; position < OWN_NAMES.length; position++) {
      if (!sink.fits(OWN_NAMES[position]!)) return;
      next.low = position + 1;
      sink.add(OWN_NAMES[position]!, next, FileType.DIRECTORY, 0, undefined);
    }
    for (let index = position - OWN_NAMES.length; index < listing.count; index++) {
      const { name, isDirectory, node } = listing.at(index);
      if (!sink.fits(name)) return;
      next.low = ++position;
      const entry = sink.plus ? this.#listed(directory, name, node()) : undefined;
      sink.add(name, next, isDirectory ? FileType.DIRECTORY : FileType.REGULAR, 0, entry);
    }
  }

  /** The entry of a listed name; undefined where its attributes need a remote. */
  #listed(directory: DirectoryNode, name: string, child: TreeNode): Entry | undefined {
    const attributes = child.attributes();
    return isWaiting<NodeAttributes>(attributes) ? undefined : this.#entry(directory, name, child, attributes);
  }

  #noteOpened(id: NodeId, opened: OpenedFile): OpenedFile {
    if (opened instanceof OpenedPartial) this.#partial.set(opened, id);
    return opened;
  }

  /** Content that is open by chunk turned out to be wrong: what the kernel must forget of it. */
  brokenContent(contentId: number): Invalidation[] {
    const nodes = [...this.#partial].filter(([{ id }]) => id === contentId).map(([, node]) => node);
    return [...new Set(nodes)].map((node) => ({ kind: 'node', node }));
  }

  /** Objects with these digests (`algorithm:hex`) were damaged: returns what the kernel must forget. Asks the catalogue for every file that the kernel knows. */
  damagedContent(digests: ReadonlySet<string>): Invalidation[] {
    const damaged: Invalidation[] = [];
    for (const [id, node] of this.#nodes) {
      if (!(node instanceof ContentFile)) continue;
      const { digest } = node.request();
      if (digest !== undefined && digests.has(`${digest.algorithm}:${digest.hex}`)) damaged.push({ kind: 'node', node: id });
    }
    return damaged;
  }

  /** The listing as it was when reading it began at offset 0. */
  #listing(directory: DirectoryNode, offset: number): Listing {
    const listing = (offset > 0 ? this.#listings.get(directory.id) : undefined) ?? directory.listing();
    this.#listings.delete(directory.id);
    this.#listings.set(directory.id, listing);
    if (this.#listings.size > LISTINGS) this.#listings.delete(this.#listings.keys().next().value!);
    return listing;
  }

  open(id: NodeId, { flags }: OpenRequest): Answer<OpenedFile> {
    const node = this.#node(id);
    if ((flags & (constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC)) !== 0) {
      throw new ButlerfsError('read-only', { what: `writing '/${node.path}'`, why: 'the mount is read-only' });
    }
    const opened = node.open();
    return isWaiting<OpenedFile>(opened) ? mapWaiting(opened, (file) => this.#noteOpened(id, file)) : this.#noteOpened(id, opened);
  }

  read(opened: OpenedFile, into: Buffer, at: number, size: number, offset: number): number | Waiting<unknown> {
    if (opened instanceof OpenedText) return opened.text.copy(into, at, offset, offset + size);
    if (opened instanceof OpenedPartial) return opened.read(into, at, size, offset);
    if (opened instanceof OpenedObject) return this.#context.content.read(opened.backing, into, at, size, offset);
    throw new ButlerfsError('internal', { what: 'reading', why: 'the file was not opened here' });
  }

  release(_id: NodeId, opened: OpenedFile): void {
    if (opened instanceof OpenedPartial) {
      this.#partial.delete(opened);
      opened.close();
    }
    if (opened instanceof OpenedObject) this.#context.content.reader.close({ fd: opened.backing });
  }

  readLink(id: NodeId): Buffer {
    throw new ButlerfsError('unsupported', { what: `reading the link '/${this.#node(id).path}'`, why: 'it is none' });
  }

  attributeNames(id: NodeId): Buffer {
    return Buffer.from(
      this.#node(id)
        .attributeNames()
        .map((name) => `${name}\0`)
        .join(''),
    );
  }

  /**
   * ls(1) asks for `security.selinux` and `system.posix_acl_access` of every file, and the kernel keeps no answer. "Not supported" (not "no such attribute")
   * makes it ask once for the whole file system: a hundred thousand files are then listed in a tenth of the time.
   */
  attribute(id: NodeId, name: string): Buffer | undefined {
    if (!name.startsWith('user.')) throw new ButlerfsError('unsupported', { what: `attribute '${name}'` });
    const value = this.#node(id).extendedAttribute(name);
    return value === undefined ? undefined : Buffer.from(value);
  }

  totals(): FileSystemTotals {
    this.#totals ??= {
      ...this.#context.catalogue.totals(),
      freeFiles: 0,
      freeBytes: 0,
      availableBytes: 0,
      blockSize: 4096,
      nameLength: 255,
    };
    return this.#totals;
  }

  /**
   * Goes over to another catalogue of the same repository. Returns what the kernel must forget: of directories that it knows those whose entries
   * changed, and the names that went or now lead elsewhere. The former catalogue may be closed afterwards.
   */
  replaceCatalogue(catalogue: Catalogue, unread?: UnreadContent): Invalidation[] {
    const former = this.#context.catalogue;
    this.#listings.clear();
    this.#totals = undefined;
    const changed = invalidations(this.#context, former, catalogue, unread, this.#nodes);
    return [...changed, ...operatorInvalidations(this.#nodes)];
  }

  #entry(directory: DirectoryNode, name: string, node: TreeNode, attributes: NodeAttributes): Entry {
    if (node.id === 0) this.#register(node);
    // Another way to a file that the kernel knows: remembered, so that an update can take back this name too.
    if (node.parent !== directory || node.name !== name) directory.remember(name, node);
    node.lookups++;
    this.#attributes.fill(attributes);
    this.#answer.node = node.id;
    return this.#answer;
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
