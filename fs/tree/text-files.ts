/** Files whose text is made on the spot. */

import { mapWaiting, type OpenedFile, type Waiting } from '../contract.js';
import { FileType } from '../file-type.js';
import type { TreeContext } from './context.js';
import { hashText, inodeNumber } from './identity.js';
import { type DirectoryNode, type NodeAttributes, TreeNode } from './node.js';

/** An open text: served from memory, past the page cache, because its size may differ from what was said before. */
export class OpenedText implements OpenedFile {
  readonly direct = true;
  readonly text: Buffer;

  constructor(text: string | Buffer) {
    this.text = Buffer.from(text);
  }
}

/** A text that was made when its name was looked up. */
export class TextFile extends TreeNode {
  readonly isDirectory = false;
  readonly #text: Buffer;

  constructor(parent: DirectoryNode, name: string, text: string) {
    super(parent, name);
    this.#text = Buffer.from(text);
  }

  attributes(): NodeAttributes {
    return textAttributes(`text:${this.path}`, this.#text.length);
  }

  override open(): OpenedText {
    return new OpenedText(this.#text);
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

  attributes(): NodeAttributes {
    return textAttributes('@status', 0);
  }

  override open(): Waiting<OpenedText> {
    return mapWaiting(this.#context.content.status(), ({ text }) => new OpenedText(text));
  }
}

function textAttributes(identity: string, size: number): NodeAttributes {
  return { ino: inodeNumber(hashText(identity)), size, modified: Date.now(), mode: FileType.REGULAR | 0o444, stable: false };
}
