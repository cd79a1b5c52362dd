/** What the native half of fuse-native calls for each operation of libfuse, and how each is signalled back. */

import { errnoOf } from '../../common/errors.js';
import type { FileSystem } from '../contract.js';
import type { NativeBinding, NativeHandler, NativeRequest, OperationName } from './binding.js';
import { OPERATION_LIMIT, OPERATIONS } from './binding.js';
import { EMPTY_STAT, EMPTY_TOTALS, numberOf, sizeOf, timeOf, timesOf } from './conversion.js';
import type { Later } from './later.js';
import type { PathOperations } from './operations.js';

const ENODATA = 61;
const ERANGE = 34;

export interface HandlerOptions {
  readonly binding: NativeBinding;
  readonly operations: PathOperations;
  /** Called when libfuse has begun to serve. */
  readonly onInit: () => void;
  /** Told of each request before it is answered. */
  readonly onRequest: (operation: OperationName) => void;
  readonly onError: (error: unknown, operation: OperationName, path: string) => void;
}

/** The numbers of those operations that a file system has; what is missing libfuse answers with ENOSYS, which the kernel knows what to do with. */
export function implementedOperations(binding: NativeBinding, fileSystem: FileSystem): Uint32Array {
  const lacking = new Set<OperationName>();
  if (fileSystem.flush === undefined) lacking.add('flush');
  if (fileSystem.sync === undefined) lacking.add('fsync');
  if (fileSystem.syncDirectory === undefined) lacking.add('fsyncdir');
  const implemented = new Uint32Array(OPERATION_LIMIT);
  for (const name of OPERATIONS) if (!lacking.has(name)) implemented[binding[`op_${name}`]] = 1;
  return implemented;
}

