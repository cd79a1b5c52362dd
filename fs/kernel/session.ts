/**
 * The conversation with the kernel on one /dev/fuse descriptor: requests are read, answered by a {@link FileSystem}, and replied to.
 *
 * It runs on a thread of its own, blocked in poll(2) while there is nothing to do. What the file system answers at once is replied to at once; what must
 * wait is parked, and replied to when its wait settles. A byte in the wake pipe makes the thread call `onWake`, where settled waits arrive.
 */

import { ButlerfsError, Errno, type ErrorCode, errnoOf } from '../../common/errors.js';
import type { FileSystem, NodeId, Waiting } from '../contract.js';
import { isWaiting } from '../contract.js';
import { type Owner, readUInt53, ReplyBuffer } from './frames.js';
import { lastErrno, PollPair, read, write } from './native.js';
import { negotiate, type Negotiated } from './negotiation.js';
import { OpenFiles } from './open-files.js';
import { IN_HEADER_SIZE, MIN_READ_BUFFER, Opcode, opcodeName, SILENT_OPCODES, SMALLEST_BODY, WRITING_OPCODES } from './protocol.js';

export interface SessionOptions {
  readonly device: number;
  /** Read end of the pipe that wakes this thread. */
  readonly wake: number;
  readonly fileSystem: FileSystem;
  readonly owner: Owner;
  /** Called on this thread after the wake pipe got a byte. Returns false to end the session. */
  readonly onWake: () => boolean;
  /** Called with every failure but those that say something of the question only (no such name). */
  readonly onError: (error: unknown, operation: string, node: NodeId) => void;
}

interface Parked {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly waiting: Waiting<unknown>;
}

const MAX_READ = 1 << 20;
const REQUEST_BUFFER = 256 * 1024;
const EAGAIN = 11;
const EINTR = 4;
const ENOENT_READ = 2;
/** Reads tried before sleeping, about 100 microseconds: a client that works through a tree asks again sooner, and sleeping costs more than that. */
const SPINS = 400;
/** Requests after which the wake pipe is looked at though there are more. */
const WAKE_INTERVAL = 32;

/** Failures that say something of the question, not of the mount: programs try names and go on. */
const QUIET_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unknown-dataset-type',
  'unknown-dimension',
  'unknown-value',
  'unknown-collection',
  'unknown-path',
  'invalid-value',
  'ambiguous',
  'read-only',
  'unsupported',
  'interrupted',
]);

