/** A statx structure (statx(2)) as attributes. One object, filled anew by every call. */

import type { Attributes } from '../contract.js';
import { isRegularMode } from '../file-type.js';
import { statxAt } from './system-calls.js';

const WORD = 2 ** 32;
const SIZE = 256;
const SET_ID = 0o6000;

class MutableTime {
  seconds = 0;
  nanoseconds = 0;
}

export class Statx implements Attributes {
  ino = 0;
  size = 0;
  blocks = 0;
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  rdev = 0;
  blockSize = 0;
  /** The device that the file is on, as one number. */
  device = 0;
  readonly accessed = new MutableTime();
  readonly modified = new MutableTime();
  readonly changed = new MutableTime();
  readonly born = new MutableTime();
  validity: number;
  readonly #usualValidity: number;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;

  /** `validity`: see {@link Attributes.validity}. */
  constructor(validity: number) {
    this.validity = validity;
    this.#usualValidity = validity;
    const memory = new ArrayBuffer(SIZE);
    this.#bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
  }

  /** statx(2) of a name in a directory, or of the descriptor itself where the name is empty. False for ENOENT; throws SystemCallError. */
  read(directory: number, name: string): boolean {
    if (!statxAt(directory, name, this.#bytes)) return false;
    const words = this.#words;
    this.blockSize = words[1]!;
    this.nlink = words[4]!;
    this.uid = words[5]!;
    this.gid = words[6]!;
    this.mode = words[7]! & 0xffff;
    // A write takes set-ID bits away, and the kernel does not expect that of it: it must ask each time.
    this.validity = isRegularMode(this.mode) && (this.mode & SET_ID) !== 0 ? 0 : this.#usualValidity;
    this.ino = words[8]! + words[9]! * WORD;
    this.size = words[10]! + words[11]! * WORD;
    this.blocks = words[12]! + words[13]! * WORD;
    this.#time(this.accessed, 16);
    this.#time(this.born, 20);
    this.#time(this.changed, 24);
    this.#time(this.modified, 28);
    const major = words[32]!;
    const minor = words[33]!;
    this.rdev = ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
    this.device = words[34]! * WORD + words[35]!;
    return true;
  }

  #time(time: MutableTime, at: number): void {
    const words = this.#words;
    time.seconds = words[at]! + (words[at + 1]! | 0) * WORD;
    time.nanoseconds = words[at + 2]!;
  }
}
