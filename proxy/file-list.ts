/** Listings of a directory of this host. */

import { isUtf8 } from 'node:buffer';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteEntry } from './contract.js';

/** Entries that are looked at together. */
const LOOKED_AT_ONCE = 64;

/**
 * Entries of the directory at the real path `real`, sorted by name. Of links, what they lead to where that is below `root`; others, and what is neither file
 * nor directory, are left out, and so is what goes while it is looked at. Throws as the operating system does.
 */
export async function listLocalDirectory(real: string, root: string): Promise<RemoteEntry[]> {
  const entries: RemoteEntry[] = [];
  const found = await readdir(real, { withFileTypes: true, encoding: 'buffer' });
  for (let at = 0; at < found.length; at += LOOKED_AT_ONCE) {
    const looking = found.slice(at, at + LOOKED_AT_ONCE).map(async (entry) => {
      if (!isUtf8(entry.name)) return undefined;
      const name = entry.name.toString();
      const path = join(real, name);
      try {
        if (entry.isSymbolicLink() && !isBelow(root, await realpath(path))) return undefined;
        const info = await stat(path);
        if (!info.isFile() && !info.isDirectory()) return undefined;
        const kind: RemoteEntry['kind'] = info.isFile() ? 'file' : 'directory';
        return { name, kind, size: info.isFile() ? info.size : null, modified: Math.floor(info.mtimeMs) };
      } catch {
        return undefined;
      }
    });
    for (const entry of await Promise.all(looking)) if (entry !== undefined) entries.push(entry);
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isBelow(root: string, real: string): boolean {
  return root === '/' || real === root || real.startsWith(`${root}/`);
}
