/** Builds a catalogue from the stream of a repository: into a temporary file, which takes its name when it is whole and on the disk. */

import { Database } from './driver.js';
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import type { RepositoryNames } from '../names.js';
import type { CatalogueInfo, LocalReader, RepositoryReader, RepositoryRecord } from '../contract.js';
import { isAttachable } from './attached.js';
import type { AttachableReader } from './attached.js';
import { takeOver } from './take-over.js';
import { beginCatalogue, CatalogueWriter } from './writer.js';
import type { CatalogueFacts } from './writer.js';

export interface BuildOptions<Reader extends RepositoryReader = RepositoryReader> {
  readonly reader: Reader;
  /** The catalogue's file; its directory is made where it is missing. An older catalogue there is replaced in one step. */
  readonly target: string;
  /** {@link CatalogueInfo.repository}. */
  readonly repository: string;
  /** {@link CatalogueInfo.validator}. */
  readonly validator: string | null;
  /** {@link CatalogueInfo.version}: one more than that of the catalogue that this one replaces. */
  readonly version: number;
  /** {@link CatalogueInfo.names}. */
  readonly names?: RepositoryNames | undefined;
  /** Whether the catalogue is to be updated in place: then it has a write-ahead log, and cannot be copied as one file. Default: no. */
  readonly updatable?: boolean | undefined;
  /** Looked at after every {@link BuildOptions.onProgress}. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of records read so far, every few thousand. */
  readonly onProgress?: ((records: number) => void) | undefined;
}

const recordsBetweenLooks = 4096;

/**
 * Reads `reader` to its end (the caller closes it) and publishes the catalogue at `target`. Memory does not grow with the repository.
 * Throws what the reader throws, `cache-full` or `cache-failed` where the file cannot be written, `interrupted` where `signal` was aborted; `target` is then
 * as it was.
 */
export function buildCatalogue(options: BuildOptions<LocalReader>): CatalogueInfo {
  const taken = isAttachable(options.reader) ? takeOverCatalogue(options, options.reader) : undefined;
  if (taken !== undefined) return taken;
  const building = new Building(options);
  try {
    for (const record of options.reader.records()) building.add(record);
    return building.finish();
  } catch (error) {
    throw building.failed(error);
  }
}

/** As {@link buildCatalogue}, of a reader that may wait. */
export async function buildCatalogueFrom(options: BuildOptions): Promise<CatalogueInfo> {
  const taken = isAttachable(options.reader) ? takeOverCatalogue(options, options.reader) : undefined;
  if (taken !== undefined) return taken;
  const building = new Building(options);
  try {
    for await (const record of options.reader.records()) building.add(record);
    return building.finish();
  } catch (error) {
    throw building.failed(error);
  }
}

/** The catalogue made by SQL alone; undefined where the repository has rows that only its reader understands. */
function takeOverCatalogue(options: BuildOptions, reader: AttachableReader): CatalogueInfo | undefined {
  const { onProgress, repository } = options;
  const file = new NewFile(options);
  try {
    const attached = reader.attach(file.database);
    if (attached !== undefined) {
      beginCatalogue(file.database);
      const onRows = (rows: number): void => {
        onProgress?.(rows);
        checkAborted(options);
      };
      const info = takeOver(file.database, attached, { where: repository, facts: file.facts(reader), onRows });
      file.publish();
      return info;
    }
    file.discard();
    return undefined;
  } catch (error) {
    file.discard();
    const isFull = error instanceof Database.SqliteError && error.code === 'SQLITE_FULL';
    // Reading it record by record says what is wrong with it, if anything is.
    if (error instanceof Database.SqliteError && !isFull) return undefined;
    throw writeError(error, options.target);
  }
}

class Building {
  readonly #options: BuildOptions;
  readonly #file: NewFile;
  readonly #writer: CatalogueWriter;
  #records = 0;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#file = new NewFile(options);
    try {
      this.#writer = new CatalogueWriter(this.#file.database, options.repository, options.version);
    } catch (error) {
      throw this.failed(error);
    }
  }

  add(record: RepositoryRecord): void {
    this.#writer.add(record);
    if (++this.#records % recordsBetweenLooks !== 0) return;
    this.#options.onProgress?.(this.#records);
    checkAborted(this.#options);
  }

  finish(): CatalogueInfo {
    const { onProgress, reader } = this.#options;
    onProgress?.(this.#records);
    const info = this.#writer.finish(this.#file.facts(reader), reader.cursor());
    this.#file.publish();
    return info;
  }

  /** Removes what was made; returns the error to throw. */
  failed(error: unknown): unknown {
    this.#file.discard();
    return writeError(error, this.#options.target);
  }
}

export function checkAborted({ signal, repository }: BuildOptions): void {
  if (signal?.aborted === true) throw new ButlerfsError('interrupted', { what: `reading ${repository}`, cause: signal.reason });
}

/** A catalogue being made, under a temporary name. */
class NewFile {
  readonly database: Database;
  readonly #options: BuildOptions;
  readonly #temporary: string;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#temporary = `${options.target}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    this.database = createFile(this.#temporary);
  }

  facts({ format, defaultCollections }: RepositoryReader): CatalogueFacts {
    const { version, repository, validator, names } = this.#options;
    return { version, repository, format, validator, readAt: Date.now(), defaultCollections, names };
  }

  /** Gives the file its name, when it is whole and on the disk. */
  publish(): void {
    const { target, updatable = false } = this.#options;
    this.database.close();
    if (updatable) keepLog(this.#temporary);
    syncFile(this.#temporary);
    // What an older catalogue of that name logged is not of this one.
    for (const suffix of logSuffixes) rmSync(target + suffix, { force: true });
    renameSync(this.#temporary, target);
    syncFile(dirname(target));
  }

  discard(): void {
    this.database.close();
    for (const suffix of ['', ...logSuffixes]) rmSync(this.#temporary + suffix, { force: true });
  }
}

/** Files that SQLite keeps beside a database with a write-ahead log. */
const logSuffixes = ['-wal', '-shm'];

/** Goes over to a write-ahead log, with which readers keep their version while the next is written. */
function keepLog(path: string): void {
  const database = new Database(path);
  database.pragma('journal_mode = wal');
  database.close();
}

function createFile(path: string): Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return new Database(path);
  } catch (error) {
    throw writeError(error, path);
  }
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Errors of SQLite and the disk as those of a catalogue being written. */
export function writeError(error: unknown, target: string): unknown {
  if (error instanceof ButlerfsError || !(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') {
    return new ButlerfsError('cache-full', {
      what: 'the catalogue',
      where: target,
      why: 'the disk is full',
      advice: 'free some space',
      cause: error,
    });
  }
  if (!(error instanceof Database.SqliteError) && code === undefined) return error;
  return new ButlerfsError('cache-failed', { what: 'the catalogue', where: target, why: error.message, cause: error });
}
