/**
 * Set-user-ID and set-group-ID bits: who writes to a file without the right to keep them takes them away (chmod(2), write(2)). The kernel says with most
 * operations whether that is so; of the others it leaves it to the file system.
 */

import type { Caller } from '../contract.js';
import { isRegularMode } from '../file-type.js';
import { isMember } from './credentials.js';
import type { Inode } from './inodes.js';
import type { Statx } from './statx.js';
import { changeMode, changeModeOfOpen } from './system-calls.js';

const SET_USER_ID = 0o4000;
const SET_GROUP_ID = 0o2000;
const SET_ID = SET_USER_ID | SET_GROUP_ID;
const GROUP_EXECUTE = 0o010;

export class SetIdBits {
  readonly #statx: Statx;

  /** `statx` holds the attributes just read wherever this says so. */
  constructor(statx: Statx) {
    this.#statx = statx;
  }

  /** Whether the file of the attributes just read has any. */
  get areSet(): boolean {
    return isRegularMode(this.#statx.mode) && (this.#statx.mode & SET_ID) !== 0;
  }

  /** As the kernel does at a write: the set-user-ID bit, and the set-group-ID bit where the group may execute. The attributes are those just read. */
  take(fd: number, fromOthers = false): void {
    const { mode } = this.#statx;
    const kept = keptOf(mode, fromOthers);
    if (kept === (mode & 0o7777) || !isRegularMode(mode)) return;
    changeModeOfOpen(fd, kept);
    this.#statx.read(fd, '');
  }

  /** The same where the kernel does not tell whether the caller may keep them. */
  takeFrom(fd: number, caller: Caller): void {
    if (caller.uid === 0) return;
    this.#statx.read(fd, '');
    // The set-group-ID bit of a file that its group may not execute stays only for members of the group.
    const { mode, gid } = this.#statx;
    this.take(fd, (mode & (SET_GROUP_ID | GROUP_EXECUTE)) === SET_GROUP_ID && !isMember(caller, gid));
  }

  /** The set-group-ID bit alone. `fd` may be one of O_PATH. */
  takeGroup(fd: number): void {
    this.#statx.read(fd, '');
    if ((this.#statx.mode & SET_GROUP_ID) !== 0) changeMode(fd, this.#statx.mode & 0o7777 & ~SET_GROUP_ID);
  }

  /** Attributes were set; those just read are the result. Bits given to a file that the kernel may write to by itself are watched from here on. */
  watch(inode: Inode): void {
    const { seconds, nanoseconds } = this.#statx.modified;
    inode.watched = inode.writtenBehind > 0 && this.areSet ? { seconds, nanoseconds } : undefined;
  }

  /** Takes the bits of a watched file away where it was written to since. The attributes are those just read; `withDescriptor` gives one of O_PATH. */
  check(inode: Inode, withDescriptor: (use: (fd: number) => void) => void): void {
    const { watched } = inode;
    if (watched === undefined) return;
    const { seconds, nanoseconds } = this.#statx.modified;
    if (seconds === watched.seconds && nanoseconds === watched.nanoseconds) return;
    inode.watched = undefined;
    withDescriptor((fd) => {
      changeMode(fd, keptOf(this.#statx.mode, false));
      this.#statx.read(fd, '');
    });
  }
}

/** Permission bits without those that a write takes away. */
function keptOf(mode: number, fromOthers: boolean): number {
  const kept = mode & 0o7777 & ~SET_USER_ID;
  return (mode & GROUP_EXECUTE) !== 0 || fromOthers ? kept & ~SET_GROUP_ID : kept;
}
