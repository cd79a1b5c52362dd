import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import type { Remote } from './contract.js';
import { downloadTo } from './download.js';
import { parseRemotePath } from './paths.js';
import { pattern } from './testing/conformance.js';
import { serveBytes, startServer, type TestServer } from './testing/server.js';

const content = pattern(300_000);
const path = parseRemotePath('gen3.sqlite3');

describe('downloading a file', () => {
  let server: TestServer;
  let remote: Remote;
  let directory: string;
  let target: string;

  beforeEach(async () => {
    server = await startServer();
    remote = openRemote(server.url, { deadline: 200 });
    directory = mkdtempSync(join(tmpdir(), 'butlerfs-download-'));
    target = join(directory, 'registry');
  });
  afterEach(async () => {
    await remote.close();
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('brings it whole and says which version it is', async () => {
    server.handler = (request, response) => serveBytes(request, response, content, '"v"');
    expect(await downloadTo(remote, path, target)).toMatchObject({ size: content.length, validator: '"v"' });
    expect(readFileSync(target).equals(content)).toBe(true);
    await expect(downloadTo(remote, path, target, { validator: '"w"' })).rejects.toMatchObject({ code: 'remote-changed' });
    expect(readdirSync(directory)).toEqual(['registry']);
  });

  it('a failure or an abort leaves what was there, and nothing else', async () => {
    writeFileSync(target, 'old');
    server.handler = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('x', () => response.socket?.destroy());
    };
    await expect(downloadTo(remote, path, target)).rejects.toMatchObject({ code: 'remote-failed' });
    server.handler = (_, response) => void response.writeHead(200, { 'content-length': 1000 }).flushHeaders();
    await expect(downloadTo(remote, path, target, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'interrupted' });
    server.handler = (request, response) => serveBytes(request, response, content);
    await expect(downloadTo(remote, path, join(directory, 'no', 'x'))).rejects.toMatchObject({ code: 'cache-failed' });
    expect(readdirSync(directory)).toEqual(['registry']);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });
});
