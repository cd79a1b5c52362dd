/**
 * Kept objects: content that is never evicted, by its digest, whatever its name or mount. (Pins, in `pins.ts`, are something else: they say what content without
 * a published digest must be.) Each is kept for somebody's sake: a path, or the digest as it was given. It is kept until the last of them lets go.
 *
 * One file of JSON lines, replaced whole under a lock.
 */

import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomically } from '../common/atomic.js';
import { sleep } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import type { Digest } from './contract.js';
import { formatDigest, parseDigest } from './digest.js';
import { parseJson, type Layout } from './layout.js';
import { lockExclusive } from './locks.js';

const lineSchema = z.object({ digest: z.string(), for: z.array(z.string()).min(1) });

/** Milliseconds to wait for another process that changes what is kept. */
const LOCK_WAIT = 30_000;

export interface KeepEntry {
  readonly digest: Digest;
  /** For whose sake: the same again changes nothing. */
  readonly holder: string;
}

/** Who holds each kept object, by its digest as {@link formatDigest} writes it. Lines that cannot be read are left out. */
export async function readKept(layout: Layout): Promise<Map<string, ReadonlySet<string>>> {
  const text = await readFile(layout.kept, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  const kept = new Map<string, ReadonlySet<string>>();
  for (const line of text.split('\n')) {
    const parsed = lineSchema.safeParse(parseJson(line));
    if (parsed.success && isReadable(parsed.data.digest)) kept.set(parsed.data.digest, new Set(parsed.data.for));
  }
  return kept;
}

/** Keeps objects, also ones that are not here yet. Returns how many were not kept before for that sake. Durable when it resolves. */
export async function keep(layout: Layout, entries: Iterable<KeepEntry>): Promise<number> {
  return await change(layout, (kept) => {
    let added = 0;
    for (const { digest, holder } of entries) {
      const name = formatDigest(digest);
      const holders = kept.get(name) ?? new Set();
      if (holders.has(holder)) continue;
      kept.set(name, new Set([...holders, holder]));
      added++;
    }
    return added;
  });
}

/** Lets go of objects; without a holder, for everybody's sake. Returns how many were let go. */
export async function letGo(
  layout: Layout,
  entries: Iterable<{ readonly digest: Digest; readonly holder?: string | undefined }>,
): Promise<number> {
  return await change(layout, (kept) => {
    let gone = 0;
    for (const { digest, holder } of entries) {
      const name = formatDigest(digest);
      const holders = kept.get(name);
      if (holders === undefined || (holder !== undefined && !holders.has(holder))) continue;
      const others = [...holders].filter((other) => holder !== undefined && other !== holder);
      if (others.length === 0) kept.delete(name);
      else kept.set(name, new Set(others));
      gone++;
    }
    return gone;
  });
}

async function change(layout: Layout, edit: (kept: Map<string, ReadonlySet<string>>) => number): Promise<number> {
  const lock = openSync(layout.keepLock, 'a', 0o600);
  try {
    const giveUp = performance.now() + LOCK_WAIT;
    while (!lockExclusive(lock)) {
      if (performance.now() > giveUp) {
        throw new ButlerfsError('cache-failed', {
          what: `changing what the cache ${layout.directory} keeps`,
          why: `another process holds ${layout.keepLock} for ${LOCK_WAIT / 1000} s`,
        });
      }
      await sleep(20);
    }
    const kept = await readKept(layout);
    const changed = edit(kept);
    const lines = [...kept].map(([digest, holders]) => `${JSON.stringify({ digest, for: [...holders] })}\n`);
    if (changed > 0) await writeFileAtomically(layout.kept, lines.join(''));
    return changed;
  } finally {
    closeSync(lock);
  }
}

function isReadable(text: string): boolean {
  try {
    return formatDigest(parseDigest(text)) === text;
  } catch {
    return false;
  }
}
