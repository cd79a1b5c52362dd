import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Nginx } from './nginx.js';
import { run } from './run.js';
import { removeDirectory, temporaryDirectory } from './temporary.js';

let place: string;
let nginx: Nginx;

beforeAll(async () => {
  place = temporaryDirectory('served');
  mkdirSync(join(place, 'sub'));
  writeFileSync(join(place, 'sub', 'file'), 'content');
  nginx = await Nginx.start(place);
});
afterAll(async () => {
  await nginx.stop();
  removeDirectory(place);
});

describe('nginx', () => {
  it('serves files and listings', async () => {
    expect(await (await fetch(`${nginx.url}/sub/file`)).text()).toBe('content');
    expect(await (await fetch(`${nginx.url}/sub/`)).text()).toContain('href="file"');
    expect(await nginx.logged()).toContainEqual('GET /sub/file 200 7 -');
  });

  it('is gone when killed and back on the same port', async () => {
    await nginx.kill();
    await expect(fetch(`${nginx.url}/sub/file`)).rejects.toThrow();
    await nginx.restart();
    expect((await fetch(`${nginx.url}/sub/file`)).status).toBe(200);
  });

  it('asks for a password', async () => {
    await nginx.restart({ user: { name: 'alice', password: 'secret' } });
    expect((await fetch(`${nginx.url}/sub/file`)).status).toBe(401);
    const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
    expect((await fetch(`${nginx.url}/sub/file`, { headers: { authorization } })).status).toBe(200);
  });
});

describe('run', () => {
  it('gives status and output', async () => {
    const result = await run('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toMatchObject({ status: 3, stdout: 'out\n', stderr: 'err\n', timedOut: false });
  });

  it('ends what takes too long, with its children', async () => {
    const result = await run('sh', ['-c', 'sleep 60 & wait'], { timeout: 200 });
    expect(result).toMatchObject({ status: null, signal: 'SIGKILL', timedOut: true });
    expect(result.elapsed).toBeLessThan(5000);
  });
});
