/**
 * The chunk map of a partial object: which chunks its sparse file holds, each with the xxh64 of its bytes as they were written.
 *
 * A file of records of 16 bytes, only ever appended to, by any number of processes: chunk number (u32), check (u32, of the other twelve bytes), xxh64 (u64), all
 * little-endian. The last record of a chunk counts. A record whose check is wrong, as a crash may leave it, counts for nothing; so does a chunk whose bytes have
 * another xxh64. Bytes and records are not synced: after a power loss the hashes tell what did not reach the disk.
 */

import { constants, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import xxhash from 'xxhash-wasm';

const RECORD = 16;
const { h32Raw, h64Raw } = await xxhash();

/** Identifies the bytes of a chunk at rest. */
export function chunkHash(bytes: Uint8Array): bigint {
  return h64Raw(bytes);
}

function checkOf(record: Uint8Array): number {
  const covered = new Uint8Array(12);
  covered.set(record.subarray(0, 4));
  covered.set(record.subarray(8), 4);
  return h32Raw(covered);
}

export class ChunkMap {
  readonly #handle: FileHandle;
  readonly #chunks: number;
  readonly #hashes = new Map<number, bigint>();
  #read = 0;

  private constructor(handle: FileHandle, chunks: number) {
    this.#handle = handle;
    this.#chunks = chunks;
  }

  /** Opens or makes the map of an object of so many chunks, and reads it. Errors are those of the disk. */
  static async open(path: string, chunks: number): Promise<ChunkMap> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600);
    const map = new ChunkMap(handle, chunks);
    try {
      await map.refresh();
      return map;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The xxh64 that the bytes of a chunk must have; undefined where the file does not hold it. */
  hashOf(chunk: number): bigint | undefined {
    return this.#hashes.get(chunk);
  }

  /** For locks: who holds it exclusively may write chunks. */
  get fd(): number {
    return this.#handle.fd;
  }

  /** Takes in what other processes appended; false where the object is no longer partial: it was published, or evicted. */
  async refresh(): Promise<boolean> {
    const { size, nlink } = await this.#handle.stat();
    const length = Math.floor((size - this.#read) / RECORD) * RECORD;
    if (length <= 0) return nlink > 0;
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, this.#read);
    for (let at = 0; at + RECORD <= bytesRead; at += RECORD) this.#take(bytes.subarray(at, at + RECORD));
    this.#read += Math.floor(bytesRead / RECORD) * RECORD;
    return nlink > 0;
  }

  /** The file now holds a chunk with these bytes. */
  append(chunk: number, hash: bigint): void {
    const record = Buffer.alloc(RECORD);
    record.writeUInt32LE(chunk, 0);
    record.writeBigUInt64LE(hash, 8);
    record.writeUInt32LE(checkOf(record), 4);
    // Sixteen bytes into the page cache: waking a thread for them would take many times as long.
    writeSync(this.#handle.fd, record);
    this.#hashes.set(chunk, hash);
  }

  /** The file does not hold the chunk after all. */
  withdraw(chunk: number): void {
    this.#hashes.delete(chunk);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #take(record: Buffer): void {
    const chunk = record.readUInt32LE(0);
    if (chunk < this.#chunks && record.readUInt32LE(4) === checkOf(record)) this.#hashes.set(chunk, record.readBigUInt64LE(8));
  }
}
