/**
 * Encoding replies and notifications. One {@link ReplyBuffer} is filled and written at a time, so that answering costs no allocation.
 * Layouts: `linux/fuse.h`. 64-bit numbers below 2^53 are written as two halves, which is several times quicker than BigInt.
 */

import type { Attributes, Entry, FileSystemTotals, Invalidation } from '../contract.js';
import * as Protocol from './protocol.js';

const { OUT_HEADER_SIZE, ENTRY_OUT_SIZE, ATTR_SIZE, DIRENT_HEADER_SIZE } = Protocol;
const HIGH = 0x100000000;

/** Seconds for which the kernel may keep what does not change by itself; changes are told to it. */
const STABLE_SECONDS = 86_400;
/** Seconds for which the kernel may remember that a name does not exist: new data are not announced by name. */
export const NEGATIVE_SECONDS = 5;

/** Owner shown on every inode. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export function writeUInt53(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value % HIGH, offset);
  buffer.writeUInt32LE(Math.floor(value / HIGH), offset + 4);
}

export function readUInt53(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * HIGH;
}

/** A reply under construction: a header, then a body of `length` bytes. */
export class ReplyBuffer {
  readonly bytes: Buffer;
  /** Bytes of the body so far. */
  length = 0;
  readonly #owner: Owner;

  /** `capacity`: largest body in bytes. */
  constructor(capacity: number, owner: Owner) {
    this.bytes = Buffer.alloc(OUT_HEADER_SIZE + capacity);
    this.#owner = owner;
  }

  /** Writes the header over the body so far and returns the size of the frame. `errno` is positive, 0 for success. */
  seal(uniqueLow: number, uniqueHigh: number, errno: number): number {
    const size = errno === 0 ? OUT_HEADER_SIZE + this.length : OUT_HEADER_SIZE;
    this.bytes.writeUInt32LE(size, 0);
    this.bytes.writeInt32LE(-errno, 4);
    this.bytes.writeUInt32LE(uniqueLow, 8);
    this.bytes.writeUInt32LE(uniqueHigh, 12);
    return size;
  }

  entry({ node, attributes }: Entry): void {
    this.#entryAt(this.length, node, attributes);
    this.length += ENTRY_OUT_SIZE;
  }

  /** "There is no such name, and you may remember that for a while": an entry with node 0. */
  negativeEntry(): void {
    const at = OUT_HEADER_SIZE + this.length;
    this.bytes.fill(0, at, at + ENTRY_OUT_SIZE);
    this.bytes.writeUInt32LE(NEGATIVE_SECONDS, at + 16);
    this.length += ENTRY_OUT_SIZE;
  }

  attributes(attributes: Attributes): void {
    const at = OUT_HEADER_SIZE + this.length;
    this.bytes.fill(0, at, at + 16);
    this.bytes.writeUInt32LE(attributes.stable ? STABLE_SECONDS : 0, at);
    this.#attributesAt(at + 16, attributes);
    this.length += 16 + ATTR_SIZE;
  }

  open(handle: number, flags: number, backingId: number): void {
    const at = OUT_HEADER_SIZE + this.length;
    writeUInt53(this.bytes, handle, at);
    this.bytes.writeUInt32LE(flags, at + 8);
    this.bytes.writeInt32LE(backingId, at + 12);
    this.length += 16;
  }

  statfs({ files, bytes, freeBytes }: FileSystemTotals): void {
    const at = OUT_HEADER_SIZE + this.length;
    const blockSize = 4096;
    const free = Math.floor(freeBytes / blockSize);
    this.bytes.fill(0, at, at + 80);
    writeUInt53(this.bytes, Math.ceil(bytes / blockSize) + free, at);
    writeUInt53(this.bytes, free, at + 8);
    writeUInt53(this.bytes, free, at + 16);
    writeUInt53(this.bytes, files, at + 24);
    this.bytes.writeUInt32LE(blockSize, at + 40);
    this.bytes.writeUInt32LE(255, at + 44);
    this.bytes.writeUInt32LE(blockSize, at + 48);
    this.length += 80;
  }

  uint32(value: number): void {
    this.bytes.writeUInt32LE(value, OUT_HEADER_SIZE + this.length);
    this.length += 4;
  }

  data(bytes: Buffer): void {
    bytes.copy(this.bytes, OUT_HEADER_SIZE + this.length);
    this.length += bytes.length;
  }

  zeros(size: number): void {
    this.bytes.fill(0, OUT_HEADER_SIZE + this.length, OUT_HEADER_SIZE + this.length + size);
    this.length += size;
  }

