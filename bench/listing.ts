/** Listing 100,000 datasets, cold and warm, against the same tree of sparse files on the disk. */

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeLargeRegistry } from '../scripts/repository/repository.js';
import { planVisits } from '../scripts/repository/dimensions.js';
import { mountRepository, temporaryHome } from '../test/support/mounted.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, dropCaches, report, sideBySide } from './harness.js';
import type { Row } from './harness.js';

const DATASETS = 100_000;
const COLD_RUNS = 3;
const WARM_RUNS = 3;
const TYPE = 'visitSummary';

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
  { what: `ls -lR over ${DATASETS} leaf directories`, command: 'ls -lR --color=never "$1"' },
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
  report(rows);
} finally {
  home.remove();
  removeDirectory(place);
}
