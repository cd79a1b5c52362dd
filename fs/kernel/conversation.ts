/** One request at a time: what was asked, the reply under construction, and the ways to end it. The operations in `operations/` work on it. */

import { Errno, errnoOf } from '../../common/errors.js';
import { type Answer, type FileSystem, isWaiting, type NodeId, type OpenedDirectory, type Outcome, type Waiting } from '../contract.js';
import { isQuiet } from '../quiet-errors.js';
import { write } from './native.js';
import { OpenFiles } from './open-files.js';
import { ParkedRequests, type ParkedRequest } from './parked.js';
import { IN_HEADER_SIZE, Opcode, opcodeName, OUT_HEADER_SIZE, WRITE_IN_SIZE } from './protocol.js';
import { ReplyBuffer } from './reply.js';
import { RequestFrame } from './request.js';

export interface ConversationOptions {
  /** Descriptor of /dev/fuse. */
  readonly device: number;
  readonly fileSystem: FileSystem;
  /** Milliseconds after which a wait without a deadline of its own is given up. */
  readonly deadline: number;
  /** Called with every failure but those that say something of the question only (no such name). */
  readonly onError: (error: unknown, operation: string, node: NodeId) => void;
}

/** Largest read and write in bytes. */
export const LARGEST_TRANSFER = 1 << 20;
const PAGE = 4096;

export class Conversation {
  readonly fileSystem: FileSystem;
  readonly request: RequestFrame;
  readonly reply: ReplyBuffer;
  readonly parked: ParkedRequests;
  readonly directories = new Map<number, OpenedDirectory>();
  readonly device: number;
  files: OpenFiles;
  readonly #onError: ConversationOptions['onError'];
  #nextDirectory = 1;

  constructor({ device, fileSystem, deadline, onError }: ConversationOptions) {
    const { nameEncoding, writable } = fileSystem.traits;
    this.device = device;
    this.fileSystem = fileSystem;
    this.request = new RequestFrame(
      (writable ? LARGEST_TRANSFER : LARGEST_TRANSFER / 8) + PAGE + IN_HEADER_SIZE + WRITE_IN_SIZE,
      nameEncoding,
    );
    this.reply = new ReplyBuffer(LARGEST_TRANSFER, nameEncoding);
    this.parked = new ParkedRequests(deadline);
    this.files = new OpenFiles(fileSystem, device, false);
    this.#onError = onError;
  }

  /** Largest write in bytes that the request buffer has room for: whole pages. */
  get largestWrite(): number {
    return (this.request.bytes.length - IN_HEADER_SIZE - WRITE_IN_SIZE) & ~(PAGE - 1);
  }

  /** INIT said what the kernel can. */
  negotiated(passthrough: boolean): void {
    this.files = new OpenFiles(this.fileSystem, this.device, passthrough);
  }

  addDirectory(opened: OpenedDirectory): number {
    const handle = this.#nextDirectory++;
    this.directories.set(handle, opened);
    return handle;
  }

  /** Sends the reply as it is. */
  send(): void {
    this.#write(this.reply.seal(this.request.uniqueLow, this.request.uniqueHigh, 0));
  }

  sendErrno(errno: number): void {
    this.#write(this.reply.seal(this.request.uniqueLow, this.request.uniqueHigh, errno));
  }

  /** Replies with what `encode` puts into the reply, now or when the wait is over. */
  answer<T>(answer: Answer<T>, encode: (reply: ReplyBuffer, value: T) => void): void {
    if (isWaiting(answer)) {
      this.park(answer, (value) => {
        encode(this.reply, value);
      });
      return;
    }
    encode(this.reply, answer);
    this.send();
  }

  /** Sends an empty reply, now or when the wait is over. */
  done(answer: Answer<unknown>): void {
    if (isWaiting(answer)) this.park(answer, nothing);
    else this.send();
  }

  /** Replies when the wait settles: `encode` fills the reply, and a {@link Waiting} that it returns is waited for in turn. */
  park<T>(waiting: Waiting<T>, encode: (value: T) => Answer<unknown>): void {
    const { unique, uniqueLow, uniqueHigh, opcode, node } = this.request;
    this.#park(unique, { uniqueLow, uniqueHigh, opcode, node }, waiting, encode);
  }

  #park<T>(unique: number, request: ParkedRequest, waiting: Waiting<T>, encode: (value: T) => Answer<unknown>): void {
    this.parked.park<T>(unique, request, waiting, (_, outcome: Outcome<T>) => {
      if ('error' in outcome) {
        this.#fail(outcome.error, request);
        return;
      }
      this.reply.length = 0;
      try {
        const more = encode(outcome.value);
        if (isWaiting(more)) this.#park(unique, request, more, encode as (value: unknown) => Answer<unknown>);
        else this.replyTo(request, 0);
      } catch (error) {
        this.#fail(error, request);
      }
    });
  }

  /** Sends what is in the reply to a request that waited; `errno` 0 for success. */
  replyTo({ uniqueLow, uniqueHigh }: ParkedRequest, errno: number): void {
    this.#write(this.reply.seal(uniqueLow, uniqueHigh, errno));
  }

  /** The request at hand failed. */
  fail(error: unknown): void {
    this.#fail(error, this.request);
  }

  #fail(error: unknown, request: ParkedRequest): void {
    const errno = errnoOf(error);
    const quiet = isQuiet(error);
    const { negativeValidity } = this.fileSystem.traits;
    if (request.opcode === Opcode.LOOKUP && quiet && errno === Errno.ENOENT && negativeValidity > 0) {
      this.reply.length = 0;
      this.reply.negativeEntry(negativeValidity);
      this.replyTo(request, 0);
      return;
    }
    if (!quiet) this.#onError(error, opcodeName(request.opcode), request.node);
    this.replyTo(request, errno);
  }

  /** One whole frame per write. ENOENT: the caller is gone; ENODEV: unmounted, which the next read says too. */
  #write(size: number): void {
    write(this.device, this.reply.bytes, Math.max(size, OUT_HEADER_SIZE));
  }
}

function nothing(): void {}
