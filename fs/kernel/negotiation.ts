/** INIT: what the kernel offers, and what of it is taken. */

import { ButlerfsError } from '../../common/errors.js';
import type { FileSystem } from '../contract.js';
import {
  IN_HEADER_SIZE,
  INIT_OUT_SIZE,
  INIT_OUT_SIZE_SHORT,
  InitFlag,
  InitFlag2,
  OLDEST_MINOR,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
} from './protocol.js';

export interface Negotiated {
  readonly minor: number;
  /** The kernel can read backing files by itself; whether it may is known at the first registration. */
  readonly passthrough: boolean;
  /** Body of the reply. */
  readonly reply: Buffer;
}

/** Taken wherever it is offered. */
const ALWAYS =
  InitFlag.ASYNC_READ |
  InitFlag.BIG_WRITES |
  InitFlag.DO_READDIRPLUS |
  InitFlag.ASYNC_DIO |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.ABORT_ERROR |
  InitFlag.MAX_PAGES |
  InitFlag.CACHE_SYMLINKS |
  InitFlag.NO_OPENDIR_SUPPORT |
  InitFlag.INIT_EXT;

/** Pages of one request: 1 MiB, which is what an unprivileged user's mount may have. */
const MAX_PAGES = 256;
const MAX_BACKGROUND = 64;

/** The first word of flags that a file system wants. */
export function wantedFlags(fileSystem: FileSystem): number {
  const { traits } = fileSystem;
  let flags: number = ALWAYS;
  flags |= traits.invalidatesByTime ? InitFlag.AUTO_INVAL_DATA : InitFlag.EXPLICIT_INVAL_DATA;
  if (traits.readdirPlus === 'adaptive') flags |= InitFlag.READDIRPLUS_AUTO;
  if (traits.writable) flags |= InitFlag.ATOMIC_O_TRUNC | InitFlag.DONT_MASK | InitFlag.HANDLE_KILLPRIV_V2;
  if (traits.accessControlLists) flags |= InitFlag.POSIX_ACL | InitFlag.SETXATTR_EXT;
  if (fileSystem.setLock !== undefined) flags |= InitFlag.POSIX_LOCKS | InitFlag.FLOCK_LOCKS;
  return flags;
}

/**
 * Reads an INIT request of `size` bytes at the start of `request` and makes its answer. `wanted`: {@link wantedFlags}.
 * `maxWrite`: largest write in bytes that the request buffer has room for.
 * Throws `mount-failed` where the kernel's protocol is older than 7.19.
 */
export function negotiate(request: Buffer, size: number, wanted: number, maxWrite: number): Negotiated {
  const major = request.readUInt32LE(IN_HEADER_SIZE);
  const minor = request.readUInt32LE(IN_HEADER_SIZE + 4);
  if (major < PROTOCOL_MAJOR || (major === PROTOCOL_MAJOR && minor < OLDEST_MINOR)) {
    throw new ButlerfsError('mount-failed', {
      what: `FUSE protocol ${major}.${minor} of this kernel`,
      why: `${PROTOCOL_MAJOR}.${OLDEST_MINOR} is the oldest that is spoken here`,
      advice: 'use Linux 3.5 or later',
    });
  }
  const reply = Buffer.alloc(minor < 23 ? INIT_OUT_SIZE_SHORT : INIT_OUT_SIZE);
  reply.writeUInt32LE(PROTOCOL_MAJOR, 0);
  reply.writeUInt32LE(PROTOCOL_MINOR, 4);
  // A newer major: answer with ours, and the kernel asks again in it.
  if (major > PROTOCOL_MAJOR) return { minor: PROTOCOL_MINOR, passthrough: false, reply };

  const offered = request.readUInt32LE(IN_HEADER_SIZE + 12);
  const taken = offered & wanted;
  const hasSecondWord = (taken & InitFlag.INIT_EXT) !== 0 && size >= IN_HEADER_SIZE + 20;
  const offered2 = hasSecondWord ? request.readUInt32LE(IN_HEADER_SIZE + 16) : 0;
  const passthrough = (offered2 & InitFlag2.PASSTHROUGH) !== 0;
  reply.writeUInt32LE(request.readUInt32LE(IN_HEADER_SIZE + 8), 8);
  reply.writeUInt32LE(taken >>> 0, 12);
  reply.writeUInt16LE(MAX_BACKGROUND, 16);
  reply.writeUInt16LE(Math.floor((MAX_BACKGROUND * 3) / 4), 18);
  // Without MAX_PAGES a request has 32 pages at most.
  reply.writeUInt32LE((taken & InitFlag.MAX_PAGES) === 0 ? Math.min(maxWrite, 32 * 4096) : maxWrite, 20);
  if (reply.length >= INIT_OUT_SIZE) {
    reply.writeUInt32LE(1, 24);
    reply.writeUInt16LE(MAX_PAGES, 28);
    reply.writeUInt32LE(offered2 & (InitFlag2.PASSTHROUGH | InitFlag2.HAS_EXPIRE_ONLY | InitFlag2.DIRECT_IO_ALLOW_MMAP), 32);
    reply.writeUInt32LE(passthrough ? 1 : 0, 36);
  }
  return { minor: Math.min(minor, PROTOCOL_MINOR), passthrough, reply };
}
