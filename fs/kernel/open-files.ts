/** Files that the kernel has open: their handles, which of them share one opened file, and how the kernel reads them. */

import type { FileSystem, NodeId, OpenedFile } from '../contract.js';
import { BackingFiles } from './backing.js';
import { write } from './native.js';
import { notificationFrame } from './notifications.js';
import { OpenFlag } from './protocol.js';
import type { ReplyBuffer } from './reply.js';

interface Handle {
  readonly node: NodeId;
  readonly opened: OpenedFile;
}

/** An opened file that several handles use, and that stays open for a while after the last of them was closed. */
interface SharedFile {
  readonly opened: OpenedFile;
  uses: number;
}

/** Shared files without a use that stay open. Each keeps its object from eviction, until room is wanted. */
const IDLE_SHARED_LIMIT = 128;
/** Files smaller than this, in bytes, are read through the page cache: registering a backing file costs more than their few reads. Measured. */
const SMALLEST_PASSTHROUGH = 256 * 1024;

export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #device: number;
  readonly #backing: BackingFiles;
  readonly #shared = new Map<NodeId, SharedFile>();
  /** Least recently used first. */
  readonly #idleShared = new Set<NodeId>();
  /** By handle number; numbers of closed files are used again. 0 is never given. */
  readonly #handles: (Handle | undefined)[] = [undefined];
  readonly #free: number[] = [];
  /** Inodes that the kernel may have written to past its page cache, whose pages are then old. */
  readonly #writtenBehind = new Set<NodeId>();
  #count = 0;

  constructor(fileSystem: FileSystem, device: number, passthrough: boolean) {
    this.#fileSystem = fileSystem;
    this.#device = device;
    this.#backing = new BackingFiles(device, passthrough);
  }

  /** Files that are open. */
  get size(): number {
    return this.#count;
  }

  get passthrough(): boolean {
    return this.#backing.enabled;
  }

  /** See {@link BackingFiles.probe}. */
  probe(): void {
    this.#backing.probe();
  }

  get(handle: number): OpenedFile | undefined {
    return this.#handles[handle]?.opened;
  }

  nodeOf(handle: number): NodeId | undefined {
    return this.#handles[handle]?.node;
  }

  /** Answers OPEN for reading from a file that is open already, where there is one. */
  reopen(node: NodeId, reply: ReplyBuffer): boolean {
    const shared = this.#shared.get(node);
    if (shared === undefined) return false;
    if (shared.uses++ === 0) this.#idleShared.delete(node);
    this.#reply(reply, node, shared.opened, true);
    return true;
  }

  /** Answers OPEN or CREATE with what the file system opened. */
  add(node: NodeId, opened: OpenedFile, readOnly: boolean, reply: ReplyBuffer): void {
    if (opened.shareable === true && readOnly) {
      // While this open waited another one of the same inode may have been answered.
      if (this.#shared.has(node)) {
        this.#fileSystem.release(node, opened, undefined);
        this.reopen(node, reply);
        return;
      }
      this.#shared.set(node, { opened, uses: 1 });
    }
    this.#reply(reply, node, opened, readOnly);
  }

  release(handle: number, flockOwner: bigint | undefined): void {
    const open = this.#handles[handle];
    if (open === undefined) return;
    this.#handles[handle] = undefined;
    this.#free.push(handle);
    this.#count--;
    const { node, opened } = open;
    if (opened.direct !== true) this.#backing.release(node);
    const shared = this.#shared.get(node);
    if (shared?.opened !== opened) {
      this.#fileSystem.release(node, opened, flockOwner);
      return;
    }
    if (--shared.uses > 0) return;
    this.#idleShared.add(node);
    if (this.#idleShared.size > IDLE_SHARED_LIMIT) this.#dropShared(this.#idleShared.values().next().value!);
  }

  /** The kernel forgets the inode: nothing of it stays open. */
  forget(node: NodeId): void {
    this.#writtenBehind.delete(node);
    if (this.#idleShared.has(node)) this.#dropShared(node);
    else this.#backing.drop(node);
  }

  /** Closes what nothing uses, so that the cache may evict it. */
  dropIdle(): void {
    for (const node of [...this.#idleShared]) this.#dropShared(node);
  }

  closeAll(): void {
    this.#handles.forEach((_, handle) => {
      this.release(handle, undefined);
    });
    this.dropIdle();
    this.#backing.closeAll();
  }

  #dropShared(node: NodeId): void {
    const shared = this.#shared.get(node);
    if (shared === undefined) return;
    this.#shared.delete(node);
    this.#idleShared.delete(node);
    this.#backing.drop(node);
    this.#fileSystem.release(node, shared.opened, undefined);
  }

  #reply(reply: ReplyBuffer, node: NodeId, opened: OpenedFile, readOnly: boolean): void {
    const handle = this.#free.pop() ?? this.#handles.length;
    this.#handles[handle] = { node, opened };
    this.#count++;
    if (opened.direct === true) {
      reply.open(handle, OpenFlag.DIRECT_IO, 0);
      return;
    }
    const isSmall = readOnly && opened.size !== undefined && opened.size < SMALLEST_PASSTHROUGH;
    const backingId = this.#backing.acquire(node, isSmall ? undefined : opened.backing);
    if (backingId > 0) {
      if (!readOnly) this.#writtenBehind.add(node);
      if (opened.mayBeMapped === true) this.#dropAttributes(node);
      reply.open(handle, OpenFlag.PASSTHROUGH, backingId);
      return;
    }
    const hasOldPages = this.#writtenBehind.delete(node);
    reply.open(handle, opened.keepCache === true && !hasOldPages ? OpenFlag.KEEP_CACHE : 0, 0);
  }

  /** Unlike pages, attributes are dropped by the kernel at once, without asking this thread for anything. */
  #dropAttributes(node: NodeId): void {
    const frame = notificationFrame({ kind: 'node', node, offset: -1 });
    write(this.#device, frame, frame.length);
  }
}