  /**
   * Appends one directory entry if the body stays within `limit` bytes. With `plus`, attributes go before it; `entry` is asked for only where there is
   * room, because asking counts a lookup. Names are at most 255 bytes.
   */
  directoryEntry(name: string, next: number, isDirectory: boolean, limit: number, plus: boolean, entry: () => Entry | undefined): boolean {
    const nameSize = Buffer.byteLength(name);
    const prefix = plus ? ENTRY_OUT_SIZE : 0;
    const size = (prefix + DIRENT_HEADER_SIZE + nameSize + 7) & ~7;
    if (this.length + size > limit) return false;
    const at = OUT_HEADER_SIZE + this.length;
    let ino = Number.MAX_SAFE_INTEGER;
    if (plus) {
      const known = entry();
      if (known === undefined) this.bytes.fill(0, at, at + ENTRY_OUT_SIZE);
      else {
        this.#entryAt(this.length, known.node, known.attributes);
        ino = known.attributes.ino;
      }
    }
    const dirent = at + prefix;
    writeUInt53(this.bytes, ino, dirent);
    writeUInt53(this.bytes, next, dirent + 8);
    this.bytes.writeUInt32LE(nameSize, dirent + 16);
    this.bytes.writeUInt32LE(isDirectory ? Protocol.DirentType.DIRECTORY : Protocol.DirentType.REGULAR, dirent + 20);
    const end = dirent + DIRENT_HEADER_SIZE + this.bytes.write(name, dirent + DIRENT_HEADER_SIZE);
    this.bytes.fill(0, end, at + size);
    this.length += size;
    return true;
  }

  #entryAt(offset: number, node: number, attributes: Attributes): void {
    const at = OUT_HEADER_SIZE + offset;
    const seconds = attributes.stable ? STABLE_SECONDS : 0;
    this.bytes.fill(0, at, at + 40);
    writeUInt53(this.bytes, node, at);
    this.bytes.writeUInt32LE(seconds, at + 16);
    this.bytes.writeUInt32LE(seconds, at + 24);
    this.#attributesAt(at + 40, attributes);
  }

  #attributesAt(at: number, { ino, size, modified, mode, nlink }: Attributes): void {
    const { bytes } = this;
    const seconds = Math.floor(modified / 1000);
    const nanoseconds = Math.round((modified - seconds * 1000) * 1e6);
    writeUInt53(bytes, ino, at);
    writeUInt53(bytes, size, at + 8);
    writeUInt53(bytes, Math.ceil(size / 512), at + 16);
    for (let i = 0; i < 3; i++) {
      writeUInt53(bytes, seconds, at + 24 + 8 * i);
      bytes.writeUInt32LE(nanoseconds, at + 48 + 4 * i);
    }
    bytes.writeUInt32LE(mode, at + 60);
    bytes.writeUInt32LE(nlink, at + 64);
    bytes.writeUInt32LE(this.#owner.uid, at + 68);
    bytes.writeUInt32LE(this.#owner.gid, at + 72);
    bytes.writeUInt32LE(0, at + 76);
    bytes.writeUInt32LE(4096, at + 80);
    bytes.writeUInt32LE(0, at + 84);
  }
}

/** A notification as a frame of its own: INVAL_INODE drops the pages and attributes of an inode, INVAL_ENTRY a name in a directory. */
export function notificationFrame(invalidation: Invalidation): Buffer {
  return invalidation.kind === 'node'
    ? notification(Protocol.Notify.INVAL_INODE, inodeBody(invalidation.node))
    : notification(Protocol.Notify.INVAL_ENTRY, entryBody(invalidation.parent, invalidation.name));
}

function notification(code: number, body: Buffer): Buffer {
  const header = Buffer.alloc(OUT_HEADER_SIZE);
  header.writeUInt32LE(OUT_HEADER_SIZE + body.length, 0);
  header.writeInt32LE(code, 4);
  return Buffer.concat([header, body]);
}

/** Inode, offset and length of the pages to drop: from 0, without end. */
function inodeBody(node: number): Buffer {
  const body = Buffer.alloc(24);
  writeUInt53(body, node, 0);
  return body;
}

function entryBody(parent: number, name: string): Buffer {
  const text = Buffer.from(`${name}\0`);
  const body = Buffer.alloc(16);
  writeUInt53(body, parent, 0);
  body.writeUInt32LE(text.length - 1, 8);
  return Buffer.concat([body, text]);
}
