/**
 * What a file system must answer, inode by inode, and what a transport (`fs/kernel/`, `fs/libfuse/`) does with the answers.
 *
 * An operation answers at once, by returning or by throwing a ButlerfsError (or the SystemCallError of a system call below), or it returns a
 * {@link Waiting}: the transport then goes on with other requests and replies when the wait is over. All methods are called on one thread.
 *
 * Operations that are optional here are those that a file system may lack: the transport answers EROFS for a lacking operation that writes, and ENOSYS
 * for the others, after which the kernel stops asking and does what its own default is.
 *
 * Objects that carry answers ({@link Attributes}, {@link Entry}) are read before the next call: a file system may fill the same one again and again.
 */

/** Names an inode between transport and file system. 1 is the root. Never reused within one mount, so that its generation is always 0. */
export type NodeId = number;

export const ROOT: NodeId = 1;

/** A point in time as the kernel keeps it: whole seconds since 1970, which may be negative, and nanoseconds in 0..999,999,999. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Attributes of an inode, as stat(2) gives them. */
export interface Attributes {
  /** st_ino: the same for every path that leads to the same thing, and stable over mounts. An integer in 1..2^53-1. */
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly accessed: Time;
  readonly modified: Time;
  /** st_ctime: the last change of the inode itself. */
  readonly changed: Time;
  /** Of birth, where it is known: statx(2) only. */
  readonly born?: Time | undefined;
  /** File type and permission bits (S_IFDIR | 0o555). */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number of a device node, in the kernel's 32-bit form: (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12). */
  readonly rdev: number;
  /** st_blksize: bytes that reads are best made in. */
  readonly blockSize: number;
  /** Seconds for which the kernel may keep these attributes, and the name that led to them; changes within them are told to it. */
  readonly validity: number;
}

export interface Entry {
  readonly node: NodeId;
  readonly attributes: Attributes;
}

/** Who asks. Read before the call returns. */
export interface Caller {
  /** -1 where the transport does not know it. */
  readonly uid: number;
  readonly gid: number;
  /** 0 for the kernel itself (readahead). */
  readonly pid: number;
  /** Permission bits that its umask(2) takes away. Given to operations that create; 0 where the kernel has applied it. */
  readonly umask: number;
}

/**
 * An operation that needs something that is not here yet. The transport calls {@link begin} once; `settle` is called exactly once, later and on the
 * same thread, unless {@link abort} was called first.
 */
export interface Waiting<T> {
  begin(settle: (outcome: Outcome<T>) => void): void;
  /** The caller was interrupted, or the deadline has passed: stop waiting. `settle` is not called afterwards. */
  abort(): void;
  /**
   * Milliseconds after which the transport aborts it and answers ETIMEDOUT. Absent: the transport's own deadline. `Infinity`: the wait ends by itself (a
   * fetch, which has a deadline of its own between two bytes) or only by an interrupt (a lock that somebody else holds).
   */
  readonly deadline?: number | undefined;
  /**
   * False: a signal to the caller does not end it. For what a local disk does not break off either (fsync(2), fallocate(2)): callers do not expect EINTR
   * of it, and even a stop and a continue is such a signal. Absent: it does.
   */
  readonly interruptible?: boolean | undefined;
}

export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** At once, or later. */
export type Answer<T> = T | Waiting<T>;

export function isWaiting<T>(answer: T | Waiting<T>): answer is Waiting<T> {
  return typeof answer === 'object' && answer !== null && 'begin' in answer && 'abort' in answer;
}

/** A wait whose value is made into another when it is over. */
export function mapWaiting<T, U>(waiting: Waiting<T>, make: (value: T) => U): Waiting<U> {
  return {
    begin: (settle) => {
      waiting.begin((outcome) => {
        if ('error' in outcome) return settle(outcome);
        try {
          settle({ value: make(outcome.value) });
        } catch (error) {
          settle({ error });
        }
      });
    },
    abort: () => {
      waiting.abort();
    },
    deadline: waiting.deadline,
    interruptible: waiting.interruptible,
  };
}

