/** What the tests of the cache stand on: a directory, a server with objects, caches on them, and children. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openRemote, type RemoteSettings } from '../../proxy/assemble.js';
import { parseRemotePath } from '../../proxy/paths.js';
import { serveBytes, startServer, type TestServer } from '../../proxy/testing/server.js';
import type { Digest, ObjectCache, ObjectRequest, OriginOpener } from '../contract.js';
import { prepareLayout, type Layout } from '../layout.js';
import { openCache, type CacheSettings } from '../store.js';

export interface Child {
  readonly pid: number;
  ask(command: string): Promise<unknown>;
  kill(): Promise<void>;
}

export interface Rig {
  readonly directory: string;
  readonly cacheDirectory: string;
  /** Of that directory, which is prepared. */
  readonly layout: Layout;
  readonly server: TestServer;
  /** What the server has, by path without a leading slash. */
  readonly objects: Map<string, Buffer>;
  /** What the caches of this rig logged as warnings. */
  readonly warnings: string[];
  open(settings?: Partial<CacheSettings>, remote?: RemoteSettings): ObjectCache;
  request(path: string, extra?: Partial<ObjectRequest>): ObjectRequest;
  startChild(): Promise<Child>;
  close(): Promise<void>;
}

export async function startRig(): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'butlerfs-cache-'));
  const cacheDirectory = join(directory, 'cache');
  const server = await startServer();
  const objects = new Map<string, Buffer>();
  server.handler = (request, response) => {
    const content = objects.get(decodeURIComponent(request.url ?? '').slice(1));
    if (content === undefined) response.writeHead(404).end();
    else serveBytes(request, response, content, `"${digestOf(content).hex.slice(0, 16)}"`);
  };
  let layout: Layout | undefined;
  const closers: (() => Promise<void>)[] = [];
  const warnings: string[] = [];
  return {
    directory,
    cacheDirectory,
    get layout() {
      return (layout ??= prepareLayout(cacheDirectory));
    },
    server,
    objects,
    warnings,
    open(settings = {}, remoteSettings = { deadline: 500, idleTimeout: 500 }) {
      const remote = openRemote(server.url, remoteSettings);
      const openOrigin: OriginOpener = (origin) => {
        const path = parseRemotePath(decodeURIComponent(origin.slice(server.url.length + 1)));
        return { stat: (options) => remote.stat(path, options), open: (options) => remote.open(path, options) };
      };
      const logger = { info: () => undefined, warn: (message: string) => void warnings.push(message) };
      const cache = openCache({ directory: cacheDirectory, limit: 1 << 30, verify: 'fetch', openOrigin, logger, lease: 1, ...settings });
      closers.push(() => cache.close().then(() => remote.close()));
      return cache;
    },
    request: (path, extra = {}) => ({ origin: `${server.url}/${path}`, identity: 'test', ...extra }),
    async startChild() {
      const child = await startChild(cacheDirectory, server.url);
      closers.push(() => child.kill());
      return child;
    },
    async close() {
      for (const close of closers.reverse()) await close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startChild(cacheDirectory: string, origin: string): Promise<Child> {
  const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const process_ = spawn(process.execPath, ['--import', script('./typescript.mjs'), script('./child.ts'), cacheDirectory, origin], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => process_.once('exit', () => resolve()));
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await lines.next();
    return line.done === true ? undefined : (JSON.parse(line.value) as unknown);
  };
  if ((await answer()) !== 'ready') throw new Error('the child did not start');
  return {
    pid: process_.pid!,
    ask: (command) => {
      process_.stdin.write(`${command}\n`);
      return answer();
    },
    kill: async () => {
      process_.kill('SIGKILL');
      await ended;
    },
  };
}

export function digestOf(content: Buffer, algorithm: 'blake2b512' | 'sha256' | 'sha1' | 'md5' = 'blake2b512'): Digest {
  return { algorithm, hex: createHash(algorithm).update(content).digest('hex') };
}

/** Paths of all files below a directory, relative to it, sorted. */
export function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
