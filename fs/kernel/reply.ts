/**
 * Encoding replies. One {@link ReplyBuffer} is filled and written at a time, so that answering costs no allocation. Layouts: `linux/fuse.h`.
 * 64-bit numbers below 2^53 are written as two words, which is several times quicker than BigInt.
 */

import type {
  Attributes,
  DirectoryPosition,
  DirectorySink,
  Entry,
  FileLock,
  FileSystemTotals,
  FileSystemTraits,
  Time,
} from '../contract.js';
import * as Protocol from './protocol.js';

const { OUT_HEADER_SIZE, ENTRY_OUT_SIZE, ATTR_SIZE, DIRENT_HEADER_SIZE, STATX_OUT_SIZE } = Protocol;
const WORD = 2 ** 32;
const LOCK_TYPES = { read: Protocol.LockType.READ, write: Protocol.LockType.WRITE, none: Protocol.LockType.NONE } as const;

/** STATX_BASIC_STATS, and STATX_BTIME beside it (statx(2)). */
const STATX_BASIC = 0x7ff;
const STATX_BORN = 0x800;
/** Where a listing says nothing of an inode's number: getdents(2) must not give 0. */
const UNKNOWN_INO = Number.MAX_SAFE_INTEGER;

/** A reply under construction: a header, then a body of `length` bytes. It is also the sink of a listing: see {@link beginListing}. */
export class ReplyBuffer implements DirectorySink {
  readonly bytes: Buffer;
  /** Bytes of the body so far; a multiple of 8 but for data and texts, which come last. */
  length = 0;
  /** Whether the listing under way comes with attributes. */
  plus = false;
  readonly #words: Uint32Array;
  readonly #names: FileSystemTraits['nameEncoding'];
  #listingLimit = 0;
  #nameSize = 0;

  /** `capacity`: largest body in bytes. */
  constructor(capacity: number, names: FileSystemTraits['nameEncoding']) {
    const memory = new ArrayBuffer((OUT_HEADER_SIZE + capacity + 7) & ~7);
    this.bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#names = names;
  }

  /** Writes the header over the body so far and returns the size of the frame. `errno` is positive, 0 for success. */
  seal(uniqueLow: number, uniqueHigh: number, errno: number): number {
    const size = errno === 0 ? OUT_HEADER_SIZE + this.length : OUT_HEADER_SIZE;
    const words = this.#words;
    words[0] = size;
    words[1] = -errno;
    words[2] = uniqueLow;
    words[3] = uniqueHigh;
    return size;
  }

  entry({ node, attributes }: Entry): void {
    this.#entryAt((OUT_HEADER_SIZE + this.length) >>> 2, node, attributes);
    this.length += ENTRY_OUT_SIZE;
  }

  /** "There is no such name, and you may remember that for a while": an entry with node 0. */
  negativeEntry(seconds: number): void {
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    this.#words.fill(0, at, at + (ENTRY_OUT_SIZE >>> 2));
    this.#validity(at + 4, at + 8, seconds);
    this.length += ENTRY_OUT_SIZE;
  }

  attributes(attributes: Attributes): void {
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    this.#validity(at, at + 2, attributes.validity);
    this.#words[at + 3] = 0;
    this.#attributesAt(at + 4, attributes);
    this.length += 16 + ATTR_SIZE;
  }

  /** STATX's reply: the validity, then a statx structure. */
  statx(attributes: Attributes): void {
    const words = this.#words;
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    words.fill(0, at, at + (STATX_OUT_SIZE >>> 2));
    this.#validity(at, at + 2, attributes.validity);
    const x = at + 8;
    words[x] = STATX_BASIC | (attributes.born === undefined ? 0 : STATX_BORN);
    words[x + 1] = attributes.blockSize;
    words[x + 4] = attributes.nlink;
    words[x + 5] = attributes.uid;
    words[x + 6] = attributes.gid;
    words[x + 7] = attributes.mode & 0xffff;
    this.#number(x + 8, attributes.ino);
    this.#number(x + 10, attributes.size);
    this.#number(x + 12, attributes.blocks);
    this.#time(x + 16, attributes.accessed);
    if (attributes.born !== undefined) this.#time(x + 20, attributes.born);
    this.#time(x + 24, attributes.changed);
    this.#time(x + 28, attributes.modified);
    words[x + 32] = (attributes.rdev >>> 8) & 0xfff;
    words[x + 33] = (attributes.rdev & 0xff) | ((attributes.rdev >>> 12) & 0xfff00);
    this.length += STATX_OUT_SIZE;
  }

  open(handle: number, flags: number, backingId: number): void {
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    this.#number(at, handle);
    this.#words[at + 2] = flags;
    this.#words[at + 3] = backingId;
    this.length += 16;
  }

  statfs(totals: FileSystemTotals): void {
    const words = this.#words;
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    const { blockSize } = totals;
    words.fill(0, at, at + 20);
    this.#number(at, Math.ceil(totals.bytes / blockSize));
    this.#number(at + 2, Math.floor(totals.freeBytes / blockSize));
    this.#number(at + 4, Math.floor(totals.availableBytes / blockSize));
    this.#number(at + 6, totals.files + totals.freeFiles);
    this.#number(at + 8, totals.freeFiles);
    words[at + 10] = blockSize;
    words[at + 11] = totals.nameLength;
    words[at + 12] = blockSize;
    this.length += 80;
  }

