import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Remote } from './contract.js';
import { openRemote, type RemoteSettings } from './assemble.js';
import { redirectTarget } from './http-exchange.js';
import { httpRemote } from './http.js';
import { parseRemotePath } from './paths.js';
import { pattern, readAll } from './testing/conformance.js';
import { freePort } from './testing/ports.js';
import { serveBytes, startServer, type TestServer } from './testing/server.js';

const content = pattern(400_000);
const basic = { kind: 'basic', username: 'me', password: 'hunter2', source: 'netrc' } as const;
const object = parseRemotePath('data/object');

describe('http remote against a faulty origin', () => {
  let server: TestServer;
  let other: TestServer;
  const remotes: Remote[] = [];

  /** One attempt, no retries. */
  function single(idleTimeout = 300, withCredentials = true): Remote {
    const remote = httpRemote(server.url, {
      credentials: (url) => (withCredentials && url.hostname === '127.0.0.1' ? basic : undefined),
      idleTimeout,
      connections: 4,
      userAgent: 'butlerfs-test',
    });
    remotes.push(remote);
    return remote;
  }
  function assembled(settings: RemoteSettings, source = server.url): Remote {
    const remote = openRemote(source, settings);
    remotes.push(remote);
    return remote;
  }

  beforeEach(async () => {
    [server, other] = [await startServer(), await startServer()];
  });
  afterEach(async () => {
    await Promise.all(remotes.splice(0).map((remote) => remote.close()));
    await Promise.all([server.close(), other.close()]);
  });

  it('asks for the bytes as they are, says who it is, and sends Basic credentials to its host', async () => {
    server.handler = (request, response) => serveBytes(request, response, content);
    await readAll(single(), 'data/object', { fresh: true });
    expect(server.requests[0]).toMatchObject({
      method: 'GET',
      path: '/data/object',
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'butlerfs-test',
        'cache-control': 'no-cache',
        authorization: `Basic ${Buffer.from('me:hunter2').toString('base64')}`,
      },
    });
    expect(server.requests[0]!.headers.range).toBeUndefined();
  });

  it('promise 11: sends a bearer token, and credentials from the URL to its host only, and never shows them', async () => {
    server.handler = (request, response) => serveBytes(request, response, content);
    await readAll(assembled({ credentials: () => ({ kind: 'bearer', token: 'tok', source: 'configuration' }) }), 'data/object');
    expect(server.requests.at(-1)!.headers.authorization).toBe('Bearer tok');
    const remote = assembled({}, server.url.replace('//', '//you:p%40ss@'));
    await readAll(remote, 'data/object');
    expect(server.requests.at(-1)!.headers.authorization).toBe(`Basic ${Buffer.from('you:p@ss').toString('base64')}`);
    expect(remote.url).toBe(server.url);
    server.handler = (_, response) => void response.writeHead(401).end();
    const error = await remote.stat(object).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toMatch(/refuses the credentials from the URL \(401\)/);
    expect(String((error as Error).stack)).not.toMatch(/p@ss|p%40ss/);
  });

  it('keeps connections: fifteen answers do not need fifteen', async () => {
    const sockets = new Set<unknown>();
    server.handler = (request, response) => {
      sockets.add(request.socket);
      serveBytes(request, response, content);
    };
    const remote = single();
    for (let i = 0; i < 5; i++) {
      await readAll(remote, 'data/object');
      await readAll(remote, 'data/object', { offset: 10, length: 1000 });
      await remote.stat(object);
    }
    // A second one, where the first is still busy with the end of an answer.
    expect(sockets.size).toBeLessThanOrEqual(2);
  });

  it('asks for a range of the version it knows: If-Range with a strong ETag only', async () => {
    server.handler = (request, response) => serveBytes(request, response, content, '"v1"');
    expect(await readAll(single(), 'data/object', { offset: 5, length: 10, validator: '"v1"' })).toHaveLength(10);
    expect(server.requests[0]!.headers).toMatchObject({ range: 'bytes=5-14', 'if-range': '"v1"' });
    server.handler = (request, response) => serveBytes(request, response, content, 'W/"v1"');
    expect(await readAll(single(), 'data/object', { offset: 5, length: 10, validator: 'W/"v1"' })).toHaveLength(10);
    expect(server.requests[1]!.headers['if-range']).toBeUndefined();
    await expect(readAll(single(), 'data/object', { offset: 5, validator: 'W/"v2"' })).rejects.toMatchObject({ code: 'remote-changed' });
  });

  it('takes a 200 in answer to a range, skipping what was not asked for', async () => {
    server.handler = (_, response) => void response.writeHead(200, { 'content-length': content.length }).end(content);
    expect((await readAll(single(), 'data/object', { offset: 70_000, length: 9 })).equals(content.subarray(70_000, 70_009))).toBe(true);
    server.handler = (_, response) => void response.writeHead(200).end(content);
    expect((await readAll(single(), 'data/object', { offset: 70_000 })).equals(content.subarray(70_000))).toBe(true);
  });

  it.each([
    'bytes 0-9/400000',
    'bytes 5-8/400000',
    'bytes 5-20/400000',
    'bytes 9-5/400000',
    'bytes 5-14/3',
    'lines 5-14/400000',
    undefined,
  ])('refuses a 206 with Content-Range %s', async (range) => {
    server.handler = (_, response) => void response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end('0123456789');
    await expect(readAll(single(), 'data/object', { offset: 5, length: 10 })).rejects.toMatchObject({ code: 'remote-failed' });
  });

  it('a body that is shorter than promised, or reset, is remote-failed', async () => {
    server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('x'.repeat(10), () => response.socket?.end());
    };
    await expect(readAll(single(), 'data/object')).rejects.toMatchObject({ code: 'remote-failed', message: /after 10 bytes of 1000/ });
    server.handler = (_, response) => {
      response.writeHead(200);
      response.write('x'.repeat(10), () => response.socket?.resetAndDestroy());
    };
    await expect(readAll(single(), 'data/object')).rejects.toMatchObject({ code: 'remote-failed' });
    server.handler = (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end('short');
    await expect(readAll(single(), 'data/object', { length: 10 })).rejects.toMatchObject({
      message: /5 bytes arrived where 10 were promised/,
    });
  });

  it('no headers, no bytes, or a trickle for the idle time is remote-timeout', async () => {
    server.handler = () => undefined;
    await expect(single().stat(object)).rejects.toMatchObject({ code: 'remote-timeout', message: /no answer for 0.3 s/ });
    server.handler = (_, response) => void response.writeHead(200, { 'content-length': 10 }).flushHeaders();
    await expect(readAll(single(), 'data/object')).rejects.toMatchObject({ code: 'remote-timeout' });
    let trickle: NodeJS.Timeout | undefined;
    server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': 100_000 });
      trickle = setInterval(() => response.write('x'), 20);
    };
    const began = performance.now();
    await expect(readAll(single(), 'data/object')).rejects.toMatchObject({ code: 'remote-timeout', message: /less than 1000 bytes\/s/ });
    expect(performance.now() - began).toBeLessThan(3000);
    clearInterval(trickle);
  });

  it('a slow consumer is not an idle origin', async () => {
    server.handler = (request, response) => serveBytes(request, response, content);
    const body = await single(100).open(object);
    let size = 0;
    for await (const chunk of body.bytes) {
      if (size === 0) await new Promise((resolve) => setTimeout(resolve, 400));
      size += chunk.length;
    }
    expect(size).toBe(content.length);
  });

  it('falls back from HEAD to a range where HEAD is refused or tells no length', async () => {
    for (const refuse of [405, 501, 200]) {
      server.handler = (request, response) => {
        if (request.method === 'HEAD') response.writeHead(refuse, { 'transfer-encoding': 'chunked' }).end();
        else serveBytes(request, response, content);
      };
      expect(await single().stat(object)).toMatchObject({ size: content.length, validator: '"1"' });
    }
    server.handler = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end();
      else serveBytes(request, response, Buffer.alloc(0));
    };
    expect((await single().stat(object)).size).toBe(0);
    server.handler = (_, response) => void response.writeHead(200, { 'transfer-encoding': 'chunked' }).end('abc');
    expect((await single().stat(object)).size).toBeNull();
  });

  it('promise 11: follows redirects, with credentials for its own origin only', async () => {
    other.handler = (request, response) => serveBytes(request, response, content);
    server.handler = (request, response) => {
      if (request.url === '/data/object') response.writeHead(302, { location: '/moved' }).end();
      else response.writeHead(307, { location: `${other.url.replace('//', '//in:jected@')}/elsewhere?signature=s3cret` }).end();
    };
    expect((await readAll(single(), 'data/object', { offset: 3, length: 5 })).equals(content.subarray(3, 8))).toBe(true);
    expect(server.requests.map((seen) => [seen.path, seen.headers.authorization !== undefined])).toEqual([
      ['/data/object', true],
      ['/moved', true],
    ]);
    expect(other.requests).toHaveLength(1);
    expect(other.requests[0]!.headers).toMatchObject({ range: 'bytes=3-7' });
    expect(other.requests[0]!.headers.authorization).toBeUndefined();
    other.handler = (_, response) => void response.writeHead(403).end();
    const error = await single()
      .stat(object)
      .catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'remote-forbidden', message: /redirects to .* as the source/ });
    expect((error as Error).message).not.toMatch(/s3cret|jected/);
  });

  it('refuses redirects in a circle, to another scheme, and without a target', async () => {
    server.handler = (_, response) => void response.writeHead(301, { location: '/data/object' }).end();
    await expect(single().stat(object)).rejects.toMatchObject({ code: 'remote-failed', message: /more than 5 redirects/ });
    expect(server.requests).toHaveLength(6);
    server.handler = (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    await expect(single().stat(object)).rejects.toMatchObject({ code: 'remote-forbidden' });
    server.handler = (_, response) => void response.writeHead(302).end();
    await expect(single().stat(object)).rejects.toMatchObject({ code: 'remote-failed' });
    server.handler = (_, response) => void response.writeHead(301, { location: '/data/object/' }).end();
    await expect(single().stat(object)).rejects.toMatchObject({ code: 'remote-not-found', message: /it is a directory/ });
  });

  it('promise 11: never follows from https to http', () => {
    const from = new URL('https://host/a');
    expect(() => redirectTarget(from.href, from, 'http://host/a')).toThrow(expect.objectContaining({ code: 'remote-forbidden' }) as Error);
    expect(redirectTarget(from.href, from, '//u:p@other/b#c').href).toBe('https://other/b');
    expect(redirectTarget('http://host/a', new URL('http://host/a'), 'https://host/a').href).toBe('https://host/a');
  });

  it.each([
    [404, 'remote-not-found'],
    [410, 'remote-not-found'],
    [400, 'remote-forbidden'],
    [408, 'remote-failed'],
    [429, 'remote-failed'],
    [500, 'remote-failed'],
    [503, 'remote-failed'],
  ])('status %i is %s', async (status, code) => {
    server.handler = (_, response) => void response.writeHead(status).end('why');
    await expect(single().stat(object)).rejects.toMatchObject({ code });
    await expect(single().open(object)).rejects.toMatchObject({ code });
  });

  it('says whether credentials are missing or were refused', async () => {
    server.handler = (_, response) => void response.writeHead(401).end();
    await expect(single(300, false).open(object)).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: /wants credentials \(401\) and there are none for it; give them for host '127.0.0.1:\d+' in netrc or in the configuration/,
    });
    await expect(single().open(object)).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: /refuses the credentials from the netrc/,
    });
  });

  it('says why a host cannot be reached', async () => {
    const refused = assembled({ deadline: 300 }, `http://127.0.0.1:${await freePort()}`);
    await expect(refused.stat(object)).rejects.toMatchObject({ code: 'remote-unreachable', message: /connection refused/ });
    const unknown = assembled({ deadline: 1000 }, 'http://no-such-host.invalid');
    await expect(unknown.stat(object)).rejects.toMatchObject({ code: expect.stringMatching(/^remote-(unreachable|timeout)$/) as string });
    // Reading the authorities of the system for the first time takes a moment.
    const tls = assembled({ deadline: 2000 }, server.url.replace('http:', 'https:'));
    await expect(tls.stat(object)).rejects.toMatchObject({ code: 'remote-unreachable', message: /TLS failed/ });
  });

  it('aborting while waiting for headers or bytes frees the connection at once', async () => {
    const closed: Promise<void>[] = [];
    server.handler = (request, response) => {
      closed.push(new Promise((resolve) => request.socket.once('close', () => resolve())));
      if (request.url === '/data/bytes') response.writeHead(200, { 'content-length': 10 }).flushHeaders();
    };
    const controller = new AbortController();
    const remote = single(20_000);
    const waits = [remote.stat(object, { signal: controller.signal }), readAll(remote, 'data/bytes', { signal: controller.signal })];
    setTimeout(() => controller.abort(), 100);
    for (const wait of await Promise.allSettled(waits)) expect(wait).toMatchObject({ reason: { code: 'interrupted' } });
    expect(closed).toHaveLength(2);
    await Promise.all(closed);
  });
});
