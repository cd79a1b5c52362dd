/** Goes through what a cache holds: objects, and the parts of large ones. Nothing is remembered of it: the directory is the truth. */

import { closeSync, fstatSync, openSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DIGEST_ALGORITHMS, type Digest } from './contract.js';
import { formatDigest, isDigest } from './digest.js';
import type { Layout } from './layout.js';
import { lockExclusive } from './locks.js';

/** Files looked at before others get a turn: about a millisecond. */
const SLICE = 256;
/** Bytes of a block as stat(2) counts them. */
const BLOCK = 512;
const DATA = '.data';

export interface Stored {
  readonly kind: 'object' | 'partial';
  /** `algorithm:hex` of an object; of a partial one what its files are named by. */
  readonly name: string;
  /** The file whose lock counts. */
  readonly path: string;
  /** Bytes that it takes: of a partial one those of the blocks that are there. */
  readonly size: number;
  /** Milliseconds since 1970 of its last use. */
  readonly touched: number;
}

/** Everything that is there, in no order that means anything. Ends early when `signal` fires. */
export async function* scanStored(layout: Layout, signal?: AbortSignal): AsyncGenerator<Stored, void, undefined> {
  let looked = 0;
  for await (const found of scanObjects(layout)) {
    yield found;
    if (++looked % SLICE === 0) await nextTurn();
    if (signal?.aborted === true) return;
  }
  for await (const found of scanPartial(layout)) {
    yield found;
    if (++looked % SLICE === 0) await nextTurn();
    if (signal?.aborted === true) return;
  }
}

/** The directories below objects/ that there are: `<algorithm>/<2 hex>`, sorted. */
export async function objectGroups(layout: Layout): Promise<string[]> {
  const groups = DIGEST_ALGORITHMS.map(async (algorithm) => {
    return (await namesIn(join(layout.objects, algorithm))).map((group) => `${algorithm}/${group}`);
  });
  return (await Promise.all(groups)).flat().sort();
}

/** The objects of one group, as {@link objectGroups} names it. */
export async function* scanGroup(layout: Layout, group: string): AsyncGenerator<Stored & { readonly digest: Digest }, void, undefined> {
  const directory = join(layout.objects, group);
  const algorithm = DIGEST_ALGORITHMS.find((name) => group.startsWith(`${name}/`));
  if (algorithm === undefined) return;
  for (const hex of await namesIn(directory)) {
    const digest = { algorithm, hex };
    if (!isDigest(digest)) continue;
    const path = `${directory}/${hex}`;
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isFile() === true) yield { kind: 'object', name: formatDigest(digest), path, size: info.size, touched: info.mtimeMs, digest };
  }
}

async function* scanObjects(layout: Layout): AsyncGenerator<Stored, void, undefined> {
  for (const group of await objectGroups(layout)) yield* scanGroup(layout, group);
}

async function* scanPartial(layout: Layout): AsyncGenerator<Stored, void, undefined> {
  for (const name of await namesIn(layout.partial)) {
    if (!name.endsWith(DATA)) continue;
    const path = join(layout.partial, name);
    const data = statSync(path, { throwIfNoEntry: false });
    if (data?.isFile() !== true) continue;
    const map = statSync(mapOf(path), { throwIfNoEntry: false });
    const size = (data.blocks + (map?.blocks ?? 0)) * BLOCK;
    yield { kind: 'partial', name: name.slice(0, -DATA.length), path, size, touched: data.mtimeMs };
  }
}

/** Removes what was found, unless it is in use, or was used or replaced since. */
export function removeStored({ kind, path, touched }: Stored): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (!lockExclusive(fd)) return false;
    const info = fstatSync(fd);
    if (info.nlink === 0 || info.mtimeMs !== touched || statSync(path).ino !== info.ino) return false;
    unlinkSync(path);
    if (kind === 'partial') rmSync(mapOf(path), { force: true });
    return true;
  } catch {
    // Another went first, or the disk does not let it go: the next look sees it again.
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function mapOf(data: string): string {
  return `${data.slice(0, -DATA.length)}.map`;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
