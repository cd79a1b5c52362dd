/** `scripts/make-repository DIRECTORY [--tracts 8766,9813] [--patches 13] [--bands g,r,i] [--visits 6] [--detectors 4] [--pixels 64]`, or `DIRECTORY --datasets N --no-files`. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ButlerfsError, asButlerfsError, exitStatusOf } from '../../common/errors.js';
import { SMALL, writeLargeRegistry, writeSmallRepository } from './repository.js';

const USAGE = 'make-repository DIRECTORY [--tracts 8766,9813] [--patches 13] [--bands g,r,i] [--visits 6] [--detectors 4] [--pixels 64]';
const USAGE_LARGE = 'make-repository DIRECTORY --datasets N --no-files';

function wrongUsage(why: string): ButlerfsError {
  return new ButlerfsError('usage', { what: why, advice: `use ${USAGE}, or ${USAGE_LARGE}` });
}

function count(name: string, text: string, highest: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > highest) throw wrongUsage(`--${name} takes a number up to ${highest}, not '${text}'`);
  return value;
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tracts: { type: 'string', default: SMALL.tracts.join() },
      patches: { type: 'string', default: String(SMALL.patches) },
      bands: { type: 'string', default: SMALL.bands.join() },
      visits: { type: 'string', default: String(SMALL.visits) },
      detectors: { type: 'string', default: String(SMALL.detectors) },
      pixels: { type: 'string', default: String(SMALL.pixels) },
      datasets: { type: 'string' },
      'no-files': { type: 'boolean', default: false },
    },
  });
  const [directory, ...rest] = positionals;
  if (directory === undefined || rest.length > 0) throw wrongUsage('one directory is needed');
  if (existsSync(join(directory, 'butler.yaml')) || existsSync(join(directory, 'gen3.sqlite3'))) {
    throw new ButlerfsError('usage', { what: `'${directory}' holds a repository already`, advice: 'name another directory' });
  }
  if (values.datasets !== undefined || values['no-files']) {
    if (values.datasets === undefined || !values['no-files']) throw wrongUsage('--datasets and --no-files go together');
    const datasets = count('datasets', values.datasets, 10_000_000);
    writeLargeRegistry(directory, datasets);
    process.stdout.write(`${directory}: ${datasets} datasets, no files\n`);
    return;
  }
  const bands = values.bands.split(',');
  if (bands.some((band) => !/^[a-z][a-z0-9]{0,3}$/.test(band))) throw wrongUsage(`--bands takes names like g,r,i, not '${values.bands}'`);
  const written = writeSmallRepository(directory, {
    tracts: values.tracts.split(',').map((tract) => count('tracts', tract, 19_999)),
    patches: count('patches', values.patches, 81),
    bands,
    visits: count('visits', values.visits, 100_000),
    detectors: count('detectors', values.detectors, 999),
    pixels: count('pixels', values.pixels, 20_000),
  });
  const bytes = written.reduce((sum, { size }) => sum + size, 0);
  process.stdout.write(`${directory}: ${written.length} datasets, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`);
}

try {
  main();
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const shown = isUsage ? wrongUsage(error.message) : asButlerfsError(error);
  process.stderr.write(`make-repository: ${shown.message}\n`);
  process.exitCode = exitStatusOf(shown);
}
