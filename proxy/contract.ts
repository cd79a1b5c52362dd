/**
 * Remotes: where the bytes of a repository come from.
 *
 * The contract is small on purpose: stat one object, read one object from an offset. Retry, deadlines and limits are wrappers
 * over it, assembled in `proxy/assemble.ts`; credentials never leave the remote they were given to.
 */

/**
 * A path below the root of a remote: `/`-separated, decoded, without a leading slash, without empty, `.` or `..` components and
 * without NUL. Use {@link parseRemotePath} at the door; a remote may assume it.
 */
export type RemotePath = string & { readonly __remotePath: unique symbol };

/** What a remote says of an object without sending it. */
export interface ObjectStat {
  /** Bytes, or null where the remote does not say. */
  readonly size: number | null;
  /**
   * An opaque text that changes when the content does, or null where the remote offers none.
   * HTTP: a strong ETag, else Last-Modified with the size. File: device, inode, size, mtime in nanoseconds.
   */
  readonly validator: string | null;
  /** Milliseconds since 1970, or null. */
  readonly modified: number | null;
}

export interface ReadOptions {
  /** First byte wanted; default 0. */
  readonly offset?: number | undefined;
  /** Bytes wanted; default: to the end. */
  readonly length?: number | undefined;
  /** The version wanted. Where the object has another by now the read fails with `remote-changed`. */
  readonly validator?: string | null | undefined;
  /** Ask intermediate caches to fetch afresh (HTTP `Cache-Control: no-cache`); used after wrong bytes. */
  readonly fresh?: boolean | undefined;
  /** Aborting rejects the wait with `interrupted` and frees the connection. */
  readonly signal?: AbortSignal | undefined;
}

/** The bytes of one version of one object, arriving. */
export interface RemoteBody {
  /** Describes the version that is being sent; `size` is of the whole object, also for a range. */
  readonly stat: ObjectStat;
  /**
   * The bytes in order. Iterating to the end or returning early frees the connection; a chunk is valid until the next is asked for.
   * Fails with `remote-failed` where fewer bytes than promised arrive, and with `remote-timeout` where none arrive for the idle time.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** An entry of a directory at an origin. */
export interface RemoteEntry {
  /** One component, decoded; never empty, `.` or `..`, without slash and NUL. Names that are not valid UTF-8, and others that no path can hold, are left out. */
  readonly name: string;
  readonly kind: 'file' | 'directory';
  /** Bytes; null where the listing does not say, or only roughly (`1.2M`). */
  readonly size: number | null;
  /** Milliseconds since 1970; null where the listing does not say. */
  readonly modified: number | null;
}

/** What is known of an origin so far: it is found out with the first answers. */
export interface RemoteCapabilities {
  /** Spoken with it: `HTTP/1.1`, `HTTP/2`, `SFTP 3`, `file`; null before the first answer. */
  readonly protocol: string | null;
  /** Whether a part of an object can be asked for; null before it was seen. Where it cannot, a part costs everything before it. */
  readonly ranges: boolean | null;
  /** How directories are listed (`html`, `webdav`, `sftp`, `file`); null before it was seen, false where they cannot be. */
  readonly lists: string | false | null;
}

/** How one of several URLs of a repository is, as it showed itself so far. */
export interface MirrorHealth {
  /** Without credentials. */
  readonly url: string;
  /** Failures since the last success. */
  readonly failures: number;
  /** Milliseconds since 1970 until which others are asked first; null where it is well. */
  readonly restsUntil: number | null;
  /** Moving average of milliseconds to an answer; null before the first. */
  readonly latency: number | null;
  /** Moving average of bytes a second while a body is waited for; null before the first. */
  readonly throughput: number | null;
  /** Why it failed last, where it has not succeeded since. */
  readonly problem: string | null;
}

/**
 * One origin.
 *
 * Safe for concurrent use. Operations are idempotent and reject with a ButlerfsError whose code begins `remote-` (or `interrupted`).
 * Every wait ends within the deadline that the remote was assembled with.
 */
export interface Remote {
  readonly kind: 'file' | 'http' | 'ssh';
  /** The root as a URL without credentials, without a trailing slash: for messages, logs and cache keys. */
  readonly url: string;
  /** The URL of one object, percent-encoded, without credentials. */
  urlOf(path: RemotePath): string;
  stat(path: RemotePath, options?: { readonly signal?: AbortSignal | undefined }): Promise<ObjectStat>;
  open(path: RemotePath, options?: ReadOptions): Promise<RemoteBody>;
  /**
   * Entries of a directory, sorted by name; '' is the root. Links are followed where they stay inside, and left out where they lead nowhere or outside.
   * Rejects with `unsupported` where the origin lists no directories, and with `remote-not-found` where this one does not exist.
   */
  list?(path: RemotePath | '', options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly RemoteEntry[]>;
  capabilities?(): RemoteCapabilities;
  /** Where the repository has several URLs: each of them, as they were given. */
  mirrors?(): readonly MirrorHealth[];
  /** Closes idle connections; operations under way end with `interrupted`. Idempotent. */
  close(): Promise<void>;
}

/** Errors that another attempt may cure. Everything else is final: it must not be retried. */
export const RETRYABLE_CODES = ['remote-unreachable', 'remote-timeout', 'remote-failed'] as const;
