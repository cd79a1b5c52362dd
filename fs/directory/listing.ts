/**
 * Listing directories of the file system below. Positions are those of the file system below (d_off of getdents64(2)), so that any reader may go on at any
 * of them, whether or not it is the one that was listed last. Descriptors of the directories listed last stay open.
 */

import { constants } from 'node:fs';
import type { DirectoryPosition, NodeId } from '../contract.js';
import { closeDescriptor, openAt, readDirectory, seekTo } from './system-calls.js';

const KEPT = 16;
const CHUNK = 64 * 1024;
/** Offsets in struct linux_dirent64. */
const NAME_AT = 19;
const SEEK_SET = 0;

/** One entry, filled anew for each. */
export interface ListedEntry {
  name: string;
  ino: number;
  /** File type as in st_mode; 0 for unknown. */
  type: number;
  /** Where to go on after it. */
  next: { low: number; high: number };
}

export class DirectoryReader {
  readonly #fd: number;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #entry: ListedEntry = { name: '', ino: 0, type: 0, next: { low: 0, high: 0 } };
  /** Position of the entry at {@link #at}. */
  readonly #here = { low: 0, high: 0 };
  #size = 0;
  #at = 0;

  constructor(fd: number, memory: ArrayBuffer) {
    this.#fd = fd;
    this.#bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
  }

  /** Goes to a position. From the start the directory is read anew. */
  seek({ low, high }: DirectoryPosition): void {
    const isStart = low === 0 && high === 0;
    if (!isStart && low === this.#here.low && high === this.#here.high) return;
    seekTo(this.#fd, (BigInt(high) << 32n) | BigInt(low), SEEK_SET);
    this.#here.low = low;
    this.#here.high = high;
    this.#size = 0;
    this.#at = 0;
  }

  /** The entry here, without going past it; undefined at the end. */
  peek(): ListedEntry | undefined {
    if (this.#at >= this.#size) {
      this.#size = readDirectory(this.#fd, this.#bytes);
      this.#at = 0;
      if (this.#size === 0) return undefined;
    }
    return this.#read();
  }

  /** Goes past the entry that {@link peek} gave. */
  advance(): void {
    const { next } = this.#entry;
    this.#here.low = next.low;
    this.#here.high = next.high;
    // d_reclen: 16 bits after the two 64-bit numbers.
    this.#at += this.#words[(this.#at + 16) >>> 2]! & 0xffff;
  }

  close(): void {
    closeDescriptor(this.#fd);
  }

  #read(): ListedEntry {
    const words = this.#words;
    const word = this.#at >>> 2;
    const entry = this.#entry;
    entry.ino = words[word]! + words[word + 1]! * 2 ** 32;
    entry.next.low = words[word + 2]!;
    entry.next.high = words[word + 3]!;
    entry.type = ((words[word + 4]! >>> 16) & 0xf) << 12;
    const start = this.#at + NAME_AT;
    let end = start;
    while (this.#bytes[end] !== 0) end++;
    entry.name = this.#bytes.toString('latin1', start, end);
    return entry;
  }
}

/** Readers of the directories listed last. */
export class DirectoryReaders {
  readonly #byNode = new Map<NodeId, DirectoryReader>();
  /** Memory of readers that were closed. */
  readonly #spare: ArrayBuffer[] = [];
  readonly #memory = new Map<DirectoryReader, ArrayBuffer>();

  /** `open` gives a descriptor to which calls can be relative: the directory's own. */
  get(node: NodeId, directory: () => number): DirectoryReader {
    let reader = this.#byNode.get(node);
    if (reader === undefined) {
      const fd = openAt(directory(), '.', constants.O_RDONLY | constants.O_DIRECTORY);
      const memory = this.#spare.pop() ?? new ArrayBuffer(CHUNK);
      reader = new DirectoryReader(fd, memory);
      this.#memory.set(reader, memory);
    } else this.#byNode.delete(node);
    this.#byNode.set(node, reader);
    if (this.#byNode.size > KEPT) this.drop(this.#byNode.keys().next().value!);
    return reader;
  }

  drop(node: NodeId): void {
    const reader = this.#byNode.get(node);
    if (reader === undefined) return;
    this.#byNode.delete(node);
    reader.close();
    this.#spare.push(this.#memory.get(reader)!);
    this.#memory.delete(reader);
  }

  closeAll(): void {
    for (const node of [...this.#byNode.keys()]) this.drop(node);
  }
}
