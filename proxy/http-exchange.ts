/** One HTTP request with its redirects, up to the headers of the answer. */

import { request, type Agent, type Dispatcher } from 'undici';
import { within, type LinkedController } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { authorizationOf, type Credential, type CredentialLookup } from './credentials.js';
import { connectionFailure, RetryLaterError } from './errors.js';
import { header, retryAfter, type Headers } from './http-headers.js';

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Bodies of answers that are not wanted are read up to here, so that the connection can be used again. */
const DISCARD_LIMIT = 16 * 1024;

export interface ExchangeContext {
  readonly agent: Agent;
  /** Where credentials may go: scheme, host and port of the remote's root, and nowhere else. */
  readonly rootOrigin: string;
  readonly credentials: CredentialLookup;
  /** Milliseconds for connecting and for the headers, each request. */
  readonly idleTimeout: number;
  readonly userAgent: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Dispatcher.ResponseData['body'];
}

/**
 * Sends the request and follows redirects. Resolves for 2xx and for the statuses named in `accept`; everything else is an error. `control` aborts the
 * request and, later, its body.
 */
export async function exchange(
  context: ExchangeContext,
  method: 'GET' | 'HEAD',
  url: string,
  headers: Readonly<Record<string, string>>,
  accept: readonly number[],
  control: LinkedController,
): Promise<Answer> {
  let target = new URL(url);
  for (let redirects = 0; ; redirects++) {
    const credential = target.origin === context.rootOrigin ? context.credentials(target) : undefined;
    const answer = await send(context, method, target, headers, credential, control);
    if (!REDIRECTS.has(answer.status)) {
      if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer;
      drop(answer, context.idleTimeout);
      throw statusError(answer, url, target, credential, context.rootOrigin);
    }
    drop(answer, context.idleTimeout);
    const next = redirectTarget(url, target, header(answer.headers, 'location'));
    if (redirects === MAX_REDIRECTS) throw failed(url, `more than ${MAX_REDIRECTS} redirects, the last to ${shown(next)}`);
    target = next;
  }
}

/** Reads the rest of a short body, so that the connection can be used again, or closes it. */
export function drop({ body }: Answer, milliseconds: number): void {
  body.on('error', () => undefined);
  void body.dump({ limit: DISCARD_LIMIT, signal: AbortSignal.timeout(milliseconds) }).catch(() => undefined);
}

async function send(
  { agent, idleTimeout, userAgent }: ExchangeContext,
  method: 'GET' | 'HEAD',
  url: URL,
  headers: Readonly<Record<string, string>>,
  credential: Credential | undefined,
  control: LinkedController,
): Promise<Answer> {
  const all: Record<string, string> = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': userAgent, ...headers };
  if (credential !== undefined) all['authorization'] = authorizationOf(credential);
  const late = new ButlerfsError('remote-timeout', { what: `asking for ${shown(url)}`, why: `no answer for ${idleTimeout / 1000} s` });
  try {
    // Without `reset: false` undici closes the connection after every HEAD.
    const sent = request(url, { dispatcher: agent, method, headers: all, signal: control.signal, reset: false });
    const { statusCode, headers: received, body } = await within(sent, idleTimeout, () => late);
    return { status: statusCode, headers: received, body };
  } catch (error) {
    if (error === late) control.abort(late);
    if (error === late || control.signal.aborted) throw error;
    throw new ButlerfsError('remote-unreachable', { what: `asking for ${shown(url)}`, why: connectionFailure(error), cause: error });
  }
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

function statusError(answer: Answer, url: string, target: URL, credential: Credential | undefined, rootOrigin: string): ButlerfsError {
  const { status, headers } = answer;
  if (status === 404 || status === 410)
    return new ButlerfsError('remote-not-found', { what: url, why: `the origin does not have it (${status})` });
  if (status === 401 || status === 403) return forbidden(status, url, target, credential, rootOrigin);
  if (status !== 408 && status !== 429 && status < 500) return refused(url, `the origin answers ${status}`);
  const delay = retryAfter(headers, Date.now());
  const why = `the origin answers ${status}`;
  return delay === undefined ? failed(url, why) : new RetryLaterError({ what: `asking for ${url}`, why }, delay);
}

function forbidden(status: number, url: string, target: URL, credential: Credential | undefined, rootOrigin: string): ButlerfsError {
  const what = `asking for ${url}`;
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
