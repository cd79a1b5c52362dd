/** `butlerfs cache evict` and `butlerfs cache pin` */

import { keep, letGo } from '../cache/kept.js';
import { evictObjects, evictTo } from '../cache/manage.js';
import { ButlerfsError } from '../common/errors.js';
import { formatSize, parseSize } from '../mounts/units.js';
import { findObjects, openCacheDirectory } from './cache-target.js';
import { interruptSignal } from './exit.js';
import { print, remark } from './output.js';

interface EvictFlags {
  readonly cache?: string;
  readonly to?: string;
  readonly all?: boolean;
}

export async function evict(paths: readonly string[], { cache, to, all }: EvictFlags): Promise<void> {
  const asked = [paths.length > 0, to !== undefined, all === true].filter(Boolean).length;
  if (asked !== 1) throw new ButlerfsError('usage', { what: 'cache evict', why: 'it takes either paths, or --to SIZE, or --all' });
  if (paths.length === 0) {
    const target = to === undefined ? 0 : parseSize(to, '--to', { allowZero: true });
    const evicted = await evictTo(await openCacheDirectory(cache), target);
    return await print(`${evicted} evicted\n`);
  }
  for (const { layout, objects, unknown } of await findObjects(paths, cache, interruptSignal())) {
    const { evicted, bytes, kept, inUse, absent } = await evictObjects(
      layout,
      objects.map(({ digest }) => digest),
    );
    const others = [
      [kept, 'kept'],
      [inUse, 'in use'],
      [absent + unknown.length, 'not here'],
    ] as const;
    const rest = others.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`);
    await print(`${evicted} evicted (${formatSize(bytes)})${rest.join('')}\n`);
  }
}

export async function pin(
  paths: readonly string[],
  { cache, unpin }: { readonly cache?: string; readonly unpin?: boolean },
): Promise<void> {
  let unknownFiles = 0;
  for (const { layout, objects, unknown } of await findObjects(paths, cache, interruptSignal())) {
    const changed = unpin === true ? await letGo(layout, objects) : await keep(layout, objects);
    await print(
      unpin === true
        ? `${changed} unpinned\n`
        : `${changed} pinned${changed < objects.length ? `, ${objects.length - changed} were` : ''}\n`,
    );
    for (const path of unknown) remark(`${path}: no digest is published, and it is not in the cache`);
    unknownFiles += unknown.length;
  }
  if (unknownFiles === 0 || unpin === true) return;
  throw new ButlerfsError('unsupported', {
    what: `${unknownFiles} files cannot be pinned`,
    why: 'nobody knows their digests before they are fetched',
    advice: 'butlerfs prefetch them first',
  });
}
