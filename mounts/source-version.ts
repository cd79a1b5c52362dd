/** Versions of a source: looked up, or made from its origin. */

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../common/atomic.js';
import { ButlerfsError, asButlerfsError } from '../common/errors.js';
import { downloadTo } from '../proxy/download.js';
import { parseRemotePath } from '../proxy/paths.js';
import { openCatalogue, parseButlerConfiguration } from '../registry/open.js';
import { readButlerYaml } from './butler-yaml.js';
import { indexCatalogue } from './index-catalogue.js';
import { lockSource } from './source-lock.js';
import { formatSize } from './units.js';
import type { ObjectStat, Remote } from '../proxy/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { Gen3Configuration } from '../registry/open.js';
import type { Publication } from './contract.js';
import type { SourceStore, SourceVersion } from './source-store.js';

/** What a source is read with. */
export interface SourceParts {
  readonly remote: Remote;
  /** The same origin with the patience of a look for new data. */
  readonly poll: Remote;
  readonly store: SourceStore;
  /** Where the repository is a local directory. */
  readonly directory: string | undefined;
  /** Key that the source must be published with. */
  readonly publicKey?: string | undefined;
  readonly onProgress: (line: string) => void;
}

/** What is open: one version of the source. */
export interface OpenVersion {
  readonly version: SourceVersion;
  readonly configuration: Gen3Configuration;
  readonly info: CatalogueInfo;
  /** Of a published source. */
  readonly publication?: Publication;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The repository as people name it: a URL or an absolute directory. */
export function displayName({ directory, remote }: SourceParts): string {
  return directory ?? remote.url;
}

/**
 * The newest version: the one there is where the origin's registry is the one that it was made from, else a new one. `look` asks the origin; `known`
 * saves reading that version again.
 */
export async function bringUpToDate(parts: SourceParts, look: Remote, signal: AbortSignal, known?: OpenVersion): Promise<OpenVersion> {
  const butlerYaml = await readButlerYaml(look, parts.directory, signal);
  const configuration = parseButlerConfiguration(butlerYaml, displayName(parts));
  const { validator } = await registryStat(parts, look, configuration, signal);
  const configurationDigest = digestOf(butlerYaml);
  // Without a validator nothing says whether the registry changed: it is read at every start, and not again while it is open.
  const isCurrent = (version: SourceVersion): boolean =>
    version.configurationDigest === configurationDigest && version.validator === validator && (validator !== null || known !== undefined);
  const find = async (): Promise<OpenVersion | undefined> => {
    const current = await parts.store.current();
    if (current === undefined || !isCurrent(current)) return undefined;
    return known?.version.version === current.version ? known : await openCurrent(parts);
  };
  const found = await find();
  if (found !== undefined) return found;
  const unlock = await lockSource(parts.store.lockFile, {
    signal,
    onWait: () => parts.onProgress(`waiting for another process that reads ${displayName(parts)}`),
  });
  try {
    // Somebody else may have made it while this process waited.
    return (await find()) ?? (await makeVersion(parts, configuration, butlerYaml, signal));
  } finally {
    await unlock();
  }
}

/** Makes and publishes the next version. Under the lock. */
async function makeVersion(
  parts: SourceParts,
  configuration: Gen3Configuration,
  butlerYaml: string,
  signal: AbortSignal,
): Promise<OpenVersion> {
  const { store, remote, directory, onProgress } = parts;
  await store.tidy();
  const version = ((await store.current())?.version ?? 0) + 1;
  const files = store.filesOf(version);
  await writeFileAtomically(files.butlerYaml, butlerYaml);
  const before = await registryStat(parts, parts.remote, configuration, signal);
  let { validator } = before;
  if (directory === undefined) {
    onProgress(`fetching the registry of ${remote.url}${before.size === null ? '' : ` (${formatSize(before.size)})`}`);
    ({ validator } = await downloadTo(remote, parseRemotePath(configuration.registry), files.registry, { signal }));
    await refuseEmpty(files.registry, parts);
  }
  const repository = displayName(parts);
  onProgress(`indexing ${repository}`);
  const task = {
    configuration,
    registryFile: directory === undefined ? files.registry : join(directory, configuration.registry),
    // Of a local repository the size is asked of the disk when it is wanted: its registry may grow meanwhile.
    sizes:
      directory === undefined
        ? { 'butler.yaml': Buffer.byteLength(butlerYaml), [configuration.registry]: (await stat(files.registry)).size }
        : {},
    repository,
    target: files.catalogue,
    validator,
    version,
  };
  const info = await indexCatalogue(task, { signal, onProgress: (records) => onProgress(`indexing ${repository}: ${records} records`) });
  const made: SourceVersion = { version, repository, configurationDigest: digestOf(butlerYaml), validator };
  await store.publish(made);
  await store.tidy();
  return { version: made, configuration, info };
}

/** The version that counts, where its catalogue is of a form that this program reads. */
export async function openCurrent(parts: SourceParts): Promise<OpenVersion | undefined> {
  const version = await parts.store.current();
  if (version === undefined) return undefined;
  const files = parts.store.filesOf(version.version);
  const catalogue = openCatalogue(files.catalogue);
  const butlerYaml = await readFile(files.butlerYaml, 'utf8').catch(() => undefined);
  if (catalogue === undefined || butlerYaml === undefined) return undefined;
  try {
    return { version, configuration: parseButlerConfiguration(butlerYaml, displayName(parts)), info: catalogue.info };
  } finally {
    catalogue.close();
  }
}

/** Stat of the registry at its origin. The validator of a local one also tells writes that only its write-ahead log holds so far. */
async function registryStat(parts: SourceParts, remote: Remote, { registry }: Gen3Configuration, signal: AbortSignal): Promise<ObjectStat> {
  const { directory } = parts;
  const found = await remote.stat(parseRemotePath(registry), { signal }).catch((error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    throw new ButlerfsError('corrupt-repository', {
      what: `the registry ${registry} that butler.yaml names`,
      where: displayName(parts),
      why: 'it is not there',
      cause: error,
    });
  });
  if (found.size === 0) throw emptyRegistry(parts);
  if (directory === undefined) return found;
  const log = await stat(`${join(directory, registry)}-wal`, { bigint: true }).catch(() => undefined);
  return log === undefined || log.size === 0n ? found : { ...found, validator: `${found.validator ?? ''} wal ${log.size} ${log.mtimeNs}` };
}

async function refuseEmpty(file: string, parts: SourceParts): Promise<void> {
  if ((await stat(file)).size === 0) throw emptyRegistry(parts);
}

function emptyRegistry(parts: SourceParts): ButlerfsError {
  return new ButlerfsError('corrupt-repository', {
    what: `the registry of ${displayName(parts)} is empty`,
    why: 'its file has 0 bytes, as a failed `butler create` leaves it',
    advice: 'create the repository again, or check how it was copied',
  });
}
