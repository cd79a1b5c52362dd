/** A repository of one large file. */

import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { INSTRUMENT, planVisits, writeInstrument, writeVisits } from '../scripts/repository/dimensions.js';
import { visitPath } from '../scripts/repository/paths.js';
import { RegistryWriter, butlerYaml } from '../scripts/repository/registry.js';
import { SURVEY_RUN } from '../scripts/repository/repository.js';

const TYPE = 'visitSummary';
const BLOCK = 2 ** 22;

/** Writes a repository of one dataset of `size` bytes, a multiple of 4 MiB, into `root`; gives the path of its file, relative to `root`. */
export function writeLargeRepository(root: string, size: number): string {
  const [visit] = planVisits(1, ['g']);
  const path = visitPath(SURVEY_RUN, TYPE, visit!);
  mkdirSync(dirname(join(root, path)), { recursive: true });
  const hash = createHash('blake2b512');
  const block = randomFillSync(Buffer.alloc(BLOCK));
  const file = openSync(join(root, path), 'w');
  for (let offset = 0; offset < size; offset += block.length) {
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
  registry.dataset({
    type,
    dataId: { instrument: INSTRUMENT, visit: visit!.id },
    run: SURVEY_RUN,
    path,
    size,
    checksum: hash.digest('hex'),
  });
  registry.close();
  writeFileSync(join(root, 'butler.yaml'), butlerYaml());
  return path;
}

/** The directory of that dataset on a mount. */
export function largeLeaf(mount: string): string {
  return join(mount, TYPE, `visit=${planVisits(1, ['g'])[0]!.id}`);
}
