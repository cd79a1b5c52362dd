/** What the files of the soak hold: bytes that follow from the file's name and version, so that whoever reads one knows what must be there. */

import { createHash } from 'node:crypto';

/** Bytes before the content: size, version, and what they are xored with. */
export const HEADER = 12;
const MARK = 0x5ea0_11e5;

/** A number in 0..2^32-1 that follows from the one before; xorshift. */
export function next(state: number): number {
  let value = state === 0 ? MARK : state;
  value ^= value << 13;
  value ^= value >>> 17;
  value ^= value << 5;
  return value >>> 0;
}

function seedOf(name: string, version: number): number {
  let seed = 2_166_136_261 ^ version;
  for (let i = 0; i < name.length; i++) seed = Math.imul(seed ^ name.charCodeAt(i), 16_777_619);
  return seed >>> 0;
}

/** A whole file of `size` bytes, at least {@link HEADER}. */
export function content(name: string, version: number, size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  words[0] = size;
  words[1] = version;
  words[2] = (size ^ version ^ MARK) >>> 0;
  let state = seedOf(name, version);
  for (let i = 3; i < words.length; i++) words[i] = state = next(state);
  return Buffer.from(words.buffer, 0, size);
}

/** What is wrong with a file's bytes; undefined where nothing is. `version`: the one that must be there, where that is known. */
export function fault(name: string, bytes: Buffer, version?: number): string | undefined {
  if (bytes.length < HEADER) return `it has ${bytes.length} bytes`;
  const [size, found] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  if (bytes.readUInt32LE(8) !== (size ^ found ^ MARK) >>> 0) return 'its start is not what was written';
  if (size !== bytes.length) return `it has ${bytes.length} bytes, not ${size}`;
  if (version !== undefined && found !== version) return `it is version ${found}, not ${version}`;
  return bytes.equals(content(name, found, size)) ? undefined : 'its bytes are not what was written';
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
