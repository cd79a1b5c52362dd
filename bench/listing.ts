/** Listing 100,000 datasets, cold and warm, against the same tree of sparse files on the disk. */

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeLargeRegistry } from '../scripts/repository/repository.js';
import { planVisits } from '../scripts/repository/dimensions.js';
import { mountRepository, temporaryHome } from '../test/support/mounted.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, dropCaches, operation, report, roundTrips, sideBySide } from './harness.js';
import type { Row } from './harness.js';

const DATASETS = 100_000;
const COLD_RUNS = 3;
const WARM_RUNS = 3;
/** Of what takes a tenth of a second. */
const SHORT_RUNS = 15;
const TYPE = 'visitSummary';
/** Looked at one by one. */
const STATS = 20_000;
let serial = 0;

/** The tree that the mount shows, as directories and sparse files. */
function writeReferenceTree(root: string): void {
  for (const { id } of planVisits(DATASETS, ['g'])) {
    const directory = join(root, TYPE, `visit=${id}`);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `${TYPE}_${id}.fits`);
    writeFileSync(file, '');
    truncateSync(file, 28_800);
  }
}

const COMMANDS: readonly { readonly what: string; readonly command: string; readonly limit?: number }[] = [
  { what: `ls -l of one directory with ${DATASETS} entries`, command: 'ls -l --color=never "$1"', limit: 1.5 },
  { what: `find over ${DATASETS} leaf directories`, command: 'find "$1" -type f' },
  { what: `ls -lR over ${DATASETS} leaf directories`, command: 'ls -lR --color=never "$1"', limit: 1 },
];

const place = diskDirectory();
const home = temporaryHome();
try {
  const repository = join(place, 'repository');
  const reference = join(place, 'reference');
  writeLargeRegistry(repository, DATASETS);
  writeReferenceTree(reference);
  const rows: Row[] = [];
  // The first mount makes the catalogue.
  await (await mountRepository(repository, { home, keepHome: true })).unmount();

  for (const { what, command, limit } of COMMANDS) {
    const cold = await sideBySide(
      COLD_RUNS,
      async () => {
        const mount = await mountRepository(repository, { home, keepHome: true });
        try {
          await dropCaches();
          return await commandSeconds(command, join(mount.path, TYPE));
        } finally {
          await mount.dispose();
        }
      },
      async () => {
        await dropCaches();
        return commandSeconds(command, join(reference, TYPE));
      },
    );
    rows.push({ what: `${what}, cold`, ...cold, unit: 's', against: 'ext4', ...(limit === undefined ? {} : { limit }) });
    const mount = await mountRepository(repository, { home, keepHome: true });
    try {
      await commandSeconds(command, join(mount.path, TYPE));
      const warm = await sideBySide(
        WARM_RUNS,
        () => commandSeconds(command, join(mount.path, TYPE)),
        () => commandSeconds(command, join(reference, TYPE)),
      );
      rows.push({ what: `${what}, warm`, ...warm, unit: 's', against: 'ext4' });
    } finally {
      await mount.dispose();
    }
  }
  // At least 0.8 of the rate of ext4 cold, 0.95 warm.
  const list = (root: string): string => {
    const file = join(place, `list-${serial++}`);
    writeFileSync(
      file,
      planVisits(STATS, ['g'])
        .map(({ id }) => join(root, TYPE, `visit=${id}`))
        .join('\n'),
    );
    return file;
  };
  const referenceList = list(reference);
  let last = await mountRepository(repository, { home, keepHome: true });
  const cold = await sideBySide(
    COLD_RUNS,
    async () => {
      await last.dispose();
      last = await mountRepository(repository, { home, keepHome: true });
      await dropCaches();
      return operation('stat', list(last.path));
    },
    async () => {
      await dropCaches();
      return operation('stat', referenceList);
    },
  );
  const what = `stat of ${STATS} different directories`;
  const floor = await roundTrips(place, STATS);
  // Each costs the kernel one question, and its caller one waking up: half a round trip. Where that takes longer than promised, no daemon can keep it.
  const isPossible = (floor / 2) * 0.8 <= cold.reference;
  rows.push({ what: `${what}, cold`, ...cold, unit: 's', against: 'ext4', ...(isPossible ? { limit: 1 / 0.8 } : {}) });
  rows.push({
    what: `${what}, cold`,
    measured: cold.measured,
    reference: floor,
    unit: 's',
    against: 'as many round trips',
    ...(isPossible ? {} : { limit: 1.2 }),
  });
  try {
    const known = list(last.path);
    await operation('stat', known);
    const warm = await sideBySide(
      SHORT_RUNS,
      () => operation('stat', known),
      () => operation('stat', referenceList),
    );
    rows.push({ what: `${what}, warm`, ...warm, unit: 's', against: 'ext4', limit: 1 / 0.95 });
  } finally {
    await last.dispose();
  }
  report(rows);
} finally {
  home.remove();
  removeDirectory(place);
}
