/** The bytes of one version of a file, wherever it is. */

import { read } from 'node:fs';
import { promisify } from 'node:util';
import { throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import type { RemoteBody } from '../../proxy/contract.js';
import type { OriginObject } from '../contract.js';

const readAsync = promisify(read);
const CHUNK_BYTES = 2 ** 20;

export interface FileBytes {
  /** Of the version that the bytes are of; null before the first were read, and where there is none. */
  readonly validator: string | null;
  /** Bytes of the file; null where that is not known. */
  readonly size: number | null;
  /** The bytes in order, fewer only where the file ends. A chunk is valid until the next is asked for. */
  stream(offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** As {@link FileBytes.stream}, in one piece. */
export async function readBytes(from: FileBytes, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of from.stream(offset, length, signal)) chunks.push(Buffer.from(chunk));
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** A file that is open here, and stays so until its owner closes it. */
export class LocalBytes implements FileBytes {
  readonly validator = null;
  readonly size: number;
  readonly #fd: number;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  async *stream(offset: number, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const end = Math.min(offset + length, this.size);
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, end - offset)));
    for (let at = offset; at < end;) {
      throwIfAborted(signal, 'reading a cached file');
      const { bytesRead } = await readAsync(this.#fd, buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) throw new ButlerfsError('cache-failed', { what: 'reading a cached file', why: 'it became shorter' });
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}

export interface RemoteBytesOptions {
  /** For messages. */
  readonly name: string;
  /** The version wanted; null: that of the first bytes that come. */
  readonly validator: string | null;
  /** Bytes of the file in that version; null: as the first bytes say. */
  readonly size: number | null;
  /** Past whatever lies between here and the origin. */
  readonly fresh: boolean;
}

/** A file at its origin, read by ranges of one version: `remote-changed` where another comes. */
export class RemoteBytes implements FileBytes {
  readonly #object: OriginObject;
  readonly #name: string;
  readonly #fresh: boolean;
  validator: string | null;
  size: number | null;

  constructor(object: OriginObject, { name, validator, size, fresh }: RemoteBytesOptions) {
    this.#object = object;
    this.#name = name;
    this.validator = validator;
    this.size = size;
    this.#fresh = fresh;
  }

  async *stream(offset: number, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const body = await this.#object.open({ offset, length, validator: this.validator, fresh: this.#fresh, signal });
    this.#expectSame(body);
    yield* body.bytes;
  }

  /** Where the origin gives no validator, its size must do. */
  #expectSame({ stat, bytes }: RemoteBody): void {
    if (this.size !== null && stat.size !== null && stat.size !== this.size) {
      void bytes[Symbol.asyncIterator]().return?.();
      const why = `it changed at the origin (${this.size} bytes before, now ${stat.size})`;
      throw new ButlerfsError('remote-changed', { what: `reading ${this.#name}`, why });
    }
    this.validator ??= stat.validator;
    this.size ??= stat.size;
  }
}
