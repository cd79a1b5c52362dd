/** A session that answers frames given to it, over a socket that keeps packets apart as /dev/fuse does. For tests. */

import { closeSync, writeSync } from 'node:fs';
import { socketPair } from '../../../common/socket-pair.js';
import type { FileSystem } from '../../contract.js';
import { read, setNonBlocking, wakePipe } from '../native.js';
import { IN_HEADER_SIZE } from '../protocol.js';
import { KernelSession } from '../session.js';

/** A request frame. */
export function frame(opcode: number, unique: number, node: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(IN_HEADER_SIZE + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeUInt32LE(unique, 8);
  bytes.writeUInt32LE(node, 16);
  body.copy(bytes, IN_HEADER_SIZE);
  return bytes;
}

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i));
  return bytes;
}

export interface ConverseOptions {
  /** Milliseconds after which waits are given up. */
  readonly deadline?: number;
  /** Given what ends the session, in place of ending it when the frames are answered. */
  readonly onStart?: (end: () => void) => void;
  /** Told of failures that are not only those of the question. */
  readonly onError?: (error: unknown) => void;
}

/** Lets a session answer the frames and returns the replies. */
export function converse(
  frames: readonly Buffer[],
  fileSystem: FileSystem,
  { deadline, onStart, onError }: ConverseOptions = {},
): Buffer[] {
  const [kernel, device] = socketPair({ packets: true });
  const [wake, waker] = wakePipe();
  setNonBlocking(kernel);
  setNonBlocking(device);
  const end = (): void => void writeSync(waker, 'x');
  try {
    for (const bytes of frames) writeSync(kernel, bytes);
    if (onStart === undefined) end();
    else onStart(end);
    new KernelSession({
      device,
      wake,
      fileSystem,
      onWake: () => false,
      onError: (error) => onError?.(error),
      ...(deadline === undefined ? {} : { deadline }),
    }).run();
    const replies: Buffer[] = [];
    const buffer = Buffer.alloc(1 << 21);
    for (let size = read(kernel, buffer); size > 0; size = read(kernel, buffer)) replies.push(Buffer.from(buffer.subarray(0, size)));
    return replies;
  } finally {
    for (const fd of [kernel, device, wake, waker]) closeSync(fd);
  }
}
