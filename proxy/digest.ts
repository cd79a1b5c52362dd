/** HTTP Digest access authentication (RFC 7616), as a client: challenges, and the answers to them. */

import { createHash, randomBytes } from 'node:crypto';

/** A challenge that can be answered. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** As the origin wrote it, and null where it named none (MD5 then). */
  readonly algorithm: string | null;
  /** Null: the origin speaks RFC 2069, without counts. */
  readonly qop: 'auth' | null;
  /** The nonce was too old; the password was right. */
  readonly stale: boolean;
  readonly userhash: boolean;
  readonly isUtf8: boolean;
}

export interface DigestRequest {
  readonly method: string;
  /** The target as it is sent: path and query. */
  readonly uri: string;
  readonly username: string;
  readonly password: string;
  /** How often this nonce was used, with this request; from 1. */
  readonly count: number;
  /** Default: random. */
  readonly cnonce?: string;
}

/** Names in node:crypto of the algorithms that are spoken. */
const HASHES: Readonly<Record<string, string>> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };

/** One scheme of a WWW-Authenticate header; names of schemes and parameters are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The challenges of a WWW-Authenticate header (RFC 9110, 11.6.1) in order. What cannot be understood ends them. */
export function parseChallenges(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
  const equals = /[ \t]*=[ \t]*/y;
  const quoted = /"((?:[^"\\]|\\.)*)"/sy;
  const token68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
  const between = /[ \t,]*/y;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(between);
    const name = take(token)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    if (current === undefined || take(equals) === null) {
      challenges.push({ scheme: name, parameters: new Map() });
      const begin = at;
      // `Negotiate abc==`: one opaque word in place of parameters.
      if (take(/[ \t]+/y) !== null && take(token68) === null) at = begin;
      continue;
    }
    const value = take(quoted)?.[1]?.replace(/\\(.)/gs, '$1') ?? take(token)?.[0];
    if (value === undefined) return challenges;
    if (!current.parameters.has(name)) current.parameters.set(name, value);
  }
}

/** The first Digest challenge that can be answered, or undefined. */
export function digestChallenge(challenges: readonly Challenge[]): DigestChallenge | undefined {
  for (const { scheme, parameters } of challenges) {
    if (scheme !== 'digest') continue;
    const [realm, nonce] = [parameters.get('realm'), parameters.get('nonce')];
    const algorithm = parameters.get('algorithm') ?? null;
    const qops = parameters
      .get('qop')
      ?.split(',')
      .map((text) => text.trim().toLowerCase());
    if (realm === undefined || nonce === undefined || hashOf(algorithm) === undefined) continue;
    if (qops !== undefined && !qops.includes('auth')) continue;
    const isTrue = (name: string): boolean => parameters.get(name)?.toLowerCase() === 'true';
    return {
      realm,
      nonce,
      algorithm,
      opaque: parameters.get('opaque'),
      qop: qops === undefined ? null : 'auth',
      stale: isTrue('stale'),
      userhash: isTrue('userhash'),
      isUtf8: parameters.get('charset')?.toLowerCase() === 'utf-8',
    };
  }
  return undefined;
}

/** The value of the Authorization header. */
export function digestAuthorization(challenge: DigestChallenge, request: DigestRequest): string {
  const { realm, nonce, opaque, algorithm, qop, userhash } = challenge;
  const { method, uri, username, password, count } = request;
  const cnonce = request.cnonce ?? randomBytes(18).toString('base64url');
  const { hash, isSession } = hashOf(algorithm)!;
  const digest = (text: string): string => createHash(hash).update(text, 'utf8').digest('hex');

  const secret = digest(`${username}:${realm}:${password}`);
  const first = isSession ? digest(`${secret}:${nonce}:${cnonce}`) : secret;
  const second = digest(`${method}:${uri}`);
  const nc = count.toString(16).padStart(8, '0');
  const response = digest(qop === null ? `${first}:${nonce}:${second}` : `${first}:${nonce}:${nc}:${cnonce}:${qop}:${second}`);

  const fields = [
    usernameField(challenge, userhash ? digest(`${username}:${realm}`) : username),
    `realm=${quote(realm)}`,
    `uri=${quote(uri)}`,
    `nonce=${quote(nonce)}`,
    `response="${response}"`,
  ];
  if (algorithm !== null) fields.push(`algorithm=${algorithm}`);
  if (qop !== null) fields.push(`nc=${nc}`, `qop=${qop}`);
  if (qop !== null || isSession) fields.push(`cnonce=${quote(cnonce)}`);
  if (opaque !== undefined) fields.push(`opaque=${quote(opaque)}`);
  if (userhash) fields.push('userhash=true');
  return `Digest ${fields.join(', ')}`;
}

function usernameField({ isUtf8 }: DigestChallenge, name: string): string {
  if (/^[\x20-\x7e]*$/.test(name)) return `username=${quote(name)}`;
  if (isUtf8) return `username*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)}`;
  // A header is sent byte by byte: each character here is one byte of the UTF-8.
  return `username=${quote(Buffer.from(name, 'utf8').toString('latin1'))}`;
}

function hashOf(algorithm: string | null): { readonly hash: string; readonly isSession: boolean } | undefined {
  const [, name = '', session] = /^(.*?)(-sess)?$/i.exec(algorithm ?? 'MD5') ?? [];
  const hash = HASHES[name.toUpperCase()];
  return hash === undefined ? undefined : { hash, isSession: session !== undefined };
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
