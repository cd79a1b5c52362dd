/** A server that closes each connection after its answer, and a reader that is slower than it. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import type { Remote } from './contract.js';
import { parseRemotePath } from './paths.js';

const content = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i % 251));

let server: Server;
let remote: Remote;
let version: string;
const uncaught: Error[] = [];
const hear = (error: Error): void => void uncaught.push(error);

beforeEach(async () => {
  server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`${version} 200 OK\r\nContent-Length: ${content.length}\r\nConnection: close\r\n\r\n`);
      socket.end(content);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  remote = openRemote(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { deadline: 5000, idleTimeout: 2000 });
  process.on('uncaughtException', hear);
});
afterEach(async () => {
  process.off('uncaughtException', hear);
  uncaught.length = 0;
  await remote.close();
  await new Promise((resolve) => server.close(resolve));
});

it.each(['HTTP/1.0', 'HTTP/1.1'])('%s: all bytes arrive, in one answer', async (spoken) => {
  version = spoken;
  let connections = 0;
  server.on('connection', () => connections++);
  const { bytes } = await remote.open(parseRemotePath('file'));
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) {
    pieces.push(Buffer.from(piece));
    if (pieces.length < 4) await sleep(150);
  }
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
  expect(connections).toBe(1);
  expect(uncaught).toEqual([]);
});

it('a body that nobody reads ends with its remote, and harms nobody', async () => {
  version = 'HTTP/1.0';
  await remote.open(parseRemotePath('file'));
  await sleep(300);
  await remote.close();
  await sleep(50);
  expect(uncaught).toEqual([]);
});
