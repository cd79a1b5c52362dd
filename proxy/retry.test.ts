import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Remote } from './contract.js';
import { httpRemote } from './http.js';
import { limitRemote } from './limit.js';
import { parseRemotePath } from './paths.js';
import { ProgressMeter } from './progress.js';
import { retryRemote, type RetrySettings } from './retry.js';
import { pattern, readAll } from './testing/conformance.js';
import { serveBytes, startServer, type TestServer } from './testing/server.js';

const content = pattern(500_000);
const object = parseRemotePath('object');

describe('retries', () => {
  let server: TestServer;
  let remote: Remote;
  let told: string[];

  function start(settings: Partial<RetrySettings> = {}, idleTimeout = 200): Remote {
    const inner = httpRemote(server.url, { credentials: () => undefined, idleTimeout, connections: 8, userAgent: 'test' });
    remote = retryRemote(inner, { deadline: 5000, baseDelay: 5, onRetry: (message) => told.push(message), ...settings });
    return remote;
  }

  beforeEach(async () => {
    server = await startServer();
    told = [];
  });
  afterEach(async () => {
    await remote.close();
    await server.close();
  });

  it('promise 5: cures failures that pass, and tells of each', async () => {
    server.handler = (request, response, count) => {
      if (count === 1) request.socket.destroy();
      else if (count === 2) response.writeHead(503).end();
      else if (count > 3) serveBytes(request, response, content);
    };
    expect((await start().stat(object)).size).toBe(content.length);
    expect(told).toHaveLength(3);
    expect(told[1]).toMatch(/^attempt 2 failed, next in \d+ ms: asking for .*: the origin answers 503$/);
  });

  it.each([404, 403, 400])('does not try again what is final: %i', async (status) => {
    server.handler = (_, response) => void response.writeHead(status).end();
    await expect(start().open(object)).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  });

  it('continues a body at the byte it had reached, of the same version', async () => {
    server.handler = (request, response, count) => {
      if (count === 5) return serveBytes(request, response, content);
      const first = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.setHeader('etag', '"1"');
      if (first === 0) response.writeHead(200, { 'content-length': content.length });
      else response.writeHead(206, { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` });
      response.write(content.subarray(first, first + 100_000), () => request.socket.destroy());
    };
    expect((await readAll(start(), 'object')).equals(content)).toBe(true);
    expect(server.requests.map((seen) => seen.headers.range)).toHaveLength(5);
    for (const seen of server.requests.slice(1)) expect(seen.headers).toMatchObject({ range: /^bytes=\d+-$/, 'if-range': '"1"' });
  });

  it('continues a range, and ends where it ends', async () => {
    server.handler = (request, response, count) => {
      if (count > 1) return serveBytes(request, response, content);
      response.writeHead(206, { etag: '"1"', 'content-range': `bytes 1000-1999/${content.length}` });
      response.write(content.subarray(1000, 1400), () => request.socket.destroy());
    };
    expect((await readAll(start(), 'object', { offset: 1000, length: 1000 })).equals(content.subarray(1000, 2000))).toBe(true);
    expect(server.requests[1]!.headers.range).toBe('bytes=1400-1999');
  });

  it('never joins two versions: a change between the attempts is remote-changed', async () => {
    const breakOff: TestServer['handler'] = (request, response, count) => {
      if (count > 1) return serveBytes(request, response, content, '"2"');
      response.writeHead(200, { etag: '"1"', 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => request.socket.destroy());
    };
    server.handler = breakOff;
    await expect(readAll(start(), 'object')).rejects.toMatchObject({ code: 'remote-changed' });
  });

  it.each([null, 'W/"1"'])('does not continue a body whose version cannot be told (%s)', async (etag) => {
    server.handler = (request, response) => {
      response.writeHead(200, { ...(etag === null ? {} : { etag }), 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => request.socket.destroy());
    };
    await expect(readAll(start(), 'object')).rejects.toMatchObject({ code: 'remote-failed', message: /no strong validator to go on with/ });
    expect(server.requests).toHaveLength(1);
  });

  it('promise 3: gives up at the deadline with the most telling error and the number of attempts', async () => {
    server.handler = (request) => void request.socket.destroy();
    let began = performance.now();
    const failing = start({ deadline: 400 }).stat(object);
    await expect(failing).rejects.toMatchObject({
      code: 'remote-unreachable',
      message: /closed by the other side \(given up after \d+ attempts; the deadline is 0.4 s\)/,
    });
    expect(performance.now() - began).toBeLessThan(1500);
    await remote.close();
    server.handler = () => undefined;
    began = performance.now();
    await expect(start({ deadline: 500 }).open(object)).rejects.toMatchObject({ code: 'remote-timeout' });
    expect(performance.now() - began).toBeLessThan(1500);
    expect(server.requests.length).toBeGreaterThan(2);
  });

  it('gives up sooner on an origin that cannot be connected to, where so told', async () => {
    start({ deadline: 20_000, unreachable: 100 });
    await server.close();
    const began = performance.now();
    await expect(remote.stat(object)).rejects.toMatchObject({ code: 'remote-unreachable' });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('the deadline begins anew with every byte that is new', async () => {
    server.handler = (request, response) => {
      const first = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.setHeader('etag', '"1"');
      if (first === 0) response.writeHead(200, { 'content-length': content.length });
      else response.writeHead(206, { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` });
      // Some bytes, then silence: each attempt ends with the idle timeout of 200 ms.
      response.write(content.subarray(first, first + 80_000));
    };
    const began = performance.now();
    expect((await readAll(start({ deadline: 600 }), 'object')).equals(content)).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(1000);
  });

  it('promise 3: a few bytes with every attempt do not keep it going', async () => {
    server.handler = (request, response) => {
      const first = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.setHeader('etag', '"1"');
      if (first === 0) response.writeHead(200, { 'content-length': content.length });
      else response.writeHead(206, { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` });
      response.write(content.subarray(first, first + 1));
    };
    const began = performance.now();
    await expect(readAll(start({ deadline: 800 }), 'object')).rejects.toMatchObject({ code: 'remote-timeout' });
    expect(performance.now() - began).toBeLessThan(2500);
  });

  it('honours Retry-After, but not beyond the deadline', async () => {
    server.handler = (request, response, count) => {
      if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else serveBytes(request, response, content);
    };
    let began = performance.now();
    await start().stat(object);
    expect(performance.now() - began).toBeGreaterThanOrEqual(990);
    await remote.close();
    server.handler = (_, response) => void response.writeHead(503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }).end();
    began = performance.now();
    await expect(start().stat(object)).rejects.toMatchObject({ code: 'remote-failed', message: /asks to wait 3[56]\d\d s/ });
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('an abort ends the pause between attempts', async () => {
    server.handler = (_, response) => void response.writeHead(503, { 'retry-after': '4' }).end();
    const began = performance.now();
    await expect(start().stat(object, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'interrupted' });
    expect(performance.now() - began).toBeLessThan(1500);
  });
});

describe('the limit on open bodies', () => {
  it('keeps the others waiting, in order, and lets a waiter leave', async () => {
    const server = await startServer();
    let now = 0;
    let most = 0;
    server.handler = (request, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        serveBytes(request, response, content);
      }, 30);
    };
    const inner = httpRemote(server.url, { credentials: () => undefined, idleTimeout: 2000, connections: 16, userAgent: 'test' });
    const remote = limitRemote(inner, 2, 5000);
    const reads = Array.from({ length: 6 }, () => readAll(remote, 'object'));
    const leaving = readAll(remote, 'object', { signal: AbortSignal.timeout(5) });
    await expect(leaving).rejects.toMatchObject({ code: 'interrupted' });
    expect((await Promise.all(reads)).every((read) => read.equals(content))).toBe(true);
    expect(most).toBe(2);
    expect(server.requests).toHaveLength(6);

    // A body left before its first chunk, one left in the middle and one that fails give their turns back.
    await (await remote.open(object)).bytes[Symbol.asyncIterator]().return?.();
    for await (const chunk of (await remote.open(object)).bytes) if (chunk.length > 0) break;
    server.handler = (_, response) => void response.writeHead(404).end();
    await expect(remote.open(object)).rejects.toMatchObject({ code: 'remote-not-found' });
    server.handler = (request, response) => serveBytes(request, response, content);
    const held = await Promise.all([remote.open(object), remote.open(object)]);
    const waiting = expect(remote.open(object)).rejects.toMatchObject({ code: 'interrupted' });
    await remote.close();
    await waiting;
    expect(held).toHaveLength(2);
    await server.close();
  });

  it('promise 3: who waits for a turn at an origin that stands still fails within the deadline, and does not where it goes on', async () => {
    const server = await startServer();
    const inner = httpRemote(server.url, { credentials: () => undefined, idleTimeout: 60_000, connections: 16, userAgent: 'test' });
    const remote = limitRemote(inner, 1, 400);
    try {
      server.handler = (_, response, count) => {
        response.writeHead(200, { 'content-length': content.length });
        const trickle = setInterval(() => response.write(content.subarray(0, 10)), 50);
        setTimeout(() => clearInterval(trickle), 1000);
        if (count > 1) response.end(content.subarray(0, content.length));
      };
      const first = readAll(remote, 'object');
      first.catch(() => undefined);
      const began = performance.now();
      await expect(readAll(remote, 'object')).rejects.toMatchObject({
        code: 'remote-timeout',
        message: expect.stringContaining('its turn') as string,
      });
      // A second of bytes, then the deadline.
      expect(performance.now() - began).toBeGreaterThan(1200);
      expect(performance.now() - began).toBeLessThan(4000);
    } finally {
      await remote.close();
      await server.close();
    }
  });
});

describe('progress', () => {
  it('is an average of 1000 bytes/s since the last progress', () => {
    const meter = new ProgressMeter();
    expect(meter.add(100, 50)).toBe(true);
    expect(meter.add(100, 150)).toBe(false);
    expect(meter.add(0, 0)).toBe(false);
    expect(meter.waited).toBe(150);
    expect(meter.add(50, 0)).toBe(true);
    expect(meter.waited).toBe(0);
  });
});
