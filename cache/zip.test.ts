import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import { serveBytes } from '../proxy/testing/server.js';
import { sharedData } from '../test/shared.js';
import type { ObjectCache, ObjectRequest } from './contract.js';
import { Layout } from './layout.js';
import { digestOf, filesBelow, startRig, type Rig } from './testing/rig.js';

const stored = Buffer.from('name: stored\n');
const deflated = Buffer.concat([pattern(300_000), Buffer.alloc(300_000)]);

/** An archive with a stored and a deflated member, by another implementation. */
function makeZip(directory: string): Buffer {
  const script = `
import sys, zipfile
data = sys.stdin.buffer.read()
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr(zipfile.ZipInfo('dir/stored-ü.yaml'), b'name: stored\\n')
    z.writestr(zipfile.ZipInfo('deflated.fits'), data, zipfile.ZIP_DEFLATED)
`;
  execFileSync('python3', ['-c', script, join(directory, 'made.zip')], { input: deflated });
  return readFileSync(join(directory, 'made.zip'));
}

describe('members of zip archives', () => {
  let rig: Rig;
  let cache: ObjectCache;
  let archive: Buffer;
  const member = (name: string, extra: Partial<ObjectRequest> = {}): ObjectRequest => rig.request('z.zip', { member: name, ...extra });
  function bytesOf(request: ObjectRequest): Buffer {
    const object = cache.openIfPresent(request)!;
    const bytes = readFileSync(object.fd);
    cache.close(object);
    return bytes;
  }

  beforeEach(async () => {
    rig = await startRig();
    archive = makeZip(rig.directory);
    rig.objects.set('z.zip', archive);
    cache = rig.open();
  });
  afterEach(() => rig.close());

  it('are taken out, checked and published, the archive fetched once for all', async () => {
    const requests = [
      member('dir/stored-ü.yaml', { digest: digestOf(stored), size: stored.length }),
      member('deflated.fits', { digest: digestOf(deflated), size: deflated.length }),
      member('deflated.fits'),
    ];
    await Promise.all(requests.map((request) => cache.ensure(request)));
    expect(rig.server.requests).toHaveLength(1);
    expect(bytesOf(requests[0]!).equals(stored)).toBe(true);
    expect(bytesOf(requests[1]!).equals(deflated)).toBe(true);
    expect(bytesOf(requests[2]!).equals(deflated)).toBe(true);
    expect(cache.pinnedSize(requests[2]!)).toBe(deflated.length);
    expect(cache.isPresent(rig.request('z.zip', { identity: 'archive' }))).toBe(true);
    await cache.close();
    cache = rig.open();
    expect(await cache.evict(0)).toBe(4);
    await cache.ensure(requests[0]!);
    expect(rig.server.requests).toHaveLength(2);
  });

  it('a member that is not there is named with the nearest that is', async () => {
    await expect(cache.ensure(member('deflated.fit'))).rejects.toMatchObject({
      code: 'remote-not-found',
      message: /the archive has no such member; did you mean 'deflated.fits'\?/,
    });
  });

  it('a wrong size, digest or CRC is refused after the archive was fetched afresh', async () => {
    await expect(cache.ensure(member('deflated.fits', { size: 7 }))).rejects.toMatchObject({
      code: 'wrong-size',
      message: /7 bytes by the registry, 600000 in/,
    });
    await expect(cache.ensure(member('deflated.fits', { digest: digestOf(stored) }))).rejects.toMatchObject({ code: 'wrong-digest' });
    const damaged = Buffer.from(archive);
    damaged[damaged.indexOf('name: stored')] = 0x4e;
    rig.objects.set('z.zip', damaged);
    await cache.evict(0);
    const layout = new Layout(rig.cacheDirectory);
    for (const pin of filesBelow(layout.pins)) execFileSync('rm', [join(layout.pins, pin)]);
    await expect(cache.ensure(member('dir/stored-ü.yaml'))).rejects.toMatchObject({ code: 'wrong-digest', message: /CRC-32/ });
    rig.objects.set('z.zip', archive);
    await cache.ensure(member('dir/stored-ü.yaml'));
    expect(filesBelow(layout.temporary)).toEqual([]);
  });

  it.each(['end', 'directory', 'member'])(
    'an archive damaged on its way the first time (%s) is fetched again and then right',
    async (where) => {
      const damaged = Buffer.from(archive);
      if (where === 'member') damaged.fill(0xff, 2000, 3000);
      else damaged.fill(0, damaged.length - (where === 'end' ? 10 : 150));
      rig.server.handler = (request, response, count) => serveBytes(request, response, count === 1 ? damaged : archive);
      await cache.ensure(member('deflated.fits', { digest: digestOf(deflated) }));
      expect(rig.server.requests).toHaveLength(2);
      expect(rig.server.requests[1]!.headers['cache-control']).toBe('no-cache');
    },
  );

  it('an origin that fails keeps the archive pinned', async () => {
    await cache.ensure(member('deflated.fits'));
    await cache.evict(0);
    const pins = filesBelow(new Layout(rig.cacheDirectory).pins);
    rig.server.handler = (_, response) => void response.writeHead(503).end();
    await expect(cache.ensure(member('deflated.fits'))).rejects.toMatchObject({ code: 'remote-failed' });
    expect(filesBelow(new Layout(rig.cacheDirectory).pins)).toEqual(pins);
  });

  it('what is no archive is remote-failed', async () => {
    rig.objects.set('z.zip', pattern(5000));
    await expect(cache.ensure(member('x'))).rejects.toMatchObject({ code: 'remote-failed', message: /the archive cannot be read/ });
  });

  it('the archive of the real butler', async () => {
    const shared = sharedData();
    if (shared === undefined) return;
    const [folder = ''] = readdirSync(join(shared, 'gen3-edge', 'zips'));
    const [name = ''] = readdirSync(join(shared, 'gen3-edge', 'zips', folder));
    rig.objects.set('z.zip', readFileSync(join(shared, 'gen3-edge', 'zips', folder, name)));
    const request = member('f9f9a789-metrics_HSC_1_53_edge_zipped.yaml', { size: 10 });
    await cache.ensure(request);
    expect(bytesOf(request)).toHaveLength(10);
  });
});
