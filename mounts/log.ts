/** The log of a mount: JSON lines of pino in a file of bounded size, without secrets. */

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger } from 'pino';

/** Bytes at which a log is set aside as `<file>.1`, replacing the one before. */
export const LOG_LIMIT = 10 * 1024 * 1024;

export interface MountLog {
  readonly logger: Logger;
  /** Absolute path; null where the log goes to standard error. */
  readonly file: string | null;
  /** Opens the file by its name again: after something else moved it away (SIGHUP). */
  reopen(): void;
  close(): void;
}

export function openFileLog(file: string, level: string, limit = LOG_LIMIT): MountLog {
  const destination = new BoundedFile(file, limit);
  return {
    logger: makeLogger(level, (line) => destination.write(line)),
    file,
    reopen: () => destination.reopen(),
    close: () => destination.close(),
  };
}

/** For a mount in the foreground. */
export function openTerminalLog(level: string): MountLog {
  return {
    logger: makeLogger(level, (line) => void process.stderr.write(line)),
    file: null,
    reopen: () => undefined,
    close: () => undefined,
  };
}

/** Takes user names and passwords out of URLs, and what follows an Authorization header's scheme. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"'\\@]+@/gi, '$1***@').replace(/\b(basic|bearer)(\s+)[a-z0-9+/=._~-]{6,}/gi, '$1$2***');
}

function makeLogger(level: string, write: (line: string) => void): Logger {
  const secrets = ['password', 'bearer', 'token', 'authorization', 'credentials'];
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: '***' },
    },
    { write: (line: string) => write(withoutSecrets(line)) },
  );
}

/** Written synchronously, so that the last words of a process that dies are kept. */
class BoundedFile {
  readonly #file: string;
  readonly #limit: number;
  #fd: number | undefined;
  #size = 0;

  constructor(file: string, limit: number) {
    this.#file = file;
    this.#limit = limit;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.reopen();
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#limit) {
        renameSync(this.#file, `${this.#file}.1`);
        this.reopen();
      }
      if (this.#fd !== undefined) this.#size += writeSync(this.#fd, bytes);
    } catch {
      // A full or vanished disk must not take the mount with it: the line is lost.
    }
  }

  reopen(): void {
    const fd = openSync(this.#file, 'a', 0o600);
    this.close();
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
