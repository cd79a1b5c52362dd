/** Who to be at which host: configuration first, then netrc. A secret is never part of a message. */

import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { systemCodeOf } from './errors.js';
import { parseNetrc, type NetrcEntry } from './netrc.js';

/** Where a credential came from, for messages. */
export type CredentialSource = 'URL' | 'configuration' | 'netrc';

export type Credential =
  | {
      /** A user name with a password: sent as Basic, until the origin asks for Digest. */
      readonly kind: 'basic';
      readonly username: string;
      readonly password: string;
      readonly source: CredentialSource;
      /** The password itself is never sent, whatever the origin asks for. */
      readonly scheme?: 'digest';
    }
  | { readonly kind: 'bearer'; readonly token: string; readonly source: CredentialSource };

/** The credential for the host of `url`, or undefined where there is none. */
export type CredentialLookup = (url: URL) => Credential | undefined;

/** What the configuration says of one host. */
export type ConfiguredCredential =
  { readonly username: string; readonly password: string; readonly scheme?: 'digest' | undefined } | { readonly bearer: string };

export interface CredentialSettings {
  /** Default: `$NETRC`, else `~/.netrc`; null reads none. A file that is not there or cannot be read counts as empty. */
  readonly netrcPath?: string | null | undefined;
  /** By `host` or `host:port`; an entry with the port wins. */
  readonly configured?: Readonly<Record<string, ConfiguredCredential>> | undefined;
  /** Hears of a netrc that others can read, cannot be read, or holds words that mean nothing. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Reads the credentials once. Throws `configuration` for a configured one that no header can carry. */
export function loadCredentials({ netrcPath, configured = {}, warn = () => undefined }: CredentialSettings = {}): CredentialLookup {
  const byHost = new Map<string, Credential>();
  for (const [host, entry] of Object.entries(configured)) byHost.set(host.toLowerCase(), fromConfiguration(host, entry));
  const path = netrcPath === undefined ? (process.env['NETRC'] ?? join(homedir(), '.netrc')) : netrcPath;
  const entries = path === null ? [] : readNetrc(path, warn);
  return (url) => {
    const host = url.hostname.toLowerCase();
    return byHost.get(`${host}:${portOf(url)}`) ?? byHost.get(host) ?? fromNetrc(entries, host);
  };
}

/** Takes the user information out of a URL: what is left, and the credential that it was. */
export function takeUserinfo(url: URL): { readonly url: URL; readonly credential: Credential | undefined } {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  if (url.username === '' && url.password === '') return { url: bare, credential: undefined };
  const [username, password] = [decode(url.username), decode(url.password)];
  return { url: bare, credential: { kind: 'basic', username, password, source: 'URL' } };
}

/** The value of the Authorization header (RFC 7617, RFC 6750). */
export function authorizationOf(credential: Credential): string {
  if (credential.kind === 'bearer') return `Bearer ${credential.token}`;
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'ssh:': '22' };

function portOf(url: URL): string {
  return url.port === '' ? (DEFAULT_PORTS[url.protocol] ?? '80') : url.port;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function fromConfiguration(host: string, entry: ConfiguredCredential): Credential {
  const wrong = (why: string): ButlerfsError => new ButlerfsError('configuration', { what: `credentials for host '${host}'`, why });
  if ('bearer' in entry) {
    // RFC 6750, b64token: anything else could end the header early.
    if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(entry.bearer)) throw wrong('the bearer token holds characters that no token has');
    return { kind: 'bearer', token: entry.bearer, source: 'configuration' };
  }
  if (entry.username.includes(':')) throw wrong('a user name cannot hold a colon');
  const { username, password, scheme } = entry;
  return { kind: 'basic', username, password, source: 'configuration', ...(scheme === undefined ? {} : { scheme }) };
}

function fromNetrc(entries: readonly NetrcEntry[], host: string): Credential | undefined {
  const entry = entries.find((candidate) => candidate.machine === null || candidate.machine.toLowerCase() === host);
  if (entry?.password === undefined) return undefined;
  return { kind: 'basic', username: entry.login ?? '', password: entry.password, source: 'netrc' };
}

function readNetrc(path: string, warn: (message: string) => void): readonly NetrcEntry[] {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, 'utf8');
    mode = statSync(path).mode;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') warn(`${path} is left out: it cannot be read (${code ?? 'unknown error'})`);
    return [];
  }
  const { entries, problems } = parseNetrc(text);
  for (const problem of problems) warn(`${path}, line ${problem.line}: ${problem.why}`);
  if ((mode & 0o077) !== 0 && entries.some((entry) => entry.password !== undefined)) {
    warn(`${path} holds passwords and others may read it; run: chmod 600 ${path}`);
  }
  return entries;
}
