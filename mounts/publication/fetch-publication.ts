/** Brings the files of a publication from its origin, checked. */

import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { syncDirectory, temporaryBeside, writeAll } from '../../common/atomic.js';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { dirname } from 'node:path';
import type { Remote } from '../../proxy/contract.js';
import { systemCodeOf } from '../../proxy/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { PublicKeyText } from './keys.js';
import { LONGEST_MANIFEST, MANIFEST_NAME, PUBLICATION_DIRECTORY, verifyManifest } from './manifest.js';
import type { VerifiedManifest } from './manifest.js';

export interface FetchedManifest {
  readonly manifest: VerifiedManifest;
  /** The file as it came. */
  readonly bytes: Uint8Array;
}

export function manifestUrl(remote: Remote): string {
  return remote.urlOf(parseRemotePath(`${PUBLICATION_DIRECTORY}/${MANIFEST_NAME}`));
}

/** The manifest at the origin, its signature verified; `fresh` asks caches in between for the newest. Rejects with `untrusted`, `remote-*` or `interrupted`. */
export async function fetchManifest(
  remote: Remote,
  publicKey: PublicKeyText,
  { fresh, signal }: { readonly fresh: boolean; readonly signal: AbortSignal },
): Promise<FetchedManifest> {
  const where = manifestUrl(remote);
  const parts: Buffer[] = [];
  let size = 0;
  const { bytes } = await remote
    .open(parseRemotePath(`${PUBLICATION_DIRECTORY}/${MANIFEST_NAME}`), { fresh, signal })
    .catch((error: unknown) => {
      if (asButlerfsError(error).code !== 'remote-not-found') throw error;
      throw new ButlerfsError('untrusted', {
        what: `the manifest ${where}`,
        why: 'it is not there: the repository is not published for mounts with a public key',
        advice: 'publish it with butlerfs publish, or mount without a public key',
        cause: error,
      });
    });
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > LONGEST_MANIFEST)
      throw new ButlerfsError('untrusted', { what: `the manifest ${where}`, why: 'it is too long for a manifest' });
    parts.push(Buffer.from(chunk));
  }
  const whole = Buffer.concat(parts);
  return { manifest: verifyManifest(whole, publicKey, where), bytes: whole };
}

/** What a fetched file must be. */
export interface ExpectedFile {
  /** Below the repository. */
  readonly path: string;
  readonly size: number;
  readonly algorithm: 'sha256' | 'blake2b512';
  readonly hex: string;
}

/**
 * Brings a file to `target`: whole, checked and synced, or not at all. What is wrong is fetched once more past caches in between.
 * Rejects with `wrong-size`, `wrong-digest`, `remote-*`, `cache-full`, `cache-failed` or `interrupted`.
 */
export async function fetchExpected(remote: Remote, expected: ExpectedFile, target: string, signal: AbortSignal): Promise<void> {
  try {
    await fetchOnce(remote, expected, target, false, signal);
  } catch (error) {
    const { code } = asButlerfsError(error);
    if (code !== 'wrong-digest' && code !== 'wrong-size') throw error;
    await fetchOnce(remote, expected, target, true, signal);
  }
}

async function fetchOnce(remote: Remote, expected: ExpectedFile, target: string, fresh: boolean, signal: AbortSignal): Promise<void> {
  const temporary = temporaryBeside(target);
  try {
    await receive(remote, expected, temporary, fresh, signal);
    await rename(temporary, target);
    await syncDirectory(dirname(target));
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof ButlerfsError) throw error;
    const full = systemCodeOf(error) === 'ENOSPC' || systemCodeOf(error) === 'EDQUOT';
    throw new ButlerfsError(full ? 'cache-full' : 'cache-failed', {
      what: `writing ${target}`,
      why: full ? 'no space left on the device' : error instanceof Error ? error.message : String(error),
      advice: full ? `free some space for ${dirname(target)}` : undefined,
      cause: error,
    });
  }
}

async function receive(
  remote: Remote,
  { path, size, algorithm, hex }: ExpectedFile,
  file: string,
  fresh: boolean,
  signal: AbortSignal,
): Promise<void> {
  const url = remote.urlOf(parseRemotePath(path));
  const advice = 'if the repository was changed on purpose, publish it again';
  const wrongSize = (sent: string): ButlerfsError =>
    new ButlerfsError('wrong-size', { what: url, why: `${size} bytes were published, the origin sends ${sent}`, advice });
  const { stat, bytes } = await remote.open(parseRemotePath(path), { fresh, signal });
  const hash = createHash(algorithm);
  const handle = await open(file, 'wx', 0o600);
  let received = 0;
  try {
    for await (const chunk of bytes) {
      received += chunk.length;
      if (received > size) throw wrongSize(String(stat.size ?? 'more'));
      hash.update(chunk);
      await writeAll(handle, chunk);
    }
    if (received !== size) throw wrongSize(String(received));
    const found = hash.digest('hex');
    if (found !== hex) {
      const why = `${algorithm}:${hex} was published, the origin sends ${algorithm}:${found}`;
      throw new ButlerfsError('wrong-digest', { what: url, why, advice });
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
