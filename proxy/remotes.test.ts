import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import { fileRemote } from './file.js';
import { httpRemote } from './http.js';
import { parseRemotePath } from './paths.js';
import { describeRemote, readAll } from './testing/conformance.js';
import { hasNginx, serveBytes, startNginx, startServer } from './testing/server.js';

const bare = { credentials: () => undefined, idleTimeout: 5000, connections: 4, userAgent: 'test' };

describeRemote('file remote', (directory) => {
  const remote = fileRemote(directory, { idleTimeout: 5000 });
  return Promise.resolve({ remote, close: () => remote.close() });
});

describeRemote('file remote, assembled', (directory) => {
  const remote = openRemote(`file://${directory}/`);
  return Promise.resolve({ remote, close: () => remote.close() });
});

if (hasNginx()) {
  describeRemote('http remote on nginx', async (directory) => {
    const nginx = await startNginx(directory);
    const remote = httpRemote(nginx.url, bare);
    return { remote, close: () => remote.close().then(() => nginx.close()) };
  });
  describeRemote('http remote on nginx without ETags, assembled', async (directory) => {
    const nginx = await startNginx(directory, 'etag off;');
    const remote = openRemote(nginx.url);
    return { remote, close: () => remote.close().then(() => nginx.close()) };
  });
  describeRemote('http remote on nginx that ignores ranges', async (directory) => {
    const nginx = await startNginx(directory, 'max_ranges 0;');
    const remote = httpRemote(nginx.url, bare);
    return { remote, close: () => remote.close().then(() => nginx.close()) };
  });
} else {
  process.stderr.write('tests of the http remote on nginx are left out: no nginx on this host\n');
}

describeRemote('http remote on node:http', async (directory) => {
  const server = await startServer();
  server.handler = (request, response) => {
    const path = join(directory, decodeURIComponent((request.url ?? '').split('?')[0]!));
    if (!existsSync(path) || !statSync(path).isFile()) return void response.writeHead(404).end();
    response.setHeader('last-modified', statSync(path).mtime.toUTCString());
    serveBytes(request, response, readFileSync(path), `"${statSync(path).mtimeMs}"`);
  };
  const remote = httpRemote(server.url, bare);
  return { remote, close: () => remote.close().then(() => server.close()) };
});

describe('file remote, beyond the contract', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'butlerfs-file-'));
    mkdirSync(join(directory, 'root'));
    writeFileSync(join(directory, 'secret'), 'secret');
    writeFileSync(join(directory, 'root', 'inside'), 'inside');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('promise 12: follows links inside the root and refuses those that lead out, also by a directory', async () => {
    const root = join(directory, 'root');
    symlinkSync('inside', join(root, 'link'));
    symlinkSync('../secret', join(root, 'out'));
    symlinkSync('..', join(root, 'up'));
    symlinkSync('round', join(root, 'round'));
    symlinkSync(root, join(directory, 'rootlink'));
    for (const start of [root, join(directory, 'rootlink')]) {
      const remote = openRemote(start);
      expect((await readAll(remote, 'link')).toString()).toBe('inside');
      for (const path of ['out', 'up/secret', 'round']) {
        await expect(remote.stat(parseRemotePath(path))).rejects.toMatchObject({ code: 'remote-forbidden' });
        await expect(remote.open(parseRemotePath(path))).rejects.toMatchObject({ code: 'remote-forbidden' });
      }
      await remote.close();
    }
  });

  it('a root with a sibling of a longer name does not open the sibling', async () => {
    mkdirSync(join(directory, 'root2'));
    writeFileSync(join(directory, 'root2', 'x'), 'x');
    symlinkSync('../root2/x', join(directory, 'root', 'x'));
    await expect(openRemote(join(directory, 'root')).stat(parseRemotePath('x'))).rejects.toMatchObject({ code: 'remote-forbidden' });
  });

  it('a named pipe is no file, and does not hold the reader', async () => {
    const remote = openRemote(join(directory, 'root'));
    execFileSync('mkfifo', [join(directory, 'root', 'pipe')]);
    await expect(remote.open(parseRemotePath('pipe'))).rejects.toMatchObject({ code: 'remote-not-found' });
  });

  it('a file written to while it is read is remote-changed', async () => {
    const path = join(directory, 'root', 'growing');
    writeFileSync(path, Buffer.alloc(3 << 20, 1));
    const remote = openRemote(join(directory, 'root'));
    const body = await remote.open(parseRemotePath('growing'));
    const reading = (async () => {
      let first = true;
      for await (const chunk of body.bytes) {
        if (first) appendFileSync(path, chunk.subarray(0, 10));
        first = false;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'remote-changed' });
  });

  if (process.getuid?.() === 0) process.stderr.write('a test of file permissions is left out: root may read everything\n');
  else
    it('a file that may not be read is remote-forbidden', async () => {
      chmodSync(join(directory, 'root', 'inside'), 0);
      await expect(openRemote(join(directory, 'root')).open(parseRemotePath('inside'))).rejects.toMatchObject({ code: 'remote-forbidden' });
    });
});
