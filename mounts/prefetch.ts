/** Bringing everything below some paths of a mount into its cache, through its daemon. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CacheStatistics, ObjectRequest } from '../cache/contract.js';
import { formatDigest } from '../cache/digest.js';
import { pinName } from '../cache/layout.js';
import { openReader } from '../cache/reader.js';
import { throwIfAborted } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import type { MountedContents } from './contents.js';
import { askDaemon } from './control.js';
import { formatSize } from './units.js';

/** Milliseconds for one file. The daemon gives up much sooner where nothing arrives; this only ends the wait for one that is stuck itself. */
const FILE_DEADLINE = 24 * 3_600_000;

/** Files looked at before a signal can come through. */
const SLICE = 256;

export interface PrefetchFile {
  /** Below the mount point. */
  readonly path: string;
  readonly request: ObjectRequest;
  /** Bytes; null where they are not known before it is fetched. */
  readonly size: number | null;
}

export interface PrefetchPlan {
  /** What is to be fetched, each content once. */
  readonly missing: readonly PrefetchFile[];
  readonly missingBytes: number;
  /** Files among the missing whose size is not known. */
  readonly unknown: number;
  readonly presentFiles: number;
  readonly presentBytes: number;
  /** Files that cannot be asked for. */
  readonly refused: readonly { readonly path: string; readonly error: ButlerfsError }[];
}

/** Looks what is below the paths (below the mount point) and what of it is here. Throws where a path does not exist. */
export async function planPrefetch(
  contents: MountedContents,
  paths: readonly string[],
  signal: AbortSignal,
  onPresent?: (path: string) => void,
): Promise<PrefetchPlan> {
  const reader = openReader({ directory: contents.settings.cacheDirectory, verify: 'fetch' });
  const seen = new Set<string>();
  const missing: PrefetchFile[] = [];
  const refused: { path: string; error: ButlerfsError }[] = [];
  let [missingBytes, unknown, presentFiles, presentBytes, looked] = [0, 0, 0, 0, 0];
  for (const below of paths) {
    for (const { path, size, request: make } of contents.below(below)) {
      if (++looked % SLICE === 0) await nextTurn();
      throwIfAborted(signal, 'looking what is to be fetched');
      let request: ObjectRequest;
      try {
        request = make();
      } catch (error) {
        refused.push({ path, error: asButlerfsError(error) });
        continue;
      }
      const key = contentKey(request);
      if (seen.has(key)) continue;
      seen.add(key);
      if (reader.isPresent(request)) {
        presentFiles++;
        presentBytes += size ?? reader.pinnedSize(request) ?? 0;
        onPresent?.(path);
        continue;
      }
      missing.push({ path, request, size });
      missingBytes += size ?? 0;
      if (size === null) unknown++;
    }
  }
  return { missing, missingBytes, unknown, presentFiles, presentBytes, refused };
}

/** The same for files with the same content. */
export function contentKey(request: ObjectRequest): string {
  return request.digest === undefined ? pinName(request) : formatDigest(request.digest);
}

/** Throws `cache-full` where not all of it fits at the same time, saying how much is needed. */
export function refuseWhatCannotFit(
  { missingBytes, presentBytes }: Pick<PrefetchPlan, 'missingBytes' | 'presentBytes'>,
  cache: CacheStatistics,
): void {
  const wanted = missingBytes + presentBytes;
  const refuse = (why: string, advice: string): never => {
    throw new ButlerfsError('cache-full', { what: `bringing ${formatSize(missingBytes)} into the cache ${cache.directory}`, why, advice });
  };
  if (wanted > cache.limit) {
    refuse(
      `${formatSize(wanted)} are wanted at the same time, and it holds ${formatSize(cache.limit)}`,
      `mount with --cache-size ${sizeOption(wanted)}`,
    );
  }
  if (cache.quota !== null && missingBytes > cache.quota)
    refuse(`the quota of the mount is ${formatSize(cache.quota)}`, `mount with --quota ${sizeOption(missingBytes)}`);
  if (cache.free === null || cache.floor === null) return;
  const evictable = Math.max(0, cache.bytes - cache.keptBytes - presentBytes);
  const room = Math.max(0, cache.free - cache.floor) + evictable;
  if (missingBytes <= room) return;
  const needed = formatSize(missingBytes - room);
  refuse(
    `its disk has room for ${formatSize(room)} (${formatSize(cache.free)} are free, ${formatSize(cache.floor)} stay free)`,
    `free ${needed} more, or put the cache on a larger disk with --cache`,
  );
}

function sizeOption(bytes: number): string {
  return `${Math.max(1, Math.ceil((bytes * 1.1) / 1024 ** 3))}G`;
}

export interface PrefetchRun {
  readonly socket: string;
  /** Files at a time. */
  readonly jobs: number;
  /** Ends it: what is under way is given up. */
  readonly signal: AbortSignal;
  /** Called once for each file that was asked for and not given up. */
  readonly onDone: (file: PrefetchFile, error: ButlerfsError | undefined) => void;
}

/** Fetches in the given order, several at a time. Resolves when all were tried, or `signal` has fired. Rejects with `not-mounted` where the daemon has gone. */
export async function prefetch(files: readonly PrefetchFile[], { socket, jobs, signal, onDone }: PrefetchRun): Promise<void> {
  const queue = files[Symbol.iterator]();
  let gone: ButlerfsError | undefined;
  const work = async (): Promise<void> => {
    for (const file of queue) {
      if (signal.aborted || gone !== undefined) return;
      const error = await fetchOne(file, socket, signal);
      if (error?.code === 'not-mounted') gone = error;
      else if (error?.code !== 'interrupted' || !signal.aborted) onDone(file, error);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  if (gone !== undefined) throw gone;
}

async function fetchOne({ request }: PrefetchFile, socket: string, signal: AbortSignal): Promise<ButlerfsError | undefined> {
  try {
    const { origin, digest, size, member, identity } = request;
    const asked = {
      origin,
      identity,
      ...(digest === undefined ? {} : { digest }),
      ...(size === undefined ? {} : { size }),
      ...(member === undefined ? {} : { member }),
    };
    await askDaemon(socket, { command: 'fetch', request: asked }, { deadline: FILE_DEADLINE, signal });
    return undefined;
  } catch (error) {
    return asButlerfsError(error);
  }
}
