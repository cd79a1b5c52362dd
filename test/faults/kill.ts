/** Daemons that are killed while they fetch, one after the other, on one cache: nothing wrong may be in it, nothing may be left over, and its limit holds. */

import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { mountRepository, temporaryHome, type TestMount } from '../support/mounted.js';
import { Nginx } from '../support/nginx.js';
import { run } from '../support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { fileOf } from '../support/tree.js';
import { contentBytes, damagedObjects, temporaryFiles } from './cache-directory.js';
import { randomNumbers } from './random.js';
import { readingOf } from './reading.js';
import { FaultRepository, type Victim } from './repository.js';

const FILES = 60;
/** Files of a quarter of a MiB: the cache takes a third of them. */
const PIXELS = 256;
const LIMIT = 5 * 2 ** 20;
/** Those from this size on are read by chunk: half of the daemons do. */
const WHOLE_SIZE = 200_000;
const READERS = 6;
/** Milliseconds after the readers began in which a daemon is killed. */
const LATEST = 300;
/** Milliseconds for a cache to come back to its limit: what was just brought is kept for a moment, to be opened. */
const SETTLING = 15_000;

export interface KillReport {
  readonly kills: number;
  /** Readers that had the whole file, and readers that were told of an error. */
  readonly right: number;
  readonly failed: number;
  /** Times that a killed daemon left a file on its way, which the next had to remove. */
  readonly abandoned: number;
  /** What must not be; none is how it should be. */
  readonly violations: readonly string[];
}

/** Mounts, reads, kills; `count` times. Needs the built command. `say` hears of progress. */
export async function killDaemons(count: number, seed: number, say: (line: string) => void = () => undefined): Promise<KillReport> {
  const place = temporaryDirectory('faults-kill');
  const home = temporaryHome();
  const cache = join(home.directory, 'killed-cache');
  const report = { kills: 0, right: 0, failed: 0, abandoned: 0, violations: [] as string[] };
  const random = randomNumbers(seed);
  let nginx: Nginx | undefined;
  let mount: TestMount | undefined;
  try {
    const repository = new FaultRepository(join(place, 'repository'), FILES, PIXELS);
    const victims = repository.datasets.slice(0, FILES).map((dataset) => repository.victimOf(dataset));
    nginx = await Nginx.start(repository.directory, { rate: '4m' });
    const args = ['--cache', cache, '-o', `cache-size=${LIMIT},cache-free=0`];
    const start = async (byChunk: boolean): Promise<TestMount> => {
      const options = byChunk ? [...args, '-o', `whole-size=${WHOLE_SIZE}`] : args;
      return mountRepository(nginx!.url, { home, keepHome: true, args: options });
    };
    const read = async (on: TestMount, victim: Victim): Promise<void> => {
      const reading = await fileOf(on, victim.dataset).then(
        (file) => readingOf(file, victim.content),
        () => undefined,
      );
      if (reading?.outcome === 'wrong') report.violations.push(`${victim.path}: ${reading.bytes.length} bytes, not the right ones`);
      if (reading?.outcome === 'right') report.right++;
      else report.failed++;
    };
    const pick = (): Victim => victims[Math.floor(random() * victims.length)]!;
    for (let round = 0; round < count; round++) {
      mount = await start(round % 2 === 1);
      const { pid } = mount;
      if (round > 0)
        for (const name of temporaryFiles(cache)) report.violations.push(`temporary/${name} was left behind in round ${round}`);
      const reading = Array.from({ length: READERS }, () => read(mount!, pick()));
      await sleep(random() * LATEST);
      process.kill(pid, 'SIGKILL');
      report.kills++;
      await Promise.all(reading);
      if (temporaryFiles(cache).length > 0) report.abandoned++;
      // The command would take longer for it.
      await run('umount', ['-l', mount.path]);
      await mount.dispose();
      for (const path of damagedObjects(cache)) report.violations.push(`${path} is damaged after round ${round}`);
      if ((round + 1) % 20 === 0) say(`${round + 1} daemons killed`);
    }
    // The last is left alone: everything can be read, and the cache comes back to its limit.
    mount = await start(false);
    const failed = report.failed;
    for (const victim of victims) await read(mount, victim);
    if (report.failed > failed) report.violations.push(`${report.failed - failed} files cannot be read at the end`);
    await eventually('the cache coming back to its limit', () => contentBytes(cache) <= LIMIT, SETTLING).catch(() =>
      report.violations.push(`${contentBytes(cache)} bytes are in the cache, ${LIMIT} may be`),
    );
    await eventually('temporary files going', () => temporaryFiles(cache).length === 0).catch(() =>
      report.violations.push(`left at the end: ${temporaryFiles(cache).join(', ')}`),
    );
    await mount.unmount();
    mount = undefined;
    return report;
  } finally {
    await mount?.dispose();
    await nginx?.stop();
    home.remove();
    removeDirectory(place);
  }
}
