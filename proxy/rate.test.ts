import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import { parseRemotePath } from './paths.js';
import { RateLimiter } from './rate.js';
import { pattern, readAll } from './testing/conformance.js';
import { serveBytes, startServer, type TestServer } from './testing/server.js';

const content = pattern(1_500_000);
const object = parseRemotePath('object');

describe('the rate limit', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await startServer();
    server.handler = (request, response) => serveBytes(request, response, content);
  });
  afterEach(() => server.close());

  it('holds for all reads of all remotes together, and is shared fairly', async () => {
    const rate = new RateLimiter(2_000_000);
    const remotes = [openRemote(server.url, { rate, deadline: 1000 }), openRemote(server.url, { rate, deadline: 1000 })];
    const began = performance.now();
    const ends = await Promise.all(
      [0, 1, 0].map(async (which) => {
        expect((await readAll(remotes[which]!, 'object')).equals(content)).toBe(true);
        return (performance.now() - began) / 1000;
      }),
    );
    // 4.5 MB at 2 MB/s, but for a burst of 0.2 MB; a host that is busy takes longer.
    expect(Math.max(...ends)).toBeGreaterThan(2.1);
    expect(Math.max(...ends)).toBeLessThan(4);
    expect(Math.min(...ends)).toBeGreaterThan(0.85 * Math.max(...ends));
    await Promise.all(remotes.map((remote) => remote.close()));
  });

  it('is exact to a few per cent, whatever the size of what passes', async () => {
    const limiter = new RateLimiter(2_000_000);
    const began = performance.now();
    const takers = [1_000, 64_000, 1_000_000].map(async (bytes) => {
      for (let left = 1_400_000; left > 0; left -= bytes) await limiter.take(Math.min(bytes, left), undefined, 'x');
    });
    await Promise.all(takers);
    // 4.2 MB at 2 MB/s, but for a burst of 0.2 MB.
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeGreaterThan(1.95);
    expect(seconds).toBeLessThan(2.2);
  });

  it('lets a waiter go at once, whose bytes then count for nobody', async () => {
    const limiter = new RateLimiter(10_000);
    await limiter.take(11_000, undefined, 'x');
    const began = performance.now();
    const leaving = limiter.take(1_000_000, AbortSignal.timeout(50), 'x');
    const staying = limiter.take(100, undefined, 'x');
    await expect(leaving).rejects.toMatchObject({ code: 'interrupted' });
    expect(performance.now() - began).toBeLessThan(500);
    await staying;
    expect(performance.now() - began).toBeLessThan(7000);
    await expect(limiter.take(1, AbortSignal.abort(), 'x')).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('ends a read that waits when the remote is closed', async () => {
    const remote = openRemote(server.url, { rate: new RateLimiter(1000) });
    const reading = readAll(remote, 'object');
    setTimeout(() => void remote.close(), 100);
    await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('equal stats', () => {
  it('are asked once while they are under way; the question ends with its last asker', async () => {
    const server = await startServer();
    const closed: Promise<void>[] = [];
    server.handler = (request, response, count) => {
      closed.push(new Promise((resolve) => response.once('close', resolve)));
      if (count <= 2) setTimeout(() => serveBytes(request, response, content), 100);
    };
    const remote = openRemote(server.url);
    const leaving = remote.stat(object, { signal: AbortSignal.timeout(20) });
    const [first, second, other] = [remote.stat(object), remote.stat(object), remote.stat(parseRemotePath('other'))];
    await expect(leaving).rejects.toMatchObject({ code: 'interrupted' });
    expect([await first, await second].map(({ size }) => size)).toEqual([content.length, content.length]);
    await other;
    expect(server.requests).toHaveLength(2);
    await expect(remote.stat(object, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'interrupted' });
    await closed.at(-1);
    server.handler = (request, response) => serveBytes(request, response, content);
    expect((await remote.stat(object)).size).toBe(content.length);
    await expect(remote.stat(object, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    await remote.close();
    await server.close();
  });
});
