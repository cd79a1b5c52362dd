/**
 * The conversation with the kernel on one /dev/fuse descriptor: requests are read, answered by a {@link FileSystem}, and replied to.
 *
 * It runs on a thread of its own, blocked in poll(2) while there is nothing to do. What the file system answers at once is replied to at once; what must
 * wait is parked, and replied to when its wait settles, its caller is interrupted or its deadline passes. A byte in the wake pipe makes the thread call
 * `onWake`, where settled waits arrive.
 */

import { Errno } from '../../common/errors.js';
import { Conversation, type ConversationOptions } from './conversation.js';
import { lastErrno, PollPair, read } from './native.js';
import { negotiate, type Negotiated, wantedFlags } from './negotiation.js';
import { attributeOperations } from './operations/attributes.js';
import { directoryOperations } from './operations/directories.js';
import { fileOperations } from './operations/files.js';
import { nameOperations } from './operations/names.js';
import type { Operation, Operations } from './operations/operation.js';
import { Opcode, OPCODE_LIMIT, opcodeName, SILENT_OPCODES, SMALLEST_BODY } from './protocol.js';

export interface SessionOptions extends Omit<ConversationOptions, 'deadline'> {
  /** Read end of the pipe that wakes this thread. */
  readonly wake: number;
  /** Called on this thread after the wake pipe got a byte. Returns false to end the session. */
  readonly onWake: () => boolean;
  /** Milliseconds after which a wait that has no deadline of its own is answered with ETIMEDOUT. */
  readonly deadline?: number;
  /** False: the kernel is not asked to read and write by itself. */
  readonly passthrough?: boolean;
}

const DEFAULT_DEADLINE = 60_000;
const EAGAIN = 11;
const EINTR = 4;
const ENOENT_READ = 2;
/**
 * Reads tried before sleeping: up to about 200 microseconds, because a client that works through a tree asks again sooner, and sleeping costs more than
 * that. Where it is in vain, as when client and daemon share a busy core, fewer are tried the next time.
 */
const MOST_SPINS = 400;
const FEWEST_SPINS = 20;
/** Requests after which the wake pipe and the deadlines are looked at though there are more. */
const WAKE_INTERVAL = 32;

const OPERATIONS: Operations = { ...nameOperations, ...directoryOperations, ...fileOperations, ...attributeOperations };

export class KernelSession {
  readonly #options: SessionOptions;
  readonly #conversation: Conversation;
  readonly #operations: (Operation | undefined)[] = [];
  readonly #smallestBody = new Uint32Array(OPCODE_LIMIT);
  readonly #counts = new Float64Array(OPCODE_LIMIT);
  #negotiated: Negotiated | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#conversation = new Conversation({ deadline: DEFAULT_DEADLINE, ...options });
    for (let opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
      this.#operations.push(OPERATIONS[opcode]);
      this.#smallestBody[opcode] = SMALLEST_BODY[opcode] ?? 0;
    }
    this.#operations[Opcode.INIT] = () => {
      this.#initialise();
    };
    this.#operations[Opcode.INTERRUPT] = ({ request }) => {
      this.#interrupt(request.number(0));
    };
    this.#operations[Opcode.DESTROY] = (conversation) => {
      conversation.send();
    };
    this.#operations[Opcode.NOTIFY_REPLY] = () => undefined;
  }

  /** Serves until the file system is unmounted or `onWake` says stop. Blocks the thread. */
  run(): void {
    const { device, wake } = this.#options;
    const { parked, request } = this.#conversation;
    const poll = new PollPair(device, wake);
    const wakeBytes = Buffer.alloc(64);
    const isOver = (): boolean => {
      let woken = false;
      while (read(wake, wakeBytes) > 0) woken = true;
      const over = woken && !this.#options.onWake();
      parked.expire((late) => {
        this.#conversation.replyTo(late, Errno.ETIMEDOUT);
      });
      return over;
    };
    let idle = 0;
    let spins = MOST_SPINS;
    let served = 0;
    for (;;) {
      const size = read(device, request.bytes);
      if (size > 0) {
        if (idle > 1) spins = Math.min(MOST_SPINS, 2 * spins);
        idle = 0;
        this.#serve(size);
        // However busy the kernel is, what others wait for is not forgotten.
        if (++served % WAKE_INTERVAL === 0 && isOver()) break;
        continue;
      }
      const errno = lastErrno();
      // 0: the other end is closed. ENOENT: the request was interrupted before it was read. EINTR: a signal.
      if (size === 0 || (errno !== EAGAIN && errno !== EINTR && errno !== ENOENT_READ)) break;
      if (++idle < spins) continue;
      spins = Math.max(FEWEST_SPINS, spins >> 1);
      poll.wait(parked.untilExpiry);
      idle = 0;
      if (isOver()) break;
    }
    parked.abandon();
    this.#conversation.files.closeAll();
  }

  get passthrough(): boolean {
    return this.#conversation.files.passthrough;
  }

  get protocol(): string {
    return this.#negotiated === undefined ? 'none' : `7.${this.#negotiated.minor}`;
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.#counts.forEach((count, opcode) => {
      if (count > 0) counts[opcodeName(opcode)] = count;
    });
    return counts;
  }

  get openHandles(): number {
    return this.#conversation.files.size;
  }

  get waiting(): number {
    return this.#conversation.parked.size;
  }

  /** Closes files that no open file of the kernel uses, so that the cache may evict them. */
  dropIdleFiles(): void {
    this.#conversation.files.dropIdle();
  }

  /** Answers one request: every path replies once, but for those that the protocol leaves without a reply. */
  #serve(size: number): void {
    const conversation = this.#conversation;
    const { request } = conversation;
    if (!request.begin(size)) return;
    conversation.reply.length = 0;
    const { opcode } = request;
    if (opcode >= OPCODE_LIMIT) {
      conversation.sendErrno(Errno.ENOSYS);
      return;
    }
    this.#counts[opcode]!++;
    if (request.bodySize < this.#smallestBody[opcode]!) {
      if (!SILENT_OPCODES.has(opcode)) conversation.sendErrno(Errno.EINVAL);
      return;
    }
    const operation = this.#operations[opcode];
    if (operation === undefined) {
      conversation.sendErrno(Errno.ENOSYS);
      return;
    }
    try {
      operation(conversation);
    } catch (error) {
      if (!SILENT_OPCODES.has(opcode)) conversation.fail(error);
    }
  }

  #initialise(): void {
    const conversation = this.#conversation;
    const { request, fileSystem } = conversation;
    const size = request.bodySize + 40;
    const negotiated = negotiate(request.bytes, size, wantedFlags(fileSystem), conversation.largestWrite);
    this.#negotiated = negotiated;
    conversation.negotiated(negotiated.passthrough && this.#options.passthrough !== false);
    conversation.reply.data(negotiated.reply);
    conversation.send();
    conversation.files.probe();
  }

  /** The caller of a parked request got a signal: its wait ends with EINTR. Requests that are not parked are answered already. */
  #interrupt(unique: number): void {
    const interrupted = this.#conversation.parked.interrupt(unique);
    if (interrupted !== undefined) this.#conversation.replyTo(interrupted, Errno.EINTR);
  }
}