/** An opened file. The file system may keep more in it; the transport gives it back with every operation on the descriptor. */
export interface OpenedFile {
  /**
   * A descriptor of a regular file on a local disk that holds exactly this file's bytes: a transport that can lets the kernel read and write it by itself
   * (passthrough). All files of one inode that are open at a time must give descriptors of the same one. Absent: every byte goes through
   * {@link FileSystem.read} and {@link FileSystem.write}.
   */
  readonly backing?: number | undefined;
  /**
   * Whether, with {@link backing}, it may be written through a shared mapping, which changes its times without a word to the transport: attributes that the
   * kernel has from before are to go. While it is open the file system gives attributes no validity.
   */
  readonly mayBeMapped?: boolean | undefined;
  /** Whether pages that the kernel has from an earlier open are still good. */
  readonly keepCache?: boolean | undefined;
  /** Whether every read goes to the file system, past the page cache: for text made on the spot, whose size is not known before. */
  readonly direct?: boolean | undefined;
  /**
   * Whether further read-only opens of the same inode may get this same object without {@link FileSystem.open} being asked: for content that never
   * changes. It is released once, some time after the last of them was closed.
   */
  readonly shareable?: boolean | undefined;
  /** Bytes, where known: a transport may treat small files differently. */
  readonly size?: number | undefined;
}

/** Opened by {@link FileSystem.openDirectory}. */
export type OpenedDirectory = object;

/** What open(2) asked for. */
export interface OpenRequest {
  /** O_* flags of open(2), as this machine numbers them. O_CREAT, O_EXCL and O_NOCTTY are not among them. */
  readonly flags: number;
  /** With O_TRUNC: take away the set-user-ID and set-group-ID bits, because the caller may not keep them. */
  readonly killSetId: boolean;
}

/** Changes of {@link FileSystem.setAttributes}; what is absent stays. */
export interface AttributeChanges {
  /** Permission bits with the set-ID and sticky bits, 0o7777 at most. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly size?: number | undefined;
  readonly accessed?: Time | 'now' | undefined;
  readonly modified?: Time | 'now' | undefined;
  /** Take away the set-user-ID and set-group-ID bits. */
  readonly killSetId: boolean;
}

/** One POSIX record lock or flock(2) lock. */
export interface FileLock {
  readonly type: 'read' | 'write' | 'none';
  /** First and last byte; 2^63-1 is "to the end, however long". A flock has the whole range. */
  readonly start: bigint;
  readonly end: bigint;
  readonly pid: number;
}

export interface LockRequest {
  readonly lock: FileLock;
  /** Locks of one owner do not exclude each other: a process (POSIX) or an open file description (flock). An opaque number. */
  readonly owner: bigint;
  readonly isFlock: boolean;
}

/** Position in a directory: where to go on after an entry. Opaque, 64 bits as two halves; {0, 0} is the start. */
export interface DirectoryPosition {
  readonly low: number;
  readonly high: number;
}

/** What the kernel must forget because it is no longer so. Sent by another thread than the one that answers requests (else: deadlock). */
export type Invalidation =
  /** Attributes, and the pages from `offset` on for `length` bytes (absent: all); for a directory, its cached listing. Offset -1: attributes only. */
  | { readonly kind: 'node'; readonly node: NodeId; readonly offset?: number; readonly length?: number }
  /** The name, and with it the subtree of names below. */
  | { readonly kind: 'entry'; readonly parent: NodeId; readonly name: string }
  /** The name, which is looked up again when it is next used; what is mounted on it or stands in it stays. Kernel 6.2 and later; before, as `entry`. */
  | { readonly kind: 'expire'; readonly parent: NodeId; readonly name: string }
  /** The name, because what it led to was removed: watchers (inotify) see a deletion. */
  | { readonly kind: 'delete'; readonly parent: NodeId; readonly name: string; readonly child: NodeId }
  /** What poll(2) waits for has come: the handle is that of {@link FileSystem.poll}. */
  | { readonly kind: 'poll'; readonly handle: bigint };

/** Takes the entries of one READDIR or READDIRPLUS reply. */
export interface DirectorySink {
  /** Whether entries are wanted with their attributes. */
  readonly plus: boolean;
  /** Whether an entry of that name still has room. When it has not, the listing ends here and the kernel comes back. */
  fits(name: string): boolean;
  /**
   * Adds an entry that fits. `next` is where to go on after it; `type` is its file type as in st_mode (S_IFDIR...), 0 for unknown; `ino` its inode number.
   * With {@link plus}, a given `entry` counts as one lookup; where it is undefined (attributes would need a remote) the kernel looks the name up when
   * it needs it.
   */
  add(name: string, next: DirectoryPosition, type: number, ino: number, entry: Entry | undefined): void;
}

/** Whole-file-system numbers, as statfs(2) gives them. */
export interface FileSystemTotals {
  /** Inodes in use, and those that could still be made. */
  readonly files: number;
  readonly freeFiles: number;
  /** Bytes: all there are, free, and free for callers without privileges. */
  readonly bytes: number;
  readonly freeBytes: number;
  readonly availableBytes: number;
  readonly blockSize: number;
  /** Longest name in bytes. */
  readonly nameLength: number;
}

