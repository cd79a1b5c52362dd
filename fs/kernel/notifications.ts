/** Notifications as frames: what the kernel is told without having asked. Layouts: `linux/fuse.h`. */

import type { FileSystemTraits, Invalidation } from '../contract.js';
import { EXPIRE_ONLY, Notify, OUT_HEADER_SIZE } from './protocol.js';

type NameEncoding = FileSystemTraits['nameEncoding'];

/** One frame, to be written whole. A name or inode that the kernel does not know is answered with ENOENT by write(2). */
export function notificationFrame(invalidation: Invalidation, names: NameEncoding = 'utf8'): Buffer {
  switch (invalidation.kind) {
    case 'node':
      return frame(Notify.INVAL_INODE, [invalidation.node, invalidation.offset ?? 0, invalidation.length ?? 0]);
    case 'entry':
      return frame(Notify.INVAL_ENTRY, [invalidation.parent], invalidation.name, names, 0);
    case 'expire':
      return frame(Notify.INVAL_ENTRY, [invalidation.parent], invalidation.name, names, EXPIRE_ONLY);
    case 'delete':
      return frame(Notify.DELETE, [invalidation.parent, invalidation.child], invalidation.name, names, 0);
    case 'poll':
      return frame(Notify.POLL, [invalidation.handle]);
  }
}

/** A header, 64-bit numbers, and where there is a name its length, flags and text. */
function frame(code: number, numbers: readonly (number | bigint)[], name?: string, names?: NameEncoding, flags = 0): Buffer {
  const text = name === undefined ? Buffer.alloc(0) : Buffer.from(`${name}\0`, names);
  const fixed = OUT_HEADER_SIZE + 8 * numbers.length + (name === undefined ? 0 : 8);
  const bytes = Buffer.alloc(fixed + text.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeInt32LE(code, 4);
  numbers.forEach((number, i) => bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(number)), OUT_HEADER_SIZE + 8 * i));
  if (name !== undefined) {
    bytes.writeUInt32LE(text.length - 1, fixed - 8);
    bytes.writeUInt32LE(flags, fixed - 4);
    text.copy(bytes, fixed);
  }
  return bytes;
}