/** By number of operation. */
export function makeHandlers({ binding, operations, onInit, onRequest, onError }: HandlerOptions): NativeHandler[] {
  const { extendedAttributes } = operations;
  const handlers: NativeHandler[] = new Array<NativeHandler>(OPERATION_LIMIT).fill(() => undefined);

  /**
   * `work` does the operation, `succeeded` makes of its value the result and what is signalled with it, `failed` is what is signalled beside a negative errno.
   * The first parameter of most operations is a path, as errors name it.
   */
  function define<Parameters extends readonly unknown[], T>(
    name: OperationName,
    work: (request: NativeRequest, ...parameters: Parameters) => Later<T>,
    succeeded: (value: T, ...parameters: Parameters) => readonly [result: number, ...answer: unknown[]] = done,
    failed: (...parameters: Parameters) => readonly unknown[] = nothing,
  ): void {
    const signal = binding[`fuse_native_signal_${name}`];
    const handle = (request: NativeRequest, _operation: number, ...parameters: Parameters): void => {
      onRequest(name);
      const settle = (value: T): void => {
        signal(request, ...succeeded(value, ...parameters));
      };
      const fail = (error: unknown): void => {
        signal(request, -errnoOf(error), ...failed(...parameters));
        onError(error, name, typeof parameters[0] === 'string' ? parameters[0] : '/');
      };
      let later: Later<T>;
      try {
        later = work(request, ...parameters);
      } catch (error) {
        fail(error);
        return;
      }
      if (later instanceof Promise) later.then(settle, fail);
      else settle(later);
    };
    handlers[binding[`op_${name}`]] = handle as unknown as NativeHandler;
  }

  define('init', () => {
    onInit();
  });
  define(
    'getattr',
    (_, path: string) => operations.attributes(path),
    (words) => [0, words],
    (_path) => [EMPTY_STAT],
  );
  define(
    'fgetattr',
    (_, _path: string, fd: number) => operations.attributesOfOpen(fd),
    (words) => [0, words],
    (_path) => [EMPTY_STAT],
  );
  define(
    'statfs',
    (_, path: string) => operations.totals(path),
    (words) => [0, words],
    (_path) => [EMPTY_TOTALS],
  );
  define(
    'readdir',
    (_, path: string) => operations.list(path),
    ({ names, attributes }) => [0, names, attributes],
    (_path) => [[], []],
  );
  define(
    'readlink',
    (_, path: string) => operations.readLink(path),
    (target) => [0, target],
    (_path) => [''],
  );
  define(
    'open',
    (_, path: string, flags: number) => operations.openFile(path, flags),
    (fd) => [0, fd],
    (_path) => [0],
  );
  define(
    'create',
    (_, path: string, mode: number) => operations.create(path, mode),
    (fd) => [0, fd],
    (_path) => [0],
  );
  define(
    'read',
    (_, _path: string, fd: number, into: Buffer, size: number, low: number, high: number) =>
      operations.read(fd, into, size, numberOf(low, high)),
    (count, _path, _fd, into) => [count, count, into.buffer],
    (_path, _fd, into) => [0, into.buffer],
  );
  define(
    'write',
    (_, _path: string, fd: number, from: Buffer, size: number, low: number, high: number) =>
      operations.write(fd, from, size, sizeOf(low, high)),
    (count, _path, _fd, from) => [count, count, from.buffer],
    (_path, _fd, from) => [0, from.buffer],
  );
  define('flush', (_, _path: string, fd: number) => operations.flush(fd));
  define('fsync', (_, _path: string, dataOnly: number, fd: number) => operations.sync(fd, dataOnly !== 0));
  define('fsyncdir', (_, path: string, dataOnly: number) => operations.syncDirectory(path, dataOnly !== 0));
  define('release', (_, _path: string, fd: number) => {
    operations.release(fd);
  });
  define('truncate', (_, path: string, low: number, high: number) => operations.change(path, { size: sizeOf(low, high) }));
  define('ftruncate', (_, _path: string, fd: number, low: number, high: number) => operations.truncateOpen(fd, sizeOf(low, high)));
  define('utimens', (request, path: string, low: number, high: number) => {
    const { accessed, modified } = timesOf(request, low, high);
    return operations.change(path, { accessed: timeOf(accessed), modified: timeOf(modified) });
  });
  define('chmod', (_, path: string, mode: number) => operations.change(path, { mode: mode & 0o7777 }));
  define('chown', (_, path: string, uid: number, gid: number) => operations.change(path, { uid: ownerOf(uid), gid: ownerOf(gid) }));
  define('mknod', (_, path: string, mode: number, device: number) => operations.makeNode(path, mode, device));
  define('mkdir', (_, path: string, mode: number) => operations.makeDirectory(path, mode));
  define('symlink', (_, target: string, path: string) => operations.makeLink(target, path));
  define('link', (_, path: string, newPath: string) => operations.link(path, newPath));
  define('unlink', (_, path: string) => operations.unlink(path));
  define('rmdir', (_, path: string) => operations.removeDirectory(path));
  define('rename', (_, path: string, newPath: string) => operations.rename(path, newPath));
  define(
    'getxattr',
    (_, path: string, name: string, _into: Buffer, _position: number) => extendedAttributes.get(path, name),
    (value, _path, _name, into) => [value === undefined ? -ENODATA : put(value, into), into.buffer],
    (_path, _name, into) => [into.buffer],
  );
  define(
    'listxattr',
    (_, path: string, _into: Buffer) => extendedAttributes.names(path),
    (names, _path, into) => [put(names, into), into.buffer],
    (_path, into) => [into.buffer],
  );
  define(
    'setxattr',
    // The value is the memory of libfuse, gone when the request is signalled.
    (_, path: string, name: string, value: Buffer, _position: number, flags: number) =>
      extendedAttributes.set(path, name, Buffer.from(value), flags),
    (_, _path, _name, value) => [0, value.buffer],
    (_path, _name, value) => [value.buffer],
  );
  define('removexattr', (_, path: string, name: string) => extendedAttributes.remove(path, name));
  return handlers;
}

function done(): readonly [number] {
  return [0];
}

function nothing(): readonly unknown[] {
  return [];
}

/** Without room the caller asks how long the answer is. */
function put(value: Buffer, into: Buffer): number {
  if (into.length === 0) return value.length;
  if (value.length > into.length) return -ERANGE;
  return value.copy(into);
}

/** -1 leaves an owner as it is. */
function ownerOf(id: number): number | undefined {
  return id >>> 0 === 0xffffffff ? undefined : id;
}
