/** An SFTP session: requests that are answered in any order, over one channel. */

import { BufferPool } from '../../common/buffer-pool.js';
import { interrupted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import type { SftpChannel } from './channel.js';
import { Pace } from './pace.js';
import { printable } from './printable.js';
import {
  encodePacket,
  MalformedPacketError,
  OPEN_FOR_READING,
  Packet,
  PacketReader,
  PacketSplitter,
  Status,
  type Attributes,
} from './wire.js';

/** An open file or directory at the server; valid within its session. */
export type Handle = Buffer & { readonly __handle: unique symbol };

export interface DirectoryEntry {
  readonly name: Buffer;
  /** Of the entry itself: a link is not followed. */
  readonly attributes: Attributes;
}

export interface RequestOptions {
  /** What is being done, for errors: `reading ssh://...`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** The server's answer that something went wrong. */
export class StatusError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'StatusError';
    this.status = status;
  }
}

interface Waiting {
  readonly what: string;
  readonly sentAt: number;
  settle(answer: Buffer | ButlerfsError): void;
}

/** Bytes that every server sends for one read. */
const READ_LIMIT = 32 * 1024;
/** Bytes asked for with one read, at most. */
const LARGEST_READ = 256 * 1024;
/** Bytes of the longest packet taken. OpenSSH sends 256 KiB, others less. */
const LONGEST_PACKET = 1024 * 1024;
/** Memory for packets that is kept: a whole window of answers to reads, each with its head. */
const KEPT = { size: LARGEST_READ + 64, most: 24 };

/**
 * One session. Requests reject with {@link StatusError} for what the server says, `remote-failed` where the session ends, `remote-timeout` where nothing at all
 * arrives for the idle time (the session is ended then), and `interrupted`.
 */
