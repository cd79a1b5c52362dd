/** Files that the kernel has open: handles, what they read from, and the backing files that the kernel reads by itself. */

import { readSync } from 'node:fs';
import type { FileSystem, NodeId, Opened } from '../contract.js';
import { BackingFiles } from './backing.js';
import type { ReplyBuffer } from './frames.js';
import { OpenFlag, OUT_HEADER_SIZE } from './protocol.js';

interface Handle {
  readonly node: NodeId;
  readonly opened: Opened;
  /** Belongs to {@link BackingFiles}, which several handles of one inode share. */
  readonly backed: boolean;
}

export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #backing: BackingFiles;
  readonly #handles = new Map<number, Handle>();
  #next = 1;

  constructor(fileSystem: FileSystem, device: number, passthrough: boolean) {
    this.#fileSystem = fileSystem;
    this.#backing = new BackingFiles(device, passthrough);
  }

  get size(): number {
    return this.#handles.size;
  }

  get passthrough(): boolean {
    return this.#backing.enabled;
  }

  /** Answers OPEN from a file that is open already, where one is. */
  reopen(node: NodeId, reply: ReplyBuffer): boolean {
    const reused = this.#backing.reuse(node);
    if (reused === undefined) return false;
    this.#reply(reply, node, reused.file, reused.id);
    return true;
  }

  /** Answers OPEN with what the file system opened. */
  add(node: NodeId, opened: Opened, reply: ReplyBuffer): void {
    if ('text' in opened) {
      this.#reply(reply, node, opened, 0);
      return;
    }
    const release = () => {
      this.#fileSystem.release(node, opened);
    };
    // While this open waited another one of the same inode may have been answered: the kernel takes one backing file per inode.
    const other = this.#backing.reuse(node);
    if (other !== undefined) release();
    const { file, id } = other ?? this.#backing.register(node, opened, release);
    this.#reply(reply, node, file, id);
  }

  /** Reads into the reply: until `size` bytes or the end of the file, because a short reply means the end to the kernel. False for an unknown handle. */
  read(handleNumber: number, offset: number, size: number, reply: ReplyBuffer): boolean {
    const handle = this.#handles.get(handleNumber);
    if (handle === undefined) return false;
    const { opened } = handle;
    if ('text' in opened) {
      reply.data(opened.text.subarray(offset, offset + size));
      return true;
    }
    while (reply.length < size) {
      const got = readSync(opened.fd, reply.bytes, OUT_HEADER_SIZE + reply.length, size - reply.length, offset + reply.length);
      if (got === 0) break;
      reply.length += got;
    }
    return true;
  }

  release(handleNumber: number): void {
    const handle = this.#handles.get(handleNumber);
    if (handle === undefined) return;
    this.#handles.delete(handleNumber);
    if (handle.backed) this.#backing.release(handle.node);
    else this.#fileSystem.release(handle.node, handle.opened);
  }

  /** Closes backing files that no open file uses, so that the cache may evict them. */
  dropIdle(): void {
    this.#backing.dropIdle();
  }

  closeAll(): void {
    for (const { backed, node, opened } of this.#handles.values()) if (!backed) this.#fileSystem.release(node, opened);
    this.#handles.clear();
    this.#backing.closeAll();
  }

  #reply(reply: ReplyBuffer, node: NodeId, opened: Opened, backingId: number): void {
    const handle = this.#next++;
    const isText = 'text' in opened;
    this.#handles.set(handle, { node, opened, backed: !isText });
    const flags = isText ? OpenFlag.DIRECT_IO : backingId > 0 ? OpenFlag.PASSTHROUGH : opened.immutable ? OpenFlag.KEEP_CACHE : 0;
    reply.open(handle, flags, backingId);
  }
}
