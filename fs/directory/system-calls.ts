/**
 * The system calls of the plain directory, relative to descriptors so that nothing outside it is reached by a name. Each throws the SystemCallError of its
 * errno. Names are strings of one character per byte (latin1). Linux, 64-bit.
 */

import koffi from 'koffi';
import { constants, writeSync } from 'node:fs';
import { Errno, systemCallError } from '../../common/errors.js';

const libc = koffi.load('libc.so.6');

type Call = (...args: (number | bigint | Buffer | null)[]) => number;
const declare = (prototype: string): Call => libc.func(prototype);

/** A call and its form that does not follow a link at the end of the path. */
const byPlace = (prototype: string): { readonly follow: Call; readonly noFollow: Call } => ({
  follow: declare(prototype.replace('%s', '')),
  noFollow: declare(prototype.replace('%s', 'l')),
});

const cOpenat = declare('int openat(int directory, void *name, int flags, int mode)');
const cStatx = declare('int statx(int directory, void *name, int flags, unsigned int mask, void *buffer)');
const cMkdirat = declare('int mkdirat(int directory, void *name, int mode)');
const cMknodat = declare('int mknodat(int directory, void *name, int mode, unsigned long device)');
const cSymlinkat = declare('int symlinkat(void *target, int directory, void *name)');
const cLinkat = declare('int linkat(int directory, void *name, int newDirectory, void *newName, int flags)');
const cUnlinkat = declare('int unlinkat(int directory, void *name, int flags)');
const cRenameat2 = declare('int renameat2(int directory, void *name, int newDirectory, void *newName, unsigned int flags)');
const cReadlinkat = declare('long readlinkat(int directory, void *name, void *buffer, unsigned long size)');
const cFchmodat = declare('int fchmodat(int directory, void *name, int mode, int flags)');
const cFchmod = declare('int fchmod(int fd, int mode)');
const cFchownat = declare('int fchownat(int directory, void *name, unsigned int uid, unsigned int gid, int flags)');
const cUtimensat = declare('int utimensat(int directory, void *name, void *times, int flags)');
const cFtruncate = declare('int ftruncate(int fd, long size)');
const cGetdents = declare('long getdents64(int fd, void *buffer, unsigned long size)');
const cLseek = declare('long lseek(int fd, int64_t offset, int whence)');
const cGetxattr = byPlace('long %sgetxattr(void *path, void *name, void *value, unsigned long size)');
const cSetxattr = byPlace('int %ssetxattr(void *path, void *name, void *value, unsigned long size, int flags)');
const cListxattr = byPlace('long %slistxattr(void *path, void *list, unsigned long size)');
const cRemovexattr = byPlace('int %sremovexattr(void *path, void *name)');
const cClose = declare('int close(int fd)');

export const AT_EMPTY_PATH = 0x1000;
export const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_FDCWD = -100;
/** open(2): only names a file, for the other calls; as Linux numbers it on every machine. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
/** STATX_BASIC_STATS | STATX_BTIME. */
const STATX_MASK = 0xfff;
/** PATH_MAX. */
const LONGEST = 4096;

/** Names are written here to be passed: one call uses two at most. */
const firstName = Buffer.alloc(LONGEST + 1);
const secondName = Buffer.alloc(LONGEST + 1);
const EMPTY = Buffer.from('\0');

function put(text: string, buffer: Buffer): Buffer {
  if (text.length > LONGEST) throw systemCallError(Errno.ENAMETOOLONG);
  buffer.write(text, 0, 'latin1');
  buffer[text.length] = 0;
  return buffer;
}

function check(result: number): number {
  if (result < 0) throw systemCallError(koffi.errno());
  return result;
}

export function openAt(directory: number, name: string, flags: number, mode = 0): number {
  return check(cOpenat(directory, put(name, firstName), flags | O_CLOEXEC, mode));
}

/** Fills `buffer` (256 bytes) with a statx structure; false for ENOENT. An empty name is the descriptor's own file. Links are not followed. */
export function statxAt(directory: number, name: string, buffer: Buffer): boolean {
  const isOwn = name === '';
  const flags = isOwn ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (cStatx(directory, isOwn ? EMPTY : put(name, firstName), flags, STATX_MASK, buffer) === 0) return true;
  const errno = koffi.errno();
  if (errno === Errno.ENOENT) return false;
  throw systemCallError(errno);
}

export function makeDirectoryAt(directory: number, name: string, mode: number): void {
  check(cMkdirat(directory, put(name, firstName), mode));
}

export function makeNodeAt(directory: number, name: string, mode: number, device: number): void {
  check(cMknodat(directory, put(name, firstName), mode, device));
}

/** `target`: bytes without a NUL. */
export function makeLinkAt(target: Buffer, directory: number, name: string): void {
  check(cSymlinkat(put(target.toString('latin1'), secondName), directory, put(name, firstName)));
}

export function linkAt(directory: number, name: string, newDirectory: number, newName: string): void {
  check(cLinkat(directory, put(name, firstName), newDirectory, put(newName, secondName), 0));
}

