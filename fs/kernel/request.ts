/** One request frame as it lies in the read buffer. Offsets are those within the operation's body, after the header. Layouts: `linux/fuse.h`. */

import type { Caller, FileSystemTraits, Time } from '../contract.js';
import { IN_HEADER_SIZE, MIN_READ_BUFFER } from './protocol.js';

const WORD = 2 ** 32;
const BODY_WORD = IN_HEADER_SIZE >>> 2;

/** Who asks, filled anew with every request. */
class RequestCaller implements Caller {
  uid = 0;
  gid = 0;
  pid = 0;
  umask = 0;
}

export class RequestFrame {
  readonly bytes: Buffer;
  readonly caller = new RequestCaller();
  opcode = 0;
  uniqueLow = 0;
  uniqueHigh = 0;
  node = 0;
  /** Bytes of the body. */
  bodySize = 0;
  readonly #words: Uint32Array;
  readonly #names: FileSystemTraits['nameEncoding'];

  /** `capacity`: bytes of the largest request that fits. */
  constructor(capacity: number, names: FileSystemTraits['nameEncoding']) {
    const memory = new ArrayBuffer(Math.max(capacity, MIN_READ_BUFFER));
    this.bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#names = names;
  }

  /** Takes in the frame of `size` bytes that was read into {@link bytes}. False for one whose header is not whole or says another size. */
  begin(size: number): boolean {
    const words = this.#words;
    if (size < IN_HEADER_SIZE || words[0] !== size) return false;
    this.bodySize = size - IN_HEADER_SIZE;
    this.opcode = words[1]!;
    this.uniqueLow = words[2]!;
    this.uniqueHigh = words[3]!;
    this.node = words[4]! + words[5]! * WORD;
    const { caller } = this;
    caller.uid = words[6]! | 0;
    caller.gid = words[7]! | 0;
    caller.pid = words[8]!;
    caller.umask = 0;
    // Extensions follow the body, in units of 8 bytes; none is asked for, so none is read.
    const extensions = (words[9]! & 0xffff) << 3;
    if (extensions > this.bodySize) return false;
    this.bodySize -= extensions;
    return true;
  }

  /** The request's number, exact below 2^53, which the kernel's counter does not reach. */
  get unique(): number {
    return this.uniqueLow + this.uniqueHigh * WORD;
  }

  uint32(at: number): number {
    return this.#words[BODY_WORD + (at >>> 2)]!;
  }

  /** A 64-bit number below 2^53; larger ones lose their lowest bits. */
  number(at: number): number {
    const word = BODY_WORD + (at >>> 2);
    return this.#words[word]! + this.#words[word + 1]! * WORD;
  }

  bigint(at: number): bigint {
    return this.bytes.readBigUInt64LE(IN_HEADER_SIZE + at);
  }

  /** Seconds (64 bits, signed) in one place, nanoseconds in another. */
  time(secondsAt: number, nanosecondsAt: number): Time {
    const word = BODY_WORD + (secondsAt >>> 2);
    return { seconds: this.#words[word]! + (this.#words[word + 1]! | 0) * WORD, nanoseconds: this.uint32(nanosecondsAt) };
  }

  /** The name from `at` to its NUL, or to the end of the frame where there is none. */
  name(at: number): string {
    return this.bytes.toString(this.#names, IN_HEADER_SIZE + at, this.#endOfName(at));
  }

  /** Bytes of the name at `at` with its NUL: where the next one begins. */
  afterName(at: number): number {
    return this.#endOfName(at) - IN_HEADER_SIZE + 1;
  }

  /** The bytes from `at` to their NUL, copied. */
  text(at: number): Buffer {
    return Buffer.from(this.bytes.subarray(IN_HEADER_SIZE + at, this.#endOfName(at)));
  }

  /** `size` bytes from `at`, or as many as the frame has, copied. */
  data(at: number, size: number): Buffer {
    const end = IN_HEADER_SIZE + Math.min(this.bodySize, at + size);
    return Buffer.from(this.bytes.subarray(IN_HEADER_SIZE + at, end));
  }

  #endOfName(at: number): number {
    const frameEnd = IN_HEADER_SIZE + this.bodySize;
    const { bytes } = this;
    let end = IN_HEADER_SIZE + at;
    // Names are short: a loop finds the end sooner than a call does.
    while (end < frameEnd && bytes[end] !== 0) end++;
    return Math.min(end, frameEnd);
  }
}
