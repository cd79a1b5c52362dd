/** Versions of a source: looked up, or made from its origin. */

import { openCatalogue } from '../registry/open.js';
import { displayName } from './formats/contract.js';
import type { FoundRepository, RepositoryOrigin } from './formats/contract.js';
import { findRepository } from './formats/find.js';
import { indexCatalogue } from './index-catalogue.js';
import { lockSource } from './source-lock.js';
import type { Remote } from '../proxy/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { Publication } from './contract.js';
import type { SourceStore, SourceVersion } from './source-store.js';

/** What a source is read with. */
export interface SourceParts extends RepositoryOrigin {
  /** The same origin with the patience of a look for new data. */
  readonly poll: Remote;
  readonly store: SourceStore;
  /** Key that the source must be published with. */
  readonly publicKey?: string | undefined;
  /** Content that may change without telling is read again when it is opened. */
  readonly thorough?: boolean | undefined;
  readonly onProgress: (line: string) => void;
}

/** What is open: one version of the source. */
export interface OpenVersion {
  readonly version: SourceVersion;
  readonly info: CatalogueInfo;
  /** Of a published source. */
  readonly publication?: Publication;
}

/**
 * The newest version: the one there is where the origin's content is what it was made from, else a new one. `look` asks the origin; `known`
 * saves reading that version again.
 */
export async function bringUpToDate(parts: SourceParts, look: Remote, signal: AbortSignal, known?: OpenVersion): Promise<OpenVersion> {
  const { store } = parts;
  const repository = await findRepository({ ...parts, remote: look }, signal);
  const { configurationDigest, validator } = repository;
  const isRead = parts.thorough === true && repository.mayChangeUnseen === true && known === undefined;
  // Without a validator nothing says whether the content changed: it is read at every start, and not again while it is open.
  const isCurrent = (version: SourceVersion): boolean =>
    version.isUnfinished !== true &&
    version.configurationDigest === configurationDigest &&
    version.validator === validator &&
    (validator !== null || known !== undefined);
  const find = async (): Promise<OpenVersion | undefined> => {
    const current = isRead ? undefined : await store.current();
    if (current === undefined || !isCurrent(current)) return undefined;
    return known?.version.version === current.version ? known : await openCurrent(parts);
  };
  const found = await find();
  if (found !== undefined) return found;
  const unlock = await lockSource(store.lockFile, {
    signal,
    onWait: () => parts.onProgress(`waiting for another process that reads ${displayName(parts)}`),
  });
  try {
    // Somebody else may have made it while this process waited.
    return (await find()) ?? (await makeVersion(parts, repository, signal));
  } finally {
    await unlock();
  }
}

/** Makes and publishes the next version: the catalogue there is, brought up to date, or a new one. Under the lock. */
async function makeVersion(parts: SourceParts, found: FoundRepository, signal: AbortSignal): Promise<OpenVersion> {
  const { store, onProgress } = parts;
  await store.tidy();
  const current = await store.current();
  const version = (current?.version ?? 0) + 1;
  const repository = displayName(parts);
  const file = (what: string, extension: string): string => store.fileOf(version, what, extension);
  const kept = (what: string, extension: string): string => store.keptFile(what, extension);
  const { reading, validator, copies } = await found.prepare({ origin: parts, file, kept, signal, onProgress });
  onProgress(`indexing ${repository}`);
  const isSame = current !== undefined && current.configurationDigest === found.configurationDigest;
  const existing = isSame ? store.catalogueOf(current) : undefined;
  const { info, isUpdate, isUnfinished } = await indexCatalogue(
    { reading, repository, target: store.filesOf(version).catalogue, validator, names: found.names, version, existing, updatable: true },
    { signal, onProgress: (records) => onProgress(`indexing ${repository}: ${records} records`) },
  );
  const catalogue = isUpdate ? (current?.catalogue ?? current?.version) : version;
  const { configurationDigest } = found;
  const made: SourceVersion = {
    version: info.version,
    catalogue,
    repository,
    configurationDigest,
    validator,
    copies,
    root: found.root,
    isUnfinished,
  };
  await store.publish(made);
  await store.tidy();
  return { version: made, info };
}

/** The version that counts, where its catalogue is of a form that this program reads. */
export async function openCurrent({ store }: Pick<SourceParts, 'store'>): Promise<OpenVersion | undefined> {
  const version = await store.current();
  if (version === undefined) return undefined;
  const catalogue = openCatalogue(store.catalogueOf(version));
  if (catalogue === undefined) return undefined;
  try {
    return { version, info: catalogue.info };
  } finally {
    catalogue.close();
  }
}