  lock({ type, start, end, pid }: FileLock): void {
    const words = this.#words;
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    words[at] = Number(start & 0xffffffffn);
    words[at + 1] = Number(start >> 32n);
    words[at + 2] = Number(end & 0xffffffffn);
    words[at + 3] = Number(end >> 32n);
    words[at + 4] = LOCK_TYPES[type];
    words[at + 5] = pid;
    this.length += 24;
  }

  /** A 32-bit number and its padding. */
  uint32(value: number): void {
    const at = (OUT_HEADER_SIZE + this.length) >>> 2;
    this.#words[at] = value;
    this.#words[at + 1] = 0;
    this.length += 8;
  }

  uint64(value: number): void {
    this.#number((OUT_HEADER_SIZE + this.length) >>> 2, value);
    this.length += 8;
  }

  data(bytes: Buffer): void {
    bytes.copy(this.bytes, OUT_HEADER_SIZE + this.length);
    this.length += bytes.length;
  }

  /** Starts an empty listing of at most `limit` bytes. */
  beginListing(plus: boolean, limit: number): void {
    this.length = 0;
    this.plus = plus;
    this.#listingLimit = Math.min(limit, this.bytes.length - OUT_HEADER_SIZE);
  }

  fits(name: string): boolean {
    this.#nameSize = this.#names === 'latin1' ? name.length : Buffer.byteLength(name);
    return this.length + this.#entrySize() <= this.#listingLimit;
  }

  add(name: string, next: DirectoryPosition, type: number, ino: number, entry: Entry | undefined): void {
    const words = this.#words;
    const start = (OUT_HEADER_SIZE + this.length) >>> 2;
    let at = start;
    let number = ino === 0 ? UNKNOWN_INO : ino;
    if (this.plus) {
      if (entry === undefined) words.fill(0, at, at + (ENTRY_OUT_SIZE >>> 2));
      else {
        this.#entryAt(at, entry.node, entry.attributes);
        number = entry.attributes.ino;
      }
      at += ENTRY_OUT_SIZE >>> 2;
    }
    this.#number(at, number);
    words[at + 2] = next.low;
    words[at + 3] = next.high;
    words[at + 4] = this.#nameSize;
    words[at + 5] = type >>> 12;
    const size = this.#entrySize();
    // The bytes after the name up to the next multiple of 8 must not carry what was here before. The last 8 hold at least one of the name.
    const end = start + (size >>> 2);
    words[end - 2] = 0;
    words[end - 1] = 0;
    this.bytes.write(name, (at << 2) + DIRENT_HEADER_SIZE, this.#names);
    this.length += size;
  }

  #entrySize(): number {
    return ((this.plus ? ENTRY_OUT_SIZE : 0) + DIRENT_HEADER_SIZE + this.#nameSize + 7) & ~7;
  }

  #entryAt(at: number, node: number, attributes: Attributes): void {
    const words = this.#words;
    this.#number(at, node);
    words[at + 2] = 0;
    words[at + 3] = 0;
    this.#validity(at + 4, at + 8, attributes.validity);
    this.#validity(at + 6, at + 9, attributes.validity);
    this.#attributesAt(at + 10, attributes);
  }

  #attributesAt(at: number, attributes: Attributes): void {
    const words = this.#words;
    const { accessed, modified, changed } = attributes;
    this.#number(at, attributes.ino);
    this.#number(at + 2, attributes.size);
    this.#number(at + 4, attributes.blocks);
    this.#number(at + 6, accessed.seconds);
    this.#number(at + 8, modified.seconds);
    this.#number(at + 10, changed.seconds);
    words[at + 12] = accessed.nanoseconds;
    words[at + 13] = modified.nanoseconds;
    words[at + 14] = changed.nanoseconds;
    words[at + 15] = attributes.mode;
    words[at + 16] = attributes.nlink;
    words[at + 17] = attributes.uid;
    words[at + 18] = attributes.gid;
    words[at + 19] = attributes.rdev;
    words[at + 20] = attributes.blockSize;
    words[at + 21] = 0;
  }

  /** Seconds and nanoseconds of statx(2), 16 bytes. */
  #time(at: number, { seconds, nanoseconds }: Time): void {
    this.#number(at, seconds);
    this.#words[at + 2] = nanoseconds;
    this.#words[at + 3] = 0;
  }

  /** Whole seconds (64 bits) in one place, nanoseconds in another. */
  #validity(seconds: number, nanoseconds: number, value: number): void {
    const whole = Math.floor(value);
    this.#number(seconds, whole);
    this.#words[nanoseconds] = Math.floor((value - whole) * 1e9);
  }

  /** A 64-bit number; negative ones in two's complement. */
  #number(at: number, value: number): void {
    const words = this.#words;
    words[at] = value;
    words[at + 1] = value >= 0 && value < WORD ? 0 : Math.floor(value / WORD);
  }
}
