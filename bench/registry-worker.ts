/**
 * `registry-worker import|refresh|settle|open|directories REPOSITORY CATALOGUE [TRACT COLLECTION]`: does it in a process of its own, and prints as JSON the seconds it took,
 * without the start of the process, and the highest resident memory in MiB.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCatalogue, openCatalogue, openGen3, parseButlerConfiguration, updateCatalogue } from '../registry/open.js';
import { SKYMAP } from '../scripts/repository/dimensions.js';
import { median, peakMemory } from './harness.js';
import { PATCHES } from './generated-registry.js';

export interface WorkerReport {
  readonly seconds: number;
  readonly memory: number;
  /** Of a refresh: whether what went is to be looked for by another one. */
  readonly isUnfinished?: boolean;
}

const TYPE = 'deepCoadd_calexp';
const [what, repository = '', target = '', tractText, collection = ''] = process.argv.slice(2);

function reader() {
  const configuration = parseButlerConfiguration(readFileSync(join(repository, 'butler.yaml'), 'utf8'), repository);
  return openGen3({ configuration, registryFile: join(repository, configuration.registry), repository, countLaterAbove: 1_000_000 });
}

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

let isUnfinished = false;

async function make(): Promise<number> {
  const opened = reader();
  try {
    const options = { reader: opened, target, repository, validator: null, version: 1, updatable: true };
    return await timed(async () => {
      if (what === 'import') return buildCatalogue(options);
      if ((await updateCatalogue(options)) === undefined) throw new Error('the catalogue was not brought up to date in place');
      isUnfinished = opened.isUnfinished === true;
      return undefined;
    });
  } finally {
    opened.close();
  }
}

/** The median over all bands of several tracts, each asked for the first time. */
function directories(): number {
  const catalogue = openCatalogue(target)!;
  const type = catalogue.datasetType(TYPE)!;
  const searchPath = catalogue.searchPath([collection]);
  const taken: number[] = [];
  for (let tract = Number(tractText); tract < Number(tractText) + 20; tract++) {
    for (const band of 'griz') {
      const constraint = new Map<string, string | number>([
        ['skymap', SKYMAP],
        ['tract', tract],
        ['band', band],
      ]);
      const started = performance.now();
      const answer = catalogue.directory({ type, searchPath, constraint, keys: ['patch'], rowLimit: 2000 });
      taken.push((performance.now() - started) / 1000);
      if (answer.kind !== 'rows' || answer.rows.length !== PATCHES) throw new Error(`tract ${tract} has other patches`);
    }
  }
  return median(taken);
}

const operations: Readonly<Record<string, () => Promise<number> | number>> = {
  import: make,
  refresh: make,
  settle: make,
  open: () => timed(() => openCatalogue(target)),
  directories,
};
const seconds = await operations[what!]!();
process.stdout.write(JSON.stringify({ seconds, memory: peakMemory(process.pid), isUnfinished } satisfies WorkerReport));
