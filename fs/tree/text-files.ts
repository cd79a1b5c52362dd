/** Files whose text is made on the spot. */

import type { Attributes, Opened, Waiting } from '../contract.js';
import { FileType } from '../kernel/protocol.js';
import type { TreeContext } from './context.js';
import { hashText, inodeNumber } from './identity.js';
import { type DirectoryNode, TreeNode } from './node.js';

/** A text that was made when its name was looked up. */
export class TextFile extends TreeNode {
  readonly isDirectory = false;
  readonly #text: Buffer;

  constructor(parent: DirectoryNode, name: string, text: string) {
    super(parent, name);
    this.#text = Buffer.from(text);
  }

  attributes(): Attributes {
    return textAttributes(`text:${this.path}`, this.#text.length);
  }

  override open(): Opened {
    return { text: this.#text };
  }
}

/** `@status`: the mount's state as JSON, made when the file is opened. Its size is not known before, as of files in /proc. */
export class StatusFile extends TreeNode {
  readonly isDirectory = false;
  readonly #context: TreeContext;

  constructor(context: TreeContext, parent: DirectoryNode, name: string) {
    super(parent, name);
    this.#context = context;
  }

  attributes(): Attributes {
    return textAttributes('@status', 0);
  }

  override open(): Waiting<Opened> {
    const waiting = this.#context.content.status();
    return {
      begin: (settle) => {
        waiting.begin((outcome) => {
          settle('error' in outcome ? outcome : { value: { text: Buffer.from(outcome.value.text) } });
        });
      },
      abort: () => {
        waiting.abort();
      },
    };
  }
}

function textAttributes(identity: string, size: number): Attributes {
  return { ino: inodeNumber(hashText(identity)), size, modified: Date.now(), mode: FileType.REGULAR | 0o444, nlink: 1, stable: false };
}