export class KernelSession {
  readonly #options: SessionOptions;
  readonly #fileSystem: FileSystem;
  readonly #request = Buffer.alloc(Math.max(REQUEST_BUFFER, MIN_READ_BUFFER));
  readonly #reply: ReplyBuffer;
  readonly #parked = new Map<number, Parked>();
  readonly #counts = new Map<number, number>();
  #files: OpenFiles;
  #negotiated: Negotiated | undefined;
  // Of the request being answered.
  #node = 0;
  #opcode = 0;
  #uniqueLow = 0;
  #uniqueHigh = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#fileSystem = options.fileSystem;
    this.#reply = new ReplyBuffer(MAX_READ, options.owner);
    this.#files = new OpenFiles(options.fileSystem, options.device, false);
  }

  /** Serves until the file system is unmounted or `onWake` says stop. Blocks the thread. */
  run(): void {
    const poll = new PollPair(this.#options.device, this.#options.wake);
    const wakeBytes = Buffer.alloc(64);
    const isOver = (): boolean => {
      let woken = false;
      while (read(this.#options.wake, wakeBytes) > 0) woken = true;
      return woken && !this.#options.onWake();
    };
    let idle = 0;
    let served = 0;
    for (;;) {
      const size = read(this.#options.device, this.#request);
      if (size > 0) {
        idle = 0;
        this.#serve(size);
        // However busy the kernel is, what others wait for is not forgotten.
        if (++served % WAKE_INTERVAL === 0 && isOver()) break;
        continue;
      }
      const errno = lastErrno();
      // 0: the other end is closed. ENOENT: the request was interrupted before it was read. EINTR: a signal.
      if (size === 0 || (errno !== EAGAIN && errno !== EINTR && errno !== ENOENT_READ)) break;
      if (++idle < SPINS) continue;
      poll.wait();
      idle = 0;
      if (poll.secondIsReady && isOver()) break;
    }
    for (const { waiting } of this.#parked.values()) waiting.abort();
    this.#parked.clear();
    this.#files.closeAll();
  }

  get passthrough(): boolean {
    return this.#files.passthrough;
  }

  get protocol(): string {
    return this.#negotiated === undefined ? 'none' : `7.${this.#negotiated.minor}`;
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([opcode, count]) => [opcodeName(opcode), count]));
  }

  get openHandles(): number {
    return this.#files.size;
  }

  get waiting(): number {
    return this.#parked.size;
  }

  /** Closes backing files that no open file uses, so that the cache may evict them. */
  dropIdleFiles(): void {
    this.#files.dropIdle();
  }

  #serve(size: number): void {
    const request = this.#request;
    if (size < IN_HEADER_SIZE || request.readUInt32LE(0) !== size) return;
    this.#opcode = request.readUInt32LE(4);
    this.#uniqueLow = request.readUInt32LE(8);
    this.#uniqueHigh = request.readUInt32LE(12);
    this.#node = readUInt53(request, 16);
    this.#counts.set(this.#opcode, (this.#counts.get(this.#opcode) ?? 0) + 1);
    this.#reply.length = 0;
    if (size - IN_HEADER_SIZE < (SMALLEST_BODY[this.#opcode] ?? 0)) {
      if (!SILENT_OPCODES.has(this.#opcode)) this.#sendErrno(Errno.EINVAL);
      return;
    }
    try {
      this.#dispatch(size);
    } catch (error) {
      this.#fail(error, this.#opcode, this.#node, this.#uniqueLow, this.#uniqueHigh);
    }
  }

  /** Answers one request: throws to answer with an errno. Every path replies once, but for those that the protocol leaves without a reply. */
  #dispatch(size: number): void {
    const request = this.#request;
    const node = this.#node;
    switch (this.#opcode) {
      case Opcode.LOOKUP:
        this.#answer(this.#fileSystem.lookup(node, this.#name(IN_HEADER_SIZE, size)), (entry) => {
          this.#reply.entry(entry);
        });
        return;
      case Opcode.GETATTR:
        this.#answer(this.#fileSystem.attributes(node), (attributes) => {
          this.#reply.attributes(attributes);
        });
        return;
      case Opcode.READDIRPLUS:
      case Opcode.READDIR:
        this.#list(this.#opcode === Opcode.READDIRPLUS);
        return;
      case Opcode.OPEN:
        this.#open(request.readUInt32LE(IN_HEADER_SIZE));
        return;
      case Opcode.READ:
        this.#read();
        return;
      case Opcode.RELEASE:
        this.#files.release(readUInt53(request, IN_HEADER_SIZE));
        this.#send();
        return;
      case Opcode.FORGET:
        this.#fileSystem.forget(node, readUInt53(request, IN_HEADER_SIZE));
        return;
      case Opcode.BATCH_FORGET:
        this.#forgetMany(size);
        return;
      case Opcode.READLINK:
        this.#reply.data(Buffer.from(this.#fileSystem.readLink(node)));
        this.#send();
        return;
      case Opcode.STATFS:
        this.#reply.statfs(this.#fileSystem.totals());
        this.#send();
        return;
      case Opcode.GETXATTR:
        this.#attribute(this.#name(IN_HEADER_SIZE + 8, size));
        return;
      case Opcode.LISTXATTR:
        this.#sized(
          Buffer.from(
            this.#fileSystem
              .attributeNames(node)
              .map((name) => `${name}\0`)
              .join(''),
          ),
        );
        return;
      case Opcode.INTERRUPT:
        this.#interrupt(readUInt53(request, IN_HEADER_SIZE));
        return;
      case Opcode.INIT:
        this.#initialise(size);
        return;
      case Opcode.DESTROY:
      case Opcode.FSYNC:
      case Opcode.FSYNCDIR:
        this.#send();
        return;
      case Opcode.NOTIFY_REPLY:
        return;
      default:
        // OPENDIR, FLUSH and ACCESS answer ENOSYS once, and the kernel does without them from then on.
        this.#sendErrno(WRITING_OPCODES.has(this.#opcode) ? Errno.EROFS : Errno.ENOSYS);
    }
  }

  #initialise(size: number): void {
    const negotiated = negotiate(this.#request, size, REQUEST_BUFFER / 2);
    this.#negotiated = negotiated;
    this.#files = new OpenFiles(this.#fileSystem, this.#options.device, negotiated.passthrough);
    this.#reply.data(negotiated.reply);
    this.#send();
  }

  #list(plus: boolean): void {
    const request = this.#request;
    const offset = readUInt53(request, IN_HEADER_SIZE + 8);
    const limit = Math.min(request.readUInt32LE(IN_HEADER_SIZE + 16), MAX_READ);
    const reply = this.#reply;
    this.#fileSystem.list(this.#node, offset, {
      add: (name, next, isDirectory, entry) => reply.directoryEntry(name, next, isDirectory, limit, plus, entry),
    });
    this.#send();
  }

  #open(flags: number): void {
    const node = this.#node;
    const forWriting = (flags & 3) !== 0;
    if (!forWriting && this.#files.reopen(node, this.#reply)) {
      this.#send();
      return;
    }
    this.#answer(this.#fileSystem.open(node, forWriting), (opened) => {
      this.#files.add(node, opened, this.#reply);
    });
  }

  #read(): void {
    const request = this.#request;
    const offset = readUInt53(request, IN_HEADER_SIZE + 8);
    const size = Math.min(request.readUInt32LE(IN_HEADER_SIZE + 16), MAX_READ);
    if (this.#files.read(readUInt53(request, IN_HEADER_SIZE), offset, size, this.#reply)) this.#send();
    else this.#sendErrno(Errno.EBADF);
  }

  #forgetMany(size: number): void {
    const request = this.#request;
    const count = Math.min(request.readUInt32LE(IN_HEADER_SIZE), Math.floor((size - IN_HEADER_SIZE - 8) / 16));
    for (let i = 0; i < count; i++) {
      const at = IN_HEADER_SIZE + 8 + 16 * i;
      this.#fileSystem.forget(readUInt53(request, at), readUInt53(request, at + 8));
    }
  }

  /**
   * ls(1) asks for `security.selinux` and `system.posix_acl_access` of every file, and the kernel keeps no answer. "Not supported" (not "no such attribute")
   * makes it ask once for the whole file system: a hundred thousand files are then listed in a tenth of the time.
   */
  #attribute(name: string): void {
    if (name.startsWith('user.')) this.#sized(this.#fileSystem.attribute(this.#node, name));
    else this.#sendErrno(Errno.EOPNOTSUPP);
  }

  /** GETXATTR and LISTXATTR: with size 0 the caller asks how long the answer is. */
  #sized(value: Buffer | undefined): void {
    const room = this.#request.readUInt32LE(IN_HEADER_SIZE);
    if (value === undefined) {
      this.#sendErrno(Errno.ENODATA);
    } else if (room === 0) {
      this.#reply.uint32(value.length);
      this.#reply.uint32(0);
      this.#send();
    } else if (value.length > room) {
      this.#sendErrno(Errno.ERANGE);
    } else {
      this.#reply.data(value);
      this.#send();
    }
  }

  /** The caller of a parked request got a signal: its wait ends with EINTR. Requests that are not parked are answered anyway. */
  #interrupt(unique: number): void {
    const parked = this.#parked.get(unique);
    if (parked === undefined) return;
    this.#parked.delete(unique);
    parked.waiting.abort();
    this.#write(this.#reply.seal(parked.uniqueLow, parked.uniqueHigh, Errno.EINTR));
  }

  /** Replies now, or when the wait settles. */
  #answer<T extends object>(answer: T | Waiting<T>, encode: (value: T) => void): void {
    if (!isWaiting<T>(answer)) {
      encode(answer);
      this.#send();
      return;
    }
    const { parkedKey, uniqueLow, uniqueHigh, opcode, node } = {
      parkedKey: readUInt53(this.#request, 8),
      uniqueLow: this.#uniqueLow,
      uniqueHigh: this.#uniqueHigh,
      opcode: this.#opcode,
      node: this.#node,
    };
    this.#parked.set(parkedKey, { uniqueLow, uniqueHigh, waiting: answer });
    answer.begin((outcome) => {
      if (!this.#parked.delete(parkedKey)) return;
      if ('error' in outcome) {
        this.#fail(outcome.error, opcode, node, uniqueLow, uniqueHigh);
        return;
      }
      this.#reply.length = 0;
      try {
        encode(outcome.value);
        this.#write(this.#reply.seal(uniqueLow, uniqueHigh, 0));
      } catch (error) {
        this.#fail(error, opcode, node, uniqueLow, uniqueHigh);
      }
    });
  }

  #send(): void {
    this.#write(this.#reply.seal(this.#uniqueLow, this.#uniqueHigh, 0));
  }

  #sendErrno(errno: number): void {
    this.#write(this.#reply.seal(this.#uniqueLow, this.#uniqueHigh, errno));
  }

  #fail(error: unknown, opcode: number, node: NodeId, uniqueLow: number, uniqueHigh: number): void {
    const errno = errnoOf(error);
    const quiet = error instanceof ButlerfsError && QUIET_CODES.has(error.code);
    if (opcode === Opcode.LOOKUP && quiet && errno === Errno.ENOENT) {
      this.#reply.length = 0;
      this.#reply.negativeEntry();
      this.#write(this.#reply.seal(uniqueLow, uniqueHigh, 0));
      return;
    }
    if (!quiet) this.#options.onError(error, opcodeName(opcode), node);
    this.#write(this.#reply.seal(uniqueLow, uniqueHigh, errno));
  }

  /** One whole frame per write. ENOENT: the caller is gone; ENODEV: unmounted, which the next read says too. */
  #write(size: number): void {
    write(this.#options.device, this.#reply.bytes, size);
  }

  #name(from: number, size: number): string {
    const end = this.#request.indexOf(0, from);
    return this.#request.toString('utf8', from, end < 0 || end > size ? size : end);
  }
}
