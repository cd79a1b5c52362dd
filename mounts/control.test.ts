import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import { askDaemon, serveControl } from './control.js';
import type { Controlled, ControlServer } from './control.js';
import type { MountStatus } from './contract.js';
import type { TreeSettings } from './tree-host.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

const catalogue = {
  version: 3,
  repository: '/repo',
  format: 'gen3',
  validator: null,
  readAt: 1,
  datasets: 401,
  unstored: 2,
  universe: { version: 8, namespace: 'daf_butler' },
} as const;
const status: MountStatus = {
  source: '/repo',
  mountPoint: '/mnt',
  transport: 'kernel',
  pid: 7,
  mountedAt: 1,
  state: 'ok',
  searchPath: ['a'],
  defaults: { instrument: 'HSC' },
  catalogue,
  warnings: { count: 0, first: [] },
  cache: {
    directory: '/c',
    objects: 0,
    bytes: 0,
    limit: 1,
    kept: 0,
    keptBytes: 0,
    brought: 0,
    quota: null,
    free: 2,
    floor: 1,
    quarantined: 0,
    scrub: null,
    degraded: null,
    misses: 0,
    fetches: 0,
    fetchedBytes: 0,
    hits: 0,
    evictions: 0,
    wrongDigest: 0,
    wrongSize: 0,
    failures: 0,
    inFlight: 0,
  },
  kernel: { protocol: '7.45', passthrough: true, requests: { LOOKUP: 4 }, cacheHits: 0, nodes: 1, open: 0, waiting: 0 },
  memory: { resident: 1, peak: 2 },
  errors: [{ at: 1, path: '/x', message: 'm' }],
  logFile: null,
};

const tree: TreeSettings = {
  catalogueFile: '/c/catalogue',
  digestsFile: '/c/digests',
  cacheDirectory: '/c',
  verify: 'fetch',
  repositoryUrl: 'file:///repo',
  collections: ['a'],
  defaults: { instrument: 'HSC', visit: 1 },
  aliases: { chip: 'detector' },
  owner: { uid: 1, gid: 2 },
};

let directory: string;
let socket: string;
let server: ControlServer;
let unmounted: number;
let slow: boolean;
let offline: boolean[];
let fetched: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'butlerfs-control-'));
  socket = join(directory, 'run/m.sock');
  unmounted = 0;
  slow = false;
  [offline, fetched] = [[], []];
  const controlled: Controlled = {
    mounted: {
      status: async () => {
        if (slow) await new Promise((resolve) => setTimeout(resolve, 2_000));
        return status;
      },
      refresh: () =>
        Promise.reject(new ButlerfsError('remote-timeout', { what: 'refreshing', where: 'https://host/repo', cause: new Error('inner') })),
      treeSettings: () => tree,
      setOffline: (isOffline) => Promise.resolve(void offline.push(isOffline)),
      fetch: (request) => Promise.resolve(void fetched.push(request.origin)),
      damagedContent: () => undefined,
      unmount: () => Promise.resolve(void unmounted++),
    },
    explain: (path) => `explained ${path}`,
  };
  server = await serveControl(socket, controlled);
});
afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

const deadline = 10_000;

/** Sends bytes as they are and returns all that comes back until the connection ends. */
async function sendRaw(bytes: string | Buffer, { end = true } = {}): Promise<string> {
  const client = connect(socket);
  let received = '';
  client.on('data', (chunk) => (received += chunk.toString()));
  client.on('error', () => undefined);
  if (end) client.end(bytes);
  else client.write(bytes);
  await once(client, 'close');
  return received;
}

