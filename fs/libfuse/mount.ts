/**
 * The second transport: a {@link FileSystem} mounted through libfuse 2, by way of the package `fuse-native`. For systems without what `fs/kernel/` needs.
 *
 * Requests come on threads of libfuse, are handed to the main thread's event loop, and wait there for their answers; one that has to wait for a remote keeps
 * no other from being answered. It serves on the main thread only, because fuse-native uses its event loop.
 *
 * What this transport does not carry, because libfuse 2 or fuse-native do not:
 *
 * - who asks: the file system is told "unknown", and what is made belongs to this process;
 * - nanoseconds (times are cut to milliseconds), times before 1970 (shown as 1970), and setting only one of the two times (it does nothing, and says well done);
 * - inode numbers above 32 bits (folded), and positions in directories (each is read whole);
 * - locks (the kernel keeps them by itself, within this host), fallocate, SEEK_DATA and SEEK_HOLE (all is data), copy_file_range (the kernel copies), poll;
 * - RENAME_NOREPLACE and RENAME_EXCHANGE (EINVAL), O_TMPFILE (EOPNOTSUPP), O_SYNC of the open that creates a file, access control lists (EOPNOTSUPP);
 * - names and link targets that are no UTF-8 (EILSEQ);
 * - interrupts: a caller that waits is killed when its wait is over;
 * - notifications: what changed behind the mount is seen when the kernel's short memory of names and attributes ends;
 * - passthrough: every byte comes through this process.
 *
 * libfuse starts a thread for each request that is under way, and keeps ten that have nothing to do. Of each that ends, fuse-native leaves memory behind, and
 * a handle that the event loop looks at with every request: with thousands of them requests become slow.
 *
 * docs/transports.md says the same to users.
 */

import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { ButlerfsError } from '../../common/errors.js';
import type { FileSystem } from '../contract.js';
import { detachByProgram, detachIfMounted } from '../detach.js';
import { isQuiet } from '../quiet-errors.js';
import { loadBinding, LONGEST_ARGUMENT, type NativeBinding, type OperationName } from './binding.js';
import { implementedOperations, makeHandlers } from './handlers.js';
import { Waits } from './later.js';
import { type KernelMemory, mountOptionText } from './mount-options.js';
import { PathOperations } from './operations.js';
import { RequestMemory } from './request-memory.js';

export interface LibfuseMountOptions extends KernelMemory {
  readonly fileSystem: FileSystem;
  /** Absolute path of an existing directory, which is not itself a mount that nobody serves. */
  readonly mountPoint: string;
  /** Shown as the device in mount(8) and df(1); must not carry credentials. */
  readonly name: string;
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  /** Whether set-user-ID programs and device files on it work; root only. */
  readonly trusted?: boolean;
  /** Milliseconds after which a wait that has no deadline of its own is answered with ETIMEDOUT. */
  readonly deadline?: number;
  /** Called with every failure but those that say something of the question only (no such name). `path`: below the mount point, with a leading slash. */
  readonly onError: (error: unknown, operation: string, path: string) => void;
}

const DEFAULT_DEADLINE = 60_000;
/** Milliseconds for libfuse to begin to serve once the file system is mounted. */
const INIT_DEADLINE = 10_000;
/** Milliseconds between looks at whether the mount has ended: libfuse does not say. */
const WATCH_INTERVAL = 200;
/** Milliseconds for which a name that is not used is remembered. */
const NAME_LIFE = 2_000;
/** Threads that libfuse has started, at which it is said what that costs. */
const THREADS_REMARKED = 20_000;
const DEVICE = '/dev/fuse';

/** Mounts that are served in this process, by the descriptor that libfuse reads requests from. */
const served = new Map<number, LibfuseMount>();

export class LibfuseMount {
  /** Resolves when the mount has ended, whoever ended it, and files that were open on it are closed. */
  readonly ended: Promise<void>;
  readonly #options: LibfuseMountOptions;
  readonly #binding: NativeBinding;
  readonly #waits: Waits;
  readonly #operations: PathOperations;
  readonly #counts: Partial<Record<OperationName, number>> = {};
  readonly #memory = new RequestMemory();
  /** What the native half refers to for ever. */
  readonly #kept: { readonly thread: Buffer; readonly requests: RequestMemory };
  #device = -1;
  #watch: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #end!: () => void;

