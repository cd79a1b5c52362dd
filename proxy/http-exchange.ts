/** One HTTP request with its redirects, up to the headers of the answer. */

import type { Dispatcher } from 'undici';
import { abortable, within, type LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import type { Authorizer } from './authorize.js';
import type { Credential, CredentialLookup } from './credentials.js';
import { connectionFailure, RetryLaterError, systemCodeOf } from './errors.js';
import type { HttpAgent } from './http-agent.js';
import type { AnswerBody } from './http-bulk/contract.js';
import { header, retryAfter, type Headers } from './http-headers.js';

const MAX_REDIRECTS = 5;
/** Answers of an origin to credentials that are followed by another attempt: how it wants them, and that its nonce was too old. */
const MAX_CHALLENGES = 2;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Bodies of answers that are not wanted are read up to here, so that the connection can be used again. */
const DISCARD_LIMIT = 16 * 1024;

export interface ExchangeContext {
  readonly agent: HttpAgent;
  readonly authorizer: Authorizer;
  /** Whether HTTP/2 is spoken with the root. */
  readonly isHttp2: () => boolean;
  /** Where credentials may go: scheme, host and port of the remote's root, and nowhere else. */
  readonly rootOrigin: string;
  readonly credentials: CredentialLookup;
  /** Milliseconds for connecting and for the headers, each request. */
  readonly idleTimeout: number;
  readonly userAgent: string;
}

export interface Request {
  readonly method: 'GET' | 'HEAD' | 'PROPFIND';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Statuses beside 2xx that are an answer, not an error. */
  readonly accept?: readonly number[];
  /** Whether many bytes are to come. */
  readonly isLong?: boolean;
}

export interface Answer {
  /** The URL that answered, after redirects. */
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly body: AnswerBody;
}

/**
 * Sends the request and follows redirects. Resolves for 2xx and for the statuses named in `accept`; everything else is an error. `control` aborts the
 * request and, later, its body.
 */
export async function exchange(context: ExchangeContext, url: string, request: Request, control: LinkedController): Promise<Answer> {
  const { accept = [] } = request;
  let target = new URL(url);
  for (let redirects = 0; ; redirects++) {
    const credential = target.origin === context.rootOrigin ? context.credentials(target) : undefined;
    const answer = await authorized(context, target, request, credential, control);
    if (!REDIRECTS.has(answer.status)) {
      if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer;
      drop(answer, context.idleTimeout);
      throw statusError(context, answer, url, target, credential);
    }
    drop(answer, context.idleTimeout);
    const next = redirectTarget(url, target, header(answer.headers, 'location'));
    if (redirects === MAX_REDIRECTS) throw failed(url, `more than ${MAX_REDIRECTS} redirects, the last to ${shown(next)}`);
    target = next;
  }
}

/** Reads the rest of a short body, so that the connection can be used again, or closes it. */
export function drop({ body }: Pick<Answer, 'body'>, milliseconds: number): void {
  body.on('error', () => undefined);
  void body.dump({ limit: DISCARD_LIMIT, signal: AbortSignal.timeout(milliseconds) }).catch(() => undefined);
}

/** Sends the request as whoever the credential says, asking again where the origin wants to be told in another way. */
async function authorized(
  context: ExchangeContext,
  url: URL,
  request: Request,
  credential: Credential | undefined,
  control: LinkedController,
): Promise<Answer> {
  if (credential === undefined) return send(context, url, request, undefined, control);
  const { authorizer, idleTimeout } = context;
  for (let challenges = 0; ; challenges++) {
    const sent = authorizer.header(credential, { method: request.method, uri: `${url.pathname}${url.search}` });
    const answer = await send(context, url, request, sent, control);
    if (answer.status !== 401) {
      authorizer.accepted(answer.headers);
      return answer;
    }
    if (!authorizer.refused(credential, answer.headers, sent) || challenges === MAX_CHALLENGES) return answer;
    drop(answer, idleTimeout);
  }
}

async function send(
  { agent, idleTimeout, userAgent, isHttp2 }: ExchangeContext,
  url: URL,
  { method, headers = {}, body, isLong = false }: Request,
  authorization: string | undefined,
  control: LinkedController,
): Promise<Answer> {
  const all: Record<string, string> = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': userAgent, ...headers };
  if (authorization !== undefined) all['authorization'] = authorization;
  let late: ButlerfsError | undefined;
  const options = { method: method as Dispatcher.HttpMethod, headers: all, body: body ?? null, signal: control.signal };
  // A server that ends an HTTP/2 connection in good order takes requests with it that it has not looked at.
  for (let again = isHttp2(); ; again = false) {
    try {
      // undici hears of an abort only once the request has a connection.
      const sent = abortable(agent.request(url, { ...options, isLong: isLong && !isHttp2() }), control.signal, `asking for ${shown(url)}`);
      const answer = await within(sent, idleTimeout, () => {
        late = new ButlerfsError('remote-timeout', { what: `asking for ${shown(url)}`, why: `no answer for ${idleTimeout / 1000} s` });
        return late;
      });
      return { url, status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      if (late !== undefined) control.abort(late);
      if (error === late || control.signal.aborted || error instanceof ButlerfsError) throw error;
      if (again && systemCodeOf(error) === 'UND_ERR_SOCKET') continue;
      throw new ButlerfsError('remote-unreachable', {
        what: `asking for ${shown(url)}`,
        why: unreachable(agent, url, error),
        cause: error,
      });
    }
  }
}

/** Why no answer came, naming the proxy where there is one. */
function unreachable(agent: HttpAgent, url: URL, error: unknown): string {
  const route = agent.proxyOf(url);
  const why = connectionFailure(error);
  return route === undefined ? why : `${why} (through the proxy ${route.origin}, which ${route.variable} names)`;
}

/** Where a redirect leads; fails where it may not be followed. User information in it is dropped: it is not ours to send. */
export function redirectTarget(url: string, from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) throw failed(url, 'a redirect without a usable Location');
  const to = new URL(location, from.href);
  to.username = '';
  to.password = '';
  to.hash = '';
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refused(url, `it redirects to '${to.protocol}'`);
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refused(url, `it redirects from https to http (${shown(to)})`);
  if (to.pathname === `${from.pathname}/`) throw new ButlerfsError('remote-not-found', { what: url, why: 'it is a directory' });
  return to;
}

function statusError(
  { agent, rootOrigin }: ExchangeContext,
  { status, headers }: Answer,
  url: string,
  target: URL,
  credential: Credential | undefined,
): ButlerfsError {
  if (status === 404 || status === 410)
    return new ButlerfsError('remote-not-found', { what: url, why: `the origin does not have it (${status})` });
  if (status === 401 || status === 403) return forbidden(status, headers, url, target, credential, rootOrigin);
  if (status === 407) {
    const route = agent.proxyOf(target);
    return refused(
      url,
      `the proxy ${route?.origin ?? 'in between'} wants ${route?.authorization === undefined ? '' : 'other '}credentials (407)`,
    );
  }
  // What is final is what another attempt would be told again.
  const isFinal = (status < 500 && status !== 408 && status !== 425 && status !== 429) || status === 501 || status === 505;
  if (isFinal) return refused(url, `the origin answers ${status}`);
  const delay = retryAfter(headers, Date.now());
  const why = `the origin answers ${status}`;
  return delay === undefined ? failed(url, why) : new RetryLaterError({ what: `asking for ${url}`, why }, delay);
}

function forbidden(
  status: number,
  headers: Headers,
  url: string,
  target: URL,
  credential: Credential | undefined,
  rootOrigin: string,
): ButlerfsError {
  const what = `asking for ${url}`;
  if (credential?.kind === 'basic' && credential.scheme === 'digest' && status === 401 && !asksForDigest(headers)) {
    const why = `${target.host} does not ask for Digest, and the ${credential.source} allows nothing else`;
    return new ButlerfsError('remote-forbidden', { what, why, advice: `take 'scheme: digest' from host '${target.host}'` });
  }
  if (credential !== undefined) {
    const why = `${target.host} refuses the credentials from the ${credential.source} (${status})`;
    return new ButlerfsError('remote-forbidden', { what, why, advice: `check them for host '${target.host}'` });
  }
  if (target.origin !== rootOrigin) {
    const why = `it redirects to ${target.origin}, which wants credentials (${status}); they are sent to ${rootOrigin} only`;
    return new ButlerfsError('remote-forbidden', { what, why, advice: `use ${target.origin} as the source` });
  }
  const why = `${target.host} wants credentials (${status}) and there are none for it`;
  return new ButlerfsError('remote-forbidden', {
    what,
    why,
    advice: `give them for host '${target.host}' in netrc or in the configuration`,
  });
}

function asksForDigest(headers: Headers): boolean {
  return /\bdigest\b/i.test([headers['www-authenticate'] ?? []].flat().join());
}

function failed(url: string, why: string): ButlerfsError {
  return new ButlerfsError('remote-failed', { what: `asking for ${url}`, why });
}

function refused(url: string, why: string): ButlerfsError {
  return new ButlerfsError('remote-forbidden', { what: `asking for ${url}`, why });
}

/** Without the query, which may hold a signature. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
