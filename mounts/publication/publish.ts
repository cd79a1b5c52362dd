/**
 * Publishes a repository on this host for readers of a static copy: below `.butlerfs/` a catalogue, the digests of all files, and a signed manifest that names
 * both by their content (manifest.ts).
 *
 *     manifest.json                   replaced last, in one step
 *     catalogue-<sha256>.sqlite3      of this publication and the one before, for readers that still go by that
 *     digests-<sha256>.bin            likewise
 *     state.sqlite3                   for the next publication (known-files.ts), and `lock`
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFileAtomically } from '../../common/atomic.js';
import { throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { openCatalogue, parseRepositoryNames } from '../../registry/open.js';
import type { Gen3Configuration, RepositoryNames } from '../../registry/open.js';
import { hasErrno } from '../errno.js';
import { repositoryFile } from '../formats/repository-file.js';
import { indexCatalogue } from '../index-catalogue.js';
import { lockSource } from '../source-lock.js';
import { digestOfPath } from './digest-of-path.js';
import { stampOf } from './hash-file.js';
import { hashCatalogued } from './hash-catalogued.js';
import type { HashReport } from './hash-catalogued.js';
import { keyIdOf } from './keys.js';
import type { SigningKey } from './keys.js';
import { KnownFiles } from './known-files.js';
import type { LastPublication } from './known-files.js';
import { readLocalConfiguration } from './local-files.js';
import {
  catalogueName,
  digestsName,
  formatManifest,
  MANIFEST_NAME,
  PUBLICATION_DIRECTORY,
  readOwnManifest,
  verifyManifest,
} from './manifest.js';
import type { Manifest, PublishedFile } from './manifest.js';
import { writeDigests } from './write-digests.js';

export interface PublishSettings {
  readonly key: SigningKey;
  /** Threads that hash. */
  readonly jobs: number;
  /** Hash also what was not touched since the last publication. */
  readonly all: boolean;
  /** Go on after a file that is not what the registry says, to name them all. Nothing is published then. */
  readonly keepGoing: boolean;
  /** Leave out files that the registry lists and that are not there; else each is a problem. */
  readonly allowMissing: boolean;
  readonly onProgress: (line: string) => void;
  readonly onRemark: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface PublishReport extends HashReport {
  readonly directory: string;
  readonly keyId: string;
  /** What is published now; undefined where there were problems, and what was published before still is. */
  readonly published?: Pick<Manifest, 'repository' | 'serial' | 'time' | 'catalogue' | 'digests'> & { readonly chunks: number };
  /** Whether anything changed since the last publication; where nothing did, that one stands. */
  readonly changed: boolean;
}

/**
 * Rejects with `not-a-repository`, `unsupported-repository`, `corrupt-repository`, `remote-changed` where the registry changes meanwhile, `cache-full` or
 * `cache-failed` where nothing can be written, `interrupted`; what was published before is then as it was.
 */
export async function publish(directory: string, settings: PublishSettings): Promise<PublishReport> {
  const configuration = await readLocalConfiguration(directory, settings.signal);
  const place = join(directory, PUBLICATION_DIRECTORY);
  try {
    await mkdir(place, { recursive: true, mode: 0o755 });
    const unlock = await lockSource(join(place, 'lock'), {
      signal: settings.signal,
      onWait: () => settings.onProgress(`waiting for another process that publishes ${directory}`),
    });
    try {
      return await publishLocked(directory, place, configuration, settings);
    } finally {
      await removeUnfinished(place);
      await unlock();
    }
  } catch (error) {
    if (error instanceof ButlerfsError || !(error instanceof Error) || !('code' in error)) throw error;
    const full = error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'SQLITE_FULL';
    throw new ButlerfsError(full ? 'cache-full' : 'cache-failed', {
      what: `writing below ${place}`,
      why: full ? 'no space left on the device' : error.message,
      cause: error,
    });
  }
}

/** What the repository calls keys and coadds: signed with the catalogue. */
async function namesOf(directory: string): Promise<RepositoryNames | undefined> {
  const file = join(directory, repositoryFile);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  return text === undefined ? undefined : parseRepositoryNames(text, file);
}

/** Names of files that are being made; nobody but the holder of the lock has them. */
const UNFINISHED = /^building-|\.part$|\.tmp$/;

async function removeUnfinished(place: string): Promise<void> {
  for (const name of await readdir(place)) if (UNFINISHED.test(name)) await rm(join(place, name), { force: true });
}

