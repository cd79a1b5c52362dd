import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRemote, type RemoteSettings } from './assemble.js';
import type { Remote } from './contract.js';
import { httpRemote } from './http.js';
import { MirrorRecord } from './mirror-health.js';
import { mirrorRemote } from './mirrors.js';
import { ButlerfsError } from '../common/errors.js';
import { parseRemotePath } from './paths.js';
import { pattern, readAll } from './testing/conformance.js';
import { serveBytes, startServer, type TestServer } from './testing/server.js';

const content = pattern(500_000);
const object = parseRemotePath('data/object');
const modified = 'Tue, 24 Nov 2026 10:00:00 GMT';

/** Sends the beginning of what is asked for, then nothing more. */
function breakOff(etag: string, bytes: number, lastModified = modified): TestServer['handler'] {
  return (request, response) => {
    const first = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { etag, 'last-modified': lastModified, 'content-length': content.length - first };
    if (first === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` });
    response.write(content.subarray(first, first + bytes), () => request.socket.destroy());
  };
}

function serve(etag: string | null, lastModified: string | null = modified, served = content): TestServer['handler'] {
  return (request, response) => {
    if (lastModified !== null) response.setHeader('last-modified', lastModified);
    serveBytes(request, response, served, etag);
  };
}

describe('mirrors', () => {
  let servers: [TestServer, TestServer, TestServer];
  let remote: Remote;
  let told: string[];

  function start(count = 2): Remote {
    const remotes = servers
      .slice(0, count)
      .map((server) =>
        httpRemote(`${server.url}/repo`, { credentials: () => undefined, idleTimeout: 300, connections: 8, userAgent: 'test' }),
      );
    return (remote = mirrorRemote(remotes, { onFailover: (message) => told.push(message) }));
  }
  function assembled(settings: RemoteSettings): Remote {
    const [first, ...mirrors] = servers.map((server) => `${server.url}/repo`);
    return (remote = openRemote(first!, { mirrors, ...settings }));
  }
  const requests = (): number[] => servers.map((server) => server.requests.length);

  beforeEach(async () => {
    servers = [await startServer(), await startServer(), await startServer()];
    told = [];
  });
  afterEach(async () => {
    await remote.close();
    await Promise.all(servers.map((server) => server.close()));
  });

  it('has the name and the URLs of the first', async () => {
    for (const server of servers) server.handler = serve('"1"');
    expect(start().url).toBe(`${servers[0].url}/repo`);
    expect(remote.urlOf(object)).toBe(`${servers[0].url}/repo/data/object`);
    expect((await remote.stat(object)).validator).toBe('"1"');
    expect(requests()).toEqual([1, 0, 0]);
  });

  it('promise 5: asks the next where one fails, and then that one first, for as long as the other rests', async () => {
    servers[0].handler = (request) => void request.socket.destroy();
    servers[1].handler = serve('"1"');
    start();
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(true);
    await remote.stat(object);
    expect((await readAll(remote, 'data/object', { offset: 5, length: 7 })).equals(content.subarray(5, 12))).toBe(true);
    expect(requests()).toEqual([1, 3, 0]);
    const [first, second] = remote.mirrors!();
    expect(first).toMatchObject({ url: `${servers[0].url}/repo`, failures: 1, problem: 'the connection was closed by the other side' });
    expect(first!.restsUntil! - Date.now()).toBeGreaterThan(1000);
    expect(first!.restsUntil! - Date.now()).toBeLessThan(2400);
    expect(second).toMatchObject({ failures: 0, restsUntil: null, problem: null });
    expect(second!.latency).toBeGreaterThan(0);
    expect(second!.throughput).toBeGreaterThan(0);
    expect(told).toHaveLength(1);
  });

  it('asks the next for what one lacks or refuses, and blames nobody', async () => {
    servers[0].handler = (_, response) => void response.writeHead(404).end();
    servers[1].handler = (_, response) => void response.writeHead(403).end();
    servers[2].handler = serve('"1"');
    start(3);
    expect((await remote.stat(object)).size).toBe(content.length);
    expect(remote.mirrors!().map((mirror) => mirror.failures)).toEqual([0, 0, 0]);
    servers[1].handler = servers[2].handler = servers[0].handler;
    await expect(remote.stat(object)).rejects.toMatchObject({ code: 'remote-not-found' });
  });

  it('where all are down each is asked once, and the error names each and why', async () => {
    servers[0].handler = (request) => void request.socket.destroy();
    servers[1].handler = (_, response) => void response.writeHead(503).end();
    servers[2].handler = (_, response) => void response.writeHead(404).end();
    start(3);
    const error = await remote.open(object).catch((thrown: unknown) => thrown as ButlerfsError);
    expect(error).toMatchObject({ code: 'remote-failed' });
    expect((error as Error).message).toBe(
      `reading ${servers[0].url}/repo/data/object: no mirror gives it: ${servers[0].url}/repo: the connection was closed by the other side; ` +
        `${servers[1].url}/repo: the origin answers 503; ${servers[2].url}/repo: the origin does not have it (404)`,
    );
    expect(requests()).toEqual([1, 1, 1]);
  });

  it('goes on in the middle of a body at the byte it had reached, where the version is the same', async () => {
    servers[0].handler = breakOff('"1"', 100_000);
    // Another name for the same version: size and time are equal.
    servers[1].handler = breakOff('"apache-1"', 100_000);
    servers[2].handler = serve('"1"', null);
    start(3);
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(true);
    expect(requests()).toEqual([1, 1, 1]);
    for (const server of servers.slice(1)) expect(server.requests[0]!.headers.range).toMatch(/^bytes=[1-9]\d+-$/);
    expect(told).toHaveLength(2);
  });

  it('promise 1: never joins two versions: one that has another is passed by', async () => {
    servers[0].handler = breakOff('"1"', 100_000);
    servers[1].handler = serve('"2"', 'Tue, 24 Nov 2026 11:00:00 GMT', Buffer.alloc(content.length, 1));
    servers[2].handler = serve('"3"', modified);
    start(3);
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(true);
    expect(requests()).toEqual([1, 1, 1]);
    expect(remote.mirrors!()[1]).toMatchObject({ failures: 0 });
  });

  it('promise 1: a body that none can go on with fails, and names each', async () => {
    servers[0].handler = breakOff('"1"', 100_000);
    servers[1].handler = serve('"2"', 'Tue, 24 Nov 2026 11:00:00 GMT');
    start(2);
    await expect(readAll(remote, 'data/object')).rejects.toMatchObject({
      code: 'remote-failed',
      message: /no mirror gives it: .* it has another version \(wanted 500000 bytes, "1", found 500000 bytes, version "2"\)/,
    });
  });

  it('reads a pinned version where it is, under its own name there', async () => {
    servers[0].handler = serve('"1"');
    servers[1].handler = serve('"one"');
    start(2);
    const { validator } = await remote.stat(object);
    servers[0].handler = (request) => void request.socket.destroy();
    const body = await remote.open(object, { offset: 10, length: 10, validator });
    expect(body.stat).toMatchObject({ validator: '"1"', size: content.length });
    expect((await readAll(remote, 'data/object', { offset: 30, length: 10, validator })).equals(content.subarray(30, 40))).toBe(true);
    expect(servers[1].requests.map((seen) => seen.headers['if-range'])).toEqual([undefined, '"one"']);
    expect((await remote.stat(object)).validator).toBe('"1"');
    servers[1].handler = serve('"two"', 'Tue, 24 Nov 2026 11:00:00 GMT');
    await expect(readAll(remote, 'data/object', { offset: 30, length: 10, validator })).rejects.toThrow(/no mirror gives it/);
  });

  it('promise 5: wrong bytes are a failure of the mirror that sent them', async () => {
    servers[0].handler = serve('"1"', modified, Buffer.alloc(content.length, 7));
    servers[1].handler = serve('"1"');
    start(2);
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(false);
    expect((await readAll(remote, 'data/object', { fresh: true })).equals(content)).toBe(true);
    expect(servers[1].requests[0]!.headers['cache-control']).toBe('no-cache');
    expect(remote.mirrors!()).toMatchObject([{ failures: 1, problem: 'what it sent failed its check' }, { failures: 0 }]);
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(true);
  });

  it('promise 5: each sends another file wrong: both files come right, whichever of them rests longer', async () => {
    const wrong = Buffer.alloc(content.length, 7);
    const wrongFor =
      (...files: string[]): TestServer['handler'] =>
      (request, response, count) =>
        serve('"1"', modified, files.some((file) => request.url!.endsWith(file)) ? wrong : content)(request, response, count);
    servers[0].handler = wrongFor('/one', '/three');
    const second = wrongFor('/two');
    servers[1].handler = (request, response, count) => void setTimeout(() => second(request, response, count), 200);
    start(2);
    const read = async (file: string, fresh = false): Promise<boolean> =>
      (await readAll(remote, `data/${file}`, { fresh })).equals(content);
    // Both have been measured: the first is quicker, and asked first.
    for (const file of ['four', 'five', 'six', 'seven']) expect(await read(file)).toBe(true);
    // Twice wrong: the first rests longer than the second will.
    expect([await read('one'), await read('three')]).toEqual([false, false]);
    expect([await read('one', true), await read('three', true)]).toEqual([true, true]);
    expect(await read('two')).toBe(false);
    expect(await read('two', true)).toBe(true);
  });

  it('a mirror that is silent does not use up the deadline of the others', async () => {
    servers[0].handler = servers[1].handler = () => undefined;
    servers[2].handler = serve('"1"');
    assembled({ deadline: 1200, idleTimeout: 10_000 });
    const began = performance.now();
    expect((await remote.stat(object)).size).toBe(content.length);
    expect(performance.now() - began).toBeLessThan(1190);
  });

  it('assembled: an outage of all of them is waited for, within the deadline', async () => {
    for (const server of servers) {
      server.handler = (request, response, count) => {
        if (count === 1) request.socket.destroy();
        else serve('"1"')(request, response, count);
      };
    }
    assembled({ deadline: 10_000 });
    const began = performance.now();
    expect((await readAll(remote, 'data/object')).equals(content)).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(1500);
    await remote.close();
    servers[0].handler = servers[1].handler = servers[2].handler = (request) => void request.socket.destroy();
    assembled({ deadline: 1000 });
    await expect(remote.stat(object)).rejects.toMatchObject({
      code: 'remote-unreachable',
      message: /no mirror gives it: .*given up after 1 attempt; the deadline is 1 s/,
    });
  });

  it('an abort ends it at once, and blames nobody', async () => {
    servers[0].handler = servers[1].handler = () => undefined;
    start(2);
    await expect(remote.open(object, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'interrupted' });
    expect(remote.mirrors!().map((mirror) => mirror.failures)).toEqual([0, 0]);
    servers[0].handler = serve('"1"');
    const body = await remote.open(object);
    await body.bytes[Symbol.asyncIterator]().return?.();
    await remote.close();
    await expect(remote.stat(object)).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('prefers the quicker one for bodies, and asks in the given order for stats', async () => {
    servers[0].handler = (request, response, count) => void setTimeout(() => serve('"1"')(request, response, count), 200);
    servers[1].handler = serve('"1"');
    start(2);
    for (let i = 0; i < 6; i++) await readAll(remote, 'data/object');
    expect(requests()).toEqual([1, 5, 0]);
    await remote.stat(object);
    expect(requests()).toEqual([2, 5, 0]);
  });
});

describe('the record of a mirror', () => {
  const failure = new ButlerfsError('remote-failed', { what: 'x', why: 'broken' });

  it('rests 2 s after the first failure, twice as long after each that follows, at most five minutes; a success ends it', () => {
    const record = new MirrorRecord('http://m', () => 0.5);
    const rests: number[] = [];
    for (let i = 0; i < 10; i++) {
      record.noteFailure(failure);
      rests.push(Math.round((record.restsUntil - Date.now()) / 1000));
    }
    expect(rests).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    expect(record.isResting(Date.now())).toBe(true);
    const trial = record.begin();
    trial.answered();
    trial.succeeded(0, 0);
    expect(record.health).toMatchObject({ failures: 0, restsUntil: null, problem: null });
  });

  it('counts failures that ran at the same time as one, and lets one request show whether it is well again', () => {
    const record = new MirrorRecord('http://m', () => 0);
    const trials = [record.begin(), record.begin(), record.begin()];
    for (const trial of trials) trial.failed(failure);
    expect(record.health.failures).toBe(1);
    const later = Date.now() + 3000;
    expect(record.isResting(later)).toBe(false);
  });
});
