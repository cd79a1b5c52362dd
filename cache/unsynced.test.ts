/** Objects are published before they are on the disk: what is noted of them, and what is made of the notes after the power went. */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import type { ObjectRequest } from './contract.js';
import type { Layout } from './layout.js';
import { openReader } from './reader.js';
import { digestOf, startRig, type Rig } from './testing/rig.js';
import { Doubts, settleDoubts, Unsynced } from './unsynced.js';

let rig: Rig;
let layout: Layout;
beforeEach(async () => {
  rig = await startRig();
  ({ layout } = rig);
});
afterEach(() => rig.close());

function contentOf(size: number, last: number): Buffer {
  return Buffer.concat([pattern(size - 1), Buffer.of(last)]);
}

const notes = (): string[] => (existsSync(layout.unsynced) ? readdirSync(layout.unsynced) : []);

async function eventually(holds: () => boolean): Promise<void> {
  for (const giveUp = Date.now() + 10_000; !holds() && Date.now() < giveUp;) await sleep(20);
  expect(holds()).toBe(true);
}

/** As a mount of an earlier boot left it. */
function noteOf(boot: string, since: number): void {
  mkdirSync(layout.unsynced, { recursive: true });
  writeFileSync(join(layout.unsynced, '1-1-1'), JSON.stringify({ boot, since }));
}

function stored(content: Buffer): { readonly path: string; readonly request: ObjectRequest } {
  const digest = digestOf(content);
  const path = layout.object(digest);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return { path, request: rig.request('o', { digest, size: content.length }) };
}

/** Since when the only note says that objects may be damaged. */
function since(): number {
  const [name, ...others] = notes();
  expect(others).toEqual([]);
  return (JSON.parse(readFileSync(join(layout.unsynced, name!), 'utf8')) as { since: number }).since;
}

it('a note is there before an object is, moves on when everything is on the disk, and goes with the cache', async () => {
  const unsynced = new Unsynced(layout, { delay: 100, onLost: (error) => expect.fail(String(error)) });
  await unsynced.begin();
  const first = since();
  expect(unsynced.begin()).toBeUndefined();
  unsynced.published(stored(contentOf(1000, 1)).path);
  await eventually(() => since() > first);
  await unsynced.close();
  expect(notes()).toEqual([]);
});

it('an object that gets its name during a sync, long after it asked, is covered by a note', async () => {
  const unsynced = new Unsynced(layout, { delay: 50, onLost: (error) => expect.fail(String(error)) });
  await unsynced.begin();
  const first = since();
  // Asked, and not yet named.
  expect(unsynced.begin()).toBeUndefined();
  unsynced.published(stored(contentOf(1000, 1)).path);
  await eventually(() => since() > first);
  const { path } = stored(contentOf(1000, 2));
  expect(since()).toBeLessThanOrEqual(statSync(path).ctimeMs);
  unsynced.published(path);
  await unsynced.close();
});

it('two caches of one process have notes of their own, which are not taken for those of the dead', async () => {
  const [one, other] = [new Unsynced(layout, { onLost: () => undefined }), new Unsynced(layout, { onLost: () => undefined })];
  await Promise.all([one.begin(), other.begin()]);
  const third = rig.open();
  await third.close();
  expect(notes()).toHaveLength(2);
  await one.close();
  expect(notes()).toHaveLength(1);
  await other.close();
});

it('a cache notes what it publishes, and syncs when it is closed', async () => {
  const content = contentOf(1000, 3);
  rig.objects.set('o', content);
  const cache = rig.open();
  await cache.ensure(rig.request('o', { digest: digestOf(content), size: content.length }));
  expect(notes()).toHaveLength(1);
  await cache.close();
  expect(notes()).toEqual([]);
});

it('the note of a process that was killed goes with the next sync', async () => {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  noteOf(boot, Date.now());
  rig.open();
  await eventually(() => notes().length === 0);
});

it('after a power loss what may be damaged is checked at its first open, and nothing else', () => {
  noteOf('earlier', Date.now() - 1000);
  const whole = stored(contentOf(100_000, 4));
  const damaged = stored(contentOf(100_000, 5));
  writeFileSync(damaged.path, Buffer.alloc(100_000));
  const short = stored(contentOf(100_000, 6));
  truncateSync(short.path, 4096);
  const reader = (at: number) => {
    return openReader({ directory: layout.directory, verify: 'fetch', doubts: new Doubts(layout, { id: 'now', at }) });
  };
  const isHere = (at: number, { request }: { readonly request: ObjectRequest }): boolean => {
    const opener = reader(at);
    const object = opener.openIfPresent(request);
    if (object !== undefined) opener.close(object);
    return object !== undefined;
  };
  // Of a boot that began long ago all of it is: then nothing is doubtful but what is too short.
  const [long, just] = [Date.now() - 60_000, Date.now()];
  expect([whole, damaged, short].map((object) => isHere(long, object))).toEqual([true, true, false]);
  expect([whole, damaged, short].map((object) => isHere(just, object))).toEqual([true, false, false]);
  expect(readdirSync(layout.quarantine)).toHaveLength(1);
});

it('a note that cannot be read makes everything doubtful, one that is being written nothing', () => {
  const covers = (): boolean => new Doubts(layout, { id: 'now', at: Date.now() }).covers(1);
  expect(covers()).toBe(false);
  mkdirSync(layout.unsynced, { recursive: true });
  writeFileSync(join(layout.unsynced, '1-1-1.part'), '{');
  expect(covers()).toBe(false);
  writeFileSync(join(layout.unsynced, '1-1-1'), '');
  expect(covers()).toBe(true);
});

it('a scrub that began after the boot settles the doubts', () => {
  noteOf('earlier', Date.now() - 1000);
  const present = { id: 'now', at: Date.now() };
  settleDoubts(layout, present.at - 1, present);
  expect(notes()).toHaveLength(1);
  settleDoubts(layout, present.at + 1, present);
  expect(notes()).toEqual([]);
});