/** What a transport must know before the first operation. */
export interface FileSystemTraits {
  readonly writable: boolean;
  /** How names are given as strings: text, or one character per byte where any byte may be in a name. */
  readonly nameEncoding: 'utf8' | 'latin1';
  /** Whether the kernel drops cached pages when a file's size or modification time moved: where others change the files behind the mount. */
  readonly invalidatesByTime: boolean;
  /** Whether listings come with attributes each time, or when the kernel finds that they are used. */
  readonly readdirPlus: 'always' | 'adaptive';
  /** Whether access control lists (system.posix_acl_*) are kept, and the kernel checks them. */
  readonly accessControlLists: boolean;
  /** Whether times of birth are known. Where they are not, the kernel must hear it: it would ask for each file again, beside what the look-up told it. */
  readonly birthTimes: boolean;
  /** Seconds for which the kernel may remember that a name does not exist. */
  readonly negativeValidity: number;
}

/** A new file, open. */
export interface Created {
  readonly entry: Entry;
  readonly opened: OpenedFile;
}

export interface FileSystem {
  readonly traits: FileSystemTraits;

  /** LOOKUP: a component of a path that the kernel has no valid entry for. Counts one lookup of the node it returns. Throws ENOENT where there is none. */
  lookup(parent: NodeId, name: string): Answer<Entry>;
  /** FORGET and BATCH_FORGET: the kernel dropped `count` lookups. At zero the node may go. */
  forget(node: NodeId, count: number): void;
  /** GETATTR, STATX: stat(2) after the attribute timeout; fstat(2), which may give the opened file. */
  attributes(node: NodeId, opened: OpenedFile | undefined): Answer<Attributes>;
  /** READLINK: once per link where the kernel caches links, else at each use. The target's bytes. */
  readLink(node: NodeId): Buffer;
  /** STATFS: df(1). Never waits. */
  totals(node: NodeId): FileSystemTotals;

  /**
   * READDIR, READDIRPLUS: getdents(2), entries after `from`; `.` and `..`, without attributes, may be among them. After a {@link Waiting} it is called
   * again, with an empty sink.
   */
  list(node: NodeId, from: DirectoryPosition, sink: DirectorySink, opened: OpenedDirectory | undefined): Answer<unknown>;
  /** OPENDIR. Lacking: the kernel caches listings and sends neither this nor RELEASEDIR. */
  openDirectory?(node: NodeId): OpenedDirectory;
  /** RELEASEDIR. */
  releaseDirectory?(node: NodeId, opened: OpenedDirectory): void;
  /** FSYNCDIR: fsync(2) of a directory. */
  syncDirectory?(node: NodeId, dataOnly: boolean): Answer<void>;

  /** OPEN: open(2) of an existing regular file, once per struct file. The kernel has checked permissions. */
  open(node: NodeId, request: OpenRequest, caller: Caller): Answer<OpenedFile>;
  /**
   * READ: what the page cache lacks, or every read(2) of a direct file. Reads up to `size` bytes at `offset` into `into` at `at` and returns how many; fewer
   * only at the end of the file, because a short reply means the end to the kernel. After a {@link Waiting} it is called again.
   */
  read(opened: OpenedFile, into: Buffer, at: number, size: number, offset: number): number | Waiting<unknown>;
  /** RELEASE: the last descriptor of an {@link open} or {@link create} was closed. `flockOwner` is given where flock(2) locks must go with it. */
  release(node: NodeId, opened: OpenedFile, flockOwner: bigint | undefined): void;
  /** FLUSH: every close(2) of a descriptor, so perhaps several times. POSIX locks of `owner` end. An error is close(2)'s. */
  flush?(node: NodeId, opened: OpenedFile, owner: bigint): Answer<void>;
  /** LSEEK: lseek(2) with SEEK_DATA (3) or SEEK_HOLE (4). Throws ENXIO past the end. */
  seek?(opened: OpenedFile, offset: number, whence: number): number;
  /**
   * POLL: poll(2), select(2), epoll. Returns the events that are there now. Where `handle` is given the kernel wants to hear, by a `poll`
   * {@link Invalidation}, when that changes. Lacking: always ready, as of regular files.
   */
  poll?(opened: OpenedFile, events: number, handle: bigint | undefined): number;

