/** Hashes files from their beginning as they grow, for {@link WholeCheck}, in a thread of its own. */

import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { DigestAlgorithm } from '../contract.js';
import { createHasher, type Hasher } from '../digest.js';

/** To the thread. `id` names one file. */
export type ToHashThread =
  | { readonly kind: 'begin'; readonly id: number; readonly path: string; readonly algorithm: DigestAlgorithm }
  /** The file is good up to `end` bytes. */
  | { readonly kind: 'grown'; readonly id: number; readonly end: number }
  /** Asks for the digest of what is there. Answered once; the file is closed. */
  | { readonly kind: 'finish'; readonly id: number }
  | { readonly kind: 'drop'; readonly id: number };

/** From the thread: the answer to `finish`. */
export type FromHashThread =
  { readonly id: number; readonly hex: string; readonly bytes: number } | { readonly id: number; readonly error: string };

interface Growing {
  readonly fd: number;
  readonly hasher: Hasher;
  at: number;
  error: string | undefined;
}

const BUFFER_BYTES = 1 << 20;
const port = parentPort!;
const files = new Map<number, Growing>();
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

function hashUpTo(file: Growing, end: number): void {
  while (file.at < end) {
    const count = readSync(file.fd, buffer, 0, Math.min(buffer.length, end - file.at), file.at);
    if (count === 0) throw new Error(`the file ends at ${file.at}`);
    file.hasher.update(buffer.subarray(0, count));
    file.at += count;
  }
}

function close(id: number, file: Growing): void {
  files.delete(id);
  closeSync(file.fd);
}

function finish(id: number): void {
  const file = files.get(id);
  let answer: FromHashThread = { id, error: 'the file could not be opened' };
  if (file !== undefined) {
    close(id, file);
    answer = file.error === undefined ? { id, hex: file.hasher.digest().hex, bytes: file.at } : { id, error: file.error };
  }
  port.postMessage(answer);
}

port.on('message', (message: ToHashThread) => {
  const file = files.get(message.id);
  try {
    if (message.kind === 'begin') {
      const hasher = createHasher(message.algorithm);
      files.set(message.id, { fd: openSync(message.path, 'r'), hasher, at: 0, error: undefined });
    } else if (message.kind === 'finish') finish(message.id);
    else if (file !== undefined && message.kind === 'drop') close(message.id, file);
    else if (file !== undefined && message.kind === 'grown') hashUpTo(file, message.end);
  } catch (error) {
    if (file !== undefined) file.error ??= error instanceof Error ? error.message : String(error);
  }
});
