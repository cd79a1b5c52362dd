/**
 * Where things are in a cache directory:
 *
 *     layout.json                      {"layout":1}
 *     objects/<algorithm>/<2 hex>/<hex>  verified content under its digest
 *     pins/<2 hex>/<sha256>            what the first fetch of content without a published digest brought (JSON, {@link Pin});
 *                                      named by the SHA-256 of origin, member, identity and part
 *     temporary/<pid>-<start>-<n>.part fetches under way; the process that writes one holds a shared lock on it
 *     partial/<name>.data, <name>.map  large objects of which only parts are here (`cache/partial/`)
 *     unsynced/<pid>-<start>-<n>       since when the process publishes objects that may not be on the disk yet (`cache/unsynced.ts`)
 *     quarantine/                      objects found damaged, for people to look at; the oldest go when there are too many
 *     kept                             objects that are never evicted, and for whose sake (JSON lines, `cache/kept.ts`)
 *     growth                           what processes added and evicted lately (`cache/growth.ts`)
 *     scrub.json                       how far the background scrub has come (`cache/scrub-schedule.ts`)
 *     evict.lock, keep.lock, scrub.lock  each held exclusively by the one process that evicts, changes kept, scrubs
 */

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { temporaryBeside } from '../common/atomic.js';
import { ButlerfsError } from '../common/errors.js';
import { DIGEST_ALGORITHMS, type Digest, type ObjectRequest } from './contract.js';
import { isDigest } from './digest.js';
import { diskError } from './errors.js';
import { partKey } from './fits/request.js';

const LAYOUT = 1;
const layoutSchema = z.object({ layout: z.literal(LAYOUT) });

export const pinSchema = z.object({
  origin: z.string(),
  member: z.string().nullable(),
  identity: z.string(),
  /** {@link partKey}, of a part of a file. */
  part: z.string().optional(),
  /** The origin's validator at the first fetch; null where it gave none. */
  validator: z.string().nullable(),
  /** Bytes. */
  size: z.int().nonnegative(),
  digest: z.object({ algorithm: z.enum(DIGEST_ALGORITHMS), hex: z.string() }).refine(isDigest),
});
/** What content without a published digest was pinned to. */
export type Pin = Readonly<z.infer<typeof pinSchema>>;

/** Names the pin of a request. Distinct for distinct (origin, member, identity, part). */
export function pinName(request: ObjectRequest): string {
  const { origin, member = null, identity } = request;
  const part = partKey(request);
  const names = [origin, member, identity, ...(part === undefined ? [] : [part])];
  return createHash('sha256').update(JSON.stringify(names)).digest('hex');
}

export class Layout {
  readonly directory: string;
  readonly objects: string;
  readonly pins: string;
  readonly temporary: string;
  readonly quarantine: string;
  readonly unsynced: string;
  readonly partial: string;
  readonly kept: string;
  readonly growth: string;
  readonly scrubState: string;
  readonly evictLock: string;
  readonly keepLock: string;
  readonly scrubLock: string;

  constructor(directory: string) {
    this.directory = directory;
    this.objects = join(directory, 'objects');
    this.pins = join(directory, 'pins');
    this.temporary = join(directory, 'temporary');
    this.quarantine = join(directory, 'quarantine');
    this.partial = join(directory, 'partial');
    this.unsynced = join(directory, 'unsynced');
    this.kept = join(directory, 'kept');
    this.growth = join(directory, 'growth');
    this.scrubState = join(directory, 'scrub.json');
    this.evictLock = join(directory, 'evict.lock');
    this.keepLock = join(directory, 'keep.lock');
    this.scrubLock = join(directory, 'scrub.lock');
  }

  /** `digest` must have passed {@link isDigest}. */
  object({ algorithm, hex }: Digest): string {
    return `${this.objects}/${algorithm}/${hex.slice(0, 2)}/${hex}`;
  }

  /** `name` as {@link pinName} makes it. */
  pin(name: string): string {
    return `${this.pins}/${name.slice(0, 2)}/${name}`;
  }
}

/** Makes the directories that are missing and checks that the cache is of this layout. Throws `cache-failed` or `cache-full`. */
export function prepareLayout(directory: string): Layout {
  const layout = new Layout(directory);
  try {
    const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Private whatever the umask: what repositories with passwords gave is not for everybody on this host.
    if (made !== undefined) chmodSync(directory, 0o700);
    for (const name of [layout.objects, layout.pins, layout.temporary, layout.quarantine])
      mkdirSync(name, { recursive: true, mode: 0o700 });
    checkVersion(directory);
  } catch (error) {
    throw diskError(error, `opening the cache ${directory}`, directory);
  }
  return layout;
}

function checkVersion(directory: string): void {
  const file = join(directory, 'layout.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const temporary = temporaryBeside(file);
    writeFileSync(temporary, `${JSON.stringify({ layout: LAYOUT })}\n`);
    renameSync(temporary, file);
    return;
  }
  if (layoutSchema.safeParse(parseJson(text)).success) return;
  throw new ButlerfsError('cache-failed', {
    what: `the cache ${directory}`,
    why: `${file} does not say layout ${LAYOUT}: another version of butlerfs made it`,
    advice: 'use another cache directory, or remove this one',
  });
}

/** The value, or undefined for text that is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
