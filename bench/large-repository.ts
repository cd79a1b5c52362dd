/** A repository of one large file. */

import { join } from 'node:path';
import { planVisits } from '../scripts/repository/dimensions.js';
import { writeLargeFiles } from '../scripts/repository/repository.js';

/** Writes a repository of one dataset of `size` bytes into `root`; gives the path of its file, relative to `root`. */
export function writeLargeRepository(root: string, size: number): string {
  const [written] = writeLargeFiles(root, 1, size);
  return written!.path;
}

/** The directory of that dataset on a mount. */
export function largeLeaf(mount: string): string {
  return join(mount, 'visitSummary', `visit=${planVisits(1, ['g'])[0]!.id}`);
}
