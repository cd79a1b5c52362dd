/** A remote over HTTP(S). */

import type { SecureContext } from 'node:tls';
import { interrupted, linkSignals, longLivedController, throwIfAborted, type LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { Authorizer } from './authorize.js';
import { closingBytes, noBytes } from './body.js';
import type { ObjectStat, ReadOptions, Remote, RemoteBody, RemoteCapabilities, RemoteEntry, RemotePath } from './contract.js';
import type { CredentialLookup } from './credentials.js';
import { connectionFailure } from './errors.js';
import { httpAgent } from './http-agent.js';
import { isWebPage, refuseOtherContent, webPage } from './http-content.js';
import { drop, exchange, type Answer, type ExchangeContext, type Request } from './http-exchange.js';
import { HttpDirectories } from './http-list.js';
import { contentLength, header, isStrongEtag, objectStat, parseContentRange } from './http-headers.js';
import { joinRemoteUrl } from './paths.js';
import { guardProgress } from './progress.js';
import type { ProxyLookup } from './proxies.js';

export interface HttpRemoteSettings {
  readonly credentials: CredentialLookup;
  /** Milliseconds without progress after which an attempt is given up. */
  readonly idleTimeout: number;
  /** Connections to the host, at most. */
  readonly connections: number;
  readonly userAgent: string;
  /** Whether HTTP/2 is spoken where TLS offers it; default true. */
  readonly allowHttp2?: boolean | undefined;
  /** Default: none. */
  readonly proxies?: ProxyLookup | undefined;
  /** Who may vouch for servers; default: Node's own. */
  readonly authorities?: (() => SecureContext | undefined) | undefined;
}

/** Bytes from which on an answer is a long one. */
const LONG = 2 * 2 ** 20;

/** `root` is an http(s) URL without user information, query, fragment or trailing slash. */
export function httpRemote(root: string, settings: HttpRemoteSettings): Remote {
  return new HttpRemote(root, settings);
}

class HttpRemote implements Remote {
  readonly kind = 'http';
  readonly url: string;
  readonly #context: ExchangeContext;
  readonly #directories: HttpDirectories;
  readonly #closing = longLivedController();
  #protocol: 'HTTP/1.1' | 'HTTP/2' | null = null;
  #ranges: boolean | null = null;

  constructor(root: string, settings: HttpRemoteSettings) {
    const { credentials, idleTimeout, connections, userAgent, allowHttp2 = true, proxies = () => undefined, authorities } = settings;
    this.url = root;
    const rootOrigin = new URL(root).origin;
    const agent = httpAgent({
      connections,
      connectTimeout: idleTimeout,
      allowHttp2,
      proxies,
      authorities,
      onProtocol: (origin, protocol) => {
        if (origin === rootOrigin) this.#protocol = protocol;
      },
    });
    const isHttp2 = (): boolean => this.#protocol === 'HTTP/2';
    this.#context = { agent, authorizer: new Authorizer(), isHttp2, rootOrigin, credentials, idleTimeout, userAgent };
    this.#directories = new HttpDirectories(this.#context);
  }

  urlOf(path: RemotePath): string {
    return joinRemoteUrl(this.url, path);
  }

  stat(path: RemotePath, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<ObjectStat> {
    return this.#run(this.urlOf(path), options.signal, async (url, control) => {
      const head = await this.#exchange(url, { method: 'HEAD', accept: [405, 501] }, control);
      const size = contentLength(head.headers);
      drop(head, this.#context.idleTimeout);
      if (head.status < 300 && size !== null) return objectStat(head.headers, size);
      const answer = await this.#exchange(url, { method: 'GET', headers: { range: 'bytes=0-0' }, accept: [416] }, control);
      drop(answer, this.#context.idleTimeout);
      if (answer.status === 200) return objectStat(answer.headers, contentLength(answer.headers));
      return objectStat(answer.headers, parseContentRange(header(answer.headers, 'content-range'))?.total ?? null);
    });
  }

  async open(path: RemotePath, options: ReadOptions = {}): Promise<RemoteBody> {
    const { offset = 0, length, validator = null, fresh = false, signal } = options;
    if (length === 0) return { stat: expectVersion(this.urlOf(path), await this.stat(path, { signal }), validator), bytes: noBytes };
    const ranged = offset > 0 || length !== undefined;
    const headers: Record<string, string> = {};
    if (ranged) headers['range'] = `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;
    if (isStrongEtag(validator)) headers[ranged ? 'if-range' : 'if-match'] = validator;
    if (fresh) Object.assign(headers, { 'cache-control': 'no-cache', pragma: 'no-cache' });
    const url = this.urlOf(path);
    const control = linkSignals(signal, this.#closing.signal);
    try {
      throwIfAborted(control.signal, `reading ${url}`);
      const isLong = this.#protocol === 'HTTP/1.1' && length !== undefined && length >= LONG;
      const answer = await this.#exchange(url, { method: 'GET', headers, accept: ranged ? [412, 416] : [412], isLong }, control);
      const selected = this.#select(url, answer, offset, length, validator);
      if (selected === 'beyond') {
        drop(answer, this.#context.idleTimeout);
        control.unlink();
        return { stat: expectVersion(url, await this.stat(path, { signal }), validator), bytes: noBytes };
      }
      return { stat: selected.stat, bytes: this.#bytes(url, answer, selected, control) };
    } catch (error) {
      control.unlink();
      if (this.#wasInterrupted(signal)) throw interrupted(`reading ${url}`, error);
      throw error;
    }
  }

  list(path: RemotePath | '', options: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly RemoteEntry[]> {
    const url = path === '' ? this.url : joinRemoteUrl(this.url, path);
    return this.#run(`${url}/`, options.signal, (directory, control) => this.#directories.list(directory, control));
  }

  capabilities(): RemoteCapabilities {
    return { protocol: this.#protocol, ranges: this.#ranges, lists: this.#directories.kind };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#context.agent.destroy();
  }

  async #run<T>(url: string, signal: AbortSignal | undefined, work: (url: string, control: LinkedController) => Promise<T>): Promise<T> {
    const control = linkSignals(signal, this.#closing.signal);
    try {
      throwIfAborted(control.signal, `asking for ${url}`);
      return await work(url, control);
    } catch (error) {
      if (this.#wasInterrupted(signal)) throw interrupted(`asking for ${url}`, error);
      throw error;
    } finally {
      control.unlink();
    }
  }

  /** An answer that holds the bytes of the object as they are, or says of it what it is. */
  async #exchange(url: string, request: Request, control: LinkedController): Promise<Answer> {
    const answer = await exchange(this.#context, url, request, control);
    try {
      refuseOtherContent(url, answer);
    } catch (error) {
      drop(answer, this.#context.idleTimeout);
      throw error;
    }
    this.#noteRanges(answer, request);
    return answer;
  }

  #noteRanges({ status, headers }: Answer, { headers: sent = {} }: Request): void {
    const offered = header(headers, 'accept-ranges')?.trim().toLowerCase();
    if (status === 206) this.#ranges = true;
    else if (status !== 200 || this.#ranges === true) return;
    else if (offered === 'bytes') this.#ranges = true;
    // With If-Range, the whole in place of the range says that it is of another version.
    else if (offered === 'none' || (sent['range'] !== undefined && sent['if-range'] === undefined)) this.#ranges = false;
  }

  #wasInterrupted(signal: AbortSignal | undefined): boolean {
    return signal?.aborted === true || this.#closing.signal.aborted;
  }

  /** Which bytes of the answer are wanted; fails where the answer is not the range, or not the version, that was asked for. */
  #select(url: string, answer: Answer, offset: number, length: number | undefined, validator: string | null): Selection | 'beyond' {
    try {
      return select(url, answer, offset, length, validator);
    } catch (error) {
      drop(answer, this.#context.idleTimeout);
      if (isWebPage(url, answer)) throw webPage(url, answer.url, error);
      throw error;
    }
  }

  #bytes(url: string, answer: Answer, selection: Selection, control: LinkedController): AsyncIterable<Uint8Array> {
    const stop = (): void => {
      control.abort();
      answer.body.destroy();
    };
    answer.body.on('error', () => undefined);
    const idleTimeout = this.#context.idleTimeout;
    const guarded = guardProgress(answer.body, { idleTimeout, where: url, onIdle: stop });
    const interruptedNow = (): boolean => control.signal.aborted;
    return closingBytes(cut(url, guarded, selection, interruptedNow), () => {
      control.unlink();
      if (!answer.body.readableEnded) stop();
    });
  }
}

/** The part of a body that is wanted. */
interface Selection {
  readonly stat: ObjectStat;
  /** Bytes to leave out at the beginning. */
  readonly skip: number;
  /** Bytes wanted after that; null: all that come, where the origin does not say how many. */
  readonly want: number | null;
  /** Whether the wanted part ends with the body: then the body is read to its end, so that the connection can be used again. */
  readonly toEnd: boolean;
}

function select(
  url: string,
  { status, headers }: Answer,
  offset: number,
  length: number | undefined,
  validator: string | null,
): Selection | 'beyond' {
  if (status === 412) throw changed(url, validator, header(headers, 'etag') ?? null);
  if (status === 416) return 'beyond';
  if (status === 200) {
    const size = contentLength(headers);
    const stat = expectVersion(url, objectStat(headers, size), validator);
    if (size === null) return { stat, skip: offset, want: length ?? null, toEnd: length === undefined };
    const available = Math.max(0, size - offset);
    return {
      stat,
      skip: Math.min(offset, size),
      want: Math.min(length ?? Infinity, available),
      toEnd: length === undefined || length >= available,
    };
  }
  const text = header(headers, 'content-range');
  const content = status === 206 ? parseContentRange(text) : undefined;
  if (content?.range == null) throw wrongAnswer(url, status === 206 ? `a 206 with Content-Range '${text ?? ''}'` : `status ${status}`);
  const { range, total } = content;
  const last = Math.min(length === undefined ? Infinity : offset + length - 1, total === null ? Infinity : total - 1);
  if (range.first !== offset || (last !== Infinity && range.last !== last)) {
    throw wrongAnswer(url, `bytes ${range.first}-${range.last} where ${offset}-${last === Infinity ? '' : last} was asked for`);
  }
  const stat = objectStat(headers, total);
  // A 206 in answer to If-Range is of that version, whether or not it repeats the ETag.
  const confirmed = isStrongEtag(validator) && header(headers, 'etag') === undefined ? { ...stat, validator } : stat;
  return { stat: expectVersion(url, confirmed, validator), skip: 0, want: range.last - range.first + 1, toEnd: true };
}

async function* cut(
  url: string,
  bytes: AsyncIterable<Uint8Array>,
  { skip, want, toEnd }: Selection,
  isInterrupted: () => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  let skipped = 0;
  let sent = 0;
  try {
    if (want === 0 && !toEnd) return;
    for await (const chunk of bytes) {
      const begin = Math.min(chunk.length, skip - skipped);
      skipped += begin;
      const part = chunk.subarray(begin, want === null ? undefined : begin + want - sent);
      sent += part.length;
      if (part.length > 0) yield part;
      if (sent === want && !toEnd) return;
    }
  } catch (error) {
    if (error instanceof ButlerfsError) throw error;
    if (isInterrupted()) throw interrupted(`reading ${url}`, error);
    const why = `${connectionFailure(error)}, after ${skipped + sent} bytes${want === null ? '' : ` of ${skip + want}`}`;
    throw new ButlerfsError('remote-failed', { what: `reading ${url}`, why, cause: error });
  }
  if (want === null || sent === want) return;
  throw new ButlerfsError('remote-failed', { what: `reading ${url}`, why: `${sent} bytes arrived where ${want} were promised` });
}

function expectVersion(url: string, stat: ObjectStat, validator: string | null): ObjectStat {
  if (validator !== null && stat.validator !== validator) throw changed(url, validator, stat.validator);
  return stat;
}

function changed(url: string, wanted: string | null, found: string | null): ButlerfsError {
  const why = `it changed at the origin (wanted version ${wanted ?? 'unknown'}, found ${found ?? 'another'})`;
  return new ButlerfsError('remote-changed', { what: `reading ${url}`, why });
}

function wrongAnswer(url: string, why: string): ButlerfsError {
  return new ButlerfsError('remote-failed', { what: `reading ${url}`, why: `the origin sent ${why}` });
}
