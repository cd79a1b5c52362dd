/** Versions of a source that is published: taken from its signed manifest, and used only where every byte is what was signed. */

import { link, readFile, rm } from 'node:fs/promises';
import { asButlerfsError } from '../common/errors.js';
import type { ButlerfsError, ErrorCode } from '../common/errors.js';
import { writeFileAtomically } from '../common/atomic.js';
import type { Remote } from '../proxy/contract.js';
import { openCatalogue, parseButlerConfiguration } from '../registry/open.js';
import { checkPublishedFile, otherCatalogue } from './publication/check.js';
import { digestOfPath } from './publication/digest-of-path.js';
import { DigestsFile } from './publication/digests-file.js';
import { coveredRequest } from './publication/coverage.js';
import { fetchExpected, fetchManifest, manifestUrl } from './publication/fetch-publication.js';
import type { FetchedManifest } from './publication/fetch-publication.js';
import type { PublicKeyText } from './publication/keys.js';
import { PUBLICATION_DIRECTORY, verifyManifest } from './publication/manifest.js';
import type { PublishedFile, VerifiedManifest } from './publication/manifest.js';
import { acceptManifest, checkTrust } from './publication/trust.js';
import { lockSource } from './source-lock.js';
import { formatSize } from './units.js';
import { displayName } from './formats/contract.js';
import type { OpenVersion, SourceParts } from './source-version.js';
import type { SourceStore, SourceVersion, VersionFiles } from './source-store.js';

/**
 * The published version, fetched where it is not here. `known` saves reading that version again. Rejects with `untrusted` where the manifest is not signed by
 * the key or contradicts what was seen before, `wrong-digest` or `wrong-size` where its files are not what was signed, `remote-*`, `interrupted`.
 */
export async function bringPublishedUpToDate(
  parts: SourceParts,
  publicKey: PublicKeyText,
  look: Remote,
  signal: AbortSignal,
  known?: OpenVersion,
): Promise<OpenVersion> {
  const { store } = parts;
  const fetched = await newestManifest(parts, publicKey, look, signal);
  const find = async (digest: string): Promise<OpenVersion | undefined> => {
    const current = await store.current();
    if (current?.validator !== digest) return undefined;
    return known?.version.version === current.version ? known : await openPublished(parts, publicKey, signal);
  };
  const found = await find(fetched.manifest.digest);
  if (found !== undefined) return found;
  const fault = faults.get(store);
  if (fault?.digest === fetched.manifest.digest && performance.now() < fault.until) throw fault.error;
  const unlock = await lockSource(store.lockFile, {
    signal,
    onWait: () => parts.onProgress(`waiting for another process that reads ${displayName(parts)}`),
  });
  try {
    await acceptManifest(store.directory, fetched.manifest, manifestUrl(parts.remote));
    return (await find(fetched.manifest.digest)) ?? (await takeVersion(parts, publicKey, fetched, signal));
  } catch (error) {
    const failure = asButlerfsError(error);
    if (LASTING_CODES.includes(failure.code)) rememberFault(store, fetched.manifest.digest, failure);
    // A manifest held by a cache in between may name files that are gone.
    if (failure.code !== 'remote-not-found') throw error;
    const fresh = await fetchManifest(parts.remote, publicKey, { fresh: true, signal });
    if (fresh.manifest.digest === fetched.manifest.digest) throw error;
    await acceptManifest(store.directory, fresh.manifest, manifestUrl(parts.remote));
    return await takeVersion(parts, publicKey, fresh, signal);
  } finally {
    await unlock();
  }
}

/** What is wrong with a publication is not cured by fetching all of it again at once. */
const LASTING_CODES: readonly ErrorCode[] = [
  'wrong-digest',
  'wrong-size',
  'corrupt-repository',
  'unsupported-repository',
  'not-a-repository',
  'untrusted',
];
/** Milliseconds for which a publication that was wrong is not fetched again; twice as long each time. */
const FAULT_PAUSE = { first: 30_000, longest: 3_600_000 };

interface Fault {
  /** Of the manifest. */
  readonly digest: string;
  readonly error: ButlerfsError;
  readonly pause: number;
  readonly until: number;
}

const faults = new WeakMap<SourceStore, Fault>();

function rememberFault(store: SourceStore, digest: string, error: ButlerfsError): void {
  const before = faults.get(store);
  const pause = before?.digest === digest ? Math.min(2 * before.pause, FAULT_PAUSE.longest) : FAULT_PAUSE.first;
  faults.set(store, { digest, error, pause, until: performance.now() + pause });
}

/** A manifest that is refused is asked for once more, past caches that may hold an old one. */
async function newestManifest(parts: SourceParts, publicKey: PublicKeyText, look: Remote, signal: AbortSignal): Promise<FetchedManifest> {
  const get = async (fresh: boolean): Promise<FetchedManifest> => {
    const fetched = await fetchManifest(look, publicKey, { fresh, signal });
    await checkTrust(parts.store.directory, fetched.manifest, manifestUrl(look));
    return fetched;
  };
  try {
    return await get(false);
  } catch (error) {
    if (asButlerfsError(error).code !== 'untrusted') throw error;
    return await get(true);
  }
}

