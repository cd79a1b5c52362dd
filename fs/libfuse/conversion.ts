/** Between the values of the file system contract and those that cross the native half of fuse-native. */

import { Errno, systemCallError } from '../../common/errors.js';
import type { Attributes, FileSystemTotals, FileSystemTraits, Time } from '../contract.js';

const WORD = 2 ** 32;
/** "Illegal byte sequence": what Linux says of names that a character set cannot hold. */
export const EILSEQ = 84;
/** What a decoder of UTF-8 puts in the place of bytes that are none. */
const REPLACEMENT = '\ufffd';
const ASCII = /^[\x00-\x7f]*$/;
/** d_ino of an entry whose number is not known; 0 would be passed over by readdir(3). */
const UNKNOWN_INO = 0xffffffff;
/** Entries of the array that stands for a struct stat. */
const STAT_WORDS = 18;

/**
 * A name as the file system has it. fuse-native decodes names as UTF-8: bytes that are none cannot be told from each other afterwards, and such a name
 * throws EILSEQ rather than lead to another file.
 */
export function nameFromText(text: string, encoding: FileSystemTraits['nameEncoding']): string {
  if (encoding === 'utf8' || ASCII.test(text)) return text;
  return bytesFromText(text, encoding).toString('latin1');
}

/** The bytes of a text that came through fuse-native. Throws EILSEQ as {@link nameFromText}. */
export function bytesFromText(text: string, encoding: FileSystemTraits['nameEncoding']): Buffer {
  if (encoding === 'latin1' && text.includes(REPLACEMENT)) throw systemCallError(EILSEQ);
  return Buffer.from(text);
}

/** A name of the file system as text; bytes that are no UTF-8 are shown as replaced, and lead nowhere. */
export function textFromName(name: string, encoding: FileSystemTraits['nameEncoding']): string {
  return encoding === 'utf8' || ASCII.test(name) ? name : Buffer.from(name, 'latin1').toString();
}

/** Bytes as text. Throws EILSEQ where they are no UTF-8. */
export function textFromBytes(bytes: Buffer): string {
  const text = bytes.toString();
  if (text.includes(REPLACEMENT) && !Buffer.from(text).equals(bytes)) throw systemCallError(EILSEQ);
  return text;
}

/** An inode number in 32 bits: itself where it fits, else both halves folded. Never 0 and never "unknown". */
export function foldInode(ino: number): number {
  if (ino < UNKNOWN_INO) return ino === 0 ? UNKNOWN_INO : ino;
  const folded = ((ino % WORD) ^ Math.floor(ino / WORD)) >>> 0;
  return folded === 0 || folded === UNKNOWN_INO ? 1 : folded;
}

/** The array that stands for a struct stat. */
export function statArray(attributes: Attributes): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = attributes.mode;
  words[1] = attributes.uid;
  words[2] = attributes.gid;
  putNumber(words, 3, attributes.size);
  words[6] = attributes.nlink;
  words[7] = foldInode(attributes.ino);
  words[8] = attributes.rdev;
  words[9] = attributes.blockSize;
  putNumber(words, 10, attributes.blocks);
  putNumber(words, 12, milliseconds(attributes.accessed));
  putNumber(words, 14, milliseconds(attributes.modified));
  putNumber(words, 16, milliseconds(attributes.changed));
  return words;
}

/** The same with another size. */
export function withSize(words: Uint32Array, size: number): Uint32Array {
  putNumber(words, 3, size);
  putNumber(words, 10, Math.ceil(size / 512));
  return words;
}

/** What a listing says of an entry, in place of a struct stat. `type` as in st_mode; `ino` 0 for unknown. */
export function listedArray(type: number, ino: number): Uint32Array {
  const words = new Uint32Array(STAT_WORDS);
  words[0] = type;
  words[6] = 1;
  words[7] = foldInode(ino);
  return words;
}

export const EMPTY_STAT = new Uint32Array(STAT_WORDS);

/** The array that stands for a struct statvfs. Its numbers have 32 bits: blocks are counted in units as large as that needs. */
export function totalsArray(totals: FileSystemTotals): Uint32Array {
  let unit = totals.blockSize;
  while (totals.bytes / unit >= WORD) unit *= 2;
  const words = new Uint32Array(11);
  words[0] = totals.blockSize;
  words[1] = unit;
  words[2] = Math.floor(totals.bytes / unit);
  words[3] = Math.floor(totals.freeBytes / unit);
  words[4] = Math.floor(totals.availableBytes / unit);
  words[5] = Math.min(totals.files + totals.freeFiles, WORD - 1);
  words[6] = Math.min(totals.freeFiles, WORD - 1);
  words[7] = words[6];
  words[10] = totals.nameLength;
  return words;
}

export const EMPTY_TOTALS = new Uint32Array(11);

/** A 64-bit number from its halves. */
export function numberOf(low: number, high: number): number {
  return low + high * WORD;
}

/** A file size from its halves. Throws EFBIG for one that no file system holds. */
export function sizeOf(low: number, high: number): number {
  const size = numberOf(low, high);
  if (size > Number.MAX_SAFE_INTEGER) throw systemCallError(Errno.EFBIG);
  return size;
}

/** A time from milliseconds since 1970, which may be negative. */
export function timeOf(value: number): Time {
  const seconds = Math.floor(value / 1000);
  return { seconds, nanoseconds: (value - seconds * 1000) * 1e6 };
}

/**
 * Offsets in the native structure of a request (fuse_thread_locals_t, 64-bit) of the times that utimens(2) sets, in milliseconds. The package passes the
 * access time twice and forgets the other, which stands behind it.
 */
const ACCESSED_AT = 104;
const MODIFIED_AT = 112;

/**
 * Both times of UTIMENS in milliseconds. `low` and `high`: the access time as it came. Where the structure says another, it is not as was thought, and that
 * time is taken for both.
 */
export function timesOf(request: Buffer, low: number, high: number): { readonly accessed: number; readonly modified: number } {
  const isAsThought =
    request.length >= MODIFIED_AT + 8 && request.readUInt32LE(ACCESSED_AT) === low && request.readUInt32LE(ACCESSED_AT + 4) === high;
  const accessed = low + (high | 0) * WORD;
  return { accessed, modified: isAsThought ? Number(request.readBigInt64LE(MODIFIED_AT)) : accessed };
}

/** Times before 1970 cannot be said: they are divided as unsigned numbers on the other side. */
function milliseconds({ seconds, nanoseconds }: Time): number {
  return Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6));
}

function putNumber(words: Uint32Array, at: number, value: number): void {
  words[at] = value % WORD;
  words[at + 1] = Math.floor(value / WORD);
}
