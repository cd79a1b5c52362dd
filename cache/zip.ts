/** Members of zip archives. */

import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { fromFd, type Entry, type ZipFile } from 'yauzl';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes } from '../proxy/body.js';

/** An archive that claims more for one member, without the registry saying so, is taken for a trap. */
const MAX_MEMBER_BYTES = 4 * 1024 ** 3;
/** Names remembered for the message, where the member is not there. */
const NAMES_FOR_MESSAGE = 10_000;

export interface ZipMember {
  /** Bytes, uncompressed, by the archive's directory. */
  readonly size: number;
  /** Fails with `wrong-digest` where it cannot be decompressed or the CRC-32 does not fit. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * The member called exactly `name` of the archive open at `fd`, which stays open and belongs to the caller. `archive` names it in messages. Fails with
 * `remote-not-found` (with the nearest name), `wrong-size` (against `published`) or `remote-failed`.
 */
export async function openMember(fd: number, archive: string, name: string, published: number | undefined): Promise<ZipMember> {
  const what = `member '${name}' of ${archive}`;
  try {
    const zip = await promised<ZipFile>((done) => fromFd(fd, { lazyEntries: true, autoClose: false, strictFileNames: true }, done));
    const entry = await findEntry(zip, name, archive);
    const size = entry.uncompressedSize;
    if (published !== undefined && size !== published) {
      const why = `${published} bytes by the registry, ${size} in the archive of the origin`;
      throw new ButlerfsError('wrong-size', { what, why });
    }
    if (published === undefined && size > MAX_MEMBER_BYTES) {
      throw new ButlerfsError('wrong-size', {
        what,
        why: `${size} bytes, more than the ${MAX_MEMBER_BYTES} taken where none are published`,
      });
    }
    const stream = await promised<Readable>((done) => zip.openReadStream(entry, done));
    return { size, bytes: closingBytes(checked(stream, entry, what), () => void stream.destroy()) };
  } catch (error) {
    throw damaged(error, what);
  }
}

function findEntry(zip: ZipFile, name: string, archive: string): Promise<Entry> {
  return new Promise((resolve, reject) => {
    const names: string[] = [];
    zip.on('entry', (entry: Entry) => {
      if (entry.fileName === name) {
        resolve(entry);
        return;
      }
      if (names.length < NAMES_FOR_MESSAGE) names.push(entry.fileName);
      zip.readEntry();
    });
    zip.on('error', reject);
    zip.on('end', () => {
      const advice = didYouMean(nearestNames(name, names));
      reject(
        new ButlerfsError('remote-not-found', { what: `member '${name}'`, where: archive, why: 'the archive has no such member', advice }),
      );
    });
    zip.readEntry();
  });
}

async function* checked(stream: Readable, entry: Entry, what: string): AsyncGenerator<Uint8Array, void, undefined> {
  let sum = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    const why = `it cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`;
    throw new ButlerfsError('wrong-digest', { what, why, cause: error });
  }
  if (sum === entry.crc32) return;
  const why = `CRC-32 ${hex(entry.crc32)} by the archive, the content has ${hex(sum)}`;
  throw new ButlerfsError('wrong-digest', { what, why });
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}

function damaged(error: unknown, what: string): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  const why = `the archive cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  return new ButlerfsError('remote-failed', { what, why, cause: error });
}

function promised<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null && value !== undefined) resolve(value);
      else reject(error ?? new Error('no result'));
    });
  });
}