/** Fetches what the manifest names as the next version, and publishes it. Under the lock. */
async function takeVersion(
  parts: SourceParts,
  publicKey: PublicKeyText,
  { manifest, bytes }: FetchedManifest,
  signal: AbortSignal,
): Promise<OpenVersion> {
  const { store, remote, onProgress } = parts;
  await store.tidy();
  const former = await store.current();
  const version = (former?.version ?? 0) + 1;
  const files = store.filesOf(version);
  const formerFiles = former === undefined ? undefined : await filesOfVerified(store.filesOf(former.version), publicKey);
  onProgress(`fetching the catalogue of ${remote.url} (${formatSize(manifest.catalogue.size + manifest.digests.size)})`);
  const bring = async (file: PublishedFile, target: string, kept: readonly (readonly [PublishedFile, string])[]): Promise<void> => {
    const same = kept.find(([one]) => one.sha256 === file.sha256);
    if (same !== undefined && (await linked(same[1], target, file))) return;
    const { name, size, sha256: hex } = file;
    await fetchExpected(remote, { path: `${PUBLICATION_DIRECTORY}/${name}`, size, algorithm: 'sha256', hex }, target, signal);
  };
  await bring(
    manifest.catalogue,
    files.catalogue,
    formerFiles === undefined ? [] : [[formerFiles.manifest.catalogue, formerFiles.catalogue]],
  );
  await bring(manifest.digests, files.digests, formerFiles === undefined ? [] : [[formerFiles.manifest.digests, formerFiles.digests]]);
  await fetchButlerYaml(remote, files, signal);
  await writeFileAtomically(files.manifest, bytes);
  const made: SourceVersion = {
    version,
    repository: displayName(parts),
    configurationDigest: (await digestOfPath(files.butlerYaml, signal)).sha256,
    validator: manifest.digest,
    copies: {},
  };
  const opened = await readVersion(parts, made, manifest);
  await store.publish(made);
  await store.tidy();
  return opened;
}

/** The repository's configuration is a file like any other: the digests say what it must be. */
async function fetchButlerYaml(remote: Remote, files: VersionFiles, signal: AbortSignal): Promise<void> {
  const path = 'butler.yaml';
  const digests = new DigestsFile(files.digests);
  try {
    const { digest, size } = coveredRequest({ origin: remote.url, identity: '' }, () => digests.find(path));
    const { hex } = digest!;
    const algorithm = digest!.algorithm === 'sha256' ? 'sha256' : 'blake2b512';
    await fetchExpected(remote, { path, size: size!, algorithm, hex }, files.butlerYaml, signal);
  } finally {
    digests.close();
  }
}

async function filesOfVerified(
  files: VersionFiles,
  publicKey: PublicKeyText,
): Promise<(Pick<VersionFiles, 'catalogue' | 'digests'> & { readonly manifest: VerifiedManifest }) | undefined> {
  try {
    const manifest = verifyManifest(await readFile(files.manifest), publicKey, files.manifest);
    return { catalogue: files.catalogue, digests: files.digests, manifest };
  } catch {
    return undefined;
  }
}

/** The same content under another name, where it still is that content. */
async function linked(source: string, target: string, file: PublishedFile): Promise<boolean> {
  try {
    await checkPublishedFile(source, file, new AbortController().signal);
    await rm(target, { force: true });
    await link(source, target);
    return true;
  } catch {
    return false;
  }
}

/** The version that counts, where everything of it still is what was signed; undefined where it is not, or there is none. */
export async function openPublished(parts: SourceParts, publicKey: PublicKeyText, signal: AbortSignal): Promise<OpenVersion | undefined> {
  const version = await parts.store.current();
  if (version === undefined) return undefined;
  const files = parts.store.filesOf(version.version);
  try {
    const manifest = verifyManifest(await readFile(files.manifest), publicKey, files.manifest);
    await checkPublishedFile(files.catalogue, manifest.catalogue, signal);
    await checkPublishedFile(files.digests, manifest.digests, signal);
    const { sha256 } = await digestOfPath(files.butlerYaml, signal);
    if (sha256 !== version.configurationDigest || manifest.digest !== version.validator) return undefined;
    return await readVersion(parts, version, manifest);
  } catch {
    // Damaged: it is fetched anew.
    return undefined;
  }
}

async function readVersion(parts: SourceParts, version: SourceVersion, manifest: VerifiedManifest): Promise<OpenVersion> {
  const files = parts.store.filesOf(version.version);
  const where = displayName(parts);
  parseButlerConfiguration(await readFile(files.butlerYaml, 'utf8'), where);
  const catalogue = openCatalogue(files.catalogue);
  if (catalogue === undefined) throw otherCatalogue(where, manifest.catalogue);
  try {
    new DigestsFile(files.digests).close();
    const { repository, serial, time, keyId } = manifest;
    return { version, info: { ...catalogue.info, repository: where }, publication: { repository, serial, time, keyId } };
  } finally {
    catalogue.close();
  }
}
