/** Damage on the disk of the cache: found by a scrub or at the next open, set aside, and fetched again. */

import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import type { ObjectCache, ObjectRequest } from './contract.js';
import { createHasher, formatDigest } from './digest.js';
import type { Layout } from './layout.js';
import { lockExclusive } from './locks.js';
import { boundQuarantine } from './quarantine.js';
import { scrub, scrubAlone, type Damaged } from './scrub.js';
import { readScrubState, ScrubSchedule } from './scrub-schedule.js';
import { digestOf, filesBelow, startRig, type Rig } from './testing/rig.js';

function flipBit(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    byte[0]! ^= 1 << (at % 8);
    writeSync(fd, byte, 0, 1, at);
  } finally {
    closeSync(fd);
  }
}

function bytesOf(cache: ObjectCache, request: ObjectRequest): Buffer | undefined {
  const object = cache.openIfPresent(request);
  if (object === undefined) return undefined;
  try {
    return readFileSync(object.fd);
  } finally {
    cache.close(object);
  }
}

const never = new AbortController().signal;

describe('damage', () => {
  let rig: Rig;
  let layout: Layout;
  beforeEach(async () => {
    rig = await startRig();
    ({ layout } = rig);
  });
  afterEach(() => rig.close());

  /** Objects at the origin and, as a fetch would have left them, in the cache. */
  function fill(count: number): ObjectRequest[] {
    return Array.from({ length: count }, (_, i) => {
      const content = Buffer.concat([pattern(500 + (i % 97)), Buffer.from(`object ${i}`)]);
      const digest = digestOf(content);
      rig.objects.set(`o${i}`, content);
      mkdirSync(dirname(layout.object(digest)), { recursive: true });
      writeFileSync(layout.object(digest), content);
      return rig.request(`o${i}`, { digest, size: content.length });
    });
  }

  async function expectWhole(cache: ObjectCache, requests: readonly ObjectRequest[]): Promise<void> {
    const waiting = [...requests];
    const work = async (): Promise<void> => {
      for (let request = waiting.pop(); request !== undefined; request = waiting.pop()) await cache.ensure(request);
    };
    await Promise.all(Array.from({ length: 16 }, work));
    for (const request of requests) {
      expect(bytesOf(cache, request)?.equals(rig.objects.get(request.origin.split('/').at(-1)!)!)).toBe(true);
    }
  }

  it('promise 1: every object of a thousand with one flipped bit is found at its next open, set aside, and fetched again', async () => {
    const requests = fill(1000);
    requests.forEach(({ digest, size }, i) => flipBit(layout.object(digest!), (i * 7) % size!));
    const cache = rig.open({ verify: 'open' }, { deadline: 20_000, idleTimeout: 10_000 });
    for (const request of requests) expect(cache.openIfPresent(request)).toBeUndefined();
    expect(cache.statistics().quarantined).toBe(1000);
    expect(filesBelow(layout.objects)).toEqual([]);
    await expectWhole(cache, requests);
    expect(cache.statistics()).toMatchObject({ fetches: 1000, misses: 1000, wrongDigest: 0, failures: 0 });
    for (const request of requests) expect(cache.isPresent(request)).toBe(true);
  }, 120_000);

  it('a scrub finds them all, and only them', async () => {
    const requests = fill(200);
    const bad = requests.filter((_, i) => i % 3 === 0);
    for (const { digest, size } of bad) flipBit(layout.object(digest!), size! - 1);
    const found: Damaged[] = [];
    let last = { objects: 0, bytes: 0, damaged: 0 };
    const report = await scrub({
      layout,
      rate: Infinity,
      signal: never,
      onDamaged: (damaged) => found.push(damaged),
      onProgress: (progress) => (last = progress),
    });
    expect(report).toEqual({ objects: 200, bytes: requests.reduce((sum, { size }) => sum + size!, 0), damaged: bad.length });
    expect(last).toEqual(report);
    expect(found.map(({ digest }) => digest.hex).sort()).toEqual(bad.map(({ digest }) => digest!.hex).sort());
    expect(filesBelow(layout.quarantine)).toHaveLength(bad.length);
    const cache = rig.open();
    await expectWhole(cache, requests);
    expect(cache.statistics().fetches).toBe(bad.length);
    expect(await scrub({ layout, rate: Infinity, signal: never })).toMatchObject({ objects: 200, damaged: 0 });
  }, 60_000);

  it('a scrub checks every algorithm, by name', async () => {
    for (const algorithm of ['blake2b512', 'sha256', 'sha1', 'md5', 'xxh64'] as const) {
      const content = Buffer.from(`checked by ${algorithm}`);
      const hasher = createHasher(algorithm);
      hasher.update(content);
      const path = layout.object(hasher.digest());
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    expect(await scrub({ layout, rate: Infinity, signal: never })).toMatchObject({ objects: 5, damaged: 0 });
    for (const file of filesBelow(layout.objects)) flipBit(join(layout.objects, file), 0);
    expect(await scrub({ layout, rate: Infinity, signal: never })).toMatchObject({ objects: 5, damaged: 5 });
  });

  it('a scrub leaves what is being evicted, and neither touches what it reads nor hinders readers', async () => {
    const [evicted, read] = fill(2);
    const path = layout.object(read!.digest!);
    utimesSync(path, 1000, 1000);
    const lock = openSync(layout.object(evicted!.digest!), 'r');
    expect(lockExclusive(lock)).toBe(true);
    const cache = rig.open();
    const object = cache.openIfPresent(read!)!;
    utimesSync(path, 1000, 1000);
    expect(await scrub({ layout, rate: Infinity, signal: never })).toMatchObject({ objects: 1, damaged: 0 });
    expect(statSync(path).mtimeMs).toBe(1_000_000);
    cache.close(object);
    closeSync(lock);
  });

  it('a scrub keeps to its rate, and ends when it is interrupted', async () => {
    fill(40);
    const began = performance.now();
    await scrub({ layout, rate: 40_000, signal: never });
    expect(performance.now() - began).toBeGreaterThan(300);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await expect(scrub({ layout, rate: 1000, signal: controller.signal })).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('of several who want to scrub one does', async () => {
    const other = await scrubAlone(layout, async () => await scrubAlone(layout, () => Promise.resolve('both')));
    expect(other).toBeUndefined();
    expect(await scrubAlone(layout, () => Promise.resolve('one'))).toBe('one');
  });

  it('the scrub in the background goes round in its time, goes on where it was, and tells what it found', async () => {
    const requests = fill(30);
    flipBit(layout.object(requests[11]!.digest!), 3);
    const damaged: string[] = [];
    const settings = {
      layout,
      period: 600,
      firstPause: 1,
      onDamaged: (found: Damaged) => damaged.push(formatDigest(found.digest)),
      onError: (error: unknown) => {
        throw error;
      },
    };
    const first = new ScrubSchedule(settings);
    await expect.poll(() => first.status.progress, { timeout: 10_000 }).toBeGreaterThan(0.2);
    await first.close();
    const stopped = await readScrubState(layout);
    const second = new ScrubSchedule(settings);
    await expect.poll(async () => (await readScrubState(layout))?.last?.objects, { timeout: 10_000 }).toBe(30);
    await second.close();
    expect(stopped!.objects).toBeGreaterThan(0);
    expect(damaged).toEqual([formatDigest(requests[11]!.digest!)]);
    expect((await readScrubState(layout))!.last).toMatchObject({ objects: 30, damaged: 1 });
  }, 30_000);

  it('what is set aside stays within bounds, the newest stay', () => {
    for (let i = 0; i < 10; i++) writeFileSync(join(layout.quarantine, `md5-${'0'.repeat(32)}-${1000 + i}`), Buffer.alloc(100));
    expect(boundQuarantine(layout, { files: 7 })).toBe(3);
    expect(boundQuarantine(layout, { bytes: 450 })).toBe(3);
    expect(filesBelow(layout.quarantine).map((name) => name.slice(-1))).toEqual(['6', '7', '8', '9']);
    renameSync(join(layout.quarantine, filesBelow(layout.quarantine)[0]!), join(layout.quarantine, 'note'));
    expect(boundQuarantine(layout)).toBe(0);
  });
});
