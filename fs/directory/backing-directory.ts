/**
 * A plain writable directory as a file system: what is below it on a local disk, as it is. Everything that POSIX says of files holds, as far as the file
 * system below does it.
 *
 * The kernel checks permissions (default_permissions); what is made belongs to the caller where this process is root, else to this process.
 */

import { constants, statfsSync } from 'node:fs';
import { Errno, systemCallError } from '../../common/errors.js';
import {
  type Answer,
  type AttributeChanges,
  type Attributes,
  type Caller,
  type Created,
  type DirectoryPosition,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type FileSystemTotals,
  type FileSystemTraits,
  mapWaiting,
  type NodeId,
  type OpenedFile,
  type OpenRequest,
  type Waiting,
} from '../contract.js';
import type { Errand, Errands } from '../errands.js';
import { isRegularMode } from '../file-type.js';
import { duplicate } from '../kernel/native.js';
import { readPresent } from '../present-read.js';
import { LockTable } from '../locks.js';
import { Credentials } from './credentials.js';
import { type Inode, Inodes } from './inodes.js';
import { DirectoryReaders } from './listing.js';
import { ACCESS_MODE, fdOf, OpenedBacking } from './opened-backing.js';
import { SetIdBits } from './set-id.js';
import { Statx } from './statx.js';
import * as system from './system-calls.js';
import { putTime } from './times.js';

export interface BackingDirectoryOptions {
  /** Absolute path of an existing directory. */
  readonly root: string;
  readonly errands: Errands;
  /**
   * Whether nobody else changes what is below: then the kernel keeps names, attributes and pages for as long as it likes. Else it asks again after a
   * second, and reads again what has another time or size.
   */
  readonly exclusive: boolean;
  /** Whether the calling thread does nothing else: see {@link Credentials}. */
  readonly ownsThread: boolean;
  /**
   * Who keeps POSIX and flock(2) locks. To the processes on one mount it is the same; kept here, every close(2) costs a request more (FLUSH), because
   * POSIX locks end with it.
   */
  readonly locks: 'kernel' | 'here';
}

const EXCLUSIVE_SECONDS = 86_400;
const SHARED_SECONDS = 1;
const O_NOFOLLOW = 0o400000;
const RENAME_EXCHANGE = 2;
const ACCESS_LIST = 'system.posix_acl_access';

export class BackingDirectory implements FileSystem {
  readonly traits: FileSystemTraits;
  readonly flush?: NonNullable<FileSystem['flush']>;
  readonly getLock?: NonNullable<FileSystem['getLock']>;
  readonly setLock?: NonNullable<FileSystem['setLock']>;
  readonly #statx: Statx;
  readonly #setId: SetIdBits;
  readonly #inodes: Inodes;
  readonly #readers = new DirectoryReaders();
  readonly #locks = new LockTable();
  readonly #credentials: Credentials;
  readonly #errands: Errands;
  readonly #exclusive: boolean;
  readonly #times = Buffer.alloc(32);
  /** Filled anew for every answer. */
  readonly #answer: { node: NodeId; attributes: Attributes };
  #open = 0;

  /** Throws the SystemCallError of opening the root. */
  constructor({ root, errands, exclusive, ownsThread, locks }: BackingDirectoryOptions) {
    const rootFd = system.openAt(-100, Buffer.from(root).toString('latin1'), system.O_PATH | constants.O_DIRECTORY);
    this.#exclusive = exclusive;
    this.#statx = new Statx(exclusive ? EXCLUSIVE_SECONDS : SHARED_SECONDS);
    this.#setId = new SetIdBits(this.#statx);
    this.#inodes = new Inodes(rootFd, this.#statx);
    this.#credentials = new Credentials(ownsThread);
    this.#errands = errands;
    this.#answer = { node: this.#inodes.root.id, attributes: this.#statx };
    this.traits = {
      writable: true,
      nameEncoding: 'latin1',
      invalidatesByTime: !exclusive,
      readdirPlus: 'adaptive',
      accessControlLists: keepsAccessLists(rootFd),
      birthTimes: true,
      negativeValidity: exclusive ? EXCLUSIVE_SECONDS : SHARED_SECONDS,
    };
    if (locks === 'kernel') return;
    this.getLock = (node, request) => this.#locks.get(node, request);
    this.setLock = (node, request, wait) => this.#locks.set(node, request, wait);
    this.flush = (node, _opened, owner) => {
      this.#locks.releaseOwner(node, owner, false);
    };
  }

