/** Builds a catalogue from the stream of a repository: into a temporary file, which takes its name when it is whole and on the disk. */

import { Database } from './driver.js';
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import type { CatalogueInfo, LocalReader, RepositoryReader, RepositoryRecord } from '../contract.js';
import { CatalogueWriter } from './writer.js';

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
  const building = new Building(options);
  try {
    for await (const record of options.reader.records()) building.add(record);
    return building.finish();
  } catch (error) {
    throw building.failed(error);
  }
}

class Building {
  readonly #options: BuildOptions;
  readonly #temporary: string;
  readonly #database: Database;
  readonly #writer: CatalogueWriter;
  #records = 0;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#temporary = `${options.target}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    this.#database = createFile(this.#temporary);
    try {
      this.#writer = new CatalogueWriter(this.#database, options.repository, options.version);
    } catch (error) {
      throw this.failed(error);
    }
  }

  add(record: RepositoryRecord): void {
    const { onProgress, signal, repository } = this.#options;
    this.#writer.add(record);
    if (++this.#records % recordsBetweenLooks !== 0) return;
    onProgress?.(this.#records);
    if (signal?.aborted === true) throw new ButlerfsError('interrupted', { what: `reading ${repository}`, cause: signal.reason });
  }

  finish(): CatalogueInfo {
    const { onProgress, version, repository, reader, validator, target } = this.#options;
    onProgress?.(this.#records);
    const info = this.#writer.finish({ version, repository, format: reader.format, validator, readAt: Date.now() }, reader.cursor());
    this.#database.close();
    syncFile(this.#temporary);
    renameSync(this.#temporary, target);
    syncFile(dirname(target));
    return info;
  }

  /** Removes what was made; returns the error to throw. */
  failed(error: unknown): unknown {
    this.#database.close();
    rmSync(this.#temporary, { force: true });
    return writeError(error, this.#options.target);
  }
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

function writeError(error: unknown, target: string): unknown {
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
