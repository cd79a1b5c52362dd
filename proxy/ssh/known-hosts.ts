/** known_hosts (sshd(8)): which keys a host may show. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { matchesPatterns } from './patterns.js';

export interface KnownHost {
  readonly marker: 'revoked' | 'cert-authority' | undefined;
  /** Patterns, or one hashed name. */
  readonly names: readonly string[];
  /** `ssh-ed25519` and so on. */
  readonly keyType: string;
  readonly key: Buffer;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export type HostKeyVerdict =
  | { readonly kind: 'known' }
  /** No entry names the host. */
  | { readonly kind: 'unknown' }
  /** Entries name it, `entry` among them, with other keys: of the same type where there is one. */
  | { readonly kind: 'changed' | 'other-type' | 'revoked'; readonly entry: KnownHost };

/** A name under which known_hosts may have a host. */
export interface KnownName {
  readonly host: string;
  /** 22 where the entry has no port. */
  readonly port: number;
}

/** Entries of the files that can be read, in order. Lines that cannot be understood are left out, as ssh(1) does. */
export async function readKnownHosts(files: readonly string[]): Promise<readonly KnownHost[]> {
  const texts = await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8').catch(() => '')] as const));
  return texts.flatMap(([file, text]) => parseKnownHosts(text, file));
}

export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((content, index) => {
    const words = content.trim().split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) return [];
    const mark = words[0]!.startsWith('@') ? words.shift()!.slice(1) : undefined;
    const [names, keyType, encoded] = words;
    if (names === undefined || keyType === undefined || encoded === undefined) return [];
    const key = Buffer.from(encoded, 'base64');
    if ((mark !== undefined && mark !== 'revoked' && mark !== 'cert-authority') || keyTypeOf(key) !== keyType) return [];
    return [{ marker: mark, names: names.split(','), keyType, key, file, line: index + 1 }];
  });
}

/** The type that a key names itself: the first string of its blob. */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? undefined : key.toString('latin1', 4, 4 + length);
}

/** Fingerprint as ssh-keygen(1) shows it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * Whether a host may show `key`. Entries under its port count; only where there are none, and one without a port has this very key, that one does.
 * Certificate authorities are no match: certificates are not asked for.
 */
export function judgeHostKey(entries: readonly KnownHost[], name: KnownName, key: Buffer): HostKeyVerdict {
  const verdict = judge(entriesFor(entries, name), key);
  if (verdict.kind !== 'unknown' || name.port === 22) return verdict;
  const portless = judge(entriesFor(entries, { ...name, port: 22 }), key);
  return portless.kind === 'known' || portless.kind === 'revoked' ? portless : verdict;
}

function judge(entries: readonly KnownHost[], key: Buffer): HostKeyVerdict {
  const revoked = entries.find((entry) => entry.marker === 'revoked' && entry.key.equals(key));
  if (revoked !== undefined) return { kind: 'revoked', entry: revoked };
  const trusted = entries.filter((entry) => entry.marker === undefined);
  if (trusted.some((entry) => entry.key.equals(key))) return { kind: 'known' };
  const sameType = trusted.find((entry) => entry.keyType === keyTypeOf(key));
  if (sameType !== undefined) return { kind: 'changed', entry: sameType };
  return trusted[0] === undefined ? { kind: 'unknown' } : { kind: 'other-type', entry: trusted[0] };
}

/** Types of the keys that the host may show, in the order of the files. */
export function knownKeyTypes(entries: readonly KnownHost[], name: KnownName): string[] {
  const typesOf = (port: number): string[] =>
    entriesFor(entries, { ...name, port })
      .filter((entry) => entry.marker === undefined)
      .map((entry) => entry.keyType);
  const types = typesOf(name.port);
  return [...new Set(types.length > 0 ? types : typesOf(22))];
}

function entriesFor(entries: readonly KnownHost[], { host, port }: KnownName): KnownHost[] {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  return entries.filter(({ names }) => (names[0]!.startsWith('|') ? matchesHash(names[0]!, name) : matchesPatterns(names, name)));
}

/** `|1|salt|hash`: HMAC-SHA1 of the name under the salt, both in base64. */
function matchesHash(hashed: string, name: string): boolean {
  const [, version, salt, hash] = hashed.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
