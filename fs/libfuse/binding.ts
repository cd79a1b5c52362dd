/**
 * The native half of the package `fuse-native`, which calls libfuse 2: what is used of it, as its C source (2.2.6) says.
 *
 * Its JavaScript half is passed over, because it loses what the native half carries: it stats an open file by its path, makes a link count of 0 a 1, answers
 * an attribute longer than the caller's buffer, adds 128 bytes to the length of attribute lists, ends requests by a timer of its own, refuses mount options
 * that libfuse has and unmounts through a shell.
 */

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';

/** Operations of libfuse that the package knows and that are answered here. */
export const OPERATIONS = [
  'init',
  'statfs',
  'fgetattr',
  'getattr',
  'flush',
  'fsync',
  'fsyncdir',
  'readdir',
  'truncate',
  'ftruncate',
  'utimens',
  'readlink',
  'chown',
  'chmod',
  'mknod',
  'setxattr',
  'getxattr',
  'listxattr',
  'removexattr',
  'open',
  'read',
  'write',
  'release',
  'create',
  'unlink',
  'rename',
  'link',
  'symlink',
  'mkdir',
  'rmdir',
] as const;
export type OperationName = (typeof OPERATIONS)[number];

/**
 * The memory of one request: a structure of C, reused for all requests of one thread of libfuse. That thread is blocked from the call of a handler until
 * the request is signalled.
 */
export type NativeRequest = Buffer;

/** Called on the main thread for each request. 64-bit numbers come as two arguments, the low half first. */
export type NativeHandler = (request: NativeRequest, operation: number, ...parameters: never[]) => void;

/** Answers a request: 0, a negative errno or a count of bytes, and what else the operation answers. */
type Signal = (request: NativeRequest, result: number, ...answer: readonly unknown[]) => void;

/** Entries of the tables of operations. */
export const OPERATION_LIMIT = 35;
/** Bytes, with the closing NUL, that a mount point and that the options may have: longer ones are cut off by the package. */
export const LONGEST_ARGUMENT = 1024;

export type NativeBinding = {
  readonly sizeof_fuse_thread_t: number;
  /**
   * Mounts and starts the threads of libfuse. `thread`: zeroed memory of `sizeof_fuse_thread_t` bytes, kept for ever, because the event loop refers to it;
   * so is what `allocate` returns. Throws, without a reason, where libfuse fails; the reason goes to standard error.
   */
  fuse_native_mount(
    mountPoint: string,
    options: string,
    thread: Buffer,
    context: object,
    allocate: (size: number) => Buffer,
    handlers: readonly NativeHandler[],
    implemented: Uint32Array,
  ): void;
  /** Unmounts nothing: lets the process end. */
  fuse_native_unmount(mountPoint: string, thread: Buffer): void;
} & { readonly [Name in OperationName as `op_${Name}`]: number } & {
  readonly [Name in OperationName as `fuse_native_signal_${Name}`]: Signal;
};

let loaded: NativeBinding | undefined;

/** Throws `unsupported` where the package is not installed or does not run here. */
export function loadBinding(): NativeBinding {
  if (loaded !== undefined) return loaded;
  let directory: string;
  try {
    directory = dirname(createRequire(import.meta.url).resolve('fuse-native/package.json'));
  } catch (cause) {
    throw new ButlerfsError('unsupported', {
      what: "transport 'libfuse'",
      why: 'the package fuse-native is not installed',
      advice: 'install it beside butlerfs (npm install fuse-native@2.2.6), or use transport=kernel',
      cause,
    });
  }
  try {
    const load = createRequire(`${directory}/`)('node-gyp-build') as (directory: string) => NativeBinding;
    loaded = load(directory);
    return loaded;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    const isMissing = said.includes('libfuse.so.2');
    throw new ButlerfsError('unsupported', {
      what: "transport 'libfuse'",
      why: isMissing ? 'libfuse.so.2 is not there' : `the package fuse-native cannot be loaded (${said})`,
      advice: isMissing ? 'install the package libfuse2, or use transport=kernel' : 'use transport=kernel',
      cause,
    });
  }
}
