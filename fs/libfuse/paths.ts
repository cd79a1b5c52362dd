/**
 * From paths, in which libfuse speaks, to nodes of a file system. What was looked up is remembered for as long as the file system says that it is good, and
 * as long as it is among the names used last.
 *
 * Every lookup counts: each remembered name holds one lookup of its node, and gives it back when it is forgotten. Names in use (pinned) stay in any case.
 */

import { type Entry, type FileSystem, type NodeId, ROOT } from '../contract.js';
import { nameFromText } from './conversion.js';
import { finallyDo, type Later, type Waits } from './later.js';

/** Names remembered. */
const LIMIT = 8192;

/** A path that led to a node. */
export class PathNode {
  readonly node: NodeId;
  parent: PathNode | undefined;
  /** As libfuse writes it. */
  name: string;
  children: Map<string, PathNode> | undefined;
  /** Milliseconds of performance.now() until which the name is good. */
  expires = 0;
  /** Of {@link Paths.expireAll}. */
  epoch = 0;
  /** When it was last used, in milliseconds of performance.now(). */
  used = 0;
  pins = 0;
  /** Whether the path leads here no more: it goes when it is no longer pinned. */
  isDetached = false;
  /** Whether the file system knows no such name: a file that was removed while it is open. */
  isHidden = false;

  constructor(node: NodeId, parent: PathNode | undefined, name: string) {
    this.node = node;
    this.parent = parent;
    this.name = name;
  }

  /** Whether a file that was removed while open is in this directory. */
  get hasHidden(): boolean {
    for (const child of this.children?.values() ?? []) if (child.isHidden) return true;
    return false;
  }
}

export class Paths {
  readonly #fileSystem: FileSystem;
  readonly #waits: Waits;
  readonly #root = new PathNode(ROOT, undefined, '');
  readonly #limit: number;
  /** Least recently used first; a directory after what is in it. */
  readonly #recent = new Set<PathNode>();
  #epoch = 0;

  constructor(fileSystem: FileSystem, waits: Waits, limit = LIMIT) {
    this.#fileSystem = fileSystem;
    this.#waits = waits;
    this.#limit = limit;
  }

  /** Names remembered. */
  get size(): number {
    return this.#recent.size;
  }

  /** The node at a path, pinned: {@link unpin} follows. Throws what the lookup of a component throws. */
  find(path: string): Later<PathNode> {
    return this.#walk(this.pin(this.#root), path === '/' ? [] : path.slice(1).split('/'), 0);
  }