async function publishLocked(
  directory: string,
  place: string,
  configuration: Gen3Configuration,
  settings: PublishSettings,
): Promise<PublishReport> {
  const { key, signal, onProgress } = settings;
  await removeUnfinished(place);
  const known = new KnownFiles(join(place, 'state.sqlite3'));
  try {
    const former = await formerPublication(place, known.lastPublication(), key);
    const serial = former.serial + 1;
    const registry = await registryStamp(directory, configuration);
    if (registry.hasLog) {
      settings.onRemark(
        `${configuration.registry} has a write-ahead log: readers get the catalogue with it, but @repo/${configuration.registry} without`,
      );
    }
    const building = join(place, 'building-catalogue.sqlite3');
    await indexCatalogue(
      {
        reading: {
          format: 'gen3',
          configuration,
          registryFile: join(directory, configuration.registry),
          sizes: { 'butler.yaml': (await stat(join(directory, 'butler.yaml'))).size, [configuration.registry]: registry.size },
        },
        repository: `repository ${former.repository}`,
        target: building,
        validator: null,
        names: await namesOf(directory),
        version: serial,
      },
      { signal, onProgress: (records) => onProgress(`reading the registry: ${records} records`) },
    );
    const report = { ...(await hashCatalogued(directory, building, known, settings)), directory, keyId: keyIdOf(key.publicKey) };
    if (report.problems.length > 0) return { ...report, changed: false };
    throwIfAborted(signal, `publishing ${directory}`);
    if ((await registryStamp(directory, configuration)).stamp !== registry.stamp) throw registryChanged(directory, configuration);
    known.forgetOthers();
    onProgress('writing the digests');
    const digests = join(place, 'building-digests.bin');
    const written = await writeDigests(known, digests);
    const chunks = written.chunks;
    const standing = former.manifest;
    if (
      former.isOurs &&
      standing !== undefined &&
      standing.digests.sha256 === written.sha256 &&
      !registry.hasLog &&
      isComplete(place, standing)
    ) {
      return { ...report, changed: false, published: { ...standing, chunks } };
    }
    const catalogueDigest = await digestOfPath(building, signal);
    const facts = {
      repository: former.repository,
      serial,
      time: new Date().toISOString(),
      catalogue: { name: catalogueName(catalogueDigest.sha256), ...catalogueDigest },
      digests: { name: digestsName(written.sha256), size: written.size, sha256: written.sha256 },
    };
    await takeName(building, place, facts.catalogue);
    await takeName(digests, place, facts.digests);
    await syncDirectory(place);
    // Before the manifest is there: a serial number is not given twice, whatever happens in between.
    known.rememberPublication({ repository: facts.repository, serial });
    await writeFileAtomically(join(place, MANIFEST_NAME), formatManifest(facts, key), 0o644);
    await removeOld(place, [facts, ...(standing === undefined ? [] : [standing])]);
    return { ...report, changed: true, published: { ...facts, chunks } };
  } finally {
    known.close();
  }
}

async function takeName(file: string, place: string, { name }: PublishedFile): Promise<void> {
  await chmod(file, 0o644);
  await rename(file, join(place, name));
}

/** Whether the files that a manifest names are there, and of a form that this program writes. */
function isComplete(place: string, { catalogue, digests }: Manifest): boolean {
  const opened = openCatalogue(join(place, catalogue.name));
  opened?.close();
  return opened !== undefined && existsSync(join(place, digests.name));
}

interface Former extends LastPublication {
  /** What readers go by now. */
  readonly manifest: Manifest | undefined;
  /** Whether it is signed by the same key. */
  readonly isOurs: boolean;
}

/** What was published before: by the manifest where this key signed it, else by what this host remembers, else by what another key signed. */
async function formerPublication(place: string, remembered: LastPublication | undefined, key: SigningKey): Promise<Former> {
  const text = await readFile(join(place, MANIFEST_NAME), 'utf8').catch(() => undefined);
  const isOurs = text !== undefined && signedBy(text, key, place);
  const manifest = text === undefined ? undefined : readOwnManifest(text);
  const serial = Math.max(remembered?.serial ?? 0, isOurs || remembered === undefined ? (manifest?.serial ?? 0) : 0);
  const repository =
    (isOurs ? manifest?.repository : undefined) ?? remembered?.repository ?? manifest?.repository ?? randomBytes(16).toString('hex');
  return { repository, serial, manifest, isOurs };
}

function signedBy(text: string, { publicKey }: SigningKey, where: string): boolean {
  try {
    verifyManifest(Buffer.from(text), publicKey, where);
    return true;
  } catch {
    return false;
  }
}

interface RegistryStamp {
  readonly stamp: string;
  readonly size: number;
  /** Whether its write-ahead log holds what the file lacks. */
  readonly hasLog: boolean;
}

async function registryStamp(directory: string, { registry }: Gen3Configuration): Promise<RegistryStamp> {
  const file = join(directory, registry);
  const info = await stat(file, { bigint: true }).catch((cause: unknown) => {
    throw new ButlerfsError('corrupt-repository', {
      what: `the registry ${registry} that butler.yaml names`,
      where: directory,
      why: 'it is not there',
      cause,
    });
  });
  const log = await stat(`${file}-wal`, { bigint: true }).catch(() => undefined);
  const hasLog = log !== undefined && log.size > 0n;
  return { stamp: `${stampOf(info)}${hasLog ? ` ${stampOf(log)}` : ''}`, size: Number(info.size), hasLog };
}

function registryChanged(directory: string, { registry }: Gen3Configuration): ButlerfsError {
  return new ButlerfsError('remote-changed', {
    what: `the registry ${registry}`,
    where: directory,
    why: 'it changed while the repository was published',
    advice: 'publish when nobody writes to the repository',
  });
}

/** Removes what none of these publications names. */
async function removeOld(place: string, kept: readonly Pick<Manifest, 'catalogue' | 'digests'>[]): Promise<void> {
  const names = new Set(kept.flatMap(({ catalogue, digests }) => [catalogue.name, digests.name]));
  for (const name of await readdir(place)) {
    if (/^(catalogue|digests)-[0-9a-f]{64}\.(sqlite3|bin)$/.test(name) && !names.has(name)) await rm(join(place, name), { force: true });
  }
}