/** Gives the file of a descriptor, which may be one of O_PATH, a name. */
export function linkDescriptorAt(fd: number, newDirectory: number, newName: string): void {
  check(cLinkat(AT_FDCWD, put(procPath(fd), firstName), newDirectory, put(newName, secondName), AT_SYMLINK_FOLLOW));
}

export function unlinkAt(directory: number, name: string, isDirectory: boolean): void {
  check(cUnlinkat(directory, put(name, firstName), isDirectory ? AT_REMOVEDIR : 0));
}

export function renameAt(directory: number, name: string, newDirectory: number, newName: string, flags: number): void {
  check(cRenameat2(directory, put(name, firstName), newDirectory, put(newName, secondName), flags));
}

/** An empty name is the link of a descriptor of O_PATH. */
export function readLinkAt({ fd, name }: Place): Buffer {
  const buffer = Buffer.alloc(LONGEST);
  return buffer.subarray(0, check(cReadlinkat(fd, put(name, firstName), buffer, LONGEST)));
}

/** chmod(2) of the file of a descriptor, which may be one of O_PATH. */
export function changeMode(fd: number, mode: number): void {
  check(cFchmodat(AT_FDCWD, put(procPath(fd), firstName), mode, 0));
}

/** fchmod(2): of an ordinary descriptor. */
export function changeModeOfOpen(fd: number, mode: number): void {
  check(cFchmod(fd, mode));
}

/** -1 leaves an owner as it is. */
export function changeOwner(fd: number, uid: number, gid: number): void {
  check(cFchownat(fd, EMPTY, uid >>> 0, gid >>> 0, AT_EMPTY_PATH));
}

/** `times`: two timespec structures. */
export function changeTimes(fd: number, times: Buffer): void {
  check(cUtimensat(fd, EMPTY, times, AT_EMPTY_PATH));
}

export function truncateOpen(fd: number, size: number): void {
  check(cFtruncate(fd, size));
}

/** Bytes of directory entries read into `buffer`; 0 at the end. */
export function readDirectory(fd: number, buffer: Buffer): number {
  return check(cGetdents(fd, buffer, buffer.length));
}

export function seekTo(fd: number, offset: number | bigint, whence: number): number {
  return check(cLseek(fd, offset, whence));
}

/** A path that leads to the file of a descriptor, whatever happened to the path it was opened by. */
export function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Where a call by name reaches an inode: a directory's descriptor and a name in it; an empty name means the descriptor's own file. */
export interface Place {
  readonly fd: number;
  readonly name: string;
}

function path({ fd, name }: Place): Buffer {
  return put(name === '' ? procPath(fd) : `${procPath(fd)}/${name}`, firstName);
}

/** A descriptor's path in /proc is a link that must be followed; a name in a directory may be a link that must not. */
function pick({ name }: Place): 'follow' | 'noFollow' {
  return name === '' ? 'follow' : 'noFollow';
}

/** Largest value of an extended attribute (XATTR_SIZE_MAX). */
const LARGEST_ATTRIBUTE = 65536;
const attributeBuffer = Buffer.alloc(LARGEST_ATTRIBUTE);

/** Undefined where there is none of that name. */
export function getAttribute(place: Place, name: string): Buffer | undefined {
  const size = cGetxattr[pick(place)](path(place), put(name, secondName), attributeBuffer, LARGEST_ATTRIBUTE);
  if (size >= 0) return Buffer.from(attributeBuffer.subarray(0, size));
  const errno = koffi.errno();
  if (errno === Errno.ENODATA) return undefined;
  throw systemCallError(errno);
}

export function setAttribute(place: Place, name: string, value: Buffer, flags: number): void {
  check(cSetxattr[pick(place)](path(place), put(name, secondName), value, value.length, flags));
}

export function listAttributes(place: Place): Buffer {
  const size = check(cListxattr[pick(place)](path(place), attributeBuffer, LARGEST_ATTRIBUTE));
  return Buffer.from(attributeBuffer.subarray(0, size));
}

export function removeAttribute(place: Place, name: string): void {
  check(cRemovexattr[pick(place)](path(place), put(name, secondName)));
}

/** Errors are not reported: the descriptor is gone in any case. */
export function closeDescriptor(fd: number): void {
  cClose(fd);
}

/** Runs a call of node:fs, so that it fails as the calls here do. */
export function asSystemCall<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw typeof errno === 'number' ? systemCallError(-errno) : error;
  }
}

/** Writes as much as there is room for; returns how much, and throws only where that is nothing. */
export function writeAll(fd: number, from: Buffer, at: number, size: number, offset: number): number {
  let done = 0;
  while (done < size) {
    try {
      done += writeSync(fd, from, at + done, size - done, offset + done);
    } catch (error) {
      if (done > 0) break;
      throw error;
    }
  }
  return done;
}

/** open(2) flags of a caller that are passed on: what is left out is done by the kernel above, or would block the thread that serves. */
export const PASSED_FLAGS = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC | constants.O_EXCL;
