import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRemote } from './assemble.js';
import { loadAuthorities } from './certificates.js';
import type { Remote } from './contract.js';
import { httpRemote, type HttpRemoteSettings } from './http.js';
import { parseRemotePath } from './paths.js';
import { proxiesFromEnvironment } from './proxies.js';
import { describeRemote, pattern, readAll } from './testing/conformance.js';
import { hasApache, startApache } from './testing/apache.js';
import { freePort } from './testing/ports.js';
import { hasNginx, serveBytes, startNginx, startServer, type RunningNginx, type TestServer } from './testing/server.js';
import { makeCertificate, type TestCertificate } from './testing/tls.js';

const object = parseRemotePath('object');
const content = pattern(2_000_000);
const bare = { credentials: () => undefined, idleTimeout: 5000, connections: 12, userAgent: 'test' };

let place: string;
let certificate: TestCertificate;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'butlerfs-network-'));
  chmodSync(place, 0o755);
  certificate = makeCertificate(place);
  mkdirSync(join(place, 'root'));
  writeFileSync(join(place, 'root', 'object'), content);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** nginx with TLS and HTTP/2, by its secure URL. */
async function startSecure(root: string, extra = ''): Promise<RunningNginx> {
  const port = await freePort();
  const tls = `ssl_certificate ${certificate.certificate}; ssl_certificate_key ${certificate.key};`;
  const nginx = await startNginx(root, `listen 127.0.0.1:${port} ssl http2; ${tls} ${extra}`);
  return { url: `https://localhost:${port}`, close: nginx.close };
}

if (hasNginx()) {
  describeRemote('http remote on nginx by HTTP/2', async (directory) => {
    const nginx = await startSecure(directory);
    const remote = openRemote(nginx.url, { caFile: certificate.authority });
    return { remote, close: () => remote.close().then(() => nginx.close()) };
  });

  describe('HTTPS', () => {
    let nginx: RunningNginx;
    let remote: Remote | undefined;
    afterEach(async () => {
      await remote?.close();
      await nginx.close();
    });
    const open = (settings: Partial<HttpRemoteSettings> = {}): Remote =>
      (remote = httpRemote(nginx.url, { ...bare, authorities: () => loadAuthorities({ caFile: certificate.authority }), ...settings }));

    it('speaks HTTP/2 where it is offered, and HTTP/1.1 where it is not wanted', async () => {
      nginx = await startSecure(join(place, 'root'));
      expect(open().capabilities!()).toEqual({ protocol: null, ranges: null, lists: null });
      await remote!.stat(object);
      expect(remote!.capabilities!()).toMatchObject({ protocol: 'HTTP/2', ranges: true });
      await remote!.close();
      await open({ allowHttp2: false }).stat(object);
      expect(remote!.capabilities!().protocol).toBe('HTTP/1.1');
    });

    it('reads many parts at a time on HTTP/2, past bodies that nobody reads, and ones that are aborted', async () => {
      nginx = await startSecure(join(place, 'root'));
      open();
      const held = await Promise.all(Array.from({ length: 8 }, () => remote!.open(object)));
      const aborted = Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => readAll(remote!, 'object', { signal: AbortSignal.timeout(i) })),
      );
      const reads = Array.from({ length: 120 }, async (_, i) => {
        const read = await readAll(remote!, 'object', { offset: i * 10_000, length: 100_000 });
        return read.equals(content.subarray(i * 10_000, i * 10_000 + 100_000));
      });
      expect(await Promise.all(reads)).toEqual(reads.map(() => true));
      for (const outcome of await aborted) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'interrupted' });
        else expect(outcome.value.equals(content)).toBe(true);
      }
      for (const { bytes } of held) await bytes[Symbol.asyncIterator]().return?.();
    });

    it('an abort is heard at once also by a request that waits for a connection', async () => {
      nginx = await startSecure(join(place, 'root'));
      open({ connections: 1, allowHttp2: false });
      const held = await remote!.open(object);
      const began = performance.now();
      await expect(remote!.stat(object, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'interrupted' });
      expect(performance.now() - began).toBeLessThan(1000);
      await held.bytes[Symbol.asyncIterator]().return?.();
      expect((await remote!.stat(object)).size).toBe(content.length);
    });

    it('outlives a server that ends connections after some requests', async () => {
      nginx = await startSecure(join(place, 'root'), 'keepalive_requests 20;');
      open();
      for (let i = 0; i < 100; i++) expect((await remote!.stat(object)).size).toBe(content.length);
    });

    it('believes no authority that it does not know', async () => {
      nginx = await startSecure(join(place, 'root'));
      open({ authorities: undefined });
      await expect(remote!.stat(object)).rejects.toMatchObject({ code: 'remote-unreachable', message: /TLS failed: .*certificate/ });
    });

    it('believes those of SSL_CERT_FILE and nobody else, and those of NODE_EXTRA_CA_CERTS as well', async () => {
      nginx = await startSecure(join(place, 'root'));
      const environment = { SSL_CERT_FILE: certificate.authority };
      await open({ authorities: () => loadAuthorities({ environment }) }).stat(object);
      await remote!.close();
      const other = join(place, 'other');
      mkdirSync(other);
      const unrelated = { SSL_CERT_FILE: makeCertificate(other).authority };
      await expect(open({ authorities: () => loadAuthorities({ environment: unrelated }) }).stat(object)).rejects.toThrow(/TLS failed/);
      await remote!.close();
      const both = { ...unrelated, NODE_EXTRA_CA_CERTS: certificate.authority };
      await open({ authorities: () => loadAuthorities({ environment: both }) }).stat(object);
      expect(loadAuthorities({ environment: {} })).toBeUndefined();
    });
  });
} else process.stderr.write('tests of HTTPS are left out: no nginx on this host\n');

