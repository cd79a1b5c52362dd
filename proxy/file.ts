/** A remote that is a local directory. Symbolic links are followed as long as they stay below it. */

import { constants, type BigIntStats } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { abortable, interrupted, linkSignals, longLivedController, throwIfAborted, within } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { closingBytes } from './body.js';
import type { ObjectStat, ReadOptions, Remote, RemoteBody, RemoteCapabilities, RemoteEntry, RemotePath } from './contract.js';
import { systemCodeOf } from './errors.js';
import { listLocalDirectory } from './file-list.js';
import { joinRemoteUrl } from './paths.js';
import { guardProgress } from './progress.js';

const CHUNK_BYTES = 1 << 20;

/** `directory` is an absolute path. `idleTimeout`: milliseconds after which an operation on a file system that hangs is given up. */
export function fileRemote(directory: string, { idleTimeout }: { readonly idleTimeout: number }): Remote {
  return new FileRemote(directory, idleTimeout);
}

class FileRemote implements Remote {
  readonly kind = 'file';
  readonly url: string;
  readonly #directory: string;
  readonly #idleTimeout: number;
  readonly #closing = longLivedController();

  constructor(directory: string, idleTimeout: number) {
    this.#directory = directory;
    this.#idleTimeout = idleTimeout;
    this.url = pathToFileURL(directory).href.replace(/\/+$/, '');
  }

  urlOf(path: RemotePath): string {
    return joinRemoteUrl(this.url, path);
  }

  stat(path: RemotePath, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ObjectStat> {
    return this.#bounded(path, signal, async () => {
      const info = await stat(await this.#resolve(path), { bigint: true });
      if (!info.isFile()) throw notAFile(this.urlOf(path), info);
      return objectStat(info);
    });
  }

  async open(path: RemotePath, { offset = 0, length, validator = null, signal }: ReadOptions = {}): Promise<RemoteBody> {
    const url = this.urlOf(path);
    const opening = this.#openFile(path, validator);
    let opened;
    try {
      opened = await this.#bounded(path, signal, () => opening);
    } catch (error) {
      // Whoever waited has gone; a file that opens after all must not stay open.
      void opening.then(({ handle }) => handle.close()).catch(() => undefined);
      throw error;
    }
    const { handle, info } = opened;
    const control = linkSignals(signal, this.#closing.signal);
    const end = Math.min(Number(info.size), length === undefined ? Infinity : offset + length);
    const chunks = readChunks(url, handle, info, offset, end, control.signal);
    // A read that hangs in the kernel cannot be taken back: its descriptor is left to it.
    const guarded = guardProgress(chunks, { idleTimeout: this.#idleTimeout, where: url, onIdle: () => undefined });
    const bytes = closingBytes(guarded, () => {
      control.unlink();
      void handle.close().catch(() => undefined);
    });
    return { stat: objectStat(info), bytes };
  }

  list(path: RemotePath | '', { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly RemoteEntry[]> {
    return this.#bounded(path, signal, async () => {
      const root = await realpath(this.#directory);
      return await listLocalDirectory(path === '' ? root : await this.#resolve(path), root);
    });
  }

  capabilities(): RemoteCapabilities {
    return { protocol: 'file', ranges: true, lists: 'file' };
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #openFile(path: RemotePath, validator: string | null): Promise<{ handle: FileHandle; info: BigIntStats }> {
    const url = this.urlOf(path);
    // O_NONBLOCK: a named pipe must not hold us until somebody writes to it.
    const handle = await open(await this.#resolve(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const info = await handle.stat({ bigint: true });
      if (!info.isFile()) throw notAFile(url, info);
      if (validator !== null && validatorOf(info) !== validator) {
        const why = `it changed at the origin (wanted version ${validator}, found ${validatorOf(info)})`;
        throw new ButlerfsError('remote-changed', { what: `reading ${url}`, why });
      }
      return { handle, info };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The real path, below the real root. */
  async #resolve(path: RemotePath): Promise<string> {
    const root = await realpath(this.#directory);
    const real = await realpath(join(root, path));
    if (root === '/' || real.startsWith(`${root}/`)) return real;
    throw new ButlerfsError('remote-forbidden', {
      what: `reading ${this.urlOf(path)}`,
      why: `a symbolic link leads out of ${this.#directory}, to ${real}`,
      advice: `mount a directory that holds both, or put a copy in place of the link`,
    });
  }

  async #bounded<T>(path: RemotePath | '', signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const url = path === '' ? this.url : this.urlOf(path);
    const what = `reading ${url}`;
    const control = linkSignals(signal, this.#closing.signal);
    try {
      throwIfAborted(control.signal, what);
      const late = (): ButlerfsError => new ButlerfsError('remote-timeout', { what, why: `no answer for ${this.#idleTimeout / 1000} s` });
      return await within(abortable(work(), control.signal, what), this.#idleTimeout, late);
    } catch (error) {
      throw fileError(url, error);
    } finally {
      control.unlink();
    }
  }
}

async function* readChunks(
  url: string,
  handle: FileHandle,
  opened: BigIntStats,
  begin: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, end - begin)));
    for (let at = begin; at < end;) {
      if (signal.aborted) throw interrupted(`reading ${url}`, signal.reason);
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
      // Before the last chunk is handed on: whoever has all bytes has them of one version.
      if (bytesRead === 0 || at + bytesRead === end) await expectUnchanged(url, handle, opened, bytesRead);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw fileError(url, error);
  }
}

async function expectUnchanged(url: string, handle: FileHandle, opened: BigIntStats, bytesRead: number): Promise<void> {
  const now = await handle.stat({ bigint: true });
  if (validatorOf(now) === validatorOf(opened) && bytesRead > 0) return;
  throw new ButlerfsError('remote-changed', { what: `reading ${url}`, why: 'the file was written to while it was being read' });
}

function objectStat(info: BigIntStats): ObjectStat {
  return { size: Number(info.size), validator: validatorOf(info), modified: Number(info.mtimeNs / 1_000_000n) };
}

function validatorOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}-${ino}-${size}-${mtimeNs}`;
}

function notAFile(url: string, info: BigIntStats): ButlerfsError {
  return new ButlerfsError('remote-not-found', { what: url, why: info.isDirectory() ? 'it is a directory' : 'it is not a regular file' });
}

function fileError(url: string, error: unknown): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  const code = systemCodeOf(error);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return new ButlerfsError('remote-not-found', { what: url, why: 'no such file', cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'ELOOP':
      return new ButlerfsError('remote-forbidden', {
        what: `reading ${url}`,
        why: code === 'ELOOP' ? 'symbolic links in a circle' : 'permission denied',
        cause: error,
      });
    default:
      return new ButlerfsError('remote-failed', {
        what: `reading ${url}`,
        why: error instanceof Error ? error.message : String(error),
        cause: error,
      });
  }
}
