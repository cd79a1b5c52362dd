/** Who is given the password of the environment, and how long a server that says nothing is waited for. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openRemote } from '../../proxy/assemble.js';
import type { Remote } from '../../proxy/contract.js';
import { findOnServer } from './gen3-postgresql.js';

const SECRET = 'hush-hush';
/** Of the protocol of PostgreSQL: a request for TLS, the answer that there is none, and the question for a password in clear text. */
const TLS_REQUEST = 80_877_103;
const NO_TLS = Buffer.from('N');
const PASSWORD_WANTED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

let server: Server;
let remote: Remote;
let heard: string;
const sockets: Socket[] = [];
let onData: (socket: Socket, data: Buffer) => void;

beforeEach(async () => {
  heard = '';
  onData = (socket, data) => {
    if (data.length === 8 && data.readUInt32BE(4) === TLS_REQUEST) socket.write(NO_TLS);
    else if (data[0] === 0x70) socket.destroy();
    else socket.write(PASSWORD_WANTED);
  };
  server = createServer((socket) => {
    sockets.push(socket);
    socket
      .on('error', () => undefined)
      .on('data', (data: Buffer) => {
        heard += data.toString('latin1');
        onData(socket, data);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  remote = openRemote('http://127.0.0.1:1/repository');
  vi.stubEnv('PGPASSWORD', SECRET);
  vi.stubEnv('PGHOST', undefined);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await remote.close();
});

function find(directory: string | undefined, signal = new AbortController().signal): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const text = `registry: {db: "postgresql://somebody@127.0.0.1:${port}/registry"}\ndatastore: {root: <butlerRoot>}\n`;
  return findOnServer(text, { remote, directory }, signal);
}

it('promise 11: a butler.yaml from elsewhere does not get the password of the environment for the server that it names', async () => {
  await expect(find(undefined)).rejects.toMatchObject({ code: expect.stringMatching(/^remote-/) as string });
  expect(heard).toContain('somebody');
  expect(heard).not.toContain(SECRET);
});

it('the server of PGHOST gets it, and one that a repository of this host names', async () => {
  vi.stubEnv('PGHOST', '127.0.0.1');
  await expect(find(undefined)).rejects.toThrow();
  expect(heard).toContain(SECRET);
  heard = '';
  vi.stubEnv('PGHOST', undefined);
  await expect(find('/repository')).rejects.toThrow();
  expect(heard).toContain(SECRET);
});

it(
  'promise 3: a server that says nothing is given up in time, and at once where the wait is interrupted',
  { timeout: 20_000 },
  async () => {
    onData = () => undefined;
    const began = performance.now();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    const [interrupted, late] = [find('/repository', controller.signal), find('/repository')];
    await expect(interrupted).rejects.toMatchObject({ code: 'interrupted' });
    expect(performance.now() - began).toBeLessThan(3000);
    await expect(late).rejects.toMatchObject({ code: expect.stringMatching(/^remote-(timeout|unreachable)$/) as string });
    expect(performance.now() - began).toBeLessThan(13_000);
  },
);