test('carries every command there and back', async () => {
  expect(await askDaemon(socket, { command: 'status' }, { deadline })).toEqual(status);
  expect(await askDaemon(socket, { command: 'explain', path: 'calexp/visit=1' }, { deadline })).toBe('explained calexp/visit=1');
  expect(await askDaemon(socket, { command: 'unmount' }, { deadline })).toBeNull();
  expect(unmounted).toBe(1);
  expect(await askDaemon(socket, { command: 'tree' }, { deadline })).toEqual(tree);
  expect(await askDaemon(socket, { command: 'offline', on: true }, { deadline })).toBeNull();
  expect(offline).toEqual([true]);
  const request = { origin: 'http://host/a', identity: 'x', size: 3, digest: { algorithm: 'md5', hex: 'a'.repeat(32) } } as const;
  expect(await askDaemon(socket, { command: 'fetch', request }, { deadline })).toBeNull();
  expect(fetched).toEqual(['http://host/a']);
});

test('carries errors with code and detail', async () => {
  await expect(askDaemon(socket, { command: 'refresh' }, { deadline })).rejects.toMatchObject({
    code: 'remote-timeout',
    message: 'refreshing in https://host/repo',
    detail: { cause: containing('inner') },
  });
});

test('only its user can reach it', async () => {
  expect((await stat(socket)).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'run'))).mode & 0o777).toBe(0o700);
});

test.each([
  ['no JSON', 'hello\n'],
  ['an unknown command', '{"command":"format-disk"}\n'],
  ['a surplus key', '{"command":"status","x":1}\n'],
  ['a wrong type', '{"command":"explain","path":7}\n'],
  ['a prototype', '{"__proto__":{"command":"status"}}\n'],
  [
    'a request that leads elsewhere',
    '{"command":"fetch","request":{"origin":"http://host/a","identity":"x","digest":{"algorithm":"md5","hex":"../a"}}}\n',
  ],
  ['an array', '[]\n'],
  ['broken UTF-8', Buffer.from([0xff, 0xfe, 0x0a])],
])('answers %s with one usage error and lives on', async (_, bytes) => {
  const answer = JSON.parse(await sendRaw(bytes)) as { ok: boolean; error: { code: string } };
  expect(answer).toMatchObject({ ok: false, error: { code: 'usage' } });
  expect(await askDaemon(socket, { command: 'status' }, { deadline })).toEqual(status);
});

test('ends a connection that sends without end', async () => {
  expect(await sendRaw('x'.repeat(200_000), { end: false })).toContain('too long');
  expect(await sendRaw('\n'.repeat(5_000), { end: false })).toContain('too long');
});

test('answers several requests on a connection in order', async () => {
  const lines = (await sendRaw('{"command":"explain","path":"a"}\n{"command":"explain","path":"b"}\n')).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { result: string }).result)).toEqual(['explained a', 'explained b']);
});

test('clients that go away in the middle hurt nobody', async () => {
  for (let i = 0; i < 20; i++) {
    const client = connect(socket);
    client.on('connect', () => client.write('{"command":"status"}\n', () => client.destroy()));
  }
  expect(await askDaemon(socket, { command: 'status' }, { deadline })).toEqual(status);
});

test('a wait for a slow daemon ends at its deadline, and when it is interrupted', async () => {
  slow = true;
  await expect(askDaemon(socket, { command: 'status' }, { deadline: 50 })).rejects.toMatchObject({ code: 'mount-failed' });
  const controller = new AbortController();
  const asked = askDaemon(socket, { command: 'status' }, { deadline, signal: controller.signal });
  controller.abort();
  await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
});

test('a missing or dead socket is not-mounted, and is replaced by the next daemon', async () => {
  await server.close();
  await writeFile(socket, '');
  await expect(askDaemon(socket, { command: 'status' }, { deadline })).rejects.toMatchObject({ code: 'not-mounted' });
  server = await serveControl(socket, {
    mounted: {
      status: () => Promise.resolve(status),
      refresh: () => Promise.resolve(catalogue),
      treeSettings: () => tree,
      setOffline: () => Promise.resolve(),
      fetch: () => Promise.resolve(),
      damagedContent: () => undefined,
      unmount: () => Promise.resolve(),
    },
    explain: () => '',
  });
  expect(await askDaemon(socket, { command: 'refresh' }, { deadline })).toEqual(catalogue);
});