  private constructor(options: LibfuseMountOptions) {
    this.#options = options;
    this.#binding = loadBinding();
    this.#waits = new Waits(options.deadline ?? DEFAULT_DEADLINE);
    // A file that another user makes belongs to this process, which may be root: it must not run as root for that user.
    const { fileSystem, allowOther, onError } = options;
    this.#operations = new PathOperations({ fileSystem, waits: this.#waits, keepsSetId: !allowOther, onLateError: onError });
    this.#kept = { thread: Buffer.alloc(this.#binding.sizeof_fuse_thread_t), requests: this.#memory };
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Mounts and serves. Rejects with `unsupported` where fuse-native cannot be used here, with `mount-failed` where libfuse does not mount. */
  static async attach(options: LibfuseMountOptions): Promise<LibfuseMount> {
    const mount = new LibfuseMount(options);
    await mount.#attach();
    return mount;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Files that are open. */
  get open(): number {
    return this.#operations.open;
  }

  /** Requests that wait for something that is not here. */
  get waiting(): number {
    return this.#waits.size;
  }

  /** Requests by operation. */
  counts(): Record<string, number> {
    return { ...this.#counts };
  }

  /** Names may lead elsewhere than they did. The kernel's own memory of them ends by itself. */
  expireNames(): void {
    this.#operations.expireNames();
  }

  /** Forgets the names that are remembered only to be found again sooner. */
  forgetUnused(): void {
    this.#operations.forgetUnused(0);
  }

  /** Unmounts lazily. {@link ended} resolves when files that are open have been closed. */
  async detach(): Promise<void> {
    if (!this.#hasEnded) await detachIfMounted(this.#options.mountPoint, detachByProgram, { lazy: true });
  }

  async #attach(): Promise<void> {
    const { mountPoint, fileSystem } = this.#options;
    if (Buffer.byteLength(mountPoint) >= LONGEST_ARGUMENT) throw this.#failure('its path is too long for libfuse');
    const before = new Set(devices());
    const initialised = new Promise<void>((resolve) => {
      const handlers = makeHandlers({
        binding: this.#binding,
        operations: this.#operations,
        onInit: resolve,
        onRequest: (name) => {
          this.#counts[name] = (this.#counts[name] ?? 0) + 1;
        },
        onError: (error, operation, path) => {
          if (!isQuiet(error)) this.#options.onError(error, operation, path);
        },
      });
      const allocate = (size: number): Buffer => this.#allocate(size);
      const implemented = implementedOperations(this.#binding, fileSystem);
      try {
        const text = mountOptionText(this.#options);
        this.#binding.fuse_native_mount(mountPoint, text, this.#kept.thread, this.#kept, allocate, handlers, implemented);
      } catch (cause) {
        throw this.#failure(whyNot(this.#options), cause);
      }
    });
    this.#device = devices().find((fd) => !before.has(fd)) ?? -1;
    // A number that is used again: what had it has ended, and was not looked at since.
    const former = served.get(this.#device);
    if (former !== undefined) former.#ended();
    served.set(this.#device, this);
    this.#watch = setInterval(() => {
      if (isDevice(this.#device)) this.#operations.forgetUnused(NAME_LIFE);
      else this.#ended();
    }, WATCH_INTERVAL);
    await this.#within(initialised);
  }

  /** Memory for the requests of a thread that libfuse has started. */
  #allocate(size: number): Buffer {
    if (this.#memory.used === THREADS_REMARKED) {
      const why = 'each that ended has left something behind in this process, which every request has to pass';
      const advice = 'mount anew when it has become slow, or use the transport kernel';
      const remark = new ButlerfsError('internal', { what: `libfuse has started ${THREADS_REMARKED} threads`, why, advice });
      this.#options.onError(remark, 'threads', '/');
    }
    return this.#memory.allocate(size);
  }

  async #within(initialised: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure('libfuse does not answer')), INIT_DEADLINE);
    });
    try {
      await Promise.race([initialised, late]);
    } catch (error) {
      await this.detach();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#watch);
    if (served.get(this.#device) === this) served.delete(this.#device);
    // The handle that fuse-native leaves behind would keep the process from ending.
    this.#binding.fuse_native_unmount(this.#options.mountPoint, this.#kept.thread);
    this.#operations.close();
    this.#end();
  }

  #failure(why: string, cause?: unknown): ButlerfsError {
    return new ButlerfsError('mount-failed', { what: `mounting on '${this.#options.mountPoint}' through libfuse`, why, cause });
  }
}

/** Descriptors of this process that libfuse reads requests from. */
function devices(): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(isDevice);
}

function isDevice(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === DEVICE;
  } catch {
    return false;
  }
}

/** The likeliest reason: libfuse says its own on standard error only. */
function whyNot({ allowOther }: LibfuseMountOptions): string {
  const device = openingFails(DEVICE);
  if (device === 'ENOENT' || device === 'ENODEV' || device === 'ENXIO') {
    return `${DEVICE} is not there: load the kernel module with modprobe fuse, or give the container --device ${DEVICE}`;
  }
  if (device === 'EACCES') return `permission denied on ${DEVICE}`;
  if (allowOther && process.getuid?.() !== 0) return "libfuse failed; does /etc/fuse.conf have the line 'user_allow_other'?";
  return 'libfuse failed; it says why on standard error (in the log of the mount)';
}

/** The code of the error that opening for reading and writing fails with. */
function openingFails(path: string): string | undefined {
  try {
    closeSync(openSync(path, 'r+'));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
