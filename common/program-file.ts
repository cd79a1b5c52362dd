/** Where this program is on the disk, wherever its modules were bundled to. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory of the nearest package.json above this module: that of the package, also when this runs from its source. */
export function projectDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const above = dirname(directory);
    if (above === directory) throw new Error(`no package.json above ${import.meta.url}`);
    directory = above;
  }
  return directory;
}

/**
 * A module that is started by itself, as a process or a thread: `programFile('mounts/index-worker.js')`. It is always the built one, also where this runs from
 * its source: a thread takes no TypeScript. Those that can be started are the entries of rolldown.config.js.
 */
export function programFile(entry: string): string {
  return join(projectDirectory(), 'dist', entry);
}
