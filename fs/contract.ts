/**
 * What a file system must answer, inode by inode, and what a transport (`fs/kernel/`, later `fs/libfuse/`) does with the answers.
 *
 * An operation answers at once, by returning or by throwing a ButlerfsError, or it returns a {@link Waiting}: the transport then goes on with other
 * requests and replies when the wait is over. All methods are called on one thread.
 */

/** Names an inode between transport and file system. 1 is the root. Never reused within one mount. */
export type NodeId = number;

/** Attributes of an inode, as stat(2) gives them. */
export interface Attributes {
  /** st_ino: the same for every path that leads to the same thing, and stable over mounts. An integer in 1..2^53-1. */
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** File type and permission bits (S_IFDIR | 0o555). */
  readonly mode: number;
  readonly nlink: number;
  /** False where the answer may differ a moment later (`@status`): the kernel is told not to keep it. */
  readonly stable: boolean;
}

export interface Entry {
  readonly node: NodeId;
  readonly attributes: Attributes;
}

/**
 * An operation that needs something that is not here yet. The transport calls {@link begin} once; `settle` is called exactly once, later and on the
 * same thread, unless {@link abort} was called first.
 */
export interface Waiting<T> {
  begin(settle: (outcome: { readonly value: T } | { readonly error: unknown }) => void): void;
  /** The caller was interrupted: stop waiting. `settle` is not called afterwards. */
  abort(): void;
}

export function isWaiting<T>(answer: T | Waiting<T>): answer is Waiting<T> {
  return typeof answer === 'object' && answer !== null && 'begin' in answer && 'abort' in answer;
}

/** An opened file. */
export interface OpenFile {
  /** File descriptor on verified bytes; owned by the file system until {@link FileSystem.release}. */
  readonly fd: number;
  readonly size: number;
  /** Whether the kernel may keep pages from an earlier open, and read from `fd` itself (passthrough): true for content that never changes. */
  readonly immutable: boolean;
}

/** Text made on the spot (`@status`): served from memory, not cached by the kernel. */
export interface OpenText {
  readonly text: Buffer;
}

export type Opened = OpenFile | OpenText;

/** What the kernel must forget because it is no longer so. Sent by another thread than the one that answers requests (else: deadlock). */
export type Invalidation =
  { readonly kind: 'node'; readonly node: NodeId } | { readonly kind: 'entry'; readonly parent: NodeId; readonly name: string };

/** Takes the entries of one READDIRPLUS reply; false when the reply is full and `entry` was not taken. */
export interface DirectorySink {
  /**
   * `next` is the offset to continue after this entry. Where `entry` is undefined the name is listed without attributes (they would need a remote) and
   * the kernel will look it up when it needs them. A taken entry with attributes counts as one lookup.
   */
  add(name: string, next: number, isDirectory: boolean, entry: () => Entry | undefined): boolean;
}

/** Whole-file-system numbers, as statfs(2) gives them. */
export interface FileSystemTotals {
  readonly files: number;
  readonly bytes: number;
  readonly freeBytes: number;
}

export interface FileSystem {
  /** LOOKUP: a component of a path that the kernel has no valid entry for. Counts one lookup of the node it returns. */
  lookup(parent: NodeId, name: string): Entry | Waiting<Entry>;
  /** FORGET and BATCH_FORGET: the kernel dropped `count` lookups. At zero the node may go. */
  forget(node: NodeId, count: number): void;
  /** GETATTR: stat(2) after the attribute timeout, fstat(2). */
  attributes(node: NodeId): Attributes | Waiting<Attributes>;
  /** READDIRPLUS, READDIR: getdents(2). Entries after `offset` (0: from the start). `.` and `..` are not wanted. */
  list(node: NodeId, offset: number, sink: DirectorySink): void;
  /** OPEN: open(2) of a regular file, once per struct file. The kernel has checked permissions. */
  open(node: NodeId, forWriting: boolean): Opened | Waiting<Opened>;
  /** RELEASE: the last descriptor of an {@link open} was closed. */
  release(node: NodeId, file: Opened): void;
  /** READLINK. */
  readLink(node: NodeId): string;
  /** LISTXATTR: listxattr(2). */
  attributeNames(node: NodeId): readonly string[];
  /** GETXATTR: getxattr(2). Undefined answers ENODATA. */
  attribute(node: NodeId, name: string): Buffer | undefined;
  /** STATFS: df(1). Never waits. */
  totals(): FileSystemTotals;
}
