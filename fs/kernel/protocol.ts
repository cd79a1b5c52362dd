/**
 * Numbers of the FUSE kernel protocol, version 7.45 and earlier.
 * Source: the kernel's uapi header `linux/fuse.h`; all fields are in host byte order. Every field is aligned to 4 bytes, so frames are read and
 * written as 32-bit words; 64-bit numbers are two of them, the low one first, as on every supported (little-endian) machine.
 */

export const PROTOCOL_MAJOR = 7;
/** The newest minor whose features are used here. */
export const PROTOCOL_MINOR = 45;
/** The oldest minor that is served: 7.19 has every frame in the form used here but for INIT's shorter reply. */
export const OLDEST_MINOR = 19;

export const IN_HEADER_SIZE = 40;
export const OUT_HEADER_SIZE = 16;
export const ATTR_SIZE = 88;
export const ENTRY_OUT_SIZE = 40 + ATTR_SIZE;
export const STATX_OUT_SIZE = 32 + 256;
export const DIRENT_HEADER_SIZE = 24;
/** What stands before the data of a WRITE request. */
export const WRITE_IN_SIZE = 40;
export const INIT_OUT_SIZE = 64;
/** Size of INIT's reply up to protocol 7.22. */
export const INIT_OUT_SIZE_SHORT = 24;
/** The kernel refuses a read(2) on /dev/fuse with less room. */
export const MIN_READ_BUFFER = 8192;

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** Larger than every opcode above: tables by opcode have this size. */
export const OPCODE_LIMIT = 64;

const names = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]));

/** Name of an operation, for counters and logs. */
export function opcodeName(opcode: number): string {
  return names.get(opcode) ?? `opcode-${opcode}`;
}

/** Smallest body in bytes of each operation; a name is at least its terminator. Shorter requests are answered with EINVAL. */
export const SMALLEST_BODY: Readonly<Record<number, number>> = {
  [Opcode.LOOKUP]: 2,
  [Opcode.FORGET]: 8,
  [Opcode.GETATTR]: 16,
  [Opcode.SETATTR]: 88,
  [Opcode.SYMLINK]: 4,
  [Opcode.MKNOD]: 18,
  [Opcode.MKDIR]: 10,
  [Opcode.UNLINK]: 2,
  [Opcode.RMDIR]: 2,
  [Opcode.RENAME]: 12,
  [Opcode.RENAME2]: 20,
  [Opcode.LINK]: 10,
  [Opcode.OPEN]: 8,
  [Opcode.READ]: 40,
  [Opcode.WRITE]: WRITE_IN_SIZE,
  [Opcode.RELEASE]: 24,
  [Opcode.FSYNC]: 16,
  [Opcode.SETXATTR]: 10,
  [Opcode.GETXATTR]: 10,
  [Opcode.LISTXATTR]: 8,
  [Opcode.REMOVEXATTR]: 2,
  [Opcode.FLUSH]: 24,
  [Opcode.INIT]: 16,
  [Opcode.OPENDIR]: 8,
  [Opcode.READDIR]: 40,
  [Opcode.READDIRPLUS]: 40,
  [Opcode.RELEASEDIR]: 24,
  [Opcode.FSYNCDIR]: 16,
  [Opcode.GETLK]: 48,
  [Opcode.SETLK]: 48,
  [Opcode.SETLKW]: 48,
  [Opcode.ACCESS]: 8,
  [Opcode.CREATE]: 18,
  [Opcode.TMPFILE]: 16,
  [Opcode.INTERRUPT]: 8,
  [Opcode.POLL]: 24,
  [Opcode.BATCH_FORGET]: 8,
  [Opcode.FALLOCATE]: 32,
  [Opcode.LSEEK]: 24,
  [Opcode.COPY_FILE_RANGE]: 56,
  [Opcode.COPY_FILE_RANGE_64]: 56,
  [Opcode.STATX]: 24,
};

/** Operations that get no reply. INTERRUPT gets none of its own. */
export const SILENT_OPCODES: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, Opcode.NOTIFY_REPLY]);

/** INIT flags, first word. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  /** The file system does O_TRUNC itself, in OPEN. */
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  /** The file system applies the umask, where a default access list does not take its place. */
  DONT_MASK: 1 << 6,
  FLOCK_LOCKS: 1 << 10,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  NO_OPENDIR_SUPPORT: 1 << 24,
  EXPLICIT_INVAL_DATA: 1 << 25,
  /** The file system takes away set-ID bits at write, truncate and chown, and the kernel need not look for them at each write. */
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  INIT_EXT: 1 << 30,
} as const;

/** INIT flags, second word (bits 32 and up of the whole). It counts only where INIT_EXT is echoed. */
export const InitFlag2 = {
  /** Bit 35: a name can be made to expire without dropping what stands in it. */
  HAS_EXPIRE_ONLY: 1 << 3,
  /** Bit 36: shared mappings of files that are read past the page cache. */
  DIRECT_IO_ALLOW_MMAP: 1 << 4,
  /** Bit 37: reads and writes go to a backing file without asking the daemon. Kernel 6.9 and later. */
  PASSTHROUGH: 1 << 5,
} as const;

export const OpenFlag = {
  /** Reads bypass the page cache: for text made on the spot, whose size is not known before. */
  DIRECT_IO: 1 << 0,
  /** Pages of an earlier open stay valid. */
  KEEP_CACHE: 1 << 1,
  /** The listing may be kept: on OPENDIR. */
  CACHE_DIR: 1 << 3,
  /** Reads and writes go to the backing file. */
  PASSTHROUGH: 1 << 7,
} as const;

/** Bits of `valid` in SETATTR. */
export const SetAttr = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  HANDLE: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

export const GETATTR_HAS_HANDLE = 1;
export const OPEN_KILL_SUIDGID = 1;
export const WRITE_KILL_SUIDGID = 1 << 2;
export const FSYNC_DATA_ONLY = 1;
export const RELEASE_FLOCK_UNLOCK = 1 << 1;
export const LOCK_IS_FLOCK = 1;
export const POLL_SCHEDULE_NOTIFY = 1;
export const SETXATTR_ACL_KILL_SGID = 1;

/** Lock types of fcntl(2) as they travel in GETLK, SETLK and SETLKW. */
export const LockType = { READ: 0, WRITE: 1, NONE: 2 } as const;

/** Notification codes; they travel in the error field of an out-header with unique 0. */
export const Notify = { POLL: 1, INVAL_INODE: 2, INVAL_ENTRY: 3, DELETE: 6 } as const;
/** Flag of {@link Notify.INVAL_ENTRY}. */
export const EXPIRE_ONLY = 1;

/** ioctl(2) requests on /dev/fuse. */
export const Ioctl = { CLONE: 0x8004e500, BACKING_OPEN: 0x4010e501, BACKING_CLOSE: 0x4004e502 } as const;
