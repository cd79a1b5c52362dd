/** Small zip files in memory, without compression when written. Source: APPNOTE 6.3 of PKWARE. */

import { buffer } from 'node:stream/consumers';
import { ButlerfsError } from '../common/errors.js';

export interface ZipMember {
  readonly name: string;
  readonly content: Buffer;
}

/** Members of more than this are refused, compressed or not: bytes. */
const largestMember = 2 ** 31;

/** In the order of the directory. Throws `invalid-value` for what is no zip file. */
export async function readZip(bytes: Buffer, where: string): Promise<readonly ZipMember[]> {
  const { fromBufferPromise } = await import('yauzl').then((module) => ({
    fromBufferPromise: (whole: Buffer) =>
      new Promise<import('yauzl').ZipFile>((resolve, reject) => {
        module.fromBuffer(whole, { lazyEntries: true }, (error, zip) => (error ? reject(error) : resolve(zip)));
      }),
  }));
  try {
    const zip = await fromBufferPromise(bytes);
    const members: ZipMember[] = [];
    for (;;) {
      const entry = await nextEntry(zip);
      if (entry === undefined) return members;
      if (entry.uncompressedSize > largestMember) throw new Error(`${entry.fileName} is larger than 2 GiB`);
      members.push({ name: entry.fileName, content: await contentOf(zip, entry) });
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ButlerfsError('invalid-value', { what: 'a zip file', where, why, cause: error });
  }
}

function nextEntry(zip: import('yauzl').ZipFile): Promise<import('yauzl').Entry | undefined> {
  return new Promise((resolve, reject) => {
    zip.once('entry', resolve);
    zip.once('end', () => resolve(undefined));
    zip.once('error', reject);
    zip.readEntry();
  });
}

function contentOf(zip: import('yauzl').ZipFile, entry: import('yauzl').Entry): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error) reject(error);
      else buffer(stream).then(resolve, reject);
    });
  });
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? 0xedb88320 ^ (remainder >>> 1) : remainder >>> 1;
  return remainder;
});

function crc32(bytes: Buffer): number {
  let remainder = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) remainder = crcTable[(remainder ^ bytes[i]!) & 255]! ^ (remainder >>> 8);
  return (remainder ^ 0xffffffff) >>> 0;
}

/** 1980-01-01, so that the same members give the same bytes. */
const earliestDate = 0x21;
/** UTF-8 names. */
const flags = 0x800;

/** All together below 4 GiB. */
export function writeZip(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of members) {
    const nameBytes = Buffer.from(name);
    // Version, flags, method, time, date, checksum, sizes, lengths of the name and of what is extra: the same in both places.
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(flags, 2);
    facts.writeUInt16LE(earliestDate, 8);
    facts.writeUInt32LE(crc32(content), 10);
    facts.writeUInt32LE(content.length, 14);
    facts.writeUInt32LE(content.length, 18);
    facts.writeUInt16LE(nameBytes.length, 22);
    const central = Buffer.alloc(14);
    central.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), facts, central, nameBytes);
    const local = [Buffer.from('PK\x03\x04', 'latin1'), facts, nameBytes, content];
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
