/** Damaged objects, set aside for people to look at. The oldest go when there are too many. */

import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from './contract.js';
import type { Layout } from './layout.js';

/** What is kept at most. */
const MOST_FILES = 10_000;
const MOST_BYTES = 2 ** 30;

/** Moves an object out of the way: the next reader fetches it again. */
export function quarantine(layout: Layout, path: string, { algorithm, hex }: Digest): void {
  renameSync(path, join(layout.quarantine, `${algorithm}-${hex}-${Date.now()}`));
}

export function quarantinedIn(layout: Layout): number {
  return namesIn(layout).length;
}

/** Removes the oldest until what is left is within bounds. Returns how many went. */
export function boundQuarantine(layout: Layout, { files = MOST_FILES, bytes = MOST_BYTES } = {}): number {
  const found = namesIn(layout)
    .map((name) => ({ name, at: Number(/-(\d+)$/.exec(name)?.[1] ?? 0) }))
    .sort((a, b) => b.at - a.at);
  let [kept, sum, gone] = [0, 0, 0];
  for (const { name } of found) {
    const path = join(layout.quarantine, name);
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isFile() !== true) continue;
    kept++;
    sum += info.size;
    if (kept <= files && sum <= bytes) continue;
    rmSync(path, { force: true });
    gone++;
  }
  return gone;
}

function namesIn({ quarantine }: Layout): string[] {
  try {
    return readdirSync(quarantine);
  } catch {
    return [];
  }
}