  /** Inodes that the kernel knows, descriptors held for them, open files and locks: what must not grow without end. */
  get held(): { readonly inodes: number; readonly descriptors: number; readonly files: number; readonly locks: number } {
    return { inodes: this.#inodes.size, descriptors: this.#inodes.descriptors, files: this.#open, locks: this.#locks.size };
  }

  /** Closes everything; nothing may be asked afterwards. */
  close(): void {
    this.#readers.closeAll();
    this.#inodes.closeAll();
  }

  lookup(parent: NodeId, name: string): Entry {
    return this.#entry(this.#inodes.get(parent), checkedName(name));
  }

  forget(node: NodeId, count: number): void {
    const gone = this.#inodes.forget(node, count);
    if (gone === undefined) return;
    if (gone.isDirectory) this.#readers.drop(node);
    this.#locks.drop(node);
  }

  attributes(node: NodeId, opened: OpenedFile | undefined): Attributes {
    const isOpened = opened instanceof OpenedBacking;
    const inode = isOpened ? opened.inode : this.#inodes.get(node);
    if (isOpened) this.#statx.read(opened.fd, '');
    else this.#inodes.stat(inode);
    return this.#attributesOf(inode);
  }

  readLink(node: NodeId): Buffer {
    return system.readLinkAt(this.#place(node));
  }

  totals(): FileSystemTotals {
    const { bsize, blocks, bfree, bavail, files, ffree } = system.asSystemCall(() => statfsSync(system.procPath(this.#inodes.root.fd)));
    return {
      files: files - ffree,
      freeFiles: ffree,
      bytes: blocks * bsize,
      freeBytes: bfree * bsize,
      availableBytes: bavail * bsize,
      blockSize: bsize,
      nameLength: 255,
    };
  }

  list(node: NodeId, from: DirectoryPosition, sink: DirectorySink): void {
    const inode = this.#inodes.get(node);
    const reader = this.#readers.get(node, () => this.#inodes.directory(inode));
    reader.seek(from);
    for (let listed = reader.peek(); listed !== undefined; listed = reader.peek()) {
      if (!sink.fits(listed.name)) return;
      const entry = sink.plus && listed.name !== '.' && listed.name !== '..' ? this.#listedEntry(inode, listed.name) : undefined;
      sink.add(listed.name, listed.next, listed.type, listed.ino, entry);
      reader.advance();
    }
  }

  syncDirectory(node: NodeId, dataOnly: boolean): Waiting<void> {
    const fd = system.openAt(this.#inodes.directory(this.#inodes.get(node)), '.', constants.O_RDONLY | constants.O_DIRECTORY);
    return this.#errand({ call: dataOnly ? 'fdatasync' : 'fsync', fd });
  }

  open(node: NodeId, { flags, killSetId }: OpenRequest): OpenedFile {
    const inode = this.#inodes.get(node);
    const passed = (flags & system.PASSED_FLAGS) | constants.O_NONBLOCK;
    const fd =
      inode.fd >= 0
        ? system.openAt(-100, system.procPath(inode.fd), passed)
        : system.openAt(this.#inodes.directory(inode.parent!), inode.name, passed | O_NOFOLLOW);
    try {
      this.#statx.read(fd, '');
      if (!inode.isOf(this.#statx)) throw systemCallError(Errno.ESTALE);
      if (killSetId) this.#setId.take(fd);
      return this.#opened(fd, inode, flags);
    } catch (error) {
      system.closeDescriptor(fd);
      throw error;
    }
  }

  read(opened: OpenedFile, into: Buffer, at: number, size: number, offset: number): number | Waiting<unknown> {
    const fd = fdOf(opened);
    const present = system.asSystemCall(() => readPresent(fd, into, at, size, offset));
    return present >= 0 ? present : this.#errands.run({ call: 'load', fd: duplicate(fd), offset, length: size });
  }

  release(node: NodeId, opened: OpenedFile, flockOwner: bigint | undefined): void {
    if (!(opened instanceof OpenedBacking)) return;
    if (flockOwner !== undefined) this.#locks.releaseOwner(node, flockOwner, true);
    if (opened.isWrittenBehind) this.#endWritingBehind(opened);
    if (opened.mayBeMapped) opened.inode.mappable--;
    // The kernel tells of the end of each lock but those of open files (F_OFD_SETLK).
    if (--opened.inode.opens === 0) this.#locks.drop(node);
    system.closeDescriptor(opened.fd);
    this.#open--;
  }

  seek(opened: OpenedFile, offset: number, whence: number): number {
    return system.seekTo(fdOf(opened), offset, whence);
  }

  attributeNames(node: NodeId, caller?: Caller): Buffer {
    const names = system.listAttributes(this.#place(node));
    return caller === undefined || caller.uid === 0 ? names : withoutTrusted(names);
  }

  attribute(node: NodeId, name: string): Buffer | undefined {
    return system.getAttribute(this.#place(node), name);
  }

  setAttribute(node: NodeId, name: string, value: Buffer, flags: number, killSetGroupId: boolean): void {
    system.setAttribute(this.#place(node), name, value, flags);
    if (!killSetGroupId || name !== ACCESS_LIST) return;
    const inode = this.#inodes.get(node);
    this.#inodes.withDescriptor(inode, (fd) => {
      this.#setId.takeGroup(fd);
    });
  }

  removeAttribute(node: NodeId, name: string): void {
    system.removeAttribute(this.#place(node), name);
  }

  setAttributes(node: NodeId, changes: AttributeChanges, opened: OpenedFile | undefined): Attributes {
    const inode = this.#inodes.get(node);
    if (changes.size !== undefined && opened instanceof OpenedBacking && opened.isWritable) {
      this.#truncate(opened.fd, changes.size, changes.killSetId);
    } else if (changes.size !== undefined) {
      const fd = this.#inodes.withDescriptor(inode, (path) =>
        system.openAt(-100, system.procPath(path), constants.O_WRONLY | constants.O_NONBLOCK),
      );
      try {
        this.#truncate(fd, changes.size, changes.killSetId);
      } finally {
        system.closeDescriptor(fd);
      }
    }
    this.#inodes.withDescriptor(inode, (fd) => {
      if (changes.uid !== undefined || changes.gid !== undefined) system.changeOwner(fd, changes.uid ?? -1, changes.gid ?? -1);
      if (changes.mode !== undefined) system.changeMode(fd, changes.mode);
      if (changes.accessed !== undefined || changes.modified !== undefined) {
        putTime(this.#times, 0, changes.accessed);
        putTime(this.#times, 16, changes.modified);
        system.changeTimes(fd, this.#times);
      }
      this.#statx.read(fd, '');
    });
    this.#setId.watch(inode);
    return this.#attributesOf(inode);
  }

  create(parent: NodeId, name: string, mode: number, { flags, killSetId }: OpenRequest, caller: Caller): Created {
    const directory = this.#inodes.get(parent);
    const directoryFd = this.#inodes.directory(directory);
    checkedName(name);
    const passed = (flags & system.PASSED_FLAGS) | constants.O_CREAT | constants.O_NONBLOCK | O_NOFOLLOW;
    const fd = this.#credentials.as(caller, () => system.openAt(directoryFd, name, passed, mode & 0o7777));
    return this.#created(fd, directory, name, flags, killSetId);
  }

  createTemporary(parent: NodeId, mode: number, { flags }: OpenRequest, caller: Caller): Created {
    const directory = this.#inodes.directory(this.#inodes.get(parent));
    const passed = (flags & (ACCESS_MODE | constants.O_EXCL)) | O_TMPFILE;
    const fd = this.#credentials.as(caller, () => system.openAt(directory, '.', passed, mode & 0o7777));
    return this.#created(fd, undefined, '', flags, false);
  }

  makeNode(parent: NodeId, name: string, mode: number, device: number, caller: Caller): Entry {
    return this.#make(parent, name, caller, (fd) => {
      system.makeNodeAt(fd, name, mode, device);
    });
  }

  makeDirectory(parent: NodeId, name: string, mode: number, caller: Caller): Entry {
    return this.#make(parent, name, caller, (fd) => {
      system.makeDirectoryAt(fd, name, mode & 0o7777);
    });
  }

  makeLink(parent: NodeId, name: string, target: Buffer, caller: Caller): Entry {
    return this.#make(parent, name, caller, (fd) => {
      system.makeLinkAt(target, fd, name);
    });
  }

  link(node: NodeId, parent: NodeId, name: string): Entry {
    const inode = this.#inodes.get(node);
    const directory = this.#inodes.get(parent);
    const directoryFd = this.#inodes.directory(directory);
    checkedName(name);
    this.#inodes.withDescriptor(inode, (fd) => {
      system.linkDescriptorAt(fd, directoryFd, name);
    });
    return this.#entry(directory, name);
  }

  unlink(parent: NodeId, name: string): void {
    this.#remove(parent, name, false);
  }

  removeDirectory(parent: NodeId, name: string): void {
    this.#remove(parent, name, true);
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): void {
    const from = this.#inodes.get(parent);
    const to = this.#inodes.get(newParent);
    checkedName(name);
    checkedName(newName);
    const isExchange = (flags & RENAME_EXCHANGE) !== 0;
    const replaced = isExchange ? undefined : this.#inodes.losingName(to, newName);
    try {
      system.renameAt(this.#inodes.directory(from), name, this.#inodes.directory(to), newName, flags);
    } catch (error) {
      this.#inodes.kept(replaced);
      throw error;
    }
    if (this.#statx.read(this.#inodes.directory(to), newName)) {
      // Renaming one name of a file to another of its names does nothing.
      if (this.#inodes.known() === replaced) this.#inodes.kept(replaced);
      else this.#inodes.removed(replaced);
      this.#inodes.moved(to, newName);
    } else this.#inodes.removed(replaced);
    if (isExchange && this.#statx.read(this.#inodes.directory(from), name)) this.#inodes.moved(from, name);
  }

  write(opened: OpenedFile, from: Buffer, at: number, size: number, offset: number, killSetId: boolean): Answer<number> {
    if (!(opened instanceof OpenedBacking)) throw systemCallError(Errno.EBADF);
    const { fd } = opened;
    if (killSetId) {
      this.#statx.read(fd, '');
      this.#setId.take(fd);
    }
    const written = system.asSystemCall(() => system.writeAll(fd, from, at, size, offset));
    if (!opened.isSynchronous) return written;
    return mapWaiting(this.#run({ call: 'fdatasync', fd: duplicate(fd) }), () => written);
  }

  sync(opened: OpenedFile, dataOnly: boolean): Waiting<void> {
    return this.#errand({ call: dataOnly ? 'fdatasync' : 'fsync', fd: duplicate(fdOf(opened)) });
  }

  syncAll(): Waiting<void> {
    const fd = system.openAt(this.#inodes.root.fd, '.', constants.O_RDONLY | constants.O_DIRECTORY);
    return this.#errand({ call: 'syncfs', fd });
  }

  allocate(opened: OpenedFile, mode: number, offset: number, length: number, caller: Caller): Waiting<void> {
    const fd = fdOf(opened);
    this.#setId.takeFrom(fd, caller);
    return this.#errand({ call: 'fallocate', fd: duplicate(fd), mode, offset, length });
  }

  copyRange(from: OpenedFile, fromOffset: number, to: OpenedFile, toOffset: number, length: number, caller: Caller): Answer<number> {
    const target = fdOf(to);
    this.#setId.takeFrom(target, caller);
    const fd = duplicate(fdOf(from));
    return this.#run({ call: 'copy_file_range', fd, offset: fromOffset, to: duplicate(target), toOffset, length });
  }

  #errand(errand: Errand): Waiting<void> {
    return mapWaiting(this.#run(errand), () => undefined);
  }

  #run(errand: Errand): Waiting<number> {
    return { ...mapWaiting(this.#errands.run(errand), (result) => result), interruptible: false };
  }

  /** Looks a name up; counts one lookup. Throws ENOENT. */
  #entry(directory: Inode, name: string): Entry {
    if (!this.#statx.read(this.#inodes.directory(directory), name)) throw systemCallError(Errno.ENOENT);
    return this.#counted(this.#inodes.found(directory, name));
  }

  /** The entry of the attributes just read. */
  #counted(inode: Inode): Entry {
    inode.lookups++;
    this.#answer.node = inode.id;
    this.#attributesOf(inode);
    return this.#answer;
  }

  /** The attributes just read, which are the inode's. What may change by a mapping is asked for each time. */
  #attributesOf(inode: Inode): Attributes {
    if (inode.watched !== undefined) {
      this.#setId.check(inode, (use) => {
        this.#inodes.withDescriptor(inode, use);
      });
    }
    if (inode.mappable > 0) this.#statx.validity = 0;
    return this.#statx;
  }

  /** Of a listed name; undefined where it has gone since, or cannot be looked at. */
  #listedEntry(directory: Inode, name: string): Entry | undefined {
    try {
      return this.#entry(directory, name);
    } catch {
      return undefined;
    }
  }

  #make(parent: NodeId, name: string, caller: Caller, make: (fd: number) => void): Entry {
    const directory = this.#inodes.get(parent);
    const fd = this.#inodes.directory(directory);
    checkedName(name);
    this.#credentials.as(caller, () => {
      make(fd);
    });
    return this.#entry(directory, name);
  }

  /** `directory` undefined: a file without a name. */
  #created(fd: number, directory: Inode | undefined, name: string, flags: number, killSetId: boolean): Created {
    try {
      this.#statx.read(fd, '');
      if (!isRegularMode(this.#statx.mode)) throw systemCallError(Errno.EEXIST);
      if (killSetId) this.#setId.take(fd);
      const inode = this.#inodes.found(directory, name);
      if (directory === undefined) {
        inode.fd = system.openAt(-100, system.procPath(fd), system.O_PATH);
        inode.isNameless = true;
      }
      const opened = this.#opened(fd, inode, flags);
      return { entry: this.#counted(inode), opened };
    } catch (error) {
      system.closeDescriptor(fd);
      throw error;
    }
  }

  /** The attributes are those just read. */
  #opened(fd: number, inode: Inode, flags: number): OpenedFile {
    this.#open++;
    inode.opens++;
    // The kernel would write to a backing file as this process, which keeps the set-ID bits that a write must take away.
    const opened = new OpenedBacking(fd, inode, this.#statx.size, flags, this.#exclusive, !this.#setId.areSet);
    if (opened.mayBeMapped) inode.mappable++;
    if (opened.isWrittenBehind) inode.writtenBehind++;
    return opened;
  }

  /** What the kernel wrote by itself is over with this file: the last look at bits that a write takes away. */
  #endWritingBehind({ fd, inode }: OpenedBacking): void {
    if (inode.watched !== undefined) {
      this.#statx.read(fd, '');
      this.#setId.check(inode, (use) => {
        use(fd);
      });
    }
    if (--inode.writtenBehind === 0) inode.watched = undefined;
  }

