/**
 * The one error type of butlerfs and the one table that turns it into an errno and an exit status.
 *
 * An error says what went wrong (`code`), what was looked for and where, and what to do about it; the error that caused it
 * is kept in `cause`. Code that handles errors matches on `code`, never on text.
 */

import { getSystemErrorName } from 'node:util';

/** What went wrong. Each code has a row in {@link ERRNO_OF_CODE}. */
export type ErrorCode =
  // A name that does not resolve.
  | 'unknown-dataset-type'
  | 'unknown-dimension'
  | 'unknown-value'
  | 'unknown-collection'
  | 'unknown-path'
  | 'invalid-value'
  | 'ambiguous'
  // A question to the catalogue that takes too long.
  | 'timed-out'
  // A source that cannot be used.
  | 'not-a-repository'
  | 'unsupported-repository'
  | 'corrupt-repository'
  // A remote that does not give what was asked of it.
  | 'remote-not-found'
  | 'remote-forbidden'
  | 'remote-unreachable'
  | 'remote-timeout'
  | 'remote-failed'
  | 'remote-changed'
  // Not asked of it: the mount is offline.
  | 'offline'
  // Content that failed its check.
  | 'wrong-digest'
  | 'wrong-size'
  // What a signature does not cover, or should and does not.
  | 'untrusted'
  // This host.
  | 'cache-full'
  | 'cache-failed'
  | 'mount-failed'
  | 'mount-point'
  | 'already-mounted'
  | 'not-mounted'
  | 'configuration'
  | 'usage'
  | 'read-only'
  | 'unsupported'
  | 'interrupted'
  // What the operating system answered, passed on as it is.
  | 'system-call'
  | 'internal';

/** The errno values that butlerfs answers with, by their Linux numbers (asm-generic/errno.h). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENODATA: 61,
  ENONET: 64,
  ENOTUNIQ: 76,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
} as const;
export type ErrnoName = keyof typeof Errno;

/** The errno of every error code: what a system call on the mount returns when the error reaches it. */
export const ERRNO_OF_CODE: Readonly<Record<ErrorCode, ErrnoName>> = {
  'unknown-dataset-type': 'ENOENT',
  'unknown-dimension': 'ENOENT',
  'unknown-value': 'ENOENT',
  'unknown-collection': 'ENOENT',
  'unknown-path': 'ENOENT',
  // A value of the wrong type names nothing that exists, so that globs and `test -e` go on quietly.
  'invalid-value': 'ENOENT',
  // "Name not unique": several calibrations are valid at different times and no time was given.
  ambiguous: 'ENOTUNIQ',
  'timed-out': 'ETIMEDOUT',
  'not-a-repository': 'EIO',
  'unsupported-repository': 'EOPNOTSUPP',
  'corrupt-repository': 'EIO',
  // The catalogue lists the file, the origin lost it: to the reader it is a file that is not there.
  'remote-not-found': 'ENOENT',
  'remote-forbidden': 'EACCES',
  'remote-unreachable': 'EIO',
  'remote-timeout': 'ETIMEDOUT',
  'remote-failed': 'EIO',
  'remote-changed': 'EIO',
  // "Machine is not on the network".
  offline: 'ENONET',
  'wrong-digest': 'EIO',
  'wrong-size': 'EIO',
  untrusted: 'EACCES',
  'cache-full': 'ENOSPC',
  'cache-failed': 'EIO',
  'mount-failed': 'EIO',
  'mount-point': 'EINVAL',
  'already-mounted': 'EBUSY',
  'not-mounted': 'EINVAL',
  configuration: 'EINVAL',
  usage: 'EINVAL',
  'read-only': 'EROFS',
  unsupported: 'EOPNOTSUPP',
  interrupted: 'EINTR',
  // Only where its own errno is lost, as between processes.
  'system-call': 'EIO',
  internal: 'EIO',
};

/** What an error says beside its code. */
export interface ErrorDetail {
  /** What was looked for or attempted, as a clause: `collection 'u/mee'`. */
  readonly what: string;
  /** Where it was looked for: a URL without credentials, a path, a collection. */
  readonly where?: string | undefined;
  /** Why it failed, as a clause, where `what` does not say it: `no such host`. */
  readonly why?: string | undefined;
  /** What to do, as a sentence without a full stop: `did you mean 'u/me'?`. */
  readonly advice?: string | undefined;
  readonly cause?: unknown;
}

export class ButlerfsError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail) {
    super(describe(detail), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'ButlerfsError';
    this.code = code;
    this.detail = detail;
  }

  /** The errno name that a system call answers with. */
  get errno(): ErrnoName {
    return ERRNO_OF_CODE[this.code];
  }
}

/** One line: what, where, why; what to do. */
function describe({ what, where, why, advice }: ErrorDetail): string {
  const place = where === undefined ? what : `${what} in ${where}`;
  const fact = why === undefined ? place : `${place}: ${why}`;
  return advice === undefined ? fact : `${fact}; ${advice}`;
}

/**
 * The errno of a system call, as the answer of one that stands on it. Such answers are part of everyday work (a name that is not there), so there is one
 * object for each errno, without a trace.
 */
export class SystemCallError extends Error {
  /** Positive. */
  readonly errnoNumber: number;

  constructor(errnoNumber: number) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`system call failed: ${getSystemErrorName(-errnoNumber)}`);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'SystemCallError';
    this.errnoNumber = errnoNumber;
  }
}

const systemCallErrors = new Map<number, SystemCallError>();

/** `errno`: positive, as Linux numbers it. */
export function systemCallError(errno: number): SystemCallError {
  let error = systemCallErrors.get(errno);
  if (error === undefined) systemCallErrors.set(errno, (error = new SystemCallError(errno)));
  return error;
}

/** The error as a ButlerfsError: itself, or `internal` with itself as the cause. */
export function asButlerfsError(error: unknown): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  if (error instanceof SystemCallError) return new ButlerfsError('system-call', { what: error.message, cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new ButlerfsError('internal', { what: message, cause: error });
}

/** The positive errno number to answer a system call with; anything unforeseen is EIO. */
export function errnoOf(error: unknown): number {
  if (error instanceof SystemCallError) return error.errnoNumber;
  return Errno[asButlerfsError(error).errno];
}

/** Exit status of the command: 0 done, 1 failed, 2 wrong usage. */
export function exitStatusOf(error: unknown): 1 | 2 {
  return asButlerfsError(error).code === 'usage' ? 2 : 1;
}

/** The form in which an error travels between threads and processes. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly detail: Omit<ErrorDetail, 'cause'> & { readonly cause?: string | undefined };
}

export function serializeError(error: unknown): SerializedError {
  const { code, detail } = asButlerfsError(error);
  const { cause, ...rest } = detail;
  return { code, detail: { ...rest, cause: cause instanceof Error ? (cause.stack ?? cause.message) : undefined } };
}

export function deserializeError({ code, detail }: SerializedError): ButlerfsError {
  return new ButlerfsError(code, detail);
}
