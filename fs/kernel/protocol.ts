/**
 * Numbers of the FUSE kernel protocol, version 7.45 and earlier.
 * Source: the kernel's uapi header `linux/fuse.h`; all fields are in host byte order, which is little-endian on every supported machine.
 */

export const PROTOCOL_MAJOR = 7;
/** The newest minor whose features are used here. */
export const PROTOCOL_MINOR = 40;
/** The oldest minor that is served: 7.19 has every frame in the form used here but for INIT's shorter reply. */
export const OLDEST_MINOR = 19;

export const IN_HEADER_SIZE = 40;
export const OUT_HEADER_SIZE = 16;
export const ATTR_SIZE = 88;
export const ENTRY_OUT_SIZE = 40 + ATTR_SIZE;
export const DIRENT_HEADER_SIZE = 24;
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
} as const;

const names = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]));

/** Name of an operation, for counters and logs. */
export function opcodeName(opcode: number): string {
  return names.get(opcode) ?? `opcode-${opcode}`;
}

/** Operations that would change the file system: EROFS here. */
export const WRITING_OPCODES: ReadonlySet<number> = new Set([
  Opcode.SETATTR,
  Opcode.SYMLINK,
  Opcode.MKNOD,
  Opcode.MKDIR,
  Opcode.UNLINK,
  Opcode.RMDIR,
  Opcode.RENAME,
  Opcode.RENAME2,
  Opcode.LINK,
  Opcode.WRITE,
  Opcode.SETXATTR,
  Opcode.REMOVEXATTR,
  Opcode.CREATE,
  Opcode.FALLOCATE,
  Opcode.COPY_FILE_RANGE,
  Opcode.TMPFILE,
]);

/** Smallest body in bytes of the operations whose body is read here; names are at least one byte and their terminator. */
export const SMALLEST_BODY: Readonly<Record<number, number>> = {
  [Opcode.LOOKUP]: 2,
  [Opcode.FORGET]: 8,
  [Opcode.OPEN]: 8,
  [Opcode.READ]: 40,
  [Opcode.RELEASE]: 24,
  [Opcode.GETXATTR]: 10,
  [Opcode.LISTXATTR]: 8,
  [Opcode.INIT]: 16,
  [Opcode.READDIR]: 40,
  [Opcode.INTERRUPT]: 8,
  [Opcode.BATCH_FORGET]: 8,
  [Opcode.READDIRPLUS]: 40,
};

/** Operations that get no reply. INTERRUPT gets none of its own. */
export const SILENT_OPCODES: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, Opcode.NOTIFY_REPLY]);

/** INIT flags, first word. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  BIG_WRITES: 1 << 5,
  DO_READDIRPLUS: 1 << 13,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  NO_OPENDIR_SUPPORT: 1 << 24,
  EXPLICIT_INVAL_DATA: 1 << 25,
  INIT_EXT: 1 << 30,
} as const;

/** INIT flags, second word (bits 32 and up of the whole). It counts only where INIT_EXT is echoed. */
export const InitFlag2 = {
  /** Bit 37: reads go to a backing file without asking the daemon. Kernel 6.9 and later. */
  PASSTHROUGH: 1 << 5,
} as const;

export const OpenFlag = {
  /** Reads bypass the page cache: for text made on the spot, whose size is not known before. */
  DIRECT_IO: 1 << 0,
  /** Pages of an earlier open stay valid. */
  KEEP_CACHE: 1 << 1,
  /** Reads go to the backing file. */
  PASSTHROUGH: 1 << 7,
} as const;

/** Notification codes; they travel in the error field of an out-header with unique 0. */
export const Notify = { INVAL_INODE: 2, INVAL_ENTRY: 3 } as const;

/** ioctl(2) requests on /dev/fuse. */
export const Ioctl = { BACKING_OPEN: 0x4010e501, BACKING_CLOSE: 0x4004e502 } as const;

export const FileType = { DIRECTORY: 0o040000, REGULAR: 0o100000, SYMLINK: 0o120000 } as const;
export const DirentType = { DIRECTORY: 4, REGULAR: 8 } as const;
