/** Free space on the disk of the cache, and the floor that the cache leaves free. */

import { statfsSync } from 'node:fs';

/** Where nobody says: this share of the disk stays free, at most {@link LARGEST_DEFAULT_FLOOR}. */
const DEFAULT_FLOOR_SHARE = 0.05;
const LARGEST_DEFAULT_FLOOR = 10 * 1024 ** 3;

/** What a disk has, in bytes. */
export interface DiskSpace {
  /** Free for users without privileges. */
  readonly free: number;
  readonly total: number;
}

/** Undefined where the directory, or its disk, does not answer. */
export function diskSpace(directory: string): DiskSpace | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory);
    return { free: bavail * bsize, total: blocks * bsize };
  } catch {
    return undefined;
  }
}

/** The floor of a cache for which none is set. */
export function defaultFloor({ total }: Pick<DiskSpace, 'total'>): number {
  return Math.min(LARGEST_DEFAULT_FLOOR, Math.floor(total * DEFAULT_FLOOR_SHARE));
}
