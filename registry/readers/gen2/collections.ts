/**
 * The collections of a stack of Gen2 repositories.
 *
 *     root                  CHAINED      what the root repository finds: searched where no collection is named
 *     root/run              RUN          its files
 *     rerun/me              CHAINED      what the rerun finds: its own files, those of its parents, and the calibrations that hold for it
 *     rerun/me/run          RUN          its own files
 *     CALIB                 CALIBRATION  calibrations with the ranges that calibRegistry.sqlite3 gives them
 *     CALIB/2013-11-03      RUN          files of one calibDate
 *     CALIB/undated         RUN          files there without a calibDate
 */

import type { CollectionType, RepositoryRecord } from '../../contract.js';
import type { Gen2Repository } from './contract.js';

/** The chain of the mounted repository. */
export const rootCollection = 'root';

/** The chain of a repository. */
export function chainName({ path }: Pick<Gen2Repository, 'path'>): string {
  return path === '' ? rootCollection : path;
}

export function runName(repository: Pick<Gen2Repository, 'path'>): string {
  return `${chainName(repository)}/run`;
}

/** The collection with the calibrations of a directory. */
export function calibrationName(directory: string): string {
  return directory === '' ? `${rootCollection}/calibrations` : directory;
}

/** The RUN of one calibDate; of files without one. */
export function calibrationRunName(directory: string, calibDate: string | undefined): string {
  return `${calibrationName(directory)}/${calibDate ?? 'undated'}`;
}

type CollectionRecord = Extract<RepositoryRecord, { kind: 'collection' | 'chain' }>;

/** Keys of collections by name, and their records. */
export class Gen2Collections {
  readonly #ids = new Map<string, number>();
  readonly #records: CollectionRecord[] = [];

  /** `calibrationRuns`: names of {@link calibrationRunName}. */
  constructor(repositories: readonly Gen2Repository[], calibrationRuns: ReadonlyMap<string, string>) {
    for (const repository of repositories) {
      const doc = `files of ${repository.path === '' ? 'the root repository' : repository.path}`;
      this.#add(runName(repository), 'RUN', repository.problem === undefined ? doc : `${doc}; there is no chain: ${repository.problem}`);
    }
    for (const [run, directory] of calibrationRuns) this.#add(run, 'RUN', `calibrations of ${directory || 'the root repository'}`);
    for (const { calibrations } of repositories) {
      if (calibrations !== undefined)
        this.#add(calibrationName(calibrations), 'CALIBRATION', `ranges of ${calibrations}/calibRegistry.sqlite3`);
    }
    for (const repository of repositories) this.#addChain(repository, calibrationRuns);
  }

  #addChain(repository: Gen2Repository, calibrationRuns: ReadonlyMap<string, string>): void {
    const { ancestors, calibrations } = repository;
    if (ancestors === undefined) return;
    const searched = [repository.path, ...ancestors].map((path) => runName({ path }));
    if (calibrations !== undefined) {
      searched.push(calibrationName(calibrations));
      const undated = calibrationRunName(calibrations, undefined);
      if (calibrationRuns.has(undated)) searched.push(undated);
    }
    const name = chainName(repository);
    const order = [repository.path, ...ancestors].map((path) => chainName({ path })).join(' > ');
    this.#add(name, 'CHAINED', `${order}${calibrations === undefined ? '' : `, calibrations of ${calibrations || rootCollection}`}`);
    searched.forEach((child, position) => this.#records.push({ kind: 'chain', parent: this.id(name), position, child: this.id(child) }));
  }

  #add(name: string, type: CollectionType, doc: string): void {
    if (this.#ids.has(name)) return;
    this.#ids.set(name, this.#ids.size + 1);
    this.#records.push({ kind: 'collection', id: this.#ids.size, name, type, doc });
  }

  /** Of a collection that there is. */
  id(name: string): number {
    return this.#ids.get(name)!;
  }

  /** Collections, then chains. */
  records(): CollectionRecord[] {
    return [...this.#records].sort((a, b) => Number(a.kind === 'chain') - Number(b.kind === 'chain'));
  }
}