export class SftpSession {
  readonly #channel: SftpChannel;
  readonly #idleTimeout: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #memory = new BufferPool(KEPT.size, KEPT.most);
  readonly #splitter = new PacketSplitter(
    LONGEST_PACKET,
    (packet) => this.#receive(packet),
    (length) => this.#memory.take(length),
  );
  readonly #onEnd: (why: ButlerfsError) => void;
  #nextId = 1;
  #heardAt = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #ended: ButlerfsError | undefined;
  #onVersion: ((packet: Buffer) => void) | undefined;
  pace = new Pace(READ_LIMIT);

  /** `onEnd` hears once why the session ended. */
  private constructor(channel: SftpChannel, idleTimeout: number, onEnd: (why: ButlerfsError) => void) {
    this.#channel = channel;
    this.#idleTimeout = idleTimeout;
    this.#onEnd = onEnd;
    const lost = (why: string, cause?: unknown): void =>
      this.end(new ButlerfsError('remote-failed', { what: 'the SFTP session', why, cause }));
    channel.on('data', (chunk: Buffer) => {
      this.#heardAt = performance.now();
      try {
        this.#splitter.push(chunk);
      } catch (error) {
        lost(error instanceof Error ? error.message : String(error), error);
      }
    });
    // Nobody reads what the server's side has to say there, and it must not fill the window.
    channel.stderr.resume();
    channel.on('error', (error: Error) => lost(printable(error.message), error));
    for (const event of ['end', 'close'] as const) channel.on(event, () => lost('the connection was closed'));
  }

  /** Speaks the first words on a channel of the subsystem. */
  static async start(
    channel: SftpChannel,
    idleTimeout: number,
    options: RequestOptions & { readonly onEnd: (why: ButlerfsError) => void },
  ): Promise<SftpSession> {
    const session = new SftpSession(channel, idleTimeout, options.onEnd);
    const reader = new PacketReader(await session.#sayHello(options), 1);
    const version = reader.uint32();
    if (version < 3) throw new ButlerfsError('remote-failed', { what: 'the SFTP session', why: `the server speaks version ${version}` });
    let hasLimits = false;
    while (!reader.isAtEnd) {
      hasLimits ||= reader.bytes().toString() === 'limits@openssh.com';
      reader.bytes();
    }
    if (hasLimits) session.pace = new Pace(await session.#readLimit(options));
    return session;
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** The path without links, `.` and `..`; of the last component some servers take also one that does not exist. */
  async realpath(path: Uint8Array | string, options: RequestOptions): Promise<Buffer> {
    const reader = await this.#ask(Packet.realpath, [path], Packet.name, options);
    if (reader.uint32() < 1) throw new StatusError(Status.noSuchFile, 'no such file');
    return Buffer.from(reader.bytes());
  }

  /** Follows links. */
  async stat(path: Uint8Array | string, options: RequestOptions): Promise<Attributes> {
    return (await this.#ask(Packet.stat, [path], Packet.attributes, options)).attributes();
  }

  async fstat(handle: Handle, options: RequestOptions): Promise<Attributes> {
    return (await this.#ask(Packet.fstat, [handle], Packet.attributes, options)).attributes();
  }

  /** The handle must be closed; where the wait is interrupted, it is. */
  open(path: Uint8Array | string, options: RequestOptions): Promise<Handle> {
    return this.#openHandle(Packet.open, [path, OPEN_FOR_READING, 0], options);
  }

  openDirectory(path: Uint8Array | string, options: RequestOptions): Promise<Handle> {
    return this.#openHandle(Packet.opendir, [path], options);
  }

  /** Bytes from an offset: fewer than asked for where the server likes, none at the end. */
  async read(handle: Handle, offset: number, length: number, options: RequestOptions): Promise<Buffer> {
    try {
      const began = performance.now();
      const data = (await this.#ask(Packet.read, [handle, BigInt(offset), length], Packet.data, options)).bytes();
      if (data.length > length) throw this.#broken(`${data.length} bytes where ${length} were asked for`);
      this.pace.answered(data.length, performance.now() - began);
      return data;
    } catch (error) {
      if (error instanceof StatusError && error.status === Status.eof) return Buffer.alloc(0);
      throw error;
    }
  }

  /** What {@link read} gave is of no more use to anybody: its memory is used again. May be left out. */
  release(bytes: Uint8Array): void {
    this.#memory.give(bytes);
  }

  /** The next entries of a directory; none when all were given. */
  async readDirectory(handle: Handle, options: RequestOptions): Promise<readonly DirectoryEntry[]> {
    try {
      const reader = await this.#ask(Packet.readdir, [handle], Packet.name, options);
      return Array.from({ length: reader.uint32() }, () => {
        const name = reader.bytes();
        reader.bytes();
        return { name, attributes: reader.attributes() };
      });
    } catch (error) {
      if (error instanceof StatusError && error.status === Status.eof) return [];
      throw error;
    }
  }

  /** Does not wait, and never fails. */
  close(handle: Handle): void {
    if (this.isOpen) void this.#request(Packet.close, [handle], 'closing a file').catch(() => undefined);
  }

  /** Ends the session: whatever is under way rejects with `why`. Idempotent. */
  end(why: ButlerfsError): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    clearTimeout(this.#watch);
    this.#channel.close();
    for (const { what, settle } of this.#waiting.values()) settle(new ButlerfsError(why.code, { ...why.detail, what, cause: why }));
    this.#waiting.clear();
    this.#onEnd(why);
  }

  async #sayHello({ what, signal }: RequestOptions): Promise<Buffer> {
    const answer = this.#expect(0, what);
    this.#onVersion = (packet) => this.#settle(0, packet);
    this.#channel.write(encodePacket(Packet.init, [3]));
    return await this.#heard(answer, { what, signal });
  }

  async #readLimit(options: RequestOptions): Promise<number> {
    const reader = await this.#ask(Packet.extended, ['limits@openssh.com'], Packet.extendedReply, options);
    reader.uint64();
    const longest = reader.uint64();
    return Math.min(longest === 0 ? READ_LIMIT : longest, LARGEST_READ);
  }

  async #openHandle(type: number, fields: readonly (Uint8Array | string | number)[], options: RequestOptions): Promise<Handle> {
    const request = this.#request(type, fields, options.what);
    try {
      return Buffer.from(this.#read(await this.#heard(request, options), Packet.handle).bytes()) as Handle;
    } catch (error) {
      if (error instanceof ButlerfsError && error.code === 'interrupted') {
        void request.then((answer) => this.close(Buffer.from(this.#read(answer, Packet.handle).bytes()) as Handle)).catch(() => undefined);
      }
      throw error;
    }
  }

  async #ask(
    type: number,
    fields: readonly (Uint8Array | string | number | bigint)[],
    expected: number,
    options: RequestOptions,
  ): Promise<PacketReader> {
    return this.#read(await this.#heard(this.#request(type, fields, options.what), options), expected);
  }

  #request(type: number, fields: readonly (Uint8Array | string | number | bigint)[], what: string): Promise<Buffer> {
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    const answer = this.#expect(id, what);
    if (this.isOpen) this.#channel.write(encodePacket(type, [id, ...fields]));
    return answer;
  }

  #expect(id: number, what: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (answer: Buffer | ButlerfsError): void => {
        if (answer instanceof ButlerfsError) reject(answer);
        else resolve(answer);
      };
      if (this.#ended !== undefined)
        return settle(new ButlerfsError(this.#ended.code, { ...this.#ended.detail, what, cause: this.#ended }));
      this.#waiting.set(id, { what, sentAt: performance.now(), settle });
      this.#watch ??= setTimeout(() => this.#look(), this.#idleTimeout);
    });
  }

  /** The answer, or `interrupted` as soon as the signal fires. */
  #heard(answer: Promise<Buffer>, { what, signal }: RequestOptions): Promise<Buffer> {
    if (signal === undefined) return answer;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(interrupted(what, signal.reason));
      answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Ends the session where somebody waits and nothing arrived for the idle time. */
  #look(): void {
    this.#watch = undefined;
    const [oldest] = this.#waiting.values();
    if (oldest === undefined) return;
    const left = this.#idleTimeout - (performance.now() - Math.max(this.#heardAt, oldest.sentAt));
    if (left > 0) this.#watch = setTimeout(() => this.#look(), left);
    else this.end(new ButlerfsError('remote-timeout', { what: 'the SFTP session', why: `no answer for ${this.#idleTimeout / 1000} s` }));
  }

  #receive(packet: Buffer): void {
    if (this.#onVersion !== undefined) {
      if (packet[0] !== Packet.version) throw new MalformedPacketError(`type ${packet[0]!} before the version`);
      const onVersion = this.#onVersion;
      this.#onVersion = undefined;
      onVersion(packet);
      return;
    }
    const id = new PacketReader(packet, 1).uint32();
    if (!this.#waiting.has(id)) throw new MalformedPacketError(`an answer that nobody asked for`);
    this.#settle(id, packet);
  }

  #settle(id: number, packet: Buffer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.settle(packet);
  }

  #read(packet: Buffer, expected: number): PacketReader {
    const reader = new PacketReader(packet, 5);
    if (packet[0] === expected) return reader;
    if (packet[0] !== Packet.status) throw this.#broken(`an answer of type ${packet[0]!} where ${expected} belongs`);
    const status = reader.uint32();
    // Version 3 has a text and its language here; some servers leave them out.
    const message = reader.isAtEnd ? '' : printable(reader.bytes().toString());
    throw new StatusError(status, message === '' ? `status ${status}` : message);
  }

  #broken(why: string): ButlerfsError {
    const error = new ButlerfsError('remote-failed', { what: 'the SFTP session', why: `the server sent ${why}` });
    this.end(error);
    return error;
  }
}
