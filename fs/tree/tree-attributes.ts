/** Attributes as the kernel wants them, from what a node of the tree says of itself. One object, filled anew for every answer. */

import type { Attributes } from '../contract.js';
import type { NodeAttributes } from './node.js';

/** Seconds for which the kernel may keep what does not change by itself; changes are told to it. */
const STABLE_SECONDS = 86_400;

export class TreeAttributes implements Attributes {
  ino = 0;
  size = 0;
  blocks = 0;
  mode = 0;
  validity = 0;
  /** One link of a directory says "not counted": with two, find(1) would take it that there are no subdirectories. */
  readonly nlink = 1;
  readonly rdev = 0;
  readonly blockSize = 4096;
  readonly uid: number;
  readonly gid: number;
  /** Nothing here has more than one time. */
  readonly accessed = { seconds: 0, nanoseconds: 0 };
  readonly modified = this.accessed;
  readonly changed = this.accessed;

  constructor({ uid, gid }: { readonly uid: number; readonly gid: number }) {
    this.uid = uid;
    this.gid = gid;
  }

  fill({ ino, size, modified, mode, stable }: NodeAttributes): this {
    this.ino = ino;
    this.size = size;
    this.blocks = Math.ceil(size / 512);
    this.mode = mode;
    this.validity = stable ? STABLE_SECONDS : 0;
    const seconds = Math.floor(modified / 1000);
    this.accessed.seconds = seconds;
    this.accessed.nanoseconds = Math.round((modified - seconds * 1000) * 1e6);
    return this;
  }
}
