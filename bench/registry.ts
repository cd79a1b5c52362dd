/**
 * Registries of 100,000 and a million datasets, or of as many as the arguments say (ten million take 20 GB of disk): what it takes to read one, to open what was made of it,
 * to list a directory, to find the datasets of a tract, and to take in what came since.
 */

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtCommand, mountRepository, temporaryHome } from '../test/support/mounted.js';
import type { Home } from '../test/support/mounted.js';
import { python } from '../test/support/python.js';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { SKYMAP } from '../scripts/repository/dimensions.js';
import { addDatasets, BANDS, generateRegistry, PATCHES } from './generated-registry.js';
import type { GeneratedRegistry } from './generated-registry.js';
import { diskDirectory, median, peakMemory, report, seconds, sideBySide } from './harness.js';
import type { Row } from './harness.js';
import type { WorkerReport } from './registry-worker.js';

/** What is promised: datasets a second, seconds to be ready, for one directory, and for a refresh, 300 MB in MiB, and a tenth of the butler's time for a query. */
const PROMISED_RATE = 100_000;
const PROMISED_READY = 1;
const PROMISED_MOUNT = 2;
const PROMISED_DIRECTORY = 0.002;
const PROMISED_REFRESH = 1;
/** Behind new data, which are there already. */
const PROMISED_SETTLED = 10;
const PROMISED_MEMORY = 300e6 / 2 ** 20;
const PROMISED_QUERY = 0.1;
const CAME = 1000;
const RUNS = 5;

const SIZES = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [100_000, 1_000_000];

const TYPE = 'deepCoadd_calexp';
/** The same question to the real butler: its command, and its library. */
const BUTLER_COMMAND = 'from lsst.daf.butler.cli.butler import main; main()';
const BUTLER_LIBRARY = `
import sys
from lsst.daf.butler import Butler
root, type, collection, where = sys.argv[1:]
for ref in Butler(root).query_datasets(type, collections=collection, where=where, limit=None):
    print(ref)
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
  const home = temporaryHome();
  try {
    rows.push(...(await measureCommands(home, root, generated, of)));
  } finally {
    home.remove();
  }
  addDatasets(generated, CAME);
  const refreshed = await work('refresh', root, catalogue, generated);
  const refresh = `take in ${CAME} datasets that came ${of.replace('of', 'to')}`;
  rows.push({ what: refresh, measured: refreshed.seconds, reference: PROMISED_REFRESH, unit: 's', ...promised });
  if (refreshed.isUnfinished === true) {
    const settled = await work('settle', root, catalogue, generated);
    rows.push({
      what: `then look for what went ${of.replace('of', 'from')}`,
      measured: settled.seconds,
      reference: PROMISED_SETTLED,
      unit: 's',
      ...promised,
    });
  }
  removeDirectory(root);
  return rows;
}

/** From the start of a process to its end. */
async function measureCommands(home: Home, root: string, { tract, collection }: GeneratedRegistry, of: string): Promise<Row[]> {
  const rows: Row[] = [];
  const asking = async (program: string, args: readonly string[]): Promise<number> => {
    let output = '';
    const taken = await seconds(async () => (output = await runSuccessfully(program, args, { timeout: 600_000, env: home.env })));
    const found = output.split('\n').filter((line) => line.includes(String(tract))).length;
    if (found !== PATCHES * BANDS.length) throw new Error(`${program} ${args.join(' ')} finds ${found} datasets`);
    return taken;
  };
  await runSuccessfully(process.execPath, [builtCommand(), 'index', root], { timeout: 1_800_000, env: home.env });
  const where = `skymap='${SKYMAP}' AND tract=${tract}`;
  const query = (): Promise<number> =>
    asking(process.execPath, [builtCommand(), 'query', TYPE, '--collections', collection, '--where', where, root]);
  const what = `butlerfs query, one tract ${of}`;
  const interpreter = python();
  if (interpreter === undefined) {
    process.stderr.write('no comparison with the real butler: BUTLERFS_TEST_PYTHON names no python3 that has it\n');
  } else {
    const run = (text: string, ...args: readonly string[]) => asking(interpreter, ['-W', 'ignore', '-c', text, ...args]);
    const command = (): Promise<number> =>
      run(BUTLER_COMMAND, 'query-datasets', root, TYPE, '--collections', collection, '--where', where, '--limit', '0');
    const library = (): Promise<number> => run(BUTLER_LIBRARY, root, TYPE, collection, where);
    const against = { unit: 's', limit: PROMISED_QUERY } as const;
    rows.push({ what, ...(await sideBySide(RUNS, query, command)), ...against, against: 'butler query-datasets' });
    rows.push({ what, ...(await sideBySide(RUNS, query, library)), ...against, against: 'Butler.query_datasets' });
  }
  const memory: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    const mount = await mountRepository(root, { home, keepHome: true, args: ['--collections', collection] });
    ready.push((performance.now() - started) / 1000);
    try {
      for (let number = tract; number < tract + 20; number++) readdirSync(join(mount.path, TYPE, `tract=${number}`, 'patch=0'));
      memory.push(peakMemory(mount.pid));
    } finally {
      await mount.unmount();
    }
  }
  rows.push({
    what: `mount and status ${of}`,
    measured: median(ready),
    reference: PROMISED_MOUNT,
    unit: 's',
    against: 'the promise',
    limit: 1,
  });
  const most = Math.max(...memory);
  rows.push({ what: 'memory of its daemon', measured: most, reference: PROMISED_MEMORY, unit: 'MiB', against: 'the promise', limit: 1 });
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
