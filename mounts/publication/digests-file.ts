/** Looks files up in a digests file (digests-format.ts). Synchronous: it is asked by the thread that talks to the kernel. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ChunkDigests, Digest } from '../../cache/contract.js';
import { CHUNK_SIZE } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import {
  bucketOf,
  chunkCount,
  fanoutBytes,
  HEADER_BYTES,
  KEY_BYTES,
  keyOf,
  MAGIC,
  RECORD_BYTES,
  UNIT_BYTES,
  WHOLE_ALGORITHMS,
  wholeUnits,
} from './digests-format.js';
import type { WholeAlgorithm } from './digests-format.js';

/** What is published of one file. */
export interface PublishedContent {
  /** Bytes. */
  readonly size: number;
  readonly whole: Digest;
}

interface Found {
  readonly size: number;
  readonly algorithm: WholeAlgorithm;
  readonly firstUnit: number;
}

export class DigestsFile {
  readonly chunkSize: number;
  /** Number of files. */
  readonly files: number;
  readonly #file: string;
  readonly #fd: number;
  readonly #bits: number;
  readonly #fanout: Buffer;
  readonly #units: number;

  /** Opens a file whose SHA-256 was verified. The caller closes it. Throws `corrupt-repository` for one that is not of the format. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, 'r');
    try {
      const header = this.#read(0, HEADER_BYTES);
      this.chunkSize = header.readUInt32LE(8);
      this.#bits = header.readUInt32LE(12);
      this.files = Number(header.readBigUInt64LE(16));
      this.#units = Number(header.readBigUInt64LE(24));
      const isKnown = header.subarray(0, MAGIC.length).equals(MAGIC) && this.chunkSize === CHUNK_SIZE && this.#bits <= 16;
      if (!isKnown || fstatSync(this.#fd).size !== this.#unitsStart + this.#units * UNIT_BYTES) throw this.#malformed();
      this.#fanout = this.#read(HEADER_BYTES, fanoutBytes(this.#bits));
      if (this.#upTo(2 ** this.#bits - 1) !== this.files) throw this.#malformed();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** What is published of the file at `location`; undefined where nothing is. */
  find(location: string): PublishedContent | undefined {
    const found = this.#find(keyOf(location));
    return found === undefined ? undefined : { size: found.size, whole: this.#whole(found) };
  }

  /** The digests of all chunks as well. They stay good after {@link close}. */
  chunks(location: string): ChunkDigests | undefined {
    const found = this.#find(keyOf(location));
    if (found === undefined) return undefined;
    const { size, algorithm, firstUnit } = found;
    const { chunkSize } = this;
    const count = chunkCount(size, chunkSize);
    const digests = this.#readUnits(firstUnit + wholeUnits(algorithm, count), count);
    return {
      size,
      chunkSize,
      whole: this.#whole(found),
      digest: (index) => {
        if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`chunk ${index} of ${count}`);
        return digests.subarray(index * UNIT_BYTES, (index + 1) * UNIT_BYTES);
      },
    };
  }

  close(): void {
    closeSync(this.#fd);
  }

  get #filesStart(): number {
    return HEADER_BYTES + fanoutBytes(this.#bits);
  }

  get #unitsStart(): number {
    return this.#filesStart + this.files * RECORD_BYTES;
  }

  /** How many files lie in buckets up to this one. */
  #upTo(bucket: number): number {
    return bucket < 0 ? 0 : this.#fanout.readUInt32LE(4 * bucket);
  }

  #find(key: Buffer): Found | undefined {
    const bucket = bucketOf(key, this.#bits);
    const [first, end] = [this.#upTo(bucket - 1), this.#upTo(bucket)];
    if (first > end || end > this.files) throw this.#malformed();
    const records = this.#read(this.#filesStart + first * RECORD_BYTES, (end - first) * RECORD_BYTES);
    let [low, high] = [0, end - first];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * RECORD_BYTES;
      const order = key.compare(records, at, at + KEY_BYTES);
      if (order === 0) return this.#record(records.subarray(at, at + RECORD_BYTES));
      if (order > 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  #record(record: Buffer): Found {
    const size = Number(record.readBigUInt64LE(16));
    const firstUnit = record.readUIntLE(24, 6);
    const algorithm = WHOLE_ALGORITHMS[record[30]!];
    if (algorithm === undefined || !Number.isSafeInteger(size)) throw this.#malformed();
    return { size, algorithm, firstUnit };
  }

  #whole({ size, algorithm, firstUnit }: Found): Digest {
    const bytes = this.#readUnits(
      firstUnit,
      algorithm === 'blake2b512' ? 2 : Math.max(1, wholeUnits(algorithm, chunkCount(size, this.chunkSize))),
    );
    return { algorithm, hex: bytes.toString('hex') };
  }

  #readUnits(first: number, count: number): Buffer {
    if (first + count > this.#units) throw this.#malformed();
    return this.#read(this.#unitsStart + first * UNIT_BYTES, count * UNIT_BYTES);
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const count = readSync(this.#fd, bytes, done, length - done, position + done);
      if (count === 0) throw this.#malformed();
      done += count;
    }
    return bytes;
  }

  #malformed(): ButlerfsError {
    return new ButlerfsError('corrupt-repository', {
      what: `the published digests ${this.#file}`,
      why: 'the file is not of a known format',
      advice: 'ask whoever publishes the repository to publish it again, with the same version of butlerfs',
    });
  }
}
