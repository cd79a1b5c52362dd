/** Makes a catalogue, or brings one up to date, in a thread of its own, so that the caller's event loop lives while a large registry is read. */

import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ButlerfsError, deserializeError } from '../common/errors.js';
import { programFile } from '../common/program-file.js';
import type { SerializedError } from '../common/errors.js';
import type { CatalogueInfo, RepositoryNames } from '../registry/contract.js';
import type { Reading } from '../registry/reading.js';
import type { Warnings } from './warnings.js';

/** What is read and what is made of it. Plain data: it travels to the thread. */
export interface IndexTask {
  readonly reading: Reading;
  /** Display form: URL or absolute directory. */
  readonly repository: string;
  /** File to make; there is none by this name yet. */
  readonly target: string;
  readonly validator: string | null;
  /** What the repository calls keys and coadds. */
  readonly names?: RepositoryNames | undefined;
  readonly version: number;
  /** A catalogue of the same repository that is brought up to date instead, where that is possible. */
  readonly existing?: string | undefined;
  /** As {@link import('../registry/open.js').BuildOptions.updatable}. */
  readonly updatable?: boolean;
}

/** What was made. */
export interface Indexed {
  readonly info: CatalogueInfo;
  /** Whether {@link IndexTask.existing} was brought up to date, so that there is nothing at the target. */
  readonly isUpdate: boolean;
  /** Whether it should be brought up to date again soon: what went was not looked for yet. */
  readonly isUnfinished: boolean;
}

/** From the thread. */
export type IndexMessage =
  | { readonly kind: 'progress'; readonly records: number }
  | { readonly kind: 'warning'; readonly message: string }
  /** Warnings that were not told one by one. */
  | { readonly kind: 'warnings'; readonly count: number }
  | ({ readonly kind: 'done' } & Indexed)
  | { readonly kind: 'failed'; readonly error: SerializedError };

/** Rejects with what the registry's reader found wrong, or `interrupted`; nothing is left at `target` then, and what existed is as it was. */
export async function indexCatalogue(
  task: IndexTask,
  {
    signal,
    onProgress,
    warnings,
  }: { readonly signal: AbortSignal; readonly onProgress: (records: number) => void; readonly warnings?: Warnings | undefined },
): Promise<Indexed> {
  if (signal.aborted) throw interrupted(task);
  const worker = new Worker(programFile('mounts/index-worker.js'), { workerData: task });
  let abort = (): void => undefined;
  try {
    return await new Promise<Indexed>((resolve, reject) => {
      abort = () => reject(interrupted(task));
      signal.addEventListener('abort', abort, { once: true });
      worker.on('message', (message: IndexMessage) => {
        if (message.kind === 'progress') onProgress(message.records);
        else if (message.kind === 'warning') warnings?.add(message.message);
        else if (message.kind === 'warnings') warnings?.addUntold(message.count);
        else if (message.kind === 'done') resolve(message);
        else reject(deserializeError(message.error));
      });
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new ButlerfsError('internal', { what: `the indexing thread ended with status ${code}` })));
    });
  } catch (error) {
    await worker.terminate();
    for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(task.target + suffix, { force: true });
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function interrupted({ repository }: IndexTask): ButlerfsError {
  return new ButlerfsError('interrupted', { what: `indexing ${repository} was interrupted` });
}
