/** From the command to an answering mount, with the catalogue of 100,000 datasets already made; and the daemon's memory. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeLargeRegistry } from '../scripts/repository/repository.js';
import { mountRepository, temporaryHome } from '../test/support/mounted.js';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, peakMemory, report, seconds, sideBySide } from './harness.js';
import type { Row } from './harness.js';

const DATASETS = 100_000;
/** What is promised: seconds to the first answer, and 250 MB in MiB. */
const PROMISED_SECONDS = 2;
const PROMISED_MEMORY = 250e6 / 2 ** 20;
const RUNS = 5;

const place = diskDirectory();
const home = temporaryHome();
try {
  const repository = join(place, 'repository');
  writeLargeRegistry(repository, DATASETS);
  const rows: Row[] = [];
  const bareNode = async (): Promise<number> => commandSeconds(`"${process.execPath}" -e 0`);
  const index = await seconds(async () => (await mountRepository(repository, { home, keepHome: true })).dispose());
  rows.push({
    what: `first mount: catalogue of ${DATASETS} datasets made`,
    measured: index,
    reference: await bareNode(),
    unit: 's',
    against: 'bare node',
  });
  const memory: number[] = [];
  const start = await sideBySide(
    RUNS,
    async () => {
      const mountPoint = join(place, 'mnt');
      await runSuccessfully('mkdir', ['-p', mountPoint]);
      const taken = await seconds(async () => {
        const result = await home.cli(['mount', repository, mountPoint]);
        if (result.status !== 0) throw new Error(result.stderr);
        await readdir(mountPoint);
      });
      try {
        const { stdout } = await home.cli(['status', mountPoint, '--json']);
        await commandSeconds('ls -l --color=never "$1"', join(mountPoint, 'visitSummary'));
        await commandSeconds('find "$1" -type f', join(mountPoint, 'visitSummary'));
        memory.push(peakMemory((JSON.parse(stdout) as { pid: number }).pid));
      } finally {
        await home.cli(['umount', mountPoint]);
      }
      return taken;
    },
    bareNode,
  );
  const first = 'mount with the catalogue made, to the first answer';
  rows.push({ what: first, ...start, unit: 's', against: 'bare node' });
  rows.push({ what: first, measured: start.measured, reference: PROMISED_SECONDS, unit: 's', against: 'the promise', limit: 1 });
  const bareMemory = Number(
    await runSuccessfully(process.execPath, ['-e', 'process.stdout.write(String(process.resourceUsage().maxRSS / 1024))']),
  );
  const peak = {
    what: `peak memory of the daemon, after ls -l and find of ${DATASETS} entries`,
    measured: Math.max(...memory),
    unit: 'MiB',
  } as const;
  rows.push({ ...peak, reference: bareMemory, against: 'bare node' });
  rows.push({ ...peak, reference: PROMISED_MEMORY, against: 'the promise', limit: 1 });
  report(rows);
} finally {
  home.remove();
  removeDirectory(place);
}
