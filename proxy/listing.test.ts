import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import type { RemoteEntry } from './contract.js';
import { htmlListing, webdavListing } from './listing.js';
import { parseRemotePath } from './paths.js';
import { hasApache, startApache } from './testing/apache.js';
import { freePort } from './testing/ports.js';
import { hasNginx, startNginx, startServer, type RunningNginx } from './testing/server.js';

const modified = Date.UTC(2026, 10, 24, 10, 0);

/** What every server is given to list. */
const files: Readonly<Record<string, number>> = {
  'a b&c.fits': 5,
  'back\\slash': 0,
  'big.fits': 3_000_000,
  'co:lon': 7,
  'q"uote<>\'': 0,
  'ü#?%41.txt': 1234,
  [`${'long'.repeat(30)}.fits`]: 12,
};

function makeTree(): string {
  const root = mkdtempSync(join(tmpdir(), 'butlerfs-listing-'));
  chmodSync(root, 0o755);
  mkdirSync(join(root, 'top', 'sub dir'), { recursive: true });
  mkdirSync(join(root, 'top', 'empty'));
  for (const [name, size] of Object.entries(files)) {
    writeFileSync(join(root, 'top', name), Buffer.alloc(size));
    utimesSync(join(root, 'top', name), modified / 1000, modified / 1000);
  }
  writeFileSync(join(root, 'top', 'sub dir', 'inner'), 'x');
  return root;
}

/** The names in the order of a listing. */
const names = [...Object.keys(files), 'empty', 'sub dir'].sort((a, b) => (a < b ? -1 : 1));

function sizes(entries: readonly RemoteEntry[]): Record<string, number | null> {
  return Object.fromEntries(entries.filter(({ kind }) => kind === 'file').map(({ name, size }) => [name, size]));
}

function read(listing: ReturnType<typeof htmlListing>, text: string): readonly RemoteEntry[] | undefined {
  // In pieces, as they arrive.
  for (let at = 0; at < text.length; at += 7) listing.write(text.slice(at, at + 7));
  return listing.end();
}