  /**
   * The node of a name in a pinned directory, pinned. Where it had to be looked up, `see` is called with its entry, which is good during the call.
   */
  child(parent: PathNode, name: string, see?: (entry: Entry) => void): Later<PathNode> {
    const known = parent.children?.get(name);
    if (known !== undefined && this.#isGood(known)) {
      this.#touch(known);
      return this.pin(known);
    }
    const answer = this.#fileSystem.lookup(parent.node, nameFromText(name, this.#fileSystem.traits.nameEncoding));
    return this.#waits.when(answer, (entry) => {
      see?.(entry);
      return this.pin(this.adopt(parent, name, entry));
    });
  }

  pin(found: PathNode): PathNode {
    found.pins++;
    return found;
  }

  unpin(found: PathNode): void {
    if (--found.pins === 0 && found.isDetached) this.#fileSystem.forget(found.node, 1);
  }

  /** Takes in an entry that counts one lookup, as the answer of what looked it up or made it. */
  adopt(parent: PathNode, name: string, { node, attributes: { validity } }: Entry): PathNode {
    const known = parent.children?.get(name);
    let found: PathNode;
    if (known?.node === node) {
      this.#fileSystem.forget(node, 1);
      found = known;
    } else {
      if (known !== undefined) this.#detach(known);
      found = new PathNode(node, parent, name);
      // Where its directory went meanwhile, it serves whoever asked and is forgotten then.
      if (parent.isDetached) found.isDetached = true;
      else this.#attach(found, parent, name);
    }
    found.expires = performance.now() + validity * 1000;
    found.epoch = this.#epoch;
    this.#touch(found);
    this.#trim(found);
    return found;
  }

  /** The name is gone. */
  removed(parent: PathNode, name: string): void {
    const known = parent.children?.get(name);
    if (known !== undefined) this.#detach(known);
  }

  /** The name leads elsewhere. */
  renamed(parent: PathNode, name: string, newParent: PathNode, newName: string): void {
    const moved = parent.children?.get(name);
    const replaced = newParent.children?.get(newName);
    if (moved !== undefined && moved === replaced) return;
    if (replaced !== undefined) this.#detach(replaced);
    if (moved === undefined) return;
    parent.children?.delete(name);
    this.#attach(moved, newParent, newName);
  }

  /** The file of a name, which is gone, is from now on reached under another name that the file system does not know; until {@link removed}. */
  hide(file: PathNode, hiddenName: string): void {
    const { parent } = file;
    if (parent === undefined || file.isDetached) return;
    parent.children?.delete(file.name);
    file.isHidden = true;
    this.#attach(file, parent, hiddenName);
  }

  /** Names may lead elsewhere: each is looked up again when it is next used. */
  expireAll(): void {
    this.#epoch++;
  }

  /** Forgets the names that were not used for so many milliseconds. */
  forgetUnused(milliseconds: number): void {
    const since = performance.now() - milliseconds;
    for (const known of this.#recent) {
      if (known.used > since) return;
      if (isUnused(known)) this.#detach(known);
    }
  }

  /** Forgets everything; nothing may be asked afterwards. */
  clear(): void {
    for (const child of [...(this.#root.children?.values() ?? [])]) this.#detach(child);
  }

  /** `directory` is pinned; its pin goes over to what is found. */
  #walk(directory: PathNode, names: readonly string[], start: number): Later<PathNode> {
    for (let i = start; i < names.length; i++) {
      const above = directory;
      const next = finallyDo(
        () => this.child(above, names[i]!),
        () => {
          this.unpin(above);
        },
      );
      if (next instanceof Promise) return next.then((found) => this.#walk(found, names, i + 1));
      directory = next;
    }
    return directory;
  }

  #isGood(known: PathNode): boolean {
    return known.isHidden || (known.epoch === this.#epoch && performance.now() < known.expires);
  }

  #attach(found: PathNode, parent: PathNode, name: string): void {
    found.parent = parent;
    found.name = name;
    parent.children ??= new Map();
    parent.children.set(name, found);
    this.#recent.add(found);
  }

  /** Takes a name, and all below it, out of what is remembered. */
  #detach(known: PathNode): void {
    for (const child of [...(known.children?.values() ?? [])]) this.#detach(child);
    if (known.parent?.children?.get(known.name) === known) known.parent.children.delete(known.name);
    this.#recent.delete(known);
    known.isDetached = true;
    if (known.pins === 0) this.#fileSystem.forget(known.node, 1);
  }

  /** From the name up, so that a directory is never older than what is in it. */
  #touch(used: PathNode): void {
    const now = performance.now();
    for (let at: PathNode | undefined = used; at !== undefined && at !== this.#root && !at.isDetached; at = at.parent) {
      this.#recent.delete(at);
      this.#recent.add(at);
      at.used = now;
    }
  }

  #trim(used: PathNode): void {
    if (this.#recent.size <= this.#limit) return;
    for (const known of this.#recent) {
      if (this.#recent.size <= this.#limit) return;
      if (known !== used && isUnused(known)) this.#detach(known);
    }
  }
}

/** Whether nothing is lost but time where it is forgotten. */
function isUnused({ pins, isHidden, children }: PathNode): boolean {
  return pins === 0 && !isHidden && (children?.size ?? 0) === 0;
}

/** Directory and last component of a path other than '/'. */
export function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { directory: slash <= 0 ? '/' : path.slice(0, slash), name: path.slice(slash + 1) };
}
