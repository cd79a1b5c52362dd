/** One connection: a request at a time, what comes in pieces of memory that is used again. */

import type { Socket } from 'node:net';
import { BufferPool } from '../../common/buffer-pool.js';
import type { AnswerBody, BulkAnswer, BulkRequest } from './contract.js';
import { formatRequest, LONGEST_HEAD, parsePlainHead } from './head.js';

/** Bytes that are received at a time, at most. */
const PIECE = 256 * 1024;
/** Pieces that wait for their reader; then the rest waits at the origin. */
const WAITING = 8;

const HEAD_END = Buffer.from('\r\n\r\n');

/** The other side closed the connection before it answered: as it may with one that was not in use for a while. */
export class ClosedBeforeAnswerError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('the connection was closed before the answer');
    this.name = 'ClosedBeforeAnswerError';
  }
}

/** How a socket is to hand over what it receives: `onread` of net.connect and tls.connect. */
export interface Receiver {
  readonly buffer: () => Uint8Array;
  readonly callback: (length: number, bytes: Uint8Array) => boolean;
}

export class BulkConnection {
  readonly receiver: Receiver;
  readonly #memory = new BufferPool(PIECE, WAITING + 2);
  readonly #onIdle: () => void;
  #socket: Socket | undefined;
  #pieces: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #isPaused = false;
  #ended: Error | undefined;
  #isBusy = false;

  /** `onIdle`: the answer was read, and another can be asked for. */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
    this.receiver = {
      buffer: () => this.#memory.take(PIECE),
      callback: (length, bytes) => this.#received(bytes.subarray(0, length)),
    };
  }

  /** The socket that was made with {@link receiver}, established. The connection closes it. */
  use(socket: Socket): void {
    this.#socket = socket;
    const end = (error: Error): void => this.#end(error);
    socket.on('error', end);
    socket.on('end', () => end(this.#closed()));
    socket.on('close', () => end(this.#closed()));
  }

  get isOpen(): boolean {
    return this.#ended === undefined && this.#socket?.destroyed === false;
  }

  /** Hears when it is closed. */
  onClose(listener: () => void): void {
    this.#socket!.once('close', listener);
  }

  /** As {@link BulkConnections.get}; the connection is then closed where the answer is not plain. */
  async get(url: URL, { headers, signal }: BulkRequest): Promise<BulkAnswer | undefined> {
    this.#isBusy = true;
    const abort = (): void => this.#end(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const finish = (isWhole: boolean): void => {
      signal.removeEventListener('abort', abort);
      this.#isBusy = false;
      if (isWhole && this.isOpen) this.#onIdle();
      else this.close();
    };
    try {
      if (signal.aborted) throw signal.reason;
      this.#socket!.write(formatRequest(url, headers));
      const head = parsePlainHead(await this.#head());
      if (head === undefined) {
        finish(false);
        return undefined;
      }
      const body = new BulkBody(head.length, this.#body(head.length), (isWhole) => finish(isWhole && head.isKept));
      return { statusCode: head.status, headers: head.headers, body };
    } catch (error) {
      finish(false);
      throw error;
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#end(this.#closed());
  }

  #closed(): Error {
    return new ClosedBeforeAnswerError();
  }

  #received(bytes: Uint8Array): boolean {
    if (!this.#isBusy) {
      // Bytes that nobody asked for: whatever they are, the next answer would begin with them.
      this.close();
      return false;
    }
    this.#pieces.push(bytes);
    this.#wake?.();
    this.#isPaused = this.#pieces.length >= WAITING;
    return !this.#isPaused;
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#socket?.destroy();
    this.#wake?.();
  }

  /** The next piece; its memory is the caller's. Undefined where the other side has closed. */
  async #piece(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#ended instanceof ClosedBeforeAnswerError) return undefined;
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const piece = this.#pieces.shift();
    if (this.#isPaused && this.#pieces.length < WAITING / 2) {
      this.#isPaused = false;
      this.#socket!.resume();
    }
    return piece;
  }

  /** What comes before the empty line; the rest of its last piece is put back. Where there is no end, all there was. */
  async #head(): Promise<string> {
    let head = Buffer.alloc(0);
    for (;;) {
      const piece = await this.#piece();
      if (piece === undefined) {
        if (head.length === 0) throw new ClosedBeforeAnswerError();
        return head.toString('latin1');
      }
      const before = head.length;
      head = Buffer.concat([head, piece.subarray(0, LONGEST_HEAD)]);
      const end = head.indexOf(HEAD_END);
      if (end < 0 && head.length < LONGEST_HEAD) {
        this.#memory.give(piece);
        continue;
      }
      if (end < 0) return head.toString('latin1');
      const rest = piece.subarray(end + HEAD_END.length - before);
      if (rest.length > 0) this.#pieces.unshift(rest);
      else this.#memory.give(piece);
      return head.subarray(0, end).toString('latin1');
    }
  }

  async *#body(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = length; left > 0;) {
      const piece = await this.#piece();
      if (piece === undefined) throw Object.assign(new Error('the connection was closed by the other side'), { code: 'ECONNRESET' });
      // More than was promised: not part of this answer, nor of another that was asked for.
      if (piece.length > left) this.#socket!.destroy();
      const part = piece.subarray(0, left);
      left -= part.length;
      yield part;
      this.#memory.give(piece);
    }
  }
}

class BulkBody implements AnswerBody {
  readonly #length: number;
  readonly #bytes: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #finish: (isWhole: boolean) => void;
  #isFinished = false;
  #read = 0;

  constructor(length: number, bytes: AsyncGenerator<Uint8Array, void, undefined>, finish: (isWhole: boolean) => void) {
    this.#length = length;
    this.#bytes = bytes;
    this.#finish = finish;
  }

  get readableEnded(): boolean {
    return this.#isFinished && this.#read === this.#length;
  }

  /** Errors reject the iteration, and nothing else hears of them. */
  on(): this {
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#bytes) {
        this.#read += chunk.length;
        yield chunk;
      }
    } finally {
      this.#end();
    }
  }

  async dump({ limit, signal }: { readonly limit: number; readonly signal?: AbortSignal }): Promise<void> {
    if (this.#length > limit) {
      this.destroy();
      return;
    }
    const abort = (): void => this.destroy();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      for await (const chunk of this) void chunk;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  destroy(): void {
    this.#end();
  }

  #end(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#finish(this.#read === this.#length);
  }
}
