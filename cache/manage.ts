/** A cache directory as a thing to look at and to manage, beside the processes that use it or without any. */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { formatDigest } from './digest.js';
import type { Digest } from './contract.js';
import { Evictor } from './evict.js';
import { Growth } from './growth.js';
import { readKept } from './kept.js';
import type { Layout } from './layout.js';
import { originMark } from './marks.js';
import { quarantinedIn } from './quarantine.js';
import { removeStored, scanStored, type Stored } from './scan.js';
import { defaultFloor, diskSpace } from './space.js';

export interface Listed extends Stored {
  /** Where it came from; undefined where nothing says it. */
  readonly origin: string | undefined;
  /** For whose sake it is kept from eviction. */
  readonly keptFor: readonly string[];
}

/** Everything that is there, in no order that means anything. */
export async function* listCache(layout: Layout): AsyncGenerator<Listed, void, undefined> {
  const kept = await readKept(layout);
  for await (const found of scanStored(layout)) {
    yield { ...found, origin: originMark(found.path), keptFor: [...(kept.get(found.name) ?? [])] };
  }
}

/** Sizes in bytes. */
export interface CacheTotalsOnDisk {
  readonly directory: string;
  readonly objects: number;
  readonly objectBytes: number;
  /** Large objects of which parts are here. */
  readonly partial: number;
  readonly partialBytes: number;
  readonly kept: number;
  readonly keptBytes: number;
  /** Kept for somebody's sake, and not here. */
  readonly keptMissing: number;
  readonly quarantined: number;
  /** Null where the disk does not answer. */
  readonly free: number | null;
  /** The floor for mounts that set none. */
  readonly defaultFloor: number | null;
}

export async function totalsOnDisk(layout: Layout): Promise<CacheTotalsOnDisk> {
  const kept = await readKept(layout);
  let [objects, objectBytes, partial, partialBytes, keptCount, keptBytes] = [0, 0, 0, 0, 0, 0];
  for await (const { kind, name, size } of scanStored(layout)) {
    if (kind === 'partial') {
      partial++;
      partialBytes += size;
      continue;
    }
    objects++;
    objectBytes += size;
    if (!kept.has(name)) continue;
    keptCount++;
    keptBytes += size;
  }
  const space = diskSpace(layout.directory);
  return {
    directory: layout.directory,
    objects,
    objectBytes,
    partial,
    partialBytes,
    kept: keptCount,
    keptBytes,
    keptMissing: kept.size - keptCount,
    quarantined: quarantinedIn(layout),
    free: space?.free ?? null,
    defaultFloor: space === undefined ? null : defaultFloor(space),
  };
}

/** Evicts what was used longest ago until at most `bytes` are left, or what is left is kept or in use. Returns how many went. */
export async function evictTo(layout: Layout, bytes: number): Promise<number> {
  const evictor = new Evictor(layout, {
    limit: Infinity,
    onError: (error) => {
      throw error;
    },
  });
  try {
    return await evictor.evictTo(bytes);
  } finally {
    await evictor.close();
  }
}

export interface EvictReport {
  readonly evicted: number;
  readonly bytes: number;
  /** Not evicted because they are kept, or open somewhere. */
  readonly kept: number;
  readonly inUse: number;
  readonly absent: number;
}

/** Evicts these objects. */
export async function evictObjects(layout: Layout, digests: Iterable<Digest>): Promise<EvictReport> {
  const report = { evicted: 0, bytes: 0, kept: 0, inUse: 0, absent: 0 };
  const keptNames = await readKept(layout);
  const growth = new Growth(layout.growth);
  try {
    for (const digest of digests) {
      const [name, path] = [formatDigest(digest), layout.object(digest)];
      const info = statSync(path, { throwIfNoEntry: false });
      if (info === undefined) report.absent++;
      else if (keptNames.has(name)) report.kept++;
      else if (removeStored({ kind: 'object', name, path, size: info.size, touched: info.mtimeMs })) {
        report.evicted++;
        report.bytes += info.size;
        growth.append({ bytes: -info.size, objects: -1 });
      } else report.inUse++;
    }
  } finally {
    growth.close();
  }
  return report;
}

/** Whether the directory holds a cache: nothing is made of one that does not. */
export function isCache(layout: Layout): boolean {
  return statSync(join(layout.directory, 'layout.json'), { throwIfNoEntry: false })?.isFile() === true;
}
