/** `butlerfs cache scrub` */

import { formatDigest } from '../cache/digest.js';
import { totalsOnDisk } from '../cache/manage.js';
import { describeDamage, scrub, scrubAlone } from '../cache/scrub.js';
import { noteWholeRound } from '../cache/scrub-schedule.js';
import { sleep } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { askDaemon } from '../mounts/control.js';
import { formatSize, parseSize } from '../mounts/units.js';
import { mountsOn, openCacheDirectory } from './cache-target.js';
import { interruptSignal } from './exit.js';
import { endProgress, print, remark, showProgress } from './output.js';
import type { Layout } from '../cache/layout.js';
import type { ScrubProgress } from '../cache/scrub.js';

/** Milliseconds to wait for the scrub of a mount in the background: it works on a small part at a time. */
const LOCK_WAIT = 60_000;
const LOCK_INTERVAL = 100;
/** Milliseconds between progress lines. */
const SHOW_INTERVAL = 200;
const JSON_INTERVAL = 5_000;
/** Digests told to a daemon in one request. */
const TOLD_AT_ONCE = 200;
const DEADLINE = 5_000;

/** Throws `wrong-digest` where anything was damaged. */
export async function scrubNow({
  cache,
  rate,
  json,
}: {
  readonly cache?: string;
  readonly rate?: string;
  readonly json?: boolean;
}): Promise<void> {
  const signal = interruptSignal();
  const layout = await openCacheDirectory(cache);
  const bytesPerSecond = rate === undefined ? Infinity : parseSize(rate, '--rate');
  const result = await whenAlone(layout, signal, async () => {
    const began = Date.now();
    const done = await run(layout, bytesPerSecond, signal, json === true);
    await noteWholeRound(layout, done, began);
    return done;
  });
  const { objects, bytes, damaged } = result;
  if (json === true) await print(`${JSON.stringify({ event: 'summary', objects, bytes, damaged })}\n`);
  else await print(`${objects} files checked (${formatSize(bytes)}), ${damaged} damaged\n`);
  if (damaged === 0) return;
  throw new ButlerfsError('wrong-digest', {
    what: `${damaged} files of the cache were damaged`,
    why: `they were set aside in ${layout.quarantine}`,
    advice: 'they are fetched again when they are next read; check the disk',
  });
}

async function run(layout: Layout, rate: number, signal: AbortSignal, json: boolean): Promise<ScrubProgress> {
  const total = await totalsOnDisk(layout);
  const damaged: string[] = [];
  let shownAt = 0;
  const show = ({ objects, bytes }: ScrubProgress): void => {
    const now = performance.now();
    if (now - shownAt < (json ? JSON_INTERVAL : SHOW_INTERVAL)) return;
    shownAt = now;
    if (json) void print(`${JSON.stringify({ event: 'progress', objects, of: total.objects, bytes, ofBytes: total.objectBytes })}\n`);
    else showProgress(`${objects} of ${total.objects} files, ${formatSize(bytes)} of ${formatSize(total.objectBytes)}`);
  };
  try {
    return await scrub({
      layout,
      rate,
      signal,
      onProgress: show,
      onDamaged: (found) => {
        const digest = formatDigest(found.digest);
        damaged.push(digest);
        endProgress();
        if (json) void print(`${JSON.stringify({ event: 'damaged', digest, found: found.found && formatDigest(found.found) })}\n`);
        else remark(describeDamage(found));
      },
    });
  } finally {
    endProgress();
    await tellMounts(layout, damaged);
  }
}

/** What the kernel has of damaged files is dropped. A mount that does not answer drops it in time by itself. */
async function tellMounts(layout: Layout, digests: readonly string[]): Promise<void> {
  if (digests.length === 0) return;
  for (const { socket } of await mountsOn(layout)) {
    for (let at = 0; at < digests.length; at += TOLD_AT_ONCE) {
      const request = { command: 'damaged' as const, digests: digests.slice(at, at + TOLD_AT_ONCE) };
      await askDaemon(socket, request, { deadline: DEADLINE }).catch(() => undefined);
    }
  }
}

async function whenAlone<T>(layout: Layout, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const giveUp = performance.now() + LOCK_WAIT;
  for (;;) {
    const done = await scrubAlone(layout, async () => ({ value: await work() }));
    if (done !== undefined) return done.value;
    if (performance.now() > giveUp)
      throw new ButlerfsError('cache-failed', { what: `scrubbing ${layout.directory}`, why: 'another process is at it' });
    await sleep(LOCK_INTERVAL, signal, 'waiting for another scrub');
  }
}
