/** Versions of a source: looked up, or made from its origin. */

import { openCatalogue } from '../registry/open.js';
import { displayName } from './formats/contract.js';
import type { FoundRepository, GrowingRepository, Preparation, RepositoryOrigin } from './formats/contract.js';
import { findRepository } from './formats/find.js';
import { Growth } from './growth.js';
import { indexCatalogue } from './index-catalogue.js';
import { lockSource } from './source-lock.js';
import type { Remote } from '../proxy/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { Publication } from './contract.js';
import type { SourceStore, SourceVersion } from './source-store.js';
import type { Warnings } from './warnings.js';

/** What a source is read with. */
export interface SourceParts extends RepositoryOrigin {
  /** The same origin with the patience of a look for new data. */
  readonly poll: Remote;
  readonly store: SourceStore;
  /** Key that the source must be published with. */
  readonly publicKey?: string | undefined;
  /** Content that may change without telling is read again when it is opened. */
  readonly thorough?: boolean | undefined;
  /** What takes long to be read is served while it is. */
  readonly lazy?: boolean | undefined;
  readonly onProgress: (line: string) => void;
  readonly warnings: Warnings;
}

/** What is open: one version of the source. */
export interface OpenVersion {
  readonly version: SourceVersion;
  readonly info: CatalogueInfo;
  /** Of a published source. */
  readonly publication?: Publication;
  /** Set where the catalogue has only what was found so far. Whoever opened it closes it. */
  readonly growth?: Growth;
  /** Whether the origin has something else by now, which it takes long to read. */
  readonly isOutdated?: boolean;
}

/**
 * The newest version: the one there is where the origin's content is what it was made from, else a new one. `look` asks the origin; `known`
 * saves reading that version again.
 */
export async function bringUpToDate(parts: SourceParts, look: Remote, signal: AbortSignal, known?: OpenVersion): Promise<OpenVersion> {
  const { store } = parts;
  const repository = await findRepository({ ...parts, remote: look }, signal);
  const isRead = parts.thorough === true && repository.mayChangeUnseen === true && known === undefined;
  const find = async (): Promise<OpenVersion | undefined> => (isRead ? undefined : await findCurrent(parts, repository, known));
  const found = await find();
  if (found !== undefined) return found;
  if (parts.lazy === true && known === undefined && repository.grow !== undefined) return await openUnread(parts, repository, signal);
  return await underLock(parts, repository.grow === undefined ? [] : [store.walkFile], signal, () =>
    underLock(
      parts,
      [store.lockFile],
      signal,
      async () =>
        // Somebody else may have made it while this process waited.
        (await find()) ?? (await makeVersion(parts, repository, signal)),
    ),
  );
}

/** The version there is, where the origin's content is what it was made from. */
async function findCurrent(parts: SourceParts, found: FoundRepository, known?: OpenVersion): Promise<OpenVersion | undefined> {
  const { configurationDigest, validator } = found;
  const current = await parts.store.current();
  // Without a validator nothing says whether the content changed: it is read at every start, and not again while it is open.
  const isCurrent =
    current?.partial !== true &&
    current?.isUnfinished !== true &&
    current?.configurationDigest === configurationDigest &&
    current.validator === validator &&
    (validator !== null || known !== undefined);
  if (!isCurrent) return undefined;
  return known?.version.version === current.version ? known : await openCurrent(parts);
}

async function underLock<T>(parts: SourceParts, files: readonly string[], signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const [file] = files;
  if (file === undefined) return await work();
  const unlock = await lockSource(file, {
    signal,
    onWait: () => parts.onProgress(`waiting for another process that reads ${displayName(parts)}`),
  });
  try {
    return await work();
  } finally {
    await unlock();
  }
}

/**
 * A version to be served while the repository is read: the last one that was read to its end, which the next look at the origin brings up to date, or one with what
 * was found so far.
 */