  /** LISTXATTR: listxattr(2): the names, each with a closing NUL. `caller`: where it is known who asks. */
  attributeNames(node: NodeId, caller?: Caller): Buffer;
  /** GETXATTR: getxattr(2). Undefined answers ENODATA; a thrown `unsupported` makes the kernel stop asking for any of them. */
  attribute(node: NodeId, name: string): Buffer | undefined;
  /** SETXATTR: flags are XATTR_CREATE (1) and XATTR_REPLACE (2). `killSetGroupId`: an access list was set by one who may not keep the set-group-ID bit. */
  setAttribute?(node: NodeId, name: string, value: Buffer, flags: number, killSetGroupId: boolean): Answer<void>;
  /** REMOVEXATTR. */
  removeAttribute?(node: NodeId, name: string): Answer<void>;

  /** ACCESS: access(2), chdir(2), where the kernel does not check permissions itself. `mask` as of access(2). */
  access?(node: NodeId, mask: number, caller: Caller): void;

  /** SETATTR: chmod(2), chown(2), truncate(2), utimensat(2). The kernel has checked permissions. */
  setAttributes?(node: NodeId, changes: AttributeChanges, opened: OpenedFile | undefined): Answer<Attributes>;
  /** CREATE: open(2) with O_CREAT of a name that the kernel has not, atomically with the open. Counts one lookup. */
  create?(parent: NodeId, name: string, mode: number, request: OpenRequest, caller: Caller): Answer<Created>;
  /** TMPFILE: open(2) with O_TMPFILE: a file without a name, which link(2) may give it. Counts one lookup. */
  createTemporary?(parent: NodeId, mode: number, request: OpenRequest, caller: Caller): Answer<Created>;
  /** MKNOD: mknod(2) and mkfifo(2), creating sockets; `device` as {@link Attributes.rdev}. Counts one lookup, as the next three do. */
  makeNode?(parent: NodeId, name: string, mode: number, device: number, caller: Caller): Answer<Entry>;
  /** MKDIR. */
  makeDirectory?(parent: NodeId, name: string, mode: number, caller: Caller): Answer<Entry>;
  /** SYMLINK: `target` as bytes. */
  makeLink?(parent: NodeId, name: string, target: Buffer, caller: Caller): Answer<Entry>;
  /** LINK: another name for an inode. */
  link?(node: NodeId, parent: NodeId, name: string): Answer<Entry>;
  /** UNLINK: the inode lives on while it is open or known to the kernel. */
  unlink?(parent: NodeId, name: string): Answer<void>;
  /** RMDIR. */
  removeDirectory?(parent: NodeId, name: string): Answer<void>;
  /** RENAME, RENAME2: flags are RENAME_NOREPLACE (1), RENAME_EXCHANGE (2), RENAME_WHITEOUT (4). */
  rename?(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number, caller: Caller): Answer<void>;
  /**
   * WRITE: write(2) and pages of a shared mapping, from `from` at `at`; returns the bytes written. `from` is good until it returns.
   * `killSetId` as in {@link OpenRequest}.
   */
  write?(opened: OpenedFile, from: Buffer, at: number, size: number, offset: number, killSetId: boolean): Answer<number>;
  /** FSYNC: fsync(2), fdatasync(2). */
  sync?(opened: OpenedFile, dataOnly: boolean): Answer<void>;
  /** SYNCFS: syncfs(2); only some kernels and kinds of mounts send it. */
  syncAll?(): Answer<void>;
  /** FALLOCATE: fallocate(2), modes as there (FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16, ...). */
  allocate?(opened: OpenedFile, mode: number, offset: number, length: number, caller: Caller): Answer<void>;
  /** COPY_FILE_RANGE: within this file system. Returns the bytes copied, perhaps fewer; 0 at the end of the source. */
  copyRange?(from: OpenedFile, fromOffset: number, to: OpenedFile, toOffset: number, length: number, caller: Caller): Answer<number>;

  /** GETLK: fcntl(2) F_GETLK: a lock that excludes the one asked for, else one of type `none`. Lacking: the kernel keeps locks by itself. */
  getLock?(node: NodeId, request: LockRequest): FileLock;
  /** SETLK, SETLKW, and flock(2) through both: with `wait` until the lock is free; else EAGAIN where it is not. */
  setLock?(node: NodeId, request: LockRequest, wait: boolean): Answer<void>;
}

/** Operations whose lack means "read-only", not "unknown". */
export const WRITING_OPERATIONS = [
  'setAttribute',
  'removeAttribute',
  'setAttributes',
  'create',
  'createTemporary',
  'makeNode',
  'makeDirectory',
  'makeLink',
  'link',
  'unlink',
  'removeDirectory',
  'rename',
  'write',
  'allocate',
  'copyRange',
] as const satisfies readonly (keyof FileSystem)[];
