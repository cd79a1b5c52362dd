/**
 * Registries of 100,000 and a million datasets, and of ten million with `BUTLERFS_BENCH_SCALE=large` (20 GB of disk): what it takes to read one, to open what was made of
 * it, to list a directory, and to take in what came since. `BUTLERFS_BENCH_SCALE=10000000` is that size alone.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { python, pythonJson } from '../test/support/python.js';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { addDatasets, generateRegistry } from './generated-registry.js';
import type { GeneratedRegistry } from './generated-registry.js';
import { diskDirectory, report } from './harness.js';
import type { Row } from './harness.js';
import type { WorkerReport } from './registry-worker.js';

/** What is promised: datasets a second, seconds to be ready, for one directory, and for a refresh, and 300 MB in MiB. */
const PROMISED_RATE = 100_000;
const PROMISED_READY = 1;
const PROMISED_DIRECTORY = 0.002;
const PROMISED_REFRESH = 1;
const PROMISED_MEMORY = 300e6 / 2 ** 20;
const CAME = 1000;

const scale = process.env['BUTLERFS_BENCH_SCALE'] ?? '';
const SIZES = /^\d+$/.test(scale) ? [Number(scale)] : [100_000, 1_000_000, ...(scale === 'large' ? [10_000_000] : [])];

const BUTLER = `
import json, sys, time
from lsst.daf.butler import Butler
root, tract, collection = sys.argv[1:]
butler = Butler(root)
started = time.monotonic()
found = butler.query_datasets('deepCoadd_calexp', collections=collection, where=f"skymap = 'demo_rings' and tract = {tract}", limit=None)
print(json.dumps([len(found), time.monotonic() - started]))
`;

async function work(what: string, root: string, catalogue: string, { tract, collection }: GeneratedRegistry): Promise<WorkerReport> {
  const program = fileURLToPath(new URL('./registry-worker.js', import.meta.url));
  const args = [program, what, root, catalogue, String(tract), collection];
  return JSON.parse(await runSuccessfully(process.execPath, args, { timeout: 1_800_000 })) as WorkerReport;
}

async function measure(place: string, size: number): Promise<Row[]> {
  const root = join(place, String(size));
  mkdirSync(root);
  const catalogue = join(place, `${size}.sqlite3`);
  const generated = generateRegistry(root, size);
  const promised = { against: 'the promise', limit: 1 };
  const of = `of ${size} datasets`;
  const made = await work('import', root, catalogue, generated);
  const rows: Row[] = [
    { what: `read a registry ${of}`, measured: made.seconds, reference: generated.datasets / PROMISED_RATE, unit: 's', ...promised },
    { what: 'its memory', measured: made.memory, reference: PROMISED_MEMORY, unit: 'MiB', ...promised },
  ];
  const opened = await work('open', root, catalogue, generated);
  rows.push({ what: `open a catalogue ${of}`, measured: opened.seconds, reference: PROMISED_READY, unit: 's', ...promised });
  const listed = await work('directories', root, catalogue, generated);
  rows.push({ what: `one directory of 81 patches ${of}`, measured: listed.seconds, reference: PROMISED_DIRECTORY, unit: 's', ...promised });
  rows.push({ what: 'its memory', measured: listed.memory, reference: PROMISED_MEMORY, unit: 'MiB', ...promised });
  if (python() !== undefined) {
    const [, seconds] = (await pythonJson(BUTLER, [root, String(generated.tract), generated.collection])) as [number, number];
    const query = await work('query', root, catalogue, generated);
    rows.push({ what: `datasets of one tract ${of}`, measured: query.seconds, reference: seconds, unit: 's', against: 'butler', limit: 1 });
  }
  addDatasets(generated, CAME);
  const refreshed = await work('refresh', root, catalogue, generated);
  const refresh = `take in ${CAME} datasets that came ${of.replace('of', 'to')}`;
  rows.push({ what: refresh, measured: refreshed.seconds, reference: PROMISED_REFRESH, unit: 's', ...promised });
  removeDirectory(root);
  return rows;
}

const place = diskDirectory();
try {
  const rows: Row[] = [];
  for (const size of SIZES) rows.push(...(await measure(place, size)));
  report(rows);
} finally {
  removeDirectory(place);
}
