/** A file whose bytes come from the repository: its size may not be recorded, and opening it may have to wait for a fetch. */

import type { ObjectRequest } from '../../cache/contract.js';
import { type Answer, isWaiting, mapWaiting } from '../contract.js';
import { FileType } from '../file-type.js';
import type { TreeContext } from './context.js';
import { type DirectoryNode, type NodeAttributes, TreeNode } from './node.js';
import { fetchAndOpen, type OpenedContent } from './open-object.js';

export abstract class ContentFile extends TreeNode {
  readonly isDirectory = false;
  protected readonly context: TreeContext;
  #size: number | null;

  /** `size` in bytes; null where it is not recorded, and is then asked of the origin once. */
  constructor(parent: DirectoryNode, name: string, context: TreeContext, size: number | null) {
    super(parent, name);
    this.context = context;
    this.#size = size;
  }

  abstract readonly ino: number;
  /** Milliseconds since 1970. */
  abstract readonly modified: number;
  /** What brings the content. */
  abstract request(): ObjectRequest;

  attributes(): Answer<NodeAttributes> {
    if (this.#size !== null) return this.#attributes(this.#size);
    const request = this.request();
    const pinned = this.context.content.reader.pinnedSize(request);
    if (pinned !== undefined) return this.#attributes((this.#size = pinned));
    return mapWaiting(this.context.content.size(request), ({ size }) => this.#attributes((this.#size = size)));
  }

  override open(): Answer<OpenedContent> {
    const opened = fetchAndOpen(this.context.content, this.request());
    const isHere = !isWaiting<OpenedContent>(opened);
    if (isHere) this.#size = opened.size;
    this.context.following.opened(this, isHere);
    return opened;
  }

  /** Bytes; null where they are not known yet. */
  get size(): number | null {
    return this.#size;
  }

  #attributes(size: number): NodeAttributes {
    return { ino: this.ino, size, modified: this.modified, mode: FileType.REGULAR | 0o444, stable: true };
  }
}