  #remove(parent: NodeId, name: string, isDirectory: boolean): void {
    const directory = this.#inodes.get(parent);
    checkedName(name);
    const inode = this.#inodes.losingName(directory, name);
    try {
      system.unlinkAt(this.#inodes.directory(directory), name, isDirectory);
    } catch (error) {
      this.#inodes.kept(inode);
      throw error;
    }
    this.#inodes.removed(inode);
  }

  #truncate(fd: number, size: number, killSetId: boolean): void {
    system.truncateOpen(fd, size);
    if (!killSetId) return;
    this.#statx.read(fd, '');
    this.#setId.take(fd);
  }

  #place(node: NodeId): system.Place {
    return this.#inodes.place(this.#inodes.get(node));
  }
}

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Names come from the kernel, which has taken paths apart; whatever else comes must not lead elsewhere. */
function checkedName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw systemCallError(Errno.EINVAL);
  return name;
}

/** Names of extended attributes without those that only the superuser is shown. */
function withoutTrusted(names: Buffer): Buffer {
  if (!names.includes('trusted.')) return names;
  const shown = names.toString('latin1').match(/[^\0]+\0/g) ?? [];
  return Buffer.from(shown.filter((name) => !name.startsWith('trusted.')).join(''), 'latin1');
}

function keepsAccessLists(rootFd: number): boolean {
  try {
    system.getAttribute({ fd: rootFd, name: '' }, ACCESS_LIST);
    return true;
  } catch {
    return false;
  }
}