describe('a file of authorities', () => {
  it.each([
    ['none', undefined, /cannot be read/],
    ['empty', '', /holds no certificate/],
    ['key', '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n', /holds no certificate/],
    ['damaged', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /certificate 1 cannot be understood/],
  ])('that is no such file: %s', (name, text, why) => {
    const file = join(place, `ca-${name}`);
    if (text !== undefined) writeFileSync(file, text);
    expect(() => openRemote('https://host', { caFile: file })).toThrow(
      expect.objectContaining({ code: 'configuration', message: expect.stringMatching(why) as string }) as Error,
    );
  });
});

describe('proxies', () => {
  let proxy: Server;
  let origin: TestServer;
  let remote: Remote | undefined;
  let seen: { readonly line: string; readonly authorization: string | undefined }[];
  let refuse: number | undefined;

  /** A proxy of its own: forwards what is asked whole, and opens tunnels. */
  beforeEach(async () => {
    seen = [];
    refuse = undefined;
    origin = await startServer();
    origin.handler = (request, response) => serveBytes(request, response, content);
    proxy = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      seen.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] });
      if (refuse !== undefined) return void response.writeHead(refuse).end();
      const { 'proxy-authorization': _, ...rest } = headers;
      const onward = httpRequest(url, { method, headers: rest }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      request.pipe(onward);
    });
    proxy.on('connect', (request, socket) => {
      seen.push({ line: `CONNECT ${request.url ?? ''}`, authorization: request.headers['proxy-authorization'] });
      if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\nContent-Length: 0\r\n\r\n`);
      const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [onward, socket]) end.on('error', () => [onward, socket].forEach((each) => each.destroy()));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    await remote?.close();
    await origin.close();
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });

  function open(url: string, settings: Partial<HttpRemoteSettings> = {}): Remote {
    const all_proxy = `http://me:s3cret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    return (remote = httpRemote(url, { ...bare, proxies: proxiesFromEnvironment({ all_proxy }), ...settings }));
  }

  it('are given plain requests whole, with credentials that the origin does not see', async () => {
    expect((await readAll(open(origin.url), 'object', { offset: 5, length: 10 })).equals(content.subarray(5, 15))).toBe(true);
    expect(seen).toEqual([{ line: `GET ${origin.url}/object`, authorization: `Basic ${btoa('me:s3cret')}` }]);
    expect(origin.requests[0]!.headers).toMatchObject({ host: new URL(origin.url).host, range: 'bytes=5-14' });
    expect(origin.requests[0]!.headers['proxy-authorization']).toBeUndefined();
  });

  if (hasNginx())
    it('tunnel TLS, and HTTP/2 in it', async () => {
      const nginx = await startSecure(join(place, 'root'));
      open(nginx.url, { authorities: () => loadAuthorities({ caFile: certificate.authority }) });
      expect((await readAll(remote!, 'object')).equals(content)).toBe(true);
      expect(remote!.capabilities!().protocol).toBe('HTTP/2');
      expect(seen).toEqual([{ line: `CONNECT ${new URL(nginx.url).host}`, authorization: `Basic ${btoa('me:s3cret')}` }]);
      await nginx.close();
    });

  it.each(['http://127.0.0.1:9', 'https://127.0.0.1:9'])('that want other credentials are named without them: %s', async (url) => {
    refuse = 407;
    const error = await open(url)
      .stat(object)
      .catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'remote-forbidden', message: /proxy http:\/\/127\.0\.0\.1:\d+ .*other credentials \(407\)/ });
    expect(String((error as Error).stack)).not.toContain('s3cret');
  });

  it('that fail are named without credentials', async () => {
    refuse = 502;
    await expect(open('https://127.0.0.1:9').stat(object)).rejects.toMatchObject({ code: 'remote-unreachable', message: /it answers 502/ });
    await remote!.close();
    const dead = proxiesFromEnvironment({ all_proxy: `http://me:s3cret@127.0.0.1:${await freePort()}` });
    for (const url of ['http://host.invalid', 'https://host.invalid']) {
      const error = await open(url, { proxies: dead })
        .stat(object)
        .catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ code: 'remote-unreachable', message: /proxy http:\/\/127\.0\.0\.1:\d+.*all_proxy/ });
      expect(String((error as Error).stack)).not.toContain('s3cret');
      await remote!.close();
    }
  });
});

