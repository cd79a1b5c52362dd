/** Limits of the cache, what is kept, and the cache as a thing to manage. */

import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import type { ObjectRequest } from './contract.js';
import { formatDigest } from './digest.js';
import { keep, letGo, readKept } from './kept.js';
import { Layout } from './layout.js';
import { lockShared } from './locks.js';
import { evictObjects, evictTo, isCache, listCache, totalsOnDisk, type Listed } from './manage.js';
import { mark, mountMark } from './marks.js';
import { defaultFloor, diskSpace } from './space.js';
import { digestOf, filesBelow, startRig, type Rig } from './testing/rig.js';

describe('limits and keeping', () => {
  let rig: Rig;
  let layout: Layout;
  beforeEach(async () => {
    rig = await startRig();
    ({ layout } = rig);
  });
  afterEach(() => rig.close());

  function store(name: string, size: number, age = 0): ObjectRequest {
    const content = Buffer.concat([Buffer.from(name), pattern(size - name.length)]);
    const digest = digestOf(content);
    const path = layout.object(digest);
    rig.objects.set(name, content);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (age > 0) utimesSync(path, Date.now() / 1000 - age, Date.now() / 1000 - age);
    return rig.request(name, { digest, size });
  }

  it('promise 7: what is kept is not evicted, until all who keep it let go', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name, i) => store(name, 1000, 300 - i));
    expect(await keep(layout, [{ digest: a!.digest!, holder: '/mnt/a' }])).toBe(1);
    expect(
      await keep(
        layout,
        [a!, b!].map(({ digest }) => ({ digest: digest!, holder: '/mnt' })),
      ),
    ).toBe(2);
    expect(await keep(layout, [{ digest: a!.digest!, holder: '/mnt' }])).toBe(0);
    expect(await evictTo(layout, 0)).toBe(1);
    const cache = rig.open();
    expect([a, b, c].map((request) => cache.isPresent(request!))).toEqual([true, true, false]);
    await expect.poll(() => cache.statistics()).toMatchObject({ kept: 2, keptBytes: 2000 });
    expect(await evictObjects(layout, [a!.digest!, b!.digest!, c!.digest!])).toEqual({
      evicted: 0,
      bytes: 0,
      kept: 2,
      inUse: 0,
      absent: 1,
    });

    expect(await letGo(layout, [{ digest: a!.digest!, holder: '/mnt' }])).toBe(1);
    expect(await letGo(layout, [{ digest: a!.digest!, holder: '/elsewhere' }])).toBe(0);
    expect(await letGo(layout, [{ digest: b!.digest! }])).toBe(1);
    expect([...(await readKept(layout)).entries()]).toEqual([[formatDigest(a!.digest!), new Set(['/mnt/a'])]]);
    expect(await cache.evict(0)).toBe(1);
    expect(await letGo(layout, [{ digest: a!.digest!, holder: '/mnt/a' }])).toBe(1);
    expect(await cache.evict(0)).toBe(1);
  });

  it('keeping is durable, may be done by many at a time, and survives lines that cannot be read', async () => {
    const digests = Array.from({ length: 20 }, (_, i) => digestOf(Buffer.from(`${i}`)));
    await Promise.all(digests.map((digest) => keep(layout, [{ digest, holder: 'x' }])));
    expect(await readKept(layout)).toHaveProperty('size', 20);
    writeFileSync(layout.kept, `{"digest":"md5:../../x","for":["y"]}\nrubbish\n{"digest":1}\n${readFileSync(layout.kept, 'utf8')}`);
    expect(await readKept(layout)).toHaveProperty('size', 20);
  });

  it('promise 7: the floor of free space: the cache shrinks for it, and does not grow into it', async () => {
    const { free, total } = diskSpace(layout.directory)!;
    expect(defaultFloor({ total: 1000 })).toBe(50);
    expect(defaultFloor({ total: 1e15 })).toBe(10 * 1024 ** 3);
    const old = [1, 2, 3].map((i) => store(`old${i}`, 1000, 1000 - i));
    // More than the disk will have: nothing may stay, and nothing may come.
    const tight = rig.open({ floor: total });
    await expect.poll(() => tight.statistics().evictions, { timeout: 10_000 }).toBe(3);
    expect(filesBelow(layout.objects)).toEqual([]);
    expect(tight.statistics()).toMatchObject({ objects: 0, bytes: 0, floor: total });
    await expect(tight.ensure(old[0]!)).rejects.toMatchObject({ code: 'cache-full', message: /are to stay free/ });
    expect(filesBelow(layout.temporary)).toEqual([]);
    await tight.close();
    const roomy = rig.open({ floor: Math.floor(free / 2) });
    await roomy.ensure(old[0]!);
    expect(roomy.isPresent(old[0]!)).toBe(true);
  });

  it('promise 7: the quota of a mount: its own least recently used go first, and it is known again after a restart', async () => {
    const foreign = store('foreign', 5000, 100_000);
    const own = Array.from({ length: 6 }, (_, i) => store(`own${i}`, 1000));
    for (const { digest } of own) rmSync(layout.object(digest!));
    const first = rig.open({ mount: 'aaaa', quota: 10_000 });
    for (const [i, request] of own.entries()) {
      await first.ensure(request);
      utimesSync(layout.object(request.digest!), 1000 + i, 1000 + i);
    }
    await expect.poll(() => first.statistics().brought).toBe(6000);
    await first.close();
    expect(mountMark(layout.object(own[0]!.digest!))).toBe('aaaa');

    const second = rig.open({ mount: 'aaaa', quota: 4000 });
    await expect.poll(() => second.statistics().brought, { timeout: 10_000 }).toBe(3000);
    expect(own.map((request) => second.isPresent(request))).toEqual([false, false, false, true, true, true]);
    expect(second.isPresent(foreign)).toBe(true);
    for (const request of own.slice(0, 2)) await second.ensure(request);
    await expect.poll(() => second.statistics().brought, { timeout: 10_000 }).toBe(3000);
    expect(second.isPresent(foreign)).toBe(true);
    expect(second.isPresent(own[1]!)).toBe(true);
    await second.close();

    const other = rig.open({ mount: 'bbbb', quota: 10 });
    await expect.poll(() => other.statistics().objects).toBe(4);
    expect(other.statistics()).toMatchObject({ brought: 0, quota: 10, evictions: 0 });
  }, 20_000);

  it('promise 7: several processes that fill one cache stay within its limit together', async () => {
    const caches = [1, 2, 3].map(() => rig.open({ limit: 100_000 }));
    const requests = Array.from({ length: 90 }, (_, i) => {
      const content = Buffer.concat([Buffer.from(`object ${i} `), pattern(5000)]);
      rig.objects.set(`o${i}`, content);
      return rig.request(`o${i}`, { digest: digestOf(content), size: content.length });
    });
    let most = 0;
    for (let i = 0; i < requests.length; i += 3) {
      await Promise.all(caches.map((cache, j) => cache.ensure(requests[i + j]!)));
      const bytes = filesBelow(layout.objects).reduce((sum, file) => sum + statSync(join(layout.objects, file)).size, 0);
      most = Math.max(most, bytes);
    }
    // What is held for its waiters, and what came while one was evicting.
    expect(most).toBeLessThan(160_000);
    await expect.poll(() => filesBelow(layout.objects).length * 5009, { timeout: 10_000 }).toBeLessThanOrEqual(100_000);
    for (const cache of caches) await expect.poll(() => cache.statistics().bytes, { timeout: 10_000 }).toBeLessThanOrEqual(100_000);
  }, 40_000);

  it('parts of large objects count by their blocks, and are evicted with their maps unless in use', async () => {
    mkdirSync(layout.partial, { recursive: true });
    for (const [i, name] of ['old', 'open'].entries()) {
      const path = join(layout.partial, `${name}.data`);
      writeFileSync(path, Buffer.alloc(8192, 1));
      writeFileSync(join(layout.partial, `${name}.map`), Buffer.alloc(32, 1));
      utimesSync(path, 1000 + i, 1000 + i);
    }
    const held = openSync(join(layout.partial, 'open.data'), 'r');
    expect(lockShared(held)).toBe(true);
    const young = store('young', 1000);
    const cache = rig.open();
    await expect.poll(() => cache.statistics().objects).toBe(3);
    expect(cache.statistics().bytes).toBeGreaterThanOrEqual(2 * 8192 + 1000);
    expect(await totalsOnDisk(layout)).toMatchObject({ objects: 1, partial: 2 });
    expect(await cache.evict(14_000)).toBe(1);
    expect(filesBelow(layout.partial)).toEqual(['open.data', 'open.map']);
    expect(cache.isPresent(young)).toBe(true);
    closeSync(held);
  });

  it('lists, counts and evicts without a process that uses the cache, and beside one that does', async () => {
    const cache = rig.open({ mount: 'aaaa' });
    const requests = [store('x', 1000, 50), store('y', 2000, 40)];
    rig.objects.set('fetched', pattern(3000));
    await cache.ensure(rig.request('fetched'));
    const object = cache.openIfPresent(requests[1]!)!;
    const listed: Listed[] = [];
    for await (const found of listCache(layout)) listed.push(found);
    expect(listed.map(({ size }) => size).sort()).toEqual([1000, 2000, 3000]);
    expect(listed.find(({ size }) => size === 3000)!.origin).toBe(`${rig.server.url}/fetched`);
    expect(await totalsOnDisk(layout)).toMatchObject({ objects: 3, objectBytes: 6000, kept: 0, keptMissing: 0, quarantined: 0 });
    const report = await evictObjects(
      layout,
      requests.map(({ digest }) => digest!),
    );
    expect(report).toEqual({ evicted: 1, bytes: 1000, kept: 0, inUse: 1, absent: 0 });
    cache.close(object);
    expect(isCache(layout)).toBe(true);
    expect(isCache(new Layout(rig.directory))).toBe(false);
  });

  it('marks are hints: a file system or a value that does not take them is no failure', () => {
    const fd = openSync('/proc/self/stat', 'r');
    expect(() => mark(fd, { mount: 'a', origin: 'b'.repeat(10_000) })).not.toThrow();
    closeSync(fd);
    expect(mountMark('/proc/self/stat')).toBeUndefined();
    expect(mountMark(join(rig.directory, 'missing'))).toBeUndefined();
  });
});
