/**
 * The manifest of a publication, `.butlerfs/manifest.json` below a repository: what is signed, and so names everything else by its hash.
 *
 *     {"signed":{
 *       "format": "butlerfs-manifest",
 *       "formatVersion": 1,
 *       "repository": "<32 hexadecimal digits, made at the first publication and kept>",
 *       "serial": 7,
 *       "time": "2026-11-24T10:25:51.000Z",
 *       "catalogue": {"name": "catalogue-<sha256>.sqlite3", "size": 73728, "sha256": "..."},
 *       "digests": {"name": "digests-<sha256>.bin", "size": 12864, "sha256": "..."},
 *       "signatureAlgorithm": "ed25519",
 *       "keyId": "<first 32 hexadecimal digits of the SHA-256 of the public key>"
 *     },
 *     "signature":"<base64>"}
 *
 * One file, so that it can be replaced in one step. The signature is over exactly the bytes between `{"signed":` and the comma before `"signature"`. The file
 * must be what {@link formatManifest} writes, byte by byte: nothing in it can be changed without being refused.
 */

import { createHash, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { ButlerfsError } from '../../common/errors.js';
import { keyIdOf, publicKeyObject } from './keys.js';
import type { PublicKeyText, SigningKey } from './keys.js';

/** Directory below a repository that holds its publication, and the manifest's name in it. */
export const PUBLICATION_DIRECTORY = '.butlerfs';
export const MANIFEST_NAME = 'manifest.json';

/** Longest manifest taken, bytes. */
export const LONGEST_MANIFEST = 64 * 1024;

const OPENING = '{"signed":';
const BETWEEN = ',\n"signature":"';
const CLOSING = '"}\n';
const FORMAT_VERSION = 1;

const sha256Text = z.string().regex(/^[0-9a-f]{64}$/);
const idText = z.string().regex(/^[0-9a-f]{32}$/);
const size = z.int().nonnegative();
const fileSchema = (prefix: string, suffix: string) =>
  z
    .strictObject({ name: z.string(), size, sha256: sha256Text })
    .refine(({ name, sha256 }) => name === `${prefix}-${sha256}${suffix}`, 'the name is not made of the digest');

const signedSchema = z.strictObject({
  format: z.literal('butlerfs-manifest'),
  formatVersion: z.literal(FORMAT_VERSION),
  repository: idText,
  serial: z.int().positive(),
  time: z.iso.datetime(),
  catalogue: fileSchema('catalogue', '.sqlite3'),
  digests: fileSchema('digests', '.bin'),
  signatureAlgorithm: z.literal('ed25519'),
  keyId: idText,
});

/** What a manifest says. */
export type Manifest = Readonly<z.infer<typeof signedSchema>>;
/** A file that a manifest names by its content. */
export type PublishedFile = Manifest['catalogue'];

/** A manifest whose signature was verified. */
export interface VerifiedManifest extends Manifest {
  /** SHA-256 of what is signed, in hexadecimal: tells manifests apart. */
  readonly digest: string;
}

export function catalogueName(sha256: string): string {
  return `catalogue-${sha256}.sqlite3`;
}

export function digestsName(sha256: string): string {
  return `digests-${sha256}.bin`;
}

/** The file's text, signed. */
export function formatManifest(
  facts: Omit<Manifest, 'format' | 'formatVersion' | 'signatureAlgorithm' | 'keyId'>,
  { key, publicKey }: SigningKey,
): string {
  const { repository, serial, time, catalogue, digests } = facts;
  const manifest: Manifest = {
    format: 'butlerfs-manifest',
    formatVersion: FORMAT_VERSION,
    repository,
    serial,
    time,
    catalogue: { name: catalogue.name, size: catalogue.size, sha256: catalogue.sha256 },
    digests: { name: digests.name, size: digests.size, sha256: digests.sha256 },
    signatureAlgorithm: 'ed25519',
    keyId: keyIdOf(publicKey),
  };
  const signed = JSON.stringify(manifest, null, 2);
  return OPENING + signed + BETWEEN + sign(null, Buffer.from(signed), key).toString('base64') + CLOSING;
}

/** Verifies a manifest with the key that the reader trusts. `where` names it in messages. Throws `untrusted`. */
export function verifyManifest(bytes: Uint8Array, publicKey: PublicKeyText, where: string): VerifiedManifest {
  const { signed, signature } = takeApart(bytes, where);
  if (!verify(null, Buffer.from(signed), publicKeyObject(publicKey), signature)) {
    const { keyId } = readUnverified(signed);
    const other = keyId !== undefined && keyId !== keyIdOf(publicKey);
    throw refused(
      where,
      other ? `it is signed by another key (${keyId}) than the one trusted (${keyIdOf(publicKey)})` : 'its signature is wrong',
      other ? 'ask whoever publishes the repository whether its key was changed' : 'it was damaged or changed after it was signed',
    );
  }
  const manifest = signedSchema.safeParse(parseJson(signed));
  if (!manifest.success) {
    const version = readUnverified(signed).formatVersion;
    const isLater = typeof version === 'number' && version !== FORMAT_VERSION;
    throw refused(
      where,
      isLater ? `its format is version ${version}, and this program reads version ${FORMAT_VERSION}` : 'it is not of a known format',
      isLater ? 'use a newer version of butlerfs' : undefined,
      manifest.error,
    );
  }
  if (manifest.data.keyId !== keyIdOf(publicKey)) throw refused(where, 'it names another key than the one that signed it');
  return { ...manifest.data, digest: createHash('sha256').update(signed).digest('hex') };
}

/** What an earlier manifest says, without trust: for whoever publishes the next one. Undefined where it is not understood. */
export function readOwnManifest(text: string): Manifest | undefined {
  try {
    return signedSchema.parse(parseJson(takeApart(Buffer.from(text), '').signed));
  } catch {
    return undefined;
  }
}

function takeApart(bytes: Uint8Array, where: string): { readonly signed: string; readonly signature: Buffer } {
  const text = Buffer.from(bytes).toString('utf8');
  const between = text.lastIndexOf(BETWEEN);
  const whole = text.startsWith(OPENING) && text.endsWith(CLOSING) && between > 0 && Buffer.from(text).equals(bytes);
  const encoded = text.slice(between + BETWEEN.length, -CLOSING.length);
  const signature = Buffer.from(encoded, 'base64');
  if (!whole || signature.toString('base64') !== encoded) {
    const isPage = /^\s*<(!doctype|html|\?xml)/i.test(text);
    throw refused(where, isPage ? 'the server answers with a web page in its place' : 'it is not a manifest of butlerfs');
  }
  return { signed: text.slice(OPENING.length, between), signature };
}

const unverifiedSchema = z.object({ keyId: idText.optional().catch(undefined), formatVersion: z.unknown().optional() }).catch({});

/** For messages only. */
function readUnverified(signed: string): { readonly keyId?: string | undefined; readonly formatVersion?: unknown } {
  return unverifiedSchema.parse(parseJson(signed));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refused(where: string, why: string, advice?: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('untrusted', { what: `the manifest ${where}`, why, advice, cause });
}
