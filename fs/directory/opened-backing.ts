/** An open file of a plain directory. */

import { constants } from 'node:fs';
import { Errno, systemCallError } from '../../common/errors.js';
import type { OpenedFile } from '../contract.js';
import type { Inode } from './inodes.js';

export const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;

export class OpenedBacking implements OpenedFile {
  readonly fd: number;
  readonly inode: Inode;
  readonly isWritable: boolean;
  /** Whether each write is to be on the disk before it is acknowledged (O_SYNC, O_DSYNC). */
  readonly isSynchronous: boolean;
  readonly keepCache: boolean;
  readonly backing: number | undefined;
  readonly mayBeMapped: boolean;
  /** Bytes, at the time of opening. */
  readonly size: number;

  constructor(fd: number, inode: Inode, size: number, flags: number, keepCache: boolean, passthrough: boolean) {
    this.fd = fd;
    this.inode = inode;
    this.size = size;
    this.isWritable = (flags & ACCESS_MODE) !== constants.O_RDONLY;
    this.isSynchronous = this.isWritable && (flags & (constants.O_SYNC | constants.O_DSYNC)) !== 0;
    this.keepCache = keepCache;
    this.backing = passthrough ? fd : undefined;
    this.mayBeMapped = passthrough && (flags & ACCESS_MODE) === constants.O_RDWR;
  }

  /** Whether the kernel may write to it without a word to this process. */
  get isWrittenBehind(): boolean {
    return this.isWritable && this.backing !== undefined;
  }
}

/** Throws EBADF for what was not opened here. */
export function fdOf(opened: OpenedFile): number {
  if (opened instanceof OpenedBacking) return opened.fd;
  throw systemCallError(Errno.EBADF);
}
