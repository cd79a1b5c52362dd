import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import { serveBytes } from '../proxy/testing/server.js';
import type { ObjectCache, ObjectRequest } from './contract.js';
import { createHasher } from './digest.js';
import { Layout, pinName } from './layout.js';
import { lockExclusive } from './locks.js';
import { openReader } from './reader.js';
import { digestOf, filesBelow, startRig, type Rig } from './testing/rig.js';

const content = pattern(700_000);
const digest = digestOf(content);

function bytesOf(cache: ObjectCache, request: ObjectRequest): Buffer | undefined {
  const object = cache.openIfPresent(request);
  if (object === undefined) return undefined;
  try {
    return readFileSync(object.fd);
  } finally {
    cache.close(object);
  }
}

describe('the cache', () => {
  let rig: Rig;
  let layout: Layout;
  beforeEach(async () => {
    rig = await startRig();
    layout = new Layout(rig.cacheDirectory);
    rig.objects.set('a', content);
  });
  afterEach(() => rig.close());

  it.each(['blake2b512', 'sha256', 'sha1', 'md5', 'xxh64'] as const)(
    'fetches, checks and serves content published with %s',
    async (algorithm) => {
      const hasher = createHasher(algorithm);
      hasher.update(content);
      const request = rig.request('a', { digest: hasher.digest(), size: content.length });
      const cache = rig.open();
      expect(cache.isPresent(request)).toBe(false);
      expect(cache.openIfPresent(request)).toBeUndefined();
      await cache.ensure(request);
      expect(cache.isPresent(request)).toBe(true);
      expect(bytesOf(cache, request)?.equals(content)).toBe(true);
      await cache.ensure(request);
      expect(rig.server.requests).toHaveLength(1);
      expect(cache.statistics()).toMatchObject({
        fetches: 1,
        fetchedBytes: content.length,
        objects: 1,
        bytes: content.length,
        hits: 1,
        failures: 0,
        inFlight: 0,
      });
      expect(filesBelow(layout.temporary)).toEqual([]);
      expect(statSync(rig.cacheDirectory).mode & 0o077).toBe(0);
    },
  );

  it('promise 7: is kept over reopening', async () => {
    const first = rig.open();
    await first.ensure(rig.request('a'));
    await first.close();
    const second = rig.open();
    expect(bytesOf(second, rig.request('a'))?.equals(content)).toBe(true);
    expect(second.pinnedSize(rig.request('a'))).toBe(content.length);
    await expect.poll(() => second.statistics().bytes).toBe(content.length);
    await expect(first.ensure(rig.request('b'))).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('promise 5: wrong bytes are fetched once more past caches in between, then refused with both digests', async () => {
    const wrong = Buffer.from(content);
    wrong[350_000]! ^= 1;
    const cache = rig.open();
    const request = rig.request('a', { digest, size: content.length });
    rig.server.handler = (seen, response, count) => serveBytes(seen, response, count === 1 ? wrong : content);
    await cache.ensure(request);
    expect(rig.server.requests.map((seen) => seen.headers['cache-control'])).toEqual([undefined, 'no-cache']);
    await cache.evict(0);
    rig.server.handler = (seen, response) => serveBytes(seen, response, wrong);
    const error = await cache.ensure(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'wrong-digest' });
    expect(String(error)).toContain(`the registry publishes blake2b512:${digest.hex}`);
    expect(String(error)).toContain(`the origin sends blake2b512:${digestOf(wrong).hex}`);
    expect(cache.statistics()).toMatchObject({ wrongDigest: 3, failures: 1, fetches: 4, objects: 0 });
    expect(cache.isPresent(request)).toBe(false);
    expect([filesBelow(layout.objects), filesBelow(layout.temporary)]).toEqual([[], []]);
    expect(rig.warnings).toHaveLength(3);
  });

  it('a wrong size is refused, before the transfer where the origin tells, at once where it goes beyond', async () => {
    const cache = rig.open();
    await expect(cache.ensure(rig.request('a', { size: content.length + 1 }))).rejects.toMatchObject({
      code: 'wrong-size',
      message: new RegExp(`the registry publishes ${content.length + 1} bytes, the origin sends ${content.length};`) as unknown,
    });
    expect(cache.statistics()).toMatchObject({ fetchedBytes: 0, wrongSize: 2 });
    const endless = setInterval(() => undefined, 1000);
    rig.server.handler = (_, response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      more();
    };
    await expect(cache.ensure(rig.request('a', { size: 100_000, digest }))).rejects.toMatchObject({
      code: 'wrong-size',
      message: /publishes 100000 bytes, the origin sends at least \d+/,
    });
    clearInterval(endless);
    rig.server.handler = (_, response) => void response.writeHead(200).end('short');
    await expect(cache.ensure(rig.request('a', { size: 6 }))).rejects.toMatchObject({ code: 'wrong-size', message: /sends 5/ });
    expect([filesBelow(layout.objects), filesBelow(layout.temporary), filesBelow(layout.pins)]).toEqual([[], [], []]);
  });

  it('promise 1: content without a digest is pinned to its first fetch; another later is remote-changed', async () => {
    const cache = rig.open();
    const request = rig.request('a');
    expect(cache.pinnedSize(request)).toBeUndefined();
    await cache.ensure(request);
    expect(cache.pinnedSize(request)).toBe(content.length);
    expect(cache.isPresent({ ...request, size: content.length })).toBe(true);
    expect(cache.isPresent({ ...request, size: 5 })).toBe(false);
    expect(cache.isPresent({ ...request, identity: 'another' })).toBe(false);
    expect(JSON.parse(readFileSync(layout.pin(pinName(request)), 'utf8'))).toMatchObject({
      origin: request.origin,
      member: null,
      identity: 'test',
      size: content.length,
    });

    await cache.evict(0);
    expect(cache.isPresent(request)).toBe(false);
    await cache.ensure(request);
    await cache.evict(0);
    const other = pattern(700_000).reverse();
    rig.objects.set('a', other);
    const error = await cache.ensure(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'remote-changed' });
    for (const part of [digestOf(content, 'sha256').hex, digestOf(other, 'sha256').hex, layout.pin(pinName(request))])
      expect(String(error)).toContain(part);
    rmSync(layout.pin(pinName(request)));
    await cache.ensure(request);
    expect(bytesOf(cache, request)?.equals(other)).toBe(true);
  });

  it('a damaged pin is a miss to the reader and an error to a fetch', async () => {
    const cache = rig.open();
    await cache.ensure(rig.request('a'));
    for (const damage of ['', '{', '{"origin":1}', JSON.stringify({ origin: 'x' })]) {
      writeFileSync(layout.pin(pinName(rig.request('a'))), damage);
      expect(cache.openIfPresent(rig.request('a'))).toBeUndefined();
      await expect(cache.ensure(rig.request('a'))).rejects.toMatchObject({ code: 'cache-failed', message: /is damaged; remove it/ });
    }
  });

  it('promise 6: twenty who want the same content cause one fetch', async () => {
    const cache = rig.open();
    const request = rig.request('a', { digest });
    await Promise.all(Array.from({ length: 20 }, () => cache.ensure({ ...request })));
    expect(rig.server.requests).toHaveLength(1);
    expect(cache.statistics()).toMatchObject({ fetches: 1, inFlight: 0 });
  });

  it('promise 6: a failure is everybody’s, and the next to come tries again', async () => {
    const cache = rig.open();
    rig.server.handler = (_, response) => void setTimeout(() => response.writeHead(404).end(), 30);
    const waits = await Promise.allSettled(Array.from({ length: 5 }, () => cache.ensure(rig.request('a', { digest }))));
    for (const wait of waits) expect(wait).toMatchObject({ status: 'rejected', reason: { code: 'remote-not-found' } });
    expect(rig.server.requests).toHaveLength(1);
    rig.server.handler = (request, response) => serveBytes(request, response, content);
    await cache.ensure(rig.request('a', { digest }));
  });

  it('promise 6: who leaves, first or later, does not disturb the others; when the last leaves the fetch ends', async () => {
    const cache = rig.open({}, { deadline: 20_000, idleTimeout: 20_000 });
    let release: () => void = () => undefined;
    let gone: Promise<void> | undefined;
    rig.server.handler = (request, response) => {
      gone = new Promise((resolve) => response.once('close', () => resolve()));
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
      release = () => response.end(content.subarray(1000));
      void request;
    };
    const request = rig.request('a', { digest });
    const [leader, waiter] = [new AbortController(), new AbortController()];
    const leading = cache.ensure(request, { signal: leader.signal });
    const waiting = cache.ensure(request, { signal: waiter.signal });
    const staying = cache.ensure(request);
    await expect.poll(() => cache.statistics().fetchedBytes).toBe(1000);
    leader.abort();
    await expect(leading).rejects.toMatchObject({ code: 'interrupted' });
    waiter.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    release();
    await staying;
    expect(rig.server.requests).toHaveLength(1);
    expect(bytesOf(cache, request)?.equals(content)).toBe(true);

    await cache.evict(0);
    const last = new AbortController();
    const alone = cache.ensure(request, { signal: last.signal });
    await expect.poll(() => cache.statistics().fetchedBytes).toBe(content.length + 1000);
    last.abort();
    await expect(alone).rejects.toMatchObject({ code: 'interrupted' });
    await gone;
    const again = cache.ensure(request);
    await expect.poll(() => rig.server.requests.length).toBe(3);
    release();
    await again;
    await expect.poll(() => filesBelow(layout.temporary)).toEqual([]);
    expect(cache.statistics().failures).toBe(0);
  });

  it('a transfer that broke off where it cannot be continued begins again', async () => {
    const cache = rig.open();
    rig.server.handler = (request, response, count) => {
      if (count > 2) return serveBytes(request, response, content, null);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100_000), () => response.socket?.destroy());
    };
    await cache.ensure(rig.request('a'));
    expect(bytesOf(cache, rig.request('a'))?.equals(content)).toBe(true);
    expect(rig.server.requests).toHaveLength(3);
  });

  it('an object damaged on disk is a miss: by its size always, by a byte where every open verifies', async () => {
    const request = rig.request('a', { digest, size: content.length });
    const cache = rig.open({ verify: 'open' });
    await cache.ensure(request);
    truncateSync(layout.object(digest), 5);
    expect(cache.openIfPresent(request)).toBeUndefined();
    await cache.ensure(request);
    expect(bytesOf(cache, request)?.equals(content)).toBe(true);
    const fd = openSync(layout.object(digest), 'r+');
    writeFileSync(fd, 'X');
    closeSync(fd);
    expect(openReader({ directory: rig.cacheDirectory, verify: 'fetch' }).isPresent(request)).toBe(true);
    expect(cache.openIfPresent(request)).toBeUndefined();
    expect(readdirSync(layout.quarantine)).toEqual([expect.stringMatching(`^blake2b512-${digest.hex}-\\d+$`)]);
    await cache.ensure(request);
    expect(bytesOf(cache, request)?.equals(content)).toBe(true);
  });

  it('promise 7: evicts what was used longest ago, to below the limit, and by itself', async () => {
    const cache = rig.open({ limit: 10_000 });
    for (let i = 0; i < 9; i++) {
      rig.objects.set(`o${i}`, pattern(1000 + i));
      await cache.ensure(rig.request(`o${i}`));
      const path = layout.object(digestOf(pattern(1000 + i), 'sha256'));
      utimesSync(path, 1_000_000 + i, 1_000_000 + i);
    }
    cache.close(cache.openIfPresent(rig.request('o0'))!);
    expect(cache.statistics().objects).toBe(9);
    rig.objects.set('big', pattern(2500));
    await cache.ensure(rig.request('big'));
    await expect.poll(() => cache.statistics().bytes).toBeLessThanOrEqual(9000);
    const here = Array.from({ length: 9 }, (_, i) => cache.isPresent(rig.request(`o${i}`)));
    expect(here).toEqual([true, false, false, false, true, true, true, true, true]);
    expect(cache.isPresent(rig.request('big'))).toBe(true);
    expect(cache.statistics()).toMatchObject({ evictions: 3, objects: 7 });
  });

  it('what ensure brought can be opened, however small the cache', async () => {
    const cache = rig.open({ limit: 10, lease: 300 });
    await cache.ensure(rig.request('a', { digest }));
    await sleep(100);
    expect(bytesOf(cache, rig.request('a', { digest }))?.equals(content)).toBe(true);
    await expect.poll(() => cache.statistics().bytes, { timeout: 5000 }).toBe(0);
  });

  it('waits for another process that evicts', async () => {
    const cache = rig.open();
    await cache.ensure(rig.request('a'));
    const lock = openSync(layout.evictLock, 'a');
    expect(lockExclusive(lock)).toBe(true);
    const evicting = cache.evict(0);
    await sleep(100);
    expect(cache.isPresent(rig.request('a'))).toBe(true);
    closeSync(lock);
    expect(await evicting).toBe(1);
  });

  it('counts what is there in the background', async () => {
    const first = rig.open();
    for (let i = 0; i < 20; i++) rig.objects.set(`o${i}`, pattern(100 + i));
    await Promise.all(Array.from({ length: 20 }, (_, i) => first.ensure(rig.request(`o${i}`))));
    await first.close();
    const second = rig.open();
    await expect.poll(() => second.statistics()).toMatchObject({ objects: 20, bytes: 20 * 100 + 190 });
  });

  it('refuses digests and sizes that could lead elsewhere, and caches of another layout', async () => {
    const cache = rig.open();
    const evil = { algorithm: 'sha256', hex: '../../../../etc/passwd' } as const;
    expect(cache.openIfPresent(rig.request('a', { digest: evil }))).toBeUndefined();
    expect(cache.isPresent(rig.request('a', { digest: evil }))).toBe(false);
    await expect(cache.ensure(rig.request('a', { digest: evil }))).rejects.toMatchObject({ code: 'corrupt-repository' });
    await expect(cache.ensure(rig.request('a', { size: -1 }))).rejects.toMatchObject({ code: 'corrupt-repository' });
    await cache.close();
    writeFileSync(join(rig.cacheDirectory, 'layout.json'), '{"layout":2}');
    expect(() => rig.open()).toThrow(expect.objectContaining({ code: 'cache-failed' }) as Error);
    writeFileSync(join(rig.directory, 'file'), '');
    expect(() => rig.open({ directory: join(rig.directory, 'file') })).toThrow(expect.objectContaining({ code: 'cache-failed' }) as Error);
  });

  it('closing ends the fetches under way and leaves no unfinished file', async () => {
    const cache = rig.open({}, { deadline: 20_000, idleTimeout: 20_000 });
    rig.server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('x');
    };
    const waiting = expect(cache.ensure(rig.request('a'))).rejects.toMatchObject({ code: 'interrupted' });
    await expect.poll(() => cache.statistics().fetchedBytes).toBe(1);
    await cache.close();
    await cache.close();
    await waiting;
    expect(filesBelow(layout.temporary)).toEqual([]);
  });

  it('many opens touch an object once, and leave no descriptor open', async () => {
    const cache = rig.open();
    const request = rig.request('a', { digest });
    await cache.ensure(request);
    await expect.poll(() => cache.statistics().objects).toBe(1);
    utimesSync(layout.object(digest), 1000, 1000);
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 1000; i++) cache.close(cache.openIfPresent(request)!);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2);
    expect(Math.abs(statSync(layout.object(digest)).mtimeMs - Date.now())).toBeLessThan(60_000);
    expect(existsSync(layout.object(digest))).toBe(true);
  });
});