describe('answers that are not the object', () => {
  let server: TestServer;
  let other: TestServer;
  let remote: Remote;
  beforeEach(async () => {
    [server, other] = [await startServer(), await startServer()];
    remote = openRemote(server.url, { deadline: 3000 });
  });
  afterEach(async () => {
    await remote.close();
    await Promise.all([server.close(), other.close()]);
  });

  it('compressed though asked for as it is: refused at once, whole, in part and as a stat', async () => {
    server.handler = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(content));
    for (const work of [() => remote.open(object), () => remote.open(object, { offset: 5 }), () => remote.stat(object)]) {
      await expect(work()).rejects.toMatchObject({
        code: 'remote-failed',
        message: /compressed \(Content-Encoding: gzip\).*switch compression off/,
      });
    }
    expect(server.requests).toHaveLength(3);
    server.handler = (_, response) => void response.writeHead(200, { 'content-encoding': 'identity' }).end(content);
    expect((await readAll(remote, 'object')).equals(content)).toBe(true);
  });

  it('a compressed file that the server marks as such is the file', async () => {
    const zipped = gzipSync(content);
    server.handler = (request, response) => {
      response.setHeader('content-encoding', 'x-gzip');
      serveBytes(request, response, zipped);
    };
    expect((await readAll(remote, 'image.fits.gz')).equals(zipped)).toBe(true);
    expect((await readAll(remote, 'image.fits.gz', { offset: 3, length: 9 })).equals(zipped.subarray(3, 12))).toBe(true);
    await expect(readAll(remote, 'image.fits')).rejects.toMatchObject({ code: 'remote-failed' });
  });

  it('a page to log in, after a redirect or in place of a known version, is named as that', async () => {
    server.handler = (_, response) => void response.writeHead(302, { location: `${other.url}/login.html?token=s3cret` }).end();
    other.handler = (_, response) =>
      void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>log in</html>');
    for (const work of [() => remote.open(object), () => remote.stat(object)]) {
      const error = await work().catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({
        code: 'remote-failed',
        message: /web page in place of the data from .*\/login\.html, such as a page to log in/,
      });
      expect((error as Error).message).not.toContain('s3cret');
    }
    expect(other.requests).toHaveLength(2);
    server.handler = other.handler;
    await expect(remote.open(object, { validator: '"1"' })).rejects.toMatchObject({ message: /a web page in place of the data/ });
    expect((await readAll(remote, 'page.html')).toString()).toBe('<html>log in</html>');
  });
});

