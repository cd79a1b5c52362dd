/**
 * The inodes of a plain directory that the kernel knows.
 *
 *     root ── fd 7 (O_PATH)
 *       └── a ── fd 9          directories hold a descriptor while they are used; the least recently used are closed, and opened again by name
 *             ├── file         other inodes have none: their directory's descriptor and their name lead to them
 *             └── (removed)    what lost its last known name holds a descriptor until the kernel forgets it
 *
 * Whatever a name leads to is compared with the inode that was meant (device, number and time of birth), because names can change behind the mount: then
 * it is ESTALE, and the kernel looks the path up anew.
 */

import { systemCallError } from '../../common/errors.js';
import { type NodeId, ROOT, type Time } from '../contract.js';
import { isDirectoryMode } from '../file-type.js';
import type { Statx } from './statx.js';
import { closeDescriptor, O_PATH, openAt, type Place } from './system-calls.js';

const O_NOFOLLOW = 0o400000;
const ENOENT = 2;
const ESTALE = 116;
/** Descriptors of directories that are kept, but for those on the way to one that is used. */
const DESCRIPTOR_LIMIT = 1024;

/** The number alone on the root's device, which nearly all inodes are on. */
type InodeKey = number | string;

export class Inode {
  lookups = 0;
  /** Descriptor of O_PATH, or -1. */
  fd = -1;
  /** Open files of it. */
  opens = 0;
  /** Those by which it may be written through a mapping. */
  mappable = 0;
  /** Those by which the kernel may write to it without a word. */
  writtenBehind = 0;
  /** Modification time since which a write takes set-ID bits away: see SetIdBits. */
  watched: Time | undefined;
  /** Whether no name is known any more: then `fd` is all there is. */
  isNameless = false;
  parent: Inode | undefined;
  name: string;

  constructor(
    readonly id: NodeId,
    readonly key: InodeKey,
    readonly ino: number,
    readonly isDirectory: boolean,
    readonly bornSeconds: number,
    readonly bornNanoseconds: number,
    parent: Inode | undefined,
    name: string,
  ) {
    this.parent = parent;
    this.name = name;
  }

  /** Whether the attributes are those of this inode, not of another that has its number now. */
  isOf({ ino, born }: Statx): boolean {
    return ino === this.ino && born.seconds === this.bornSeconds && born.nanoseconds === this.bornNanoseconds;
  }
}

export class Inodes {
  readonly root: Inode;
  readonly #statx: Statx;
  readonly #byId = new Map<NodeId, Inode>();
  readonly #byKey = new Map<InodeKey, Inode>();
  /** Directories with a descriptor, least recently used first. The root is not among them. */
  readonly #descriptors = new Set<Inode>();
  readonly #device: number;
  #nextId: NodeId = ROOT;

  /** `rootFd`: of O_PATH; from now on it belongs to this object. `statx` is filled by what is done here. */
  constructor(rootFd: number, statx: Statx) {
    this.#statx = statx;
    statx.read(rootFd, '');
    this.#device = statx.device;
    this.root = this.#add(statx, undefined, '');
    this.root.fd = rootFd;
    this.root.lookups = Infinity;
  }

  /** Inodes that the kernel knows. */
  get size(): number {
    return this.#byId.size;
  }

