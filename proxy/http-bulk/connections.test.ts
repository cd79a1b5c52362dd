/** Long answers over real sockets: whole, cut, odd, late, and not at all. */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { makeCertificate } from '../testing/tls.js';
import { bulkConnections } from './connections.js';
import type { BulkAnswer, BulkConnections } from './contract.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function bulk(settings: Partial<Parameters<typeof bulkConnections>[0]> = {}): BulkConnections {
  const connections = bulkConnections({ connectTimeout: 5_000, ...settings });
  endings.push(() => connections.destroy());
  return connections;
}

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that says to each request, on the connection of that number, what it is told to. */
async function saying(answer: (socket: Socket, connection: number, request: number) => void): Promise<URL> {
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    let requests = 0;
    socket.on('data', () => answer(socket, connection, requests++));
  });
  return new URL(`http://${await listening(server)}/file`);
}

const get = (connections: BulkConnections, url: URL, signal = new AbortController().signal): Promise<BulkAnswer | undefined> =>
  connections.get(url, { headers: { 'user-agent': 'test' }, signal });

/** Chunks are valid until the next is asked for: a digest and a length, as nothing else may be kept of them. */
async function digest({ body }: BulkAnswer): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) {
    hash.update(chunk);
    // Whoever is slow must not find other bytes in it.
    if (chunk.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return hash.digest('hex');
}

it('bytes come whole, one answer after the other on one connection', async () => {
  const content = randomBytes(9_000_001);
  let connections = 0;
  const server = createHttpServer((_, response) => response.writeHead(200, { 'content-length': content.length }).end(content));
  server.on('connection', () => connections++);
  const url = new URL(`http://${await listening(server)}/file`);
  const origin = bulk();
  for (let time = 0; time < 3; time++) {
    const answer = (await get(origin, url))!;
    expect(answer).toMatchObject({ statusCode: 200, headers: { 'content-length': String(content.length) } });
    expect(await digest(answer)).toBe(createHash('sha256').update(content).digest('hex'));
    expect(answer.body.readableEnded).toBe(true);
  }
  expect(connections).toBe(1);
  const several = await Promise.all([1, 2, 3].map(async () => digest((await get(origin, url))!)));
  expect(new Set(several).size).toBe(1);
  expect(connections).toBe(3);
});

it('TLS is verified', async () => {
  const place = temporaryDirectory('bulk');
  endings.push(() => removeDirectory(place));
  const files = makeCertificate(place);
  const [key, cert, ca] = [files.key, files.certificate, files.authority].map((file) => readFileSync(file));
  const server = createTlsServer({ key, cert }, (_, response) => response.writeHead(200, { 'content-length': 4 }).end('safe'));
  const url = new URL(`https://${await listening(server)}/file`);
  await expect(get(bulk(), url)).rejects.toMatchObject({ code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO/) as string });
  const context = createSecureContext({ ca: [ca!] });
  const answer = (await get(bulk({ authorities: () => context }), url))!;
  expect(await digest(answer)).toBe(createHash('sha256').update('safe').digest('hex'));
});

it('a head that comes byte by byte, with the body behind it, is the same', async () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
  const url = await saying((socket) => {
    socket.setNoDelay(true);
    void (async () => {
      for (const character of text) {
        socket.write(character);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
  });
  expect(await digest((await get(bulk(), url))!)).toBe(createHash('sha256').update('hello').digest('hex'));
});

it.each([
  ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(100_000)}`],
])('%s is left to others', async (_, text) => {
  const origin = bulk();
  let asked = 0;
  const url = await saying((socket) => {
    asked++;
    socket.write(text);
  });
  expect(await get(origin, url)).toBeUndefined();
  // And is not asked twice for everything.
  expect(await get(origin, url)).toBeUndefined();
  expect(asked).toBe(1);
});

it('a body that ends early fails, and its connection is not used again', async () => {
  const url = await saying((socket, connection) => {
    if (connection === 0) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const origin = bulk();
  const short = (await get(origin, url))!;
  await expect(digest(short)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(short.body.readableEnded).toBe(false);
  expect(await digest((await get(origin, url))!)).toBe(createHash('sha256').update('ok').digest('hex'));
});

it('more bytes than were promised are not the beginning of the next answer', async () => {
  const url = await saying((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'),
  );
  const origin = bulk();
  for (let time = 0; time < 3; time++) {
    expect(await digest((await get(origin, url))!)).toBe(createHash('sha256').update('ok').digest('hex'));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

it('a connection that was closed while it was not in use is replaced', async () => {
  let closed = 0;
  const url = await saying((socket, _, request) => {
    if (request === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    else {
      closed++;
      socket.destroy();
    }
  });
  const origin = bulk();
  for (let time = 0; time < 3; time++) await digest((await get(origin, url))!);
  expect(closed).toBe(2);
});

it('an origin that closes before it answers, or that is not there, is an error', async () => {
  await expect(get(bulk(), await saying((socket) => socket.destroy()))).rejects.toMatchObject({ code: 'ECONNRESET' });
  const server = createServer();
  const url = new URL(`http://${await listening(server)}/`);
  await endings.pop()!();
  await expect(get(bulk(), url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

it('an abort ends the wait for a connection, for an answer and for bytes', async () => {
  const reason = new Error('enough');
  const silent = await saying(() => undefined);
  const waiting = new AbortController();
  setTimeout(() => waiting.abort(reason), 50);
  await expect(get(bulk(), silent, waiting.signal)).rejects.toBe(reason);
  const reading = new AbortController();
  const answer = (await get(
    bulk(),
    await saying((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')),
    reading.signal,
  ))!;
  setTimeout(() => reading.abort(reason), 50);
  await expect(digest(answer)).rejects.toBe(reason);
  await expect(get(bulk(), silent, AbortSignal.abort(reason))).rejects.toBe(reason);
});

it('a reader that stops has the origin wait, and who leaves closes the connection', async () => {
  let sent = 0;
  const closed = new Promise<void>((resolve) => {
    void saying((socket) => {
      socket.on('close', () => resolve());
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      const block = Buffer.alloc(1 << 20);
      const more = (): void => {
        while (!socket.destroyed && socket.write(block)) sent += block.length;
        sent += block.length;
        socket.once('drain', more);
      };
      more();
    }).then(async (url) => {
      for await (const chunk of (await get(bulk(), url))!.body) {
        expect(chunk.length).toBeGreaterThan(0);
        await new Promise((wait) => setTimeout(wait, 300));
        break;
      }
    });
  });
  await closed;
  // What is in the pieces, and in the buffers of both sockets.
  expect(sent).toBeLessThan(40 * 2 ** 20);
});

it('an answer that nobody wants is read to its end where it is short, and closed where it is long', async () => {
  let connections = 0;
  const url = await saying((socket, connection, request) => {
    connections = connection + 1;
    if (request === 0) socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello');
    else socket.write(`HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\nhello`);
  });
  const origin = bulk();
  await (await get(origin, url))!.body.dump({ limit: 1000 });
  await (await get(origin, url))!.body.dump({ limit: 1000 });
  expect(connections).toBe(1);
  await (await get(origin, url))!.body.dump({ limit: 1000 });
  expect(connections).toBe(2);
});
