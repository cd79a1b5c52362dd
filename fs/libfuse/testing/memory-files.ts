/** A file system in memory, which counts what a transport must not lose count of. For tests. */

import { Errno, systemCallError } from '../../../common/errors.js';
import {
  type Attributes,
  type Created,
  type DirectoryPosition,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type NodeId,
  type OpenedFile,
  ROOT,
} from '../../contract.js';

interface MemoryNode {
  readonly isDirectory: boolean;
  readonly children: Map<string, NodeId>;
  lookups: number;
  nlink: number;
}

const TIME = { seconds: 0, nanoseconds: 0 };

export class MemoryFiles implements FileSystem {
  readonly traits = {
    writable: true,
    nameEncoding: 'utf8',
    invalidatesByTime: false,
    readdirPlus: 'adaptive',
    accessControlLists: false,
    birthTimes: false,
    negativeValidity: 0,
  } as const;
  validity = 1000;
  /** Names that were looked up, in order. */
  readonly asked: string[] = [];
  readonly #nodes = new Map<NodeId, MemoryNode>([[ROOT, { isDirectory: true, children: new Map(), lookups: Infinity, nlink: 2 }]]);
  #next = ROOT + 1;
  #open = 0;

  /** Lookups that are held, and files that are open. */
  get held(): { readonly lookups: number; readonly open: number } {
    let lookups = 0;
    for (const [node, { lookups: count }] of this.#nodes) if (node !== ROOT) lookups += count;
    return { lookups, open: this.#open };
  }

  lookup(parent: NodeId, name: string): Entry {
    this.asked.push(name);
    const node = this.#get(parent).children.get(name);
    if (node === undefined) throw systemCallError(Errno.ENOENT);
    return this.#entry(node);
  }

  forget(node: NodeId, count: number): void {
    this.#get(node).lookups -= count;
    if (this.#get(node).lookups < 0) throw new Error(`node ${node} is forgotten more often than it was looked up`);
  }

  attributes(node: NodeId): Attributes {
    const { isDirectory, nlink } = this.#get(node);
    return {
      ino: node,
      size: 0,
      blocks: 0,
      accessed: TIME,
      modified: TIME,
      changed: TIME,
      mode: isDirectory ? 0o40755 : 0o100644,
      nlink,
      uid: 0,
      gid: 0,
      rdev: 0,
      blockSize: 4096,
      validity: this.validity,
    };
  }

  readLink(): Buffer {
    throw systemCallError(Errno.EINVAL);
  }

  totals() {
    return { files: 0, freeFiles: 0, bytes: 0, freeBytes: 0, availableBytes: 0, blockSize: 4096, nameLength: 255 };
  }

  list(node: NodeId, _from: DirectoryPosition, sink: DirectorySink): void {
    for (const [name, child] of this.#get(node).children) sink.add(name, { low: 1, high: 0 }, 0o100000, child, undefined);
  }

  open(): OpenedFile {
    this.#open++;
    return {};
  }

  read(): number {
    return 0;
  }

  release(): void {
    this.#open--;
  }

  attributeNames(): Buffer {
    return Buffer.alloc(0);
  }

  attribute(): undefined {
    return undefined;
  }

  create(parent: NodeId, name: string): Created {
    const entry = this.#add(parent, name, false);
    return { entry, opened: this.open() };
  }

  makeDirectory(parent: NodeId, name: string): Entry {
    return this.#add(parent, name, true);
  }

  link(node: NodeId, parent: NodeId, name: string): Entry {
    this.#get(parent).children.set(name, node);
    this.#get(node).nlink++;
    return this.#entry(node);
  }

  unlink(parent: NodeId, name: string): void {
    this.#drop(parent, name);
  }

  removeDirectory(parent: NodeId, name: string): void {
    this.#drop(parent, name);
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string): void {
    const moved = this.#get(parent).children.get(name);
    if (moved === undefined) throw systemCallError(Errno.ENOENT);
    if (newName === 'refused') throw systemCallError(Errno.ENOSPC);
    if (this.#get(newParent).children.has(newName)) this.#drop(newParent, newName);
    this.#get(parent).children.delete(name);
    this.#get(newParent).children.set(newName, moved);
  }

  /** Behind the transport's back. */
  replace(parent: NodeId, name: string): void {
    this.#drop(parent, name);
    this.forget(this.#add(parent, name, false).node, 1);
  }

  #drop(parent: NodeId, name: string): void {
    const { children } = this.#get(parent);
    const node = children.get(name);
    if (node === undefined) throw systemCallError(Errno.ENOENT);
    children.delete(name);
    this.#get(node).nlink--;
  }

  #add(parent: NodeId, name: string, isDirectory: boolean): Entry {
    if (this.#get(parent).children.has(name)) throw systemCallError(Errno.EEXIST);
    const node = this.#next++;
    this.#nodes.set(node, { isDirectory, children: new Map(), lookups: 0, nlink: isDirectory ? 2 : 1 });
    this.#get(parent).children.set(name, node);
    return this.#entry(node);
  }

  #entry(node: NodeId): Entry {
    this.#get(node).lookups++;
    return { node, attributes: this.attributes(node) };
  }

  #get(node: NodeId): MemoryNode {
    const found = this.#nodes.get(node);
    if (found === undefined) throw systemCallError(Errno.ESTALE);
    return found;
  }
}