  /** Descriptors held. */
  get descriptors(): number {
    let count = 0;
    for (const { fd } of this.#byId.values()) if (fd >= 0) count++;
    return count;
  }

  /** Throws ESTALE for an inode that the kernel was not told of. */
  get(id: NodeId): Inode {
    const inode = this.#byId.get(id);
    if (inode === undefined) throw systemCallError(ESTALE);
    return inode;
  }

  /** The inode of the attributes just read, found under a name; known, or new with one lookup less than {@link counted} gives it. */
  found(parent: Inode | undefined, name: string): Inode {
    const known = this.known();
    if (known === undefined) return this.#add(this.#statx, parent, name);
    if (parent !== undefined && (known.parent !== parent || known.name !== name)) this.#named(known, parent, name);
    return known;
  }

  /** The inode of the attributes just read, where the kernel knows it. */
  known(): Inode | undefined {
    const known = this.#byKey.get(this.#key(this.#statx));
    return known?.isOf(this.#statx) === true ? known : undefined;
  }

  forget(id: NodeId, count: number): Inode | undefined {
    const inode = this.#byId.get(id);
    if (inode === undefined) return undefined;
    inode.lookups -= count;
    if (inode.lookups > 0) return undefined;
    this.#byId.delete(id);
    if (this.#byKey.get(inode.key) === inode) this.#byKey.delete(inode.key);
    this.#close(inode);
    return inode;
  }

  /** A descriptor of a directory, for calls relative to it. Good until the next call. */
  directory(inode: Inode): number {
    if (inode.fd < 0) {
      inode.fd = this.#open(inode);
      this.#descriptors.add(inode);
      this.#trim(inode);
    } else if (inode !== this.root && !inode.isNameless && this.#descriptors.size > DESCRIPTOR_LIMIT / 2) {
      this.#descriptors.delete(inode);
      this.#descriptors.add(inode);
    }
    return inode.fd;
  }

  /** Reads the attributes of an inode. */
  stat(inode: Inode): void {
    const isThere = inode.fd >= 0 ? this.#statx.read(inode.fd, '') : this.#statx.read(this.directory(inode.parent!), inode.name);
    if (!isThere) throw systemCallError(ENOENT);
    if (inode.fd < 0 && !inode.isOf(this.#statx)) throw systemCallError(ESTALE);
  }

  /** Calls `use` with a descriptor of O_PATH of the inode, good during the call. */
  withDescriptor<T>(inode: Inode, use: (fd: number) => T): T {
    if (inode.fd >= 0) return use(inode.fd);
    const fd = this.#open(inode);
    try {
      return use(fd);
    } finally {
      closeDescriptor(fd);
    }
  }

  /** Where a call by name reaches the inode: a directory's descriptor and the name; an empty name means the descriptor's own file. */
  place(inode: Inode): Place {
    if (inode.fd >= 0) return { fd: inode.fd, name: '' };
    return { fd: this.directory(inode.parent!), name: inode.name };
  }

  /**
   * A name is about to be taken away. Returns the inode it leads to where the kernel knows it by that name, holding a descriptor by which it is reached
   * afterwards; {@link removed} or {@link kept} follows.
   */
  losingName(parent: Inode, name: string): Inode | undefined {
    const fd = this.directory(parent);
    if (!this.#statx.read(fd, name)) return undefined;
    const inode = this.known();
    if (inode === undefined || inode.parent !== parent || inode.name !== name) return undefined;
    if (inode.fd < 0) inode.fd = openAt(fd, name, O_PATH | O_NOFOLLOW);
    return inode;
  }

  /** The name is gone. */
  removed(inode: Inode | undefined): void {
    if (inode === undefined) return;
    inode.isNameless = true;
    inode.parent = undefined;
    this.#descriptors.delete(inode);
  }

  /** The name was not taken away after all. */
  kept(inode: Inode | undefined): void {
    if (inode === undefined || inode.isNameless) return;
    if (inode.isDirectory) this.#descriptors.add(inode);
    else this.#close(inode);
  }

  /** A name now leads to the inode of the attributes just read. */
  moved(parent: Inode, name: string): void {
    const inode = this.known();
    if (inode !== undefined) this.#named(inode, parent, name);
  }

  closeAll(): void {
    for (const inode of this.#byId.values()) this.#close(inode);
    this.#byId.clear();
    this.#byKey.clear();
  }

  #named(inode: Inode, parent: Inode, name: string): void {
    if (inode === this.root) return;
    inode.parent = parent;
    inode.name = name;
    if (!inode.isNameless) return;
    inode.isNameless = false;
    if (inode.isDirectory) this.#descriptors.add(inode);
    else this.#close(inode);
  }

  #add(statx: Statx, parent: Inode | undefined, name: string): Inode {
    const { seconds, nanoseconds } = statx.born;
    const key = this.#key(statx);
    const inode = new Inode(this.#nextId++, key, statx.ino, isDirectoryMode(statx.mode), seconds, nanoseconds, parent, name);
    this.#byId.set(inode.id, inode);
    this.#byKey.set(key, inode);
    return inode;
  }

  /** Opens by name what has no descriptor. */
  #open(inode: Inode): number {
    const fd = openAt(this.directory(inode.parent!), inode.name, O_PATH | O_NOFOLLOW);
    if (this.#statx.read(fd, '') && inode.isOf(this.#statx)) return fd;
    closeDescriptor(fd);
    throw systemCallError(ESTALE);
  }

  /** Closes what was not used for longest. An inode's descriptor is good without those of the directories above it. */
  #trim(used: Inode): void {
    for (const inode of this.#descriptors) {
      if (this.#descriptors.size <= DESCRIPTOR_LIMIT) return;
      if (inode !== used) this.#close(inode);
    }
  }

  #close(inode: Inode): void {
    this.#descriptors.delete(inode);
    if (inode.fd < 0) return;
    closeDescriptor(inode.fd);
    inode.fd = -1;
  }

  #key({ device, ino }: Statx): InodeKey {
    return device === this.#device ? ino : `${device}:${ino}`;
  }
}
