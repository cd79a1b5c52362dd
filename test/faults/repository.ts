/** The repositories that the fault suite serves. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSmallRepository, type WrittenDataset } from '../../scripts/repository/repository.js';
import { randomNumbers } from './random.js';

/** One dataset and its bytes. */
export interface Victim {
  readonly dataset: WrittenDataset;
  /** At the origin. */
  readonly path: string;
  readonly content: Buffer;
}

export class FaultRepository {
  readonly directory: string;
  readonly #datasets: readonly WrittenDataset[];
  /** Every second one, like the black squares of a chessboard: none is listed next to another, for what follows another is fetched ahead. */
  readonly #apart: WrittenDataset[];

  /** Writes at least `count` files of 4 `pixels`^2 bytes and a little into `directory`. */
  constructor(directory: string, count: number, pixels: number) {
    this.directory = directory;
    // The first is overridden by a rerun.
    const patches = Math.min(81, count + 1);
    const tracts = Array.from({ length: Math.ceil((count + 1) / patches) }, (_, index) => 8766 + index);
    const written = writeSmallRepository(directory, { tracts, patches, bands: ['i'], visits: 1, detectors: 2, pixels });
    const overridden = new Set(written.filter(({ run }) => run.startsWith('u/')).map(({ dataId }) => JSON.stringify(dataId)));
    const coadds = written.filter(({ type, dataId }) => type === 'deepCoadd_calexp' && !overridden.has(JSON.stringify(dataId)));
    // In no order.
    const random = randomNumbers(1);
    this.#datasets = coadds
      .map((dataset) => ({ dataset, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ dataset }) => dataset);
    const ranks = new Map(
      [...new Set(coadds.map(({ dataId }) => Number(dataId['patch'])))].sort((a, b) => a - b).map((patch, rank) => [patch, rank]),
    );
    this.#apart = this.#datasets.filter(({ dataId }) => (ranks.get(Number(dataId['patch']))! + Number(dataId['tract'])) % 2 === 0);
  }

  get datasets(): readonly WrittenDataset[] {
    return this.#datasets;
  }

  /** A dataset that nobody else has been given, and that nobody's reading brings here. About half of all can be taken. */
  take(): Victim {
    const dataset = this.#apart.pop();
    if (dataset === undefined) throw new Error('the repository has no datasets left');
    return this.victimOf(dataset);
  }

  victimOf(dataset: WrittenDataset): Victim {
    return { dataset, path: dataset.path, content: this.contentOf(dataset) };
  }

  /** Its bytes at the origin. */
  contentOf({ path }: WrittenDataset): Buffer {
    return readFileSync(join(this.directory, path));
  }
}
