/** A file whose bytes come from the repository: its size may not be recorded, and opening it may have to wait for a fetch. */

import type { ObjectRequest } from '../../cache/contract.js';
import { type Attributes, isWaiting, type OpenFile, type Opened, type Waiting } from '../contract.js';
import { FileType } from '../kernel/protocol.js';
import type { TreeContext } from './context.js';
import { type DirectoryNode, TreeNode } from './node.js';
import { fetchAndOpen } from './open-object.js';

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

  attributes(): Attributes | Waiting<Attributes> {
    if (this.#size !== null) return this.#attributes(this.#size);
    const request = this.request();
    const pinned = this.context.content.reader.pinnedSize(request);
    if (pinned !== undefined) return this.#attributes((this.#size = pinned));
    const waiting = this.context.content.size(request);
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
    const opened = fetchAndOpen(this.context.content, this.request());
    if (!isWaiting<OpenFile>(opened)) this.#size = opened.size;
    return opened;
  }

  override close(opened: Opened): void {
    if ('fd' in opened) this.context.content.reader.close(opened);
  }

  #attributes(size: number): Attributes {
    return { ino: this.ino, size, modified: this.modified, mode: FileType.REGULAR | 0o444, nlink: 1, stable: true };
  }
}
