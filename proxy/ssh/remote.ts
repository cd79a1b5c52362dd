/** A remote over SSH: a directory of another host, read by SFTP. Symbolic links are followed as long as they stay below it. */

import { isIP } from 'node:net';
import { interrupted, linkSignals, longLivedController, throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { closingBytes } from '../body.js';
import type { ObjectStat, ReadOptions, Remote, RemoteBody, RemoteCapabilities, RemoteEntry, RemotePath } from '../contract.js';
import { joinRemoteUrl } from '../paths.js';
import { guardProgress } from '../progress.js';
import type { HostName } from './config.js';
import { Link, shareLink, type LinkSettings } from './link.js';
import { isBelow, listDirectory } from './list.js';
import { readRange } from './read.js';
import { StatusError, type Handle, type RequestOptions, type SftpSession } from './sftp.js';
import { MalformedPacketError, Status, type Attributes } from './wire.js';

export interface SshRoot extends HostName {
  /** Absolute path of a directory at the host, decoded. */
  readonly directory: string;
}

/** What `ssh://[user@]host[:port]/path` names. Throws `unsupported` for URLs of another form; a password in it is not looked at. */
export function parseSshUrl(url: URL): SshRoot {
  const wrong = (why: string): ButlerfsError =>
    new ButlerfsError('unsupported', {
      what: `source 'ssh://${url.host}${url.pathname}'`,
      why,
      advice: 'write ssh://[user@]host[:port]/absolute/path',
    });
  if (url.search !== '' || url.hash !== '') throw wrong('a repository has no query or fragment in its URL');
  let parts: { readonly host: string; readonly user: string; readonly directory: string };
  try {
    const host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
    parts = { host, user: decodeURIComponent(url.username), directory: decodeURIComponent(url.pathname).replace(/(.)\/+$/s, '$1') };
  } catch {
    throw wrong('its percent-encoding is malformed');
  }
  const { host, user, directory } = parts;
  // A host that begins with a hyphen is an option to every program that it is handed to.
  if (!/^[^\s/@\p{Cc}-][^\s/@\p{Cc}]*$/u.test(host)) throw wrong('it names no host');
  if (directory.includes('\0')) throw wrong('its path holds a NUL character');
  if (/^\/~/.test(directory)) throw wrong('a home directory is not looked up');
  const port = url.port === '' ? undefined : Number(url.port);
  return { host, user: user === '' ? undefined : user, port, directory: directory === '' ? '/' : directory };
}

/** The root of a repository as {@link Remote.url} has it. */
function urlOfRoot({ host, port, directory }: SshRoot): string {
  const path = directory.split('/').map(encodeURIComponent).join('/').replace(/\/$/, '');
  return `ssh://${isIP(host) === 6 ? `[${host}]` : host.toLowerCase()}${port === undefined ? '' : `:${port}`}${path}`;
}

/** Remotes of one host, user and port share a connection where they are made with equal settings; `credential` tells apart those that log in differently. */
export function sshRemote(root: SshRoot, settings: LinkSettings & { readonly credential?: string | undefined }): Remote {
  return new SshRemote(root, settings);
}

class SshRemote implements Remote {
  readonly kind = 'ssh';
  readonly url: string;
  readonly #directory: string;
  readonly #idleTimeout: number;
  readonly #link: Link;
  readonly #release: () => void;
  readonly #closing = longLivedController();
  /** Of the session that it was asked of. */
  readonly #roots = new WeakMap<SftpSession, Promise<string>>();
  #isConnected = false;

  constructor(root: SshRoot, settings: LinkSettings & { readonly credential?: string | undefined }) {
    this.url = urlOfRoot(root);
    this.#directory = root.directory;
    this.#idleTimeout = settings.idleTimeout;
    const key = JSON.stringify([root.host, root.user, root.port, settings.idleTimeout, settings.credential, settings.files]);
    const { link, release } = shareLink(key, () => new Link(root, settings));
    this.#link = link;
    this.#release = release;
  }

  urlOf(path: RemotePath): string {
    return joinRemoteUrl(this.url, path);
  }

  async stat(path: RemotePath, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<ObjectStat> {
    return this.#run(this.urlOf(path), signal, async (session, options) => {
      const { attributes } = await this.#find(session, path, options);
      return objectStat(expectFile(this.urlOf(path), attributes));
    });
  }

  async open(path: RemotePath, { offset = 0, length, validator = null, signal }: ReadOptions = {}): Promise<RemoteBody> {
    const url = this.urlOf(path);
    const control = linkSignals(signal, this.#closing.signal);
    const options = { what: `reading ${url}`, signal: control.signal };
    let session: SftpSession | undefined;
    let handle: Handle | undefined;
    const end = (): void => {
      control.unlink();
      if (handle !== undefined) session?.close(handle);
    };
    try {
      throwIfAborted(control.signal, options.what);
      session = await this.#connected(options);
      const { real, attributes } = await this.#find(session, path, options);
      // Opening what is not a file, a named pipe for one, could hold up the server.
      expectFile(url, attributes);
      handle = await session.open(real, options);
      const asking = session.fstat(handle, options);
      const stat = objectStat(attributes);
      const range = { handle, begin: offset, end: Math.min(stat.size ?? Infinity, length === undefined ? Infinity : offset + length) };
      const check = (after: Attributes, isWhole: boolean): void => {
        if (objectStat(after).validator !== stat.validator) throw changed(url, 'it was written to while it was being read');
        if (!isWhole && stat.size !== null)
          throw new ButlerfsError('remote-failed', { what: options.what, why: 'the server sent fewer bytes than the file has' });
      };
      // The first bytes are asked for together with what was opened: on a long way each question costs.
      const chunks = begun(readRange(session, range, options, check));
      const opened = objectStat(expectFile(url, await asking));
      if (validator !== null && opened.validator !== validator)
        throw changed(url, `wanted version ${validator}, found ${opened.validator}`);
      if (opened.validator !== stat.validator) throw changed(url, 'it was replaced while it was being opened');
      const translated = this.#translated(url, chunks);
      const guarded = guardProgress(translated, { idleTimeout: this.#idleTimeout, where: url, onIdle: () => control.abort() });
      return { stat, bytes: closingBytes(guarded, end) };
    } catch (error) {
      const failure = this.#wasInterrupted(signal) ? interrupted(options.what, error) : sftpError(url, error);
      end();
      throw failure;
    }
  }

  async list(path: RemotePath | '', { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly RemoteEntry[]> {
    const url = path === '' ? this.url : this.urlOf(path);
    return this.#run(url, signal, async (session, options) => {
      const { real, attributes } = await this.#find(session, path, options);
      if (attributes.kind !== 'directory') throw new ButlerfsError('remote-not-found', { what: url, why: 'it is not a directory' });
      return await listDirectory(session, real, await this.#root(session, options), options);
    });
  }

  capabilities(): RemoteCapabilities {
    return { protocol: this.#isConnected ? 'SFTP 3' : null, ranges: true, lists: 'sftp' };
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.#release();
    return Promise.resolve();
  }

  async #run<T>(
    url: string,
    signal: AbortSignal | undefined,
    work: (session: SftpSession, options: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const what = `asking for ${url}`;
    const control = linkSignals(signal, this.#closing.signal);
    try {
      throwIfAborted(control.signal, what);
      const options = { what, signal: control.signal };
      return await work(await this.#connected(options), options);
    } catch (error) {
      if (this.#wasInterrupted(signal)) throw interrupted(what, error);
      throw sftpError(url, error);
    } finally {
      control.unlink();
    }
  }

  #wasInterrupted(signal: AbortSignal | undefined): boolean {
    return signal?.aborted === true || this.#closing.signal.aborted;
  }

  async #connected(options: RequestOptions): Promise<SftpSession> {
    const session = await this.#link.session(options);
    this.#isConnected = true;
    return session;
  }

  /** What a path leads to, below the real root. */
  async #find(session: SftpSession, path: RemotePath | '', options: RequestOptions): Promise<{ real: Buffer; attributes: Attributes }> {
    const root = this.#root(session, options);
    root.catch(() => undefined);
    const whole = path === '' ? this.#directory : `${this.#directory.replace(/\/$/, '')}/${path}`;
    const [real, attributes] = await Promise.all([session.realpath(whole, options), session.stat(whole, options)]);
    const realRoot = await root;
    if (isBelow(realRoot, real)) return { real, attributes };
    throw new ButlerfsError('remote-forbidden', {
      what: options.what,
      why: `a symbolic link leads out of ${this.#directory}, to ${real.toString()}`,
      advice: 'mount a directory that holds both, or put a copy in place of the link',
    });
  }

  /** The root without links. */
  #root(session: SftpSession, { what }: RequestOptions): Promise<string> {
    let root = this.#roots.get(session);
    if (root === undefined) {
      // Without a signal: others wait for it too.
      root = session.realpath(this.#directory, { what }).then((real) => real.toString('latin1'));
      root.catch(() => this.#roots.delete(session));
      this.#roots.set(session, root);
    }
    return root;
  }

  async *#translated(url: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* chunks;
    } catch (error) {
      throw this.#closing.signal.aborted ? interrupted(`reading ${url}`, error) : sftpError(url, error);
    }
  }
}

/** The same bytes, of which the first are being asked for now. */
function begun(bytes: AsyncGenerator<Uint8Array, void, undefined>): AsyncIterable<Uint8Array> {
  const first = bytes.next();
  first.catch(() => undefined);
  return {
    async *[Symbol.asyncIterator]() {
      const { value, done } = await first;
      if (done === true) return;
      yield value;
      yield* bytes;
    },
  };
}

function objectStat({ size, modified }: Attributes): ObjectStat {
  // Seconds are as fine as version 3 of the protocol tells them.
  const validator = size === null || modified === null ? null : `${size}-${modified}`;
  return { size, validator, modified: modified === null ? null : modified * 1000 };
}

function expectFile(url: string, attributes: Attributes): Attributes {
  if (attributes.kind === 'file') return attributes;
  throw new ButlerfsError('remote-not-found', {
    what: url,
    why: attributes.kind === 'directory' ? 'it is a directory' : 'it is not a regular file',
  });
}

function changed(url: string, how: string): ButlerfsError {
  return new ButlerfsError('remote-changed', { what: `reading ${url}`, why: `it changed at the origin (${how})` });
}

function sftpError(url: string, error: unknown): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  const what = `reading ${url}`;
  if (!(error instanceof StatusError)) {
    const why = error instanceof Error ? error.message : String(error);
    return new ButlerfsError(error instanceof MalformedPacketError ? 'remote-failed' : 'internal', { what, why, cause: error });
  }
  switch (error.status) {
    case Status.noSuchFile:
    case Status.badMessage:
      return new ButlerfsError('remote-not-found', { what: url, why: 'no such file', cause: error });
    case Status.permissionDenied:
      return new ButlerfsError('remote-forbidden', { what, why: 'permission denied by the host', cause: error });
    default:
      return new ButlerfsError('remote-failed', { what, why: `the server says: ${error.message}`, cause: error });
  }
}
