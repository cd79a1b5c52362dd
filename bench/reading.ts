/** Reading a file of 1 GiB that is in the cache, from start to end and in random pages, against the same file on the disk. */

import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INSTRUMENT, planVisits, writeInstrument, writeVisits } from '../scripts/repository/dimensions.js';
import { visitPath } from '../scripts/repository/paths.js';
import { RegistryWriter, butlerYaml } from '../scripts/repository/registry.js';
import { SURVEY_RUN } from '../scripts/repository/repository.js';
import { mountRepository } from '../test/support/mounted.js';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, report, sideBySide } from './harness.js';
import type { Row } from './harness.js';

const SIZE = 2 ** 30;
const RUNS = 5;
const TYPE = 'visitSummary';
const READER = join(dirname(fileURLToPath(import.meta.url)), 'reader.js');

/** A repository of one dataset of {@link SIZE} bytes; gives the path of its file. */
function writeRepository(root: string): string {
  const [visit] = planVisits(1, ['g']);
  const path = visitPath(SURVEY_RUN, TYPE, visit!);
  mkdirSync(dirname(join(root, path)), { recursive: true });
  const hash = createHash('blake2b512');
  const block = randomFillSync(Buffer.alloc(2 ** 24));
  const file = openSync(join(root, path), 'w');
  for (let offset = 0; offset < SIZE; offset += block.length) {
    block.writeUInt32LE(offset / block.length, 0);
    hash.update(block);
    writeSync(file, block);
  }
  closeSync(file);
  const registry = new RegistryWriter(join(root, 'gen3.sqlite3'));
  registry.run(SURVEY_RUN);
  const type = registry.datasetType(TYPE, 'ExposureCatalog', ['instrument', 'visit']);
  writeInstrument(registry, ['g'], [0]);
  writeVisits(registry, [visit!]);
  const dataId = { instrument: INSTRUMENT, visit: visit!.id };
  registry.dataset({ type, dataId, run: SURVEY_RUN, path, size: SIZE, checksum: hash.digest('hex') });
  registry.close();
  writeFileSync(join(root, 'butler.yaml'), butlerYaml());
  return join(root, path);
}

async function read(file: string, order: 'sequential' | 'random'): Promise<number> {
  return Number(await runSuccessfully(process.execPath, [READER, file, order], { timeout: 120_000 }));
}

const place = diskDirectory();
try {
  const original = writeRepository(join(place, 'repository'));
  const reference = join(place, 'reference');
  copyFileSync(original, reference);
  const mount = await mountRepository(join(place, 'repository'), { args: ['--cache', join(place, 'cache')] });
  try {
    const leaf = join(mount.path, TYPE, `visit=${planVisits(1, ['g'])[0]!.id}`);
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
