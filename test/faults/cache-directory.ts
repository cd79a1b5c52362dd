/** What lies in a cache directory, looked at from outside. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Regular files below `directory`, which may change meanwhile. */
function files(directory: string): { readonly path: string; readonly bytes: number }[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const info = entry.isFile() ? statSync(path, { throwIfNoEntry: false }) : undefined;
    return info === undefined ? [] : [{ path, bytes: Math.min(info.size, info.blocks * 512) }];
  });
}

/** Bytes of everything that is content: whole, in parts (without their holes), and on its way. */
export function contentBytes(cache: string): number {
  const places = readdirSync(cache).filter((name) => ['objects', 'partial', 'temporary'].includes(name));
  return places.flatMap((place) => files(join(cache, place))).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Fetches under way, or what is left of them. */
export function temporaryFiles(cache: string): string[] {
  return readdirSync(join(cache, 'temporary'));
}

/** Objects whose bytes are not those of their name. One that is evicted meanwhile is none. */
export function damagedObjects(cache: string): string[] {
  return files(join(cache, 'objects'))
    .map(({ path }) => path)
    .filter((path) => {
      const algorithm = basename(dirname(dirname(path)));
      try {
        return createHash(algorithm).update(readFileSync(path)).digest('hex') !== basename(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      }
    });
}
