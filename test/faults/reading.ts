/** Reads files of a mount in processes of their own, so that what hangs takes no thread of the test's. */

import { spawn } from 'node:child_process';

export type Outcome = 'EACCES' | 'EINTR' | 'EIO' | 'ENOENT' | 'ENOSPC' | 'ENOTCONN' | 'ESTALE' | 'ETIMEDOUT' | 'right' | 'wrong';

export interface Reading {
  /** What a reader has at the end: all the right bytes, any others, or an errno. */
  readonly outcome: Outcome;
  /** Bytes that were read, whatever came then. */
  readonly bytes: Buffer;
  readonly milliseconds: number;
}

const MESSAGES: Readonly<Record<string, Outcome>> = {
  'Permission denied': 'EACCES',
  'Interrupted system call': 'EINTR',
  'Input/output error': 'EIO',
  'No such file or directory': 'ENOENT',
  'No space left on device': 'ENOSPC',
  'Transport endpoint is not connected': 'ENOTCONN',
  'Software caused connection abort': 'ENOTCONN',
  'Stale file handle': 'ESTALE',
  'Connection timed out': 'ETIMEDOUT',
};

/** Milliseconds after which a reader hangs. */
const HANGS = 40_000;

/** Reads all of `file` with cat(1). Rejects where that hangs, or fails with an errno that {@link Outcome} does not have. */
export function readingOf(file: string, expected: Buffer): Promise<Reading> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn('cat', ['--', file], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    const chunks: Buffer[] = [];
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`reading ${file} hangs: it did not end within ${HANGS / 1000} s`));
    }, HANGS);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      const bytes = Buffer.concat(chunks);
      const milliseconds = performance.now() - began;
      const message = /: ([^:]*)\n$/.exec(said)?.[1] ?? '';
      const outcome = status === 0 ? (bytes.equals(expected) ? 'right' : 'wrong') : MESSAGES[message];
      if (outcome === undefined) reject(new Error(`cat ended with ${status ?? 'a signal'}: ${said}`));
      // What came before an error must be right as well.
      else resolve({ outcome: bytes.equals(expected.subarray(0, bytes.length)) ? outcome : 'wrong', bytes, milliseconds });
    });
  });
}