async function openUnread(parts: SourceParts, found: FoundRepository, signal: AbortSignal): Promise<OpenVersion> {
  const { store } = parts;
  return await underLock(parts, [store.lockFile], signal, async () => {
    const current = await store.current();
    const opened = current?.configurationDigest === found.configurationDigest ? await openCurrent(parts) : undefined;
    if (opened !== undefined && opened.version.partial !== true) return { ...opened, isOutdated: true };
    const version = opened?.version.version ?? (current?.version ?? 0) + 1;
    const growing = await found.grow!(preparationOf(parts, version, signal, parts.onProgress), opened?.version.copies);
    try {
      const partial = opened ?? (await makePartialVersion(parts, found, growing, version, signal));
      const walk = (walking: AbortSignal, onProgress: (line: string) => void): Promise<OpenVersion> =>
        walkToEnd(parts, walking, onProgress);
      return { ...partial, growth: new Growth({ parts, growing, partial, walk }) };
    } catch (error) {
      growing.close();
      throw error;
    }
  });
}

async function makePartialVersion(
  parts: SourceParts,
  found: FoundRepository,
  { reading, copies }: GrowingRepository,
  version: number,
  signal: AbortSignal,
): Promise<OpenVersion> {
  const { store, warnings } = parts;
  const repository = displayName(parts);
  const target = store.filesOf(version).catalogue;
  const task = { reading, repository, target, validator: null, names: found.names, version, updatable: true };
  const { info } = await indexCatalogue(task, { signal, onProgress: () => undefined, warnings });
  const { configurationDigest, root } = found;
  const made: SourceVersion = {
    version,
    catalogue: version,
    repository,
    configurationDigest,
    validator: null,
    copies,
    root,
    partial: true,
  };
  await store.publish(made);
  return { version: made, info };
}

/** Under the lock of the walk: reads everything, while versions with what was found so far are served and updated. */
async function walkToEnd(parts: SourceParts, signal: AbortSignal, onProgress: (line: string) => void): Promise<OpenVersion> {
  const found = await findRepository({ ...parts, remote: parts.poll }, signal);
  const made = await findCurrent(parts, found);
  if (made !== undefined) return made;
  const locked = (work: () => Promise<OpenVersion>): Promise<OpenVersion> => underLock(parts, [parts.store.lockFile], signal, work);
  return await makeVersion({ ...parts, onProgress }, found, signal, locked);
}

function preparationOf(parts: SourceParts, version: number, signal: AbortSignal, onProgress: (line: string) => void): Preparation {
  const { store } = parts;
  const file = (what: string, extension: string): string => store.fileOf(version, what, extension);
  const kept = (what: string, extension: string): string => store.keptFile(what, extension);
  return { origin: parts, file, kept, signal, onProgress };
}

/**
 * Makes and publishes the next version: the catalogue there is, brought up to date, or a new one. Under the lock, or with `locked`, which takes it when everything
 * was brought here.
 */
async function makeVersion(
  parts: SourceParts,
  found: FoundRepository,
  signal: AbortSignal,
  locked: (work: () => Promise<OpenVersion>) => Promise<OpenVersion> = (work) => work(),
): Promise<OpenVersion> {
  const { store, onProgress, warnings } = parts;
  await store.tidy();
  const current = await store.current();
  const version = (current?.version ?? 0) + 1;
  const repository = displayName(parts);
  const { reading, validator, copies } = await found.prepare(preparationOf(parts, version, signal, onProgress));
  return await locked(async () => {
    onProgress(`indexing ${repository}`);
    const isSame = current !== undefined && current.partial !== true && current.configurationDigest === found.configurationDigest;
    const existing = isSame ? store.catalogueOf(current) : undefined;
    warnings.clear();
    const { info, isUpdate, isUnfinished } = await indexCatalogue(
      { reading, repository, target: store.filesOf(version).catalogue, validator, names: found.names, version, existing, updatable: true },
      { signal, onProgress: (records) => onProgress(`indexing ${repository}: ${records} records`), warnings },
    );
    const catalogue = isUpdate ? (current?.catalogue ?? current?.version) : version;
    const { configurationDigest, root } = found;
    const made = { version: info.version, catalogue, repository, configurationDigest, validator, copies, root, isUnfinished };
    await store.publish(made);
    await store.tidy();
    return { version: made, info };
  });
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
