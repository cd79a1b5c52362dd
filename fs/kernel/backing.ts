/**
 * Files that the kernel reads and writes by itself (passthrough, kernel 6.9 and later, CAP_SYS_ADMIN).
 *
 * The kernel takes one backing file per inode at a time, and does not mix its own reads with the daemon's on one inode: so the first open of an inode
 * decides for all that overlap with it. Registering costs several times what opening does, so registrations stay for a while after the last close; the
 * least recently used go first.
 */

import { closeSync, openSync } from 'node:fs';
import { ioctl, lastErrno } from './native.js';
import type { NodeId } from '../contract.js';
import { Ioctl } from './protocol.js';

interface Registration {
  /** 0: the kernel asks the daemon. */
  readonly id: number;
  /** Structures file of the kernel that use it. */
  uses: number;
}

/** How many registrations without a use are kept. Each holds an open file in the kernel. */
const IDLE_LIMIT = 256;
const EPERM = 1;

export class BackingFiles {
  readonly #device: number;
  readonly #byNode = new Map<NodeId, Registration>();
  /** Least recently used first. */
  readonly #idle = new Set<NodeId>();
  #enabled: boolean;

  constructor(device: number, enabled: boolean) {
    this.#device = device;
    this.#enabled = enabled;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Finds out whether the kernel lets this process have passthrough, before the first file asks for it. After INIT was answered. */
  probe(): void {
    if (!this.#enabled) return;
    const fd = openSync(process.execPath, 'r');
    try {
      const id = this.#register(fd);
      if (id !== 0) this.#unregister(id);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * One use more of the inode's backing file: the id to answer OPEN with, 0 where the daemon reads and writes. `fd` is the file's descriptor; the kernel
   * keeps its own reference to the file, so it may be closed at any time. Undefined: this open wants no passthrough.
   */
  acquire(node: NodeId, fd: number | undefined): number {
    // Nothing uses it: this open decides anew.
    if (fd === undefined) this.drop(node);
    const known = this.#byNode.get(node);
    if (known !== undefined) {
      if (known.uses++ === 0) this.#idle.delete(node);
      return known.id;
    }
    const id = fd === undefined || !this.#enabled ? 0 : this.#register(fd);
    this.#byNode.set(node, { id, uses: 1 });
    return id;
  }

  /** One use less. */
  release(node: NodeId): void {
    const registration = this.#byNode.get(node);
    if (registration === undefined || --registration.uses > 0) return;
    if (registration.id === 0) {
      this.#byNode.delete(node);
      return;
    }
    this.#idle.add(node);
    if (this.#idle.size > IDLE_LIMIT) this.#drop(this.#idle.values().next().value!);
  }

  /** The inode is gone, or its content is no longer to be held: forgets the registration if nothing uses it. */
  drop(node: NodeId): void {
    if (this.#idle.has(node)) this.#drop(node);
  }

  closeAll(): void {
    for (const node of [...this.#byNode.keys()]) this.#drop(node);
  }

  #drop(node: NodeId): void {
    const registration = this.#byNode.get(node);
    if (registration === undefined) return;
    this.#byNode.delete(node);
    this.#idle.delete(node);
    if (registration.id !== 0) this.#unregister(registration.id);
  }

  #unregister(id: number): void {
    const argument = Buffer.alloc(4);
    argument.writeInt32LE(id);
    ioctl(this.#device, Ioctl.BACKING_CLOSE, argument);
  }

  #register(fd: number): number {
    const map = Buffer.alloc(16);
    map.writeInt32LE(fd, 0);
    const id = ioctl(this.#device, Ioctl.BACKING_OPEN, map);
    if (id > 0) return id;
    // Without the capability every attempt fails alike; other reasons (a stacked file system below the cache) concern this file only.
    if (lastErrno() === EPERM) this.#enabled = false;
    return 0;
  }
}
