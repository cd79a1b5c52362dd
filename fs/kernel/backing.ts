/**
 * Files that the kernel reads by itself (passthrough, kernel 6.9 and later, CAP_SYS_ADMIN).
 *
 * The kernel takes one backing file per inode at a time, and does not mix its own reads with the daemon's on one inode: so the first open of an inode
 * decides for all that overlap with it. Registering costs far more than opening, so registrations stay for a while after the last close.
 */

import { ioctl, lastErrno } from './native.js';
import type { NodeId, OpenFile } from '../contract.js';
import { Ioctl } from './protocol.js';

interface Registration {
  readonly file: OpenFile;
  /** 0: the kernel asks the daemon to read. */
  readonly id: number;
  /** Structures file of the kernel that use it. */
  uses: number;
  release: () => void;
}

/** How many registrations without a use are kept. Each holds a descriptor and keeps its object from eviction. */
const IDLE_LIMIT = 64;
const EPERM = 1;

export class BackingFiles {
  readonly #device: number;
  readonly #byNode = new Map<NodeId, Registration>();
  readonly #idle = new Set<NodeId>();
  #enabled: boolean;

  constructor(device: number, enabled: boolean) {
    this.#device = device;
    this.#enabled = enabled;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** A file already open for this inode, with one more use; undefined where the caller must open it and {@link register} it. */
  reuse(node: NodeId): { readonly file: OpenFile; readonly id: number } | undefined {
    const registration = this.#byNode.get(node);
    if (registration === undefined) return undefined;
    registration.uses++;
    this.#idle.delete(node);
    return registration;
  }

  /** Registers with one use; `release` runs when the file is no longer needed. The id is 0 where the kernel does not take it. */
  register(node: NodeId, file: OpenFile, release: () => void): { readonly file: OpenFile; readonly id: number } {
    const registration = { file, id: this.#register(file.fd), uses: 1, release };
    this.#byNode.set(node, registration);
    return registration;
  }

  /** One use less. */
  release(node: NodeId): void {
    const registration = this.#byNode.get(node);
    if (registration === undefined) return;
    if (--registration.uses > 0) return;
    this.#idle.add(node);
    if (this.#idle.size <= IDLE_LIMIT) return;
    const oldest = this.#idle.values().next().value;
    if (oldest !== undefined) this.#drop(oldest);
  }

  /** The inode is gone or its content is no longer to be served: forget the registration if nothing uses it. */
  drop(node: NodeId): void {
    if (this.#idle.has(node)) this.#drop(node);
  }

  /** Lets go of everything that nothing uses, so that the cache may evict it. */
  dropIdle(): void {
    for (const node of [...this.#idle]) this.#drop(node);
  }

  closeAll(): void {
    for (const node of [...this.#byNode.keys()]) this.#drop(node);
  }

  #drop(node: NodeId): void {
    const registration = this.#byNode.get(node);
    if (registration === undefined) return;
    this.#byNode.delete(node);
    this.#idle.delete(node);
    if (registration.id !== 0) {
      const argument = Buffer.alloc(4);
      argument.writeInt32LE(registration.id);
      ioctl(this.#device, Ioctl.BACKING_CLOSE, argument);
    }
    registration.release();
  }

  #register(fd: number): number {
    if (!this.#enabled) return 0;
    const map = Buffer.alloc(16);
    map.writeInt32LE(fd, 0);
    const id = ioctl(this.#device, Ioctl.BACKING_OPEN, map);
    if (id > 0) return id;
    // Without the capability every attempt fails alike; other reasons (a stacked file system below the cache) concern this file only.
    if (lastErrno() === EPERM) this.#enabled = false;
    return 0;
  }
}