describe('listings of real servers', () => {
  let root: string;
  beforeAll(() => {
    root = makeTree();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  async function listed(
    start: () => Promise<RunningNginx>,
    check: (entries: readonly RemoteEntry[], kind: unknown) => void,
  ): Promise<void> {
    const server = await start();
    const remote = openRemote(server.url, { deadline: 5000 });
    try {
      const entries = await remote.list!(parseRemotePath('top'));
      expect(entries.map(({ name }) => name)).toEqual(names);
      expect(entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name)).toEqual(['empty', 'sub dir']);
      check(entries, remote.capabilities!().lists);
      expect((await remote.list!('')).map(({ name }) => name)).toEqual(['top']);
      expect(await remote.list!(parseRemotePath('top/empty'))).toEqual([]);
      expect(await remote.list!(parseRemotePath('top/sub dir'))).toMatchObject([{ name: 'inner', kind: 'file' }]);
      await expect(remote.list!(parseRemotePath('none'))).rejects.toMatchObject({ code: 'remote-not-found' });
      await expect(remote.list!(parseRemotePath('top/big.fits'))).rejects.toMatchObject({ code: 'remote-not-found' });
      await expect(remote.list!('', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    } finally {
      await remote.close();
      await server.close();
    }
  }

  if (hasNginx()) {
    it('nginx, with sizes and times', () =>
      listed(
        () => startNginx(root),
        (entries, kind) => {
          expect(kind).toBe('html');
          expect(sizes(entries)).toEqual(files);
          for (const entry of entries) if (entry.kind === 'file') expect(entry.modified).toBe(modified);
        },
      ));

    it('nginx, with sizes that are not exact', () =>
      listed(
        () => startNginx(root, 'autoindex_exact_size off;'),
        (entries) => expect(sizes(entries)).toEqual({ ...files, 'big.fits': null }),
      ));

    it('nginx without autoindex lists none', async () => {
      const nginx = await startNginx(root, 'location / { autoindex off; }');
      const remote = openRemote(nginx.url);
      await expect(remote.list!('')).rejects.toMatchObject({ code: 'unsupported', message: /403.*autoindex/ });
      expect(remote.capabilities!().lists).toBe(false);
      await remote.close();
      await nginx.close();
    });
  } else process.stderr.write('tests of listings of nginx are left out: no nginx on this host\n');

  if (hasApache()) {
    it.each([
      ['plain', 'IndexOptions -FancyIndexing'],
      ['fancy', 'IndexOptions FancyIndexing SuppressDescription NameWidth=20'],
      ['fancy with icons as links', 'IndexOptions FancyIndexing IconsAreLinks\nAddIcon /icons/x.gif .fits ^^DIRECTORY^^'],
      ['table', 'IndexOptions FancyIndexing HTMLTable FoldersFirst'],
      ['XHTML', 'IndexOptions FancyIndexing HTMLTable XHTML'],
    ])('Apache, %s', (form, option) =>
      listed(
        () => startApache(root, option),
        (entries, kind) => {
          expect(kind).toBe('html');
          const exact = form === 'plain' ? null : undefined;
          // Apache rounds from 973 bytes on.
          expect(sizes(entries)).toEqual(
            Object.fromEntries(Object.entries(files).map(([name, size]) => [name, exact === null || size > 972 ? null : size])),
          );
          for (const entry of entries) expect(entry.modified).toBeNull();
        },
      ),
    );

    it('Apache with WebDAV, exact', () =>
      listed(
        () => startApache(root, '<Location />\nDav On\n</Location>'),
        (entries, kind) => {
          expect(kind).toBe('webdav');
          expect(sizes(entries)).toEqual(files);
          for (const entry of entries) if (entry.kind === 'file') expect(entry.modified).toBe(modified);
        },
      ));
  } else process.stderr.write('tests of listings of Apache are left out: no apache2 on this host\n');

  it("Python's http.server, names only", async () => {
    const port = await freePort();
    const child = spawn('python3', ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', root], { stdio: 'ignore' });
    const url = `http://127.0.0.1:${port}`;
    for (let attempt = 0; attempt < 250 && !(await fetch(url).then(Boolean, () => false)); attempt++) await sleep(20);
    await listed(
      () => Promise.resolve({ url, close: () => Promise.resolve(void child.kill()) }),
      (entries) => {
        for (const entry of entries) expect(entry).toMatchObject({ size: null, modified: null });
      },
    );
  });
});

describe('pages', () => {
  const at = new URL('http://host/data/top%20level/');
  const page = (links: string): string => `<html><head><title>Index of /data/top level/</title></head><body>${links}</body></html>`;
  const namesOf = (links: string, directory = at): string[] | undefined =>
    read(htmlListing(directory), page(links))?.map(({ name }) => name);

  it('lighttpd, whose sizes and times say too little', () => {
    const rows =
      '<tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td><td class="s">- &nbsp;</td><td class="t">Directory</td></tr>' +
      '<tr class="d"><td class="n"><a href="sub%20dir/">sub dir</a>/</td><td class="m">2026-Nov-24 11:09:46</td><td class="s">- &nbsp;</td></tr>' +
      '<tr><td class="n"><a href="a%20b%26c.fits">a b&#x26;c.fits</a></td><td class="m">2026-Nov-24 11:09:46</td><td class="s">0.1K</td></tr>';
    expect(
      read(htmlListing(at), page(`<h2>Index of /data/top level/</h2><table>${rows}</table><script>var a = '<a href="no">';</script>`)),
    ).toEqual([
      { name: 'a b&c.fits', kind: 'file', size: null, modified: null },
      { name: 'sub dir', kind: 'directory', size: null, modified: null },
    ]);
  });

  it('takes what is directly inside, however it is written, and nothing else', () => {
    const inside = ['x', './y', '/data/top%20level/z', 'http://host/data/top%20level/w/', '/data/top%20%6cevel/v', 'co%3Alon', './co:lon2'];
    const outside = [
      '?C=M;O=A',
      '?C=N&amp;O=D',
      '#top',
      '../',
      '..',
      './',
      '.',
      '/',
      '/data/',
      '/data/top%20level/',
      '/data/top%20levelled',
    ];
    const elsewhere = [
      'http://other/data/top%20level/x2',
      '//other/x3',
      'x4/y',
      'mailto:me@host',
      'javascript:x()',
      'x5?download',
      'https://host/data/top%20level/x6',
    ];
    const evil = ['%2e%2e/', '..%2fetc', 'a%2Fb', 'a%00b', '%ff', '', '   ', '%2E'];
    const links = [...outside, ...elsewhere, ...evil, ...inside].map((href) => `<a href="${href}">text</a>`).join('<br>');
    expect(namesOf(links)).toEqual(['co:lon', 'co:lon2', 'v', 'w', 'x', 'y', 'z']);
  });

  it('is no listing where the page does not say so, or is none', () => {
    expect(read(htmlListing(at), '<title>My data</title><a href="x">x</a>')).toBeUndefined();
    expect(read(htmlListing(at), '{"files": ["x"]}')).toBeUndefined();
    expect(read(htmlListing(at), '')).toBeUndefined();
    expect(namesOf('')).toEqual([]);
  });

  it('has each name once, and sizes only where a whole number stands behind the time', () => {
    const rows =
      '<a href="a"><img src="i"></a> <a href="a">a</a>   24-Nov-2026 10:00    12\n<a href="b">b</a> 24-Nov-2026 10:00   12K\n' +
      '<a href="c">c</a> 100 things\n<a href="d">d</a> 2026-11-24 10:00  77 \n<a href="e/">e/</a> 24-Nov-2026 10:00   -\n';
    expect(read(htmlListing(at), page(`<pre>${rows}</pre>`))).toEqual([
      { name: 'a', kind: 'file', size: 12, modified },
      { name: 'b', kind: 'file', size: null, modified },
      { name: 'c', kind: 'file', size: null, modified: null },
      { name: 'd', kind: 'file', size: 77, modified: null },
      { name: 'e', kind: 'directory', size: null, modified },
    ]);
  });

  it('WebDAV is asked for once where there is none', async () => {
    const server = await startServer();
    const remote = openRemote(server.url);
    server.handler = (request, response) => {
      if (request.method === 'PROPFIND') return void response.writeHead(501).end();
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Index of /</title>');
    };
    await remote.list!('');
    await remote.list!(parseRemotePath('sub'));
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['PROPFIND /', 'GET /', 'GET /sub/']);
    await remote.close();
    await server.close();
  });

  it('a page that breaks off fails, and one that is silent is late', async () => {
    const server = await startServer();
    const remote = openRemote(server.url, { deadline: 400, idleTimeout: 200 });
    server.handler = (request, response) => {
      if (request.method === 'PROPFIND') return void response.writeHead(405).end();
      response.writeHead(200, { 'content-type': 'text/html', 'content-length': 1000 });
      response.write(page('<a href="x">x</a>'), () => request.socket.destroy());
    };
    await expect(remote.list!('')).rejects.toMatchObject({ code: 'remote-failed' });
    server.handler = () => undefined;
    await expect(remote.list!('')).rejects.toMatchObject({ code: 'remote-timeout' });
    server.handler = (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Welcome</title>');
    await expect(remote.list!('')).rejects.toMatchObject({ code: 'unsupported', message: /a page of its own/ });
    server.handler = (_, response) => void response.writeHead(401).end();
    await expect(remote.list!('')).rejects.toMatchObject({ code: 'remote-forbidden' });
    await remote.close();
    await server.close();
  });
});

describe('answers of WebDAV', () => {
  const at = new URL('http://host/data/');
  const response = (href: string, prop: string, status = 'HTTP/1.1 200 OK'): string =>
    `<x:response><x:href>${href}</x:href><x:propstat><x:prop>${prop}</x:prop><x:status>${status}</x:status></x:propstat></x:response>`;
  const answer = (...responses: string[]): string =>
    `<?xml version="1.0"?>\n<x:multistatus xmlns:x="DAV:" xmlns:y="urn:other">${responses.join('\n')}</x:multistatus>`;

  it('are read by their namespaces, whatever the prefixes, by the properties that were found', () => {
    const text = answer(
      response('/data/', '<x:resourcetype><x:collection/></x:resourcetype>'),
      response('http://host/data/sub', '<x:resourcetype><x:collection/></x:resourcetype>'),
      response(
        '/data/a%26b',
        '<x:getcontentlength>7</x:getcontentlength><x:getlastmodified>Tue, 24 Nov 2026 10:00:00 GMT</x:getlastmodified>',
      ),
      response('/data/c&amp;d', '<y:getcontentlength>8</y:getcontentlength><x:resourcetype/>'),
      response('/data/e', '<x:getcontentlength>9</x:getcontentlength>', 'HTTP/1.1 404 Not Found'),
      response('/other/f', ''),
      response('/data/g/h', ''),
    );
    expect(read(webdavListing(at), text)).toEqual([
      { name: 'a&b', kind: 'file', size: 7, modified },
      { name: 'c&d', kind: 'file', size: null, modified: null },
      { name: 'e', kind: 'file', size: null, modified: null },
      { name: 'sub', kind: 'directory', size: null, modified: null },
    ]);
    const plain = '<multistatus xmlns="DAV:"><response><href>/data/x</href></response></multistatus>';
    expect(read(webdavListing(at), plain)).toMatchObject([{ name: 'x' }]);
  });

  it('that break off, or are something else, are none', () => {
    const text = answer(response('/data/a', ''));
    expect(read(webdavListing(at), text.slice(0, -20))).toBeUndefined();
    expect(read(webdavListing(at), '<html><body>hello</body></html>')).toBeUndefined();
    expect(read(webdavListing(at), '<multistatus xmlns="urn:other"><response/></multistatus>')).toBeUndefined();
  });
});