describe('Digest on a server', () => {
  const credentials = () => ({ kind: 'basic', username: 'me', password: 'pw', source: 'netrc', scheme: 'digest' }) as const;

  it('is answered, also when nonces grow old, and the password is never sent', async () => {
    const server = await startServer();
    let nonce = 1;
    let uses = 0;
    server.handler = (request, response) => {
      const { authorization = '' } = request.headers;
      const field = (name: string): string => new RegExp(`${name}="?([^",]+)`).exec(authorization)?.[1] ?? '';
      const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
      const [key, what] = [md5('me:r:pw'), md5(`${request.method ?? ''}:${request.url ?? ''}`)];
      const right = md5(`${key}:${field('nonce')}:${field(' nc')}:${field('cnonce')}:auth:${what}`) === field('response');
      const isCurrent = field('nonce') === `n${nonce}`;
      if (right && isCurrent && parseInt(field(' nc'), 16) === ++uses && uses <= 3) return serveBytes(request, response, content);
      [nonce, uses] = [nonce + 1, 0];
      const stale = right ? ', stale=true' : '';
      response.writeHead(401, { 'www-authenticate': ['Basic realm="r"', `Digest realm="r", nonce="n${nonce}", qop="auth"${stale}`] }).end();
    };
    const remote = httpRemote(server.url, { ...bare, credentials });
    for (let i = 0; i < 8; i++) expect((await remote.stat(object)).size).toBe(content.length);
    expect(server.requests.some(({ headers }) => headers.authorization?.startsWith('Basic'))).toBe(false);
    expect(server.requests).toHaveLength(8 + 3);
    const wrong = httpRemote(server.url, { ...bare, credentials: () => ({ ...credentials(), password: 'other' }) });
    await expect(wrong.stat(object)).rejects.toMatchObject({
      code: 'remote-forbidden',
      message: /refuses the credentials from the netrc \(401\)/,
    });
    server.handler = (_, response) => void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    await expect(httpRemote(server.url, { ...bare, credentials }).stat(object)).rejects.toThrow(/does not ask for Digest/);
    await Promise.all([remote.close(), wrong.close(), server.close()]);
  });

  if (hasApache())
    it('of Apache', async () => {
      writeFileSync(join(place, 'passwords'), `me:r:${createHash('md5').update('me:r:pw').digest('hex')}\n`);
      const auth = `AuthType Digest\nAuthName r\nAuthDigestProvider file\nAuthUserFile ${place}/passwords\nRequire valid-user`;
      const apache = await startApache(join(place, 'root'), `<Location />\n${auth}\n</Location>`);
      const remote = httpRemote(apache.url, { ...bare, credentials: () => ({ ...credentials(), scheme: undefined! }) });
      const reads = Array.from({ length: 10 }, (_, i) => readAll(remote, 'object', { offset: i, length: 1000 }));
      (await Promise.all(reads)).forEach((read, i) => expect(read.equals(content.subarray(i, i + 1000))).toBe(true));
      expect((await remote.list!('')).map(({ name }) => name)).toEqual(['object']);
      await remote.close();
      await apache.close();
    });
  else process.stderr.write('a test of Digest on Apache is left out: no apache2 on this host\n');
});
