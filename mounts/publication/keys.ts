/** The ed25519 keys that publications are signed with: read, made, and written as text. */

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { createFileAtomically } from '../../common/atomic.js';
import { ButlerfsError } from '../../common/errors.js';

/** A public key as text: `ed25519:` and the base64 of its 32 bytes. One key has one such text. */
export type PublicKeyText = string;

const PREFIX = 'ed25519:';
const KEY_BYTES = 32;
/** No key file is longer. */
const LONGEST = 16 * 1024;

export interface SigningKey {
  readonly key: KeyObject;
  readonly publicKey: PublicKeyText;
}

/** Names a public key: the first 32 hexadecimal digits of the SHA-256 of its bytes. Takes only what {@link readPublicKey} gave. */
export function keyIdOf(publicKey: PublicKeyText): string {
  return createHash('sha256')
    .update(Buffer.from(publicKey.slice(PREFIX.length), 'base64'))
    .digest('hex')
    .slice(0, 32);
}

export function publicKeyObject(publicKey: PublicKeyText): KeyObject {
  const x = Buffer.from(publicKey.slice(PREFIX.length), 'base64').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

/**
 * The public key that a text gives: `ed25519:BASE64` itself, or the name of a file that holds such a line or a PEM public key. A relative name starts at
 * `workingDirectory`; without one, names must be absolute. Throws `usage`.
 */
export function readPublicKey(text: string, workingDirectory?: string): PublicKeyText {
  if (text.startsWith(PREFIX)) return parseText(text, `public key '${text}'`);
  if (workingDirectory === undefined && !isAbsolute(text)) {
    throw unusable(`public key '${text}'`, 'it is neither an absolute path nor ed25519:BASE64');
  }
  const file = resolve(workingDirectory ?? '/', text);
  const content = readKeyFile(file, 'public key').trim();
  const what = `public key ${file}`;
  if (/PRIVATE KEY/.test(content))
    throw unusable(what, 'this is the private key, which stays with whoever publishes', 'give the .pub file');
  if (content.startsWith(PREFIX)) return parseText(content.split(/\s/, 1)[0]!, what);
  try {
    return textOf(createPublicKey(content));
  } catch (cause) {
    throw unusable(what, 'it holds no ed25519 public key', 'give PEM, or a line ed25519:BASE64', cause);
  }
}

/** The private key in a PEM file. Throws `usage`; also where everybody may read it. */
export function readPrivateKey(file: string): SigningKey {
  const content = readKeyFile(file, 'private key');
  const what = `private key ${file}`;
  if ((statSync(file).mode & 0o007) !== 0) throw unusable(what, 'everybody on this host may read it', `chmod 600 ${file}`);
  if (/ENCRYPTED PRIVATE KEY/.test(content)) {
    throw unusable(what, 'it is protected by a passphrase, which nobody is asked for', 'decrypt it with openssl pkey');
  }
  try {
    const key = createPrivateKey(content);
    return { key, publicKey: textOf(createPublicKey(key)) };
  } catch (cause) {
    throw unusable(what, 'it holds no ed25519 private key', 'make one with butlerfs publish --generate-key', cause);
  }
}

export interface GeneratedKey {
  readonly privateFile: string;
  readonly publicFile: string;
  readonly publicKey: PublicKeyText;
}

/** Makes a key: `<prefix>.pem` for its owner alone and `<prefix>.pub` for everybody. Throws `usage` where one of them exists. */
export async function generateKey(prefix: string): Promise<GeneratedKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const text = textOf(publicKey);
  const [privateFile, publicFile] = [`${prefix}.pem`, `${prefix}.pub`];
  await createNew(privateFile, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  await createNew(publicFile, `${text}\n`, 0o644);
  return { privateFile, publicFile, publicKey: text };
}

async function createNew(file: string, content: string, mode: number): Promise<void> {
  let created: boolean;
  try {
    created = await createFileAtomically(file, content, mode);
  } catch (cause) {
    throw unusable(`key file ${file}`, `it cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, undefined, cause);
  }
  if (!created) throw unusable(`key file ${file}`, 'it exists', 'give another name: a key is never overwritten');
}

function textOf(key: KeyObject): PublicKeyText {
  const { kty, crv, x } = key.export({ format: 'jwk' });
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined) throw new Error(`a key of another kind: ${crv ?? kty ?? 'unknown'}`);
  return PREFIX + Buffer.from(x, 'base64url').toString('base64');
}

function parseText(text: string, what: string): PublicKeyText {
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64') === encoded) return text;
  throw unusable(what, `after ed25519: stand the ${KEY_BYTES} bytes of the key in base64`);
}

function readKeyFile(file: string, kind: string): string {
  try {
    if (statSync(file).size > LONGEST) throw new Error('the file is too long for a key');
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw unusable(`${kind} ${file}`, cause instanceof Error ? cause.message : String(cause), undefined, cause);
  }
}

function unusable(what: string, why: string, advice?: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('usage', { what, why, advice, cause });
}
