/** Builds a catalogue from the stream of a repository: into a temporary file, which takes its name when it is whole and on the disk. */

import { Database } from './driver.js';
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import type { CatalogueInfo, RepositoryReader } from '../contract.js';
import { CatalogueWriter } from './writer.js';

export interface BuildOptions {
  readonly reader: RepositoryReader;
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
export function buildCatalogue({ reader, target, repository, validator, version, signal, onProgress }: BuildOptions): CatalogueInfo {
  const temporary = `${target}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  const database = createFile(temporary);
  try {
    const writer = new CatalogueWriter(database, repository);
    let records = 0;
    for (const record of reader.records()) {
      writer.add(record);
      if (++records % recordsBetweenLooks !== 0) continue;
      onProgress?.(records);
      if (signal?.aborted === true) throw new ButlerfsError('interrupted', { what: `reading ${repository}`, cause: signal.reason });
    }
    onProgress?.(records);
    const info = writer.finish({ version, repository, format: reader.format, validator, readAt: Date.now() });
    database.close();
    syncFile(temporary);
    renameSync(temporary, target);
    syncFile(dirname(target));
    return info;
  } catch (error) {
    database.close();
    rmSync(temporary, { force: true });
    throw writeError(error, target);
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
