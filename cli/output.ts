/** Standard output and standard error of the command. */

import { asButlerfsError } from '../common/errors.js';

const CHUNK = 64 * 1024;

/** Writes in chunks and waits while the reader is slow, so that any amount of output needs little memory. */
export class Output {
  #pending = '';

  async write(text: string): Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= CHUNK) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    if (text === '') return;
    await new Promise<void>((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve())));
  }
}

/** Writes one text and waits until it is out. */
export async function print(text: string): Promise<void> {
  const output = new Output();
  await output.write(text);
  await output.flush();
}

/** A remark on standard error, for people. */
export function remark(line: string): void {
  process.stderr.write(`butlerfs: ${line}\n`);
}

/** A line that is overwritten by the next, on a terminal only. */
export function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

/** One line; with `debug` the traces of the error and its causes below it. */
export function reportError(error: unknown, debug: boolean): void {
  endProgress();
  remark(asButlerfsError(error).message.replace(/\s*\n\s*/g, ' '));
  if (!debug) return;
  let cause: unknown = error;
  for (; cause instanceof Error; cause = cause.cause) process.stderr.write(`${cause.stack ?? cause.message}\n`);
  // What came from a daemon brings its trace as text.
  if (typeof cause === 'string') process.stderr.write(`${cause}\n`);
}

/** `| head` closes the pipe once it has enough: that ends the command, well. */
export function endQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
