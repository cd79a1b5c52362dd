/** Writes the digests file of a publication: digests-format.ts. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CHUNK_SIZE } from '../../cache/contract.js';
import { writeAll } from '../../common/atomic.js';
import {
  bucketOf,
  chunkCount,
  fanoutBits,
  fanoutBytes,
  HEADER_BYTES,
  MAGIC,
  RECORD_BYTES,
  WHOLE_ALGORITHMS,
  wholeUnits,
} from './digests-format.js';
import type { KnownFiles } from './known-files.js';

const BUFFER_BYTES = 1 << 20;

export interface WrittenDigests {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Chunks of all files. */
  readonly chunks: number;
}

/** Writes and syncs the digests of every known file; there is no file by this name yet. Memory does not grow with the repository. */
export async function writeDigests(known: Pick<KnownFiles, 'count' | 'summaries' | 'contents'>, file: string): Promise<WrittenDigests> {
  const handle = await open(file, 'wx', 0o644);
  try {
    const out = new HashedOutput(handle);
    const files = known.count();
    const bits = fanoutBits(files);
    const fanout = Buffer.alloc(fanoutBytes(bits));
    let [units, chunks] = [0, 0];
    for (const { key, size, algorithm } of known.summaries()) {
      const bucket = 4 * bucketOf(key, bits);
      fanout.writeUInt32LE(fanout.readUInt32LE(bucket) + 1, bucket);
      const count = chunkCount(size, CHUNK_SIZE);
      units += wholeUnits(algorithm, count) + count;
      chunks += count;
    }
    for (let bucket = 1; bucket < 2 ** bits; bucket++)
      fanout.writeUInt32LE(fanout.readUInt32LE(4 * bucket) + fanout.readUInt32LE(4 * (bucket - 1)), 4 * bucket);
    await out.write(headerOf(bits, files, units));
    await out.write(fanout);
    let unit = 0;
    for (const { key, size, algorithm } of known.summaries()) {
      const record = Buffer.alloc(RECORD_BYTES);
      key.copy(record);
      record.writeBigUInt64LE(BigInt(size), 16);
      record.writeUIntLE(unit, 24, 6);
      record[30] = WHOLE_ALGORITHMS.indexOf(algorithm);
      const waiting = out.write(record);
      if (waiting !== undefined) await waiting;
      const count = chunkCount(size, CHUNK_SIZE);
      unit += wholeUnits(algorithm, count) + count;
    }
    for (const { size, algorithm, whole, chunks: digests } of known.contents()) {
      const hasWhole = wholeUnits(algorithm, chunkCount(size, CHUNK_SIZE)) > 0;
      const waiting = out.write(hasWhole ? Buffer.concat([whole, digests]) : digests);
      if (waiting !== undefined) await waiting;
    }
    const written = await out.finish();
    await handle.sync();
    return { ...written, chunks };
  } finally {
    await handle.close();
  }
}

function headerOf(bits: number, files: number, units: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(CHUNK_SIZE, 8);
  header.writeUInt32LE(bits, 12);
  header.writeBigUInt64LE(BigInt(files), 16);
  header.writeBigUInt64LE(BigInt(units), 24);
  return header;
}

/** A file that is written from beginning to end, hashed on the way. */
class HashedOutput {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #size = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Takes the bytes themselves: they must not change afterwards. Of many small writes few have to wait. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    return this.#pendingBytes >= BUFFER_BYTES ? this.#flush() : undefined;
  }

  async finish(): Promise<Pick<WrittenDigests, 'size' | 'sha256'>> {
    await this.#flush();
    return { size: this.#size, sha256: this.#hash.digest('hex') };
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#size += bytes.length;
    this.#hash.update(bytes);
    await writeAll(this.#handle, bytes);
  }
}
