/** Puts a remote together. This is the one place that knows the order of its layers. */

import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ButlerfsError } from '../common/errors.js';
import { authoritiesOnDemand } from './certificates.js';
import { coalesceStats } from './coalesce.js';
import type { Remote } from './contract.js';
import { takeUserinfo, type CredentialLookup } from './credentials.js';
import { fileRemote } from './file.js';
import { httpRemote } from './http.js';
import { limitRemote } from './limit.js';
import { mirrorRemote } from './mirrors.js';
import { proxiesFromEnvironment } from './proxies.js';
import { rateLimitRemote, type RateLimiter } from './rate.js';
import { retryRemote } from './retry.js';
import { openSshRemote } from './ssh/open.js';

export interface RemoteSettings {
  /** Default: none. */
  readonly credentials?: CredentialLookup | undefined;
  /** Milliseconds without a new byte after which an operation fails; default 60,000. */
  readonly deadline?: number | undefined;
  /** Milliseconds without progress after which one attempt is given up; default 10,000. */
  readonly idleTimeout?: number | undefined;
  /** Milliseconds after which an origin that cannot even be connected to is given up; default: the deadline. */
  readonly unreachable?: number | undefined;
  /** Bodies open at a time; default 12. */
  readonly concurrency?: number | undefined;
  readonly userAgent?: string | undefined;
  /** Further places of the same repository, each as a source; see `proxy/mirrors.ts`. Default: none. */
  readonly mirrors?: readonly string[] | undefined;
  /** Shared by all remotes that are to stay below one rate together. Files of this host are read as quickly as they come. Default: none. */
  readonly rate?: RateLimiter | undefined;
  /** Absolute path of a PEM file with authorities that may vouch for servers, beside those known already. */
  readonly caFile?: string | undefined;
  /** Hears of every attempt that failed and is followed by another. */
  readonly onRetry?: ((message: string) => void) | undefined;
}

/**
 * The remote at `source`: an absolute path of a directory, a `file:` URL, or an `http:`, `https:` or `ssh:` URL, which may carry a user name and password
 * for its host. Anything else throws `unsupported`; `configuration` where `caFile` cannot be used. Nothing is contacted yet.
 */
export function openRemote(source: string, settings: RemoteSettings = {}): Remote {
  const { deadline = 60_000, idleTimeout = 10_000, unreachable, concurrency = 12, onRetry, mirrors = [], rate } = settings;
  // However many are silent: all are asked within the deadline.
  const patience = Math.min(idleTimeout, deadline / (1 + mirrors.length));
  const open = (from: string): Remote => openOrigin(from, settings, patience, concurrency);
  const origin = mirrors.length === 0 ? open(source) : mirrorRemote([source, ...mirrors].map(open), { onFailover: onRetry });
  const retrying = retryRemote(origin, { deadline, unreachable, onRetry });
  // What waits for the rate is not late: the deadline is that of the origin.
  const paced = rate === undefined || origin.kind === 'file' ? retrying : rateLimitRemote(retrying, rate);
  // A transfer keeps its turn while it is being retried; waiting for a turn counts only where those before get nothing.
  return coalesceStats(limitRemote(paced, concurrency, deadline));
}

function openOrigin(source: string, settings: RemoteSettings, idleTimeout: number, concurrency: number): Remote {
  if (isAbsolute(source)) return fileRemote(source, { idleTimeout });
  if (!URL.canParse(source)) throw unsupported(redacted(source), 'it is neither an absolute path nor a URL');
  const { url, credential } = takeUserinfo(new URL(source));
  if (url.protocol === 'file:') return fileRemote(directoryOf(url), { idleTimeout });
  if (url.protocol === 'ssh:')
    return openSshRemote(new URL(source), { credentials: settings.credentials ?? (() => undefined), idleTimeout });
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw unsupported(redacted(source), `there is no remote for '${url.protocol}'`);
  if (url.search !== '' || url.hash !== '')
    throw unsupported(`${url.origin}${url.pathname}`, 'a repository has no query or fragment in its URL');
  const { credentials = () => undefined, userAgent = 'butlerfs/0.1' } = settings;
  const lookup: CredentialLookup = credential === undefined ? credentials : (to) => (to.host === url.host ? credential : credentials(to));
  return httpRemote(url.href.replace(/\/+$/, ''), {
    credentials: lookup,
    idleTimeout,
    // More connections than bodies: a stat never waits behind transfers.
    connections: concurrency + 4,
    userAgent,
    proxies: proxiesFromEnvironment(),
    authorities: authoritiesOnDemand({ caFile: settings.caFile }),
  });
}

function directoryOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw unsupported(redacted(url.href), 'a file: URL names an absolute path on this host', error);
  }
}

/** Whatever stands before an `@` may be a password. */
function redacted(source: string): string {
  return source.replace(/^.*@/s, '...@');
}

function unsupported(source: string, why: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('unsupported', {
    what: `source '${source}'`,
    why,
    advice: 'give an absolute directory, or a URL that begins with file:, http:, https: or ssh:',
    cause,
  });
}
