/** Reading a file of 1 GiB that is in the cache, from start to end and in random pages, against the same file on the disk. */

import { copyFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mountRepository } from '../test/support/mounted.js';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, report, sideBySide } from './harness.js';
import type { Row } from './harness.js';
import { largeLeaf, writeLargeRepository } from './large-repository.js';

const SIZE = 2 ** 30;
const RUNS = 5;
const READER = join(dirname(fileURLToPath(import.meta.url)), 'reader.js');

async function read(file: string, order: 'sequential' | 'random'): Promise<number> {
  return Number(await runSuccessfully(process.execPath, [READER, file, order], { timeout: 120_000 }));
}

const place = diskDirectory();
try {
  const original = join(place, 'repository', writeLargeRepository(join(place, 'repository'), SIZE));
  const reference = join(place, 'reference');
  copyFileSync(original, reference);
  const mount = await mountRepository(join(place, 'repository'), { args: ['--cache', join(place, 'cache')] });
  try {
    const leaf = largeLeaf(mount.path);
    const file = join(leaf, readdirSync(leaf)[0]!);
    const rows: Row[] = [];
    const first = await commandSeconds('cat "$1"', file);
    const copy = await commandSeconds('cp "$1" "$2" && sync "$2" && b2sum "$2"', original, join(place, 'copy'));
    rows.push({
      what: 'first read of 1 GiB: fetched, checked, kept',
      measured: first,
      reference: copy,
      unit: 's',
      against: 'cp, sync, b2sum',
    });
    await read(file, 'sequential');
    await read(reference, 'sequential');
    for (const order of ['sequential', 'random'] as const) {
      const what = order === 'sequential' ? '1 GiB in order, 1 MiB a read, warm' : '200,000 random pages of 4 KiB, warm';
      const medians = await sideBySide(
        RUNS,
        () => read(file, order),
        () => read(reference, order),
      );
      // At least 0.95 and 0.9 of the speed of ext4.
      rows.push({ what, ...medians, unit: 's', against: 'ext4', limit: order === 'sequential' ? 1 / 0.95 : 1 / 0.9 });
    }
    report(rows);
  } finally {
    await mount.dispose();
  }
} finally {
  removeDirectory(place);
}
