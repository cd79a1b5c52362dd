/** Parts of FITS files out of the cache: their bytes, what they cost, and one version or an error. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serveBytes } from '../../proxy/testing/server.js';
import { padded } from '../../sky/fits/header.js';
import { formatCard, formatHeader } from '../../sky/fits/write.js';
import type { ChunkDigests, FilePart, ObjectCache, ObjectRequest } from '../contract.js';
import { Layout } from '../layout.js';
import { digestOf, filesBelow, startRig, type Rig } from '../testing/rig.js';

const WIDTH = 400;
const HEIGHT = 300;

/** An image HDU of 16-bit pixels: its header and padded data. */
function imageHdu(name: string, width: number, height: number, first: number): Buffer {
  const data = Buffer.alloc(padded(width * height * 2));
  for (let i = 0; i < width * height; i++) data.writeUInt16BE((first + i) & 0xffff, 2 * i);
  const cards = [
    formatCard('XTENSION', 'IMAGE'),
    formatCard('BITPIX', 16),
    formatCard('NAXIS', 2),
    formatCard('NAXIS1', width),
    formatCard('NAXIS2', height),
    formatCard('PCOUNT', 0),
    formatCard('GCOUNT', 1),
    formatCard('EXTNAME', name),
    formatCard('CRPIX1', 10.5),
  ];
  return Buffer.concat([formatHeader(cards), data]);
}

function composite(width: number, height: number, first = 0): Buffer {
  const primary = formatHeader([
    formatCard('SIMPLE', true),
    formatCard('BITPIX', 8),
    formatCard('NAXIS', 0),
    formatCard('TELESCOP', 'demo'),
  ]);
  return Buffer.concat([primary, ...['IMAGE', 'MASK', 'VARIANCE'].map((name, i) => imageHdu(name, width, height, first + i))]);
}

describe('parts of FITS files', () => {
  let rig: Rig;
  let cache: ObjectCache;
  let file: Buffer;
  const hduBytes = 2880 + padded(WIDTH * HEIGHT * 2);

  const hdu = (name: string): FilePart => ({ kind: 'hdu', name });
  const box = (x0: number, x1: number, y0: number, y1: number): FilePart => ({ kind: 'cutout', name: 'IMAGE', box: { x0, x1, y0, y1 } });
  const part = (wanted: FilePart, extra: Partial<ObjectRequest> = {}): ObjectRequest => rig.request('c.fits', { part: wanted, ...extra });

  async function get(request: ObjectRequest): Promise<Buffer> {
    expect(await cache.openContent(request)).toEqual({ kind: 'whole' });
    const object = cache.openIfPresent(request)!;
    const bytes = readFileSync(object.fd);
    cache.close(object);
    return bytes;
  }

  /** Bytes that the ranges asked for since the last call make. */
  function moved(): number {
    return rig.server.requests
      .splice(0)
      .map(({ headers }) => /bytes=(\d+)-(\d+)/.exec(headers.range ?? ''))
      .reduce((sum, match) => sum + (match === null ? Infinity : Number(match[2]) - Number(match[1]) + 1), 0);
  }

  beforeEach(async () => {
    rig = await startRig();
    file = composite(WIDTH, HEIGHT);
    rig.objects.set('c.fits', file);
    cache = rig.open();
  });
  afterEach(() => rig.close());

  it('cost their own bytes and the headers; a second one, and sizes, cost no headers again', async () => {
    const image = await get(part(hdu('IMAGE')));
    expect(moved()).toBeLessThanOrEqual(hduBytes + 64 * 1024);
    expect(image.subarray(2880).equals(file.subarray(2880, 2880 + hduBytes))).toBe(true);
    expect(image.toString('latin1', 0, 2880)).toContain("TELESCOP= 'demo");
    expect(await cache.partSize(part(hdu('VARIANCE')))).toBe(2880 + hduBytes);
    expect(moved()).toBe(0);
    const mask = await get(part(hdu('mask')));
    expect(mask.subarray(2880).equals(file.subarray(2880 + hduBytes, 2880 + 2 * hduBytes))).toBe(true);
    expect(moved()).toBe(hduBytes);
    await cache.close();
    cache = rig.open();
    expect(await cache.partSize(part(hdu('VARIANCE')))).toBe(2880 + hduBytes);
    expect(await cache.partSize(part(hdu('IMAGE')))).toBe(image.length);
    expect(await get(part(hdu('image')))).toEqual(image);
    expect(moved()).toBe(0);
  });

  it('all who want one share one fetch; different ones share the headers', async () => {
    const all = ['IMAGE', 'IMAGE', 'MASK', 'VARIANCE'].map((name) => cache.ensure(part(hdu(name))));
    await Promise.all(all);
    expect(moved()).toBeLessThanOrEqual(3 * hduBytes + 64 * 1024);
  });

  it('come from the whole file where that is here', async () => {
    const whole = rig.request('c.fits', { digest: digestOf(file), size: file.length });
    await cache.ensure(whole);
    rig.server.requests.splice(0);
    const { digest, size } = whole;
    const image = await get(part(hdu('IMAGE'), { whole: { digest, size } }));
    expect(image.subarray(2880).equals(file.subarray(2880, 2880 + hduBytes))).toBe(true);
    expect((await get(part(box(0, 2, 0, 2), { whole: { digest, size } }))).length).toBe(3 * 2880);
    expect(rig.server.requests).toEqual([]);
  });

  it('cut-outs cost the rows they need, and are the pixels of their box', async () => {
    const cut = await get(part(box(100, 110, 50, 60)));
    expect(moved()).toBeLessThanOrEqual(10 * WIDTH * 2 + 64 * 1024);
    const pixels = Array.from({ length: 100 }, (_, i) => cut.readUInt16BE(5760 + 2 * i));
    expect(pixels).toEqual(
      Array.from({ length: 100 }, (_, i) => (50 + Math.floor(i / 10)) * WIDTH + 100 + (i % 10)).map((one) => one & 0xffff),
    );
    expect(cut.toString('latin1', 2880, 5760)).toContain('CRPIX1  =                -89.5');
    const wide = await get(part(box(0, WIDTH, 10, 12)));
    expect(moved()).toBe(2 * WIDTH * 2);
    expect(wide.subarray(5760, 5760 + 4 * WIDTH).equals(file.subarray(5760 + 20 * WIDTH, 5760 + 24 * WIDTH))).toBe(true);
  });

  it('rows that lie far apart are asked for one by one, several at a time', async () => {
    file = composite(50_000, 40);
    rig.objects.set('c.fits', file);
    let open = 0;
    let most = 0;
    rig.server.handler = (request, response) => {
      most = Math.max(most, ++open);
      response.once('finish', () => open--);
      setTimeout(() => serveBytes(request, response, file, '"wide"'), 5);
    };
    const cut = await get(part(box(49_000, 49_010, 0, 40)));
    const rows = rig.server.requests.filter(({ headers }) => headers['if-range'] !== undefined && /-\d+/.test(headers.range ?? ''));
    expect(rows.length).toBeGreaterThanOrEqual(40);
    expect(moved()).toBeLessThan(64 * 1024);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(6);
    for (let y = 0; y < 40; y++) {
      const from = 5760 + 2 * (y * 50_000 + 49_000);
      expect(cut.subarray(5760 + 20 * y, 5780 + 20 * y).equals(file.subarray(from, from + 20))).toBe(true);
    }
  });

  it('an HDU or pixels that are not there, and what is no FITS file, are refused without their data', async () => {
    await expect(cache.partSize(part(hdu('IMGAE')))).rejects.toMatchObject({
      code: 'unknown-path',
      message: /PRIMARY, IMAGE, MASK, VARIANCE.*c\.fits|c\.fits.*PRIMARY, IMAGE, MASK, VARIANCE/,
    });
    await expect(cache.ensure(part(box(0, 10, 290, 301)))).rejects.toMatchObject({
      code: 'invalid-value',
      message: /400 columns and 300 rows/,
    });
    for (const wrong of [
      { kind: 'hdu', name: '' },
      { kind: 'cutout', name: 'IMAGE', box: { x0: 3, x1: 3, y0: 0, y1: 1 } },
      { kind: 'other' },
    ])
      await expect(cache.ensure(part(wrong as FilePart))).rejects.toMatchObject({ code: 'invalid-value' });
    expect(moved()).toBeLessThanOrEqual(64 * 1024);
    rig.objects.set('text.fits', Buffer.alloc(100_000, 0x41));
    await expect(cache.ensure(rig.request('text.fits', { part: hdu('IMAGE') }))).rejects.toMatchObject({ code: 'unsupported' });
    rig.objects.set('cut.fits', file.subarray(0, 2880 + hduBytes + 5000));
    await cache.ensure(rig.request('cut.fits', { part: hdu('IMAGE') }));
    await expect(cache.ensure(rig.request('cut.fits', { part: hdu('MASK') }))).rejects.toMatchObject({
      code: 'corrupt-repository',
      message: /the file ends here/,
    });
  });

  it('a file that changed at the origin after one part was read: an error, not a mix', async () => {
    await get(part(hdu('IMAGE')));
    rig.objects.set('c.fits', composite(WIDTH, HEIGHT, 1000));
    await expect(cache.ensure(part(hdu('MASK')))).rejects.toMatchObject({ code: 'remote-changed' });
    await cache.close();
    cache = rig.open();
    await expect(cache.ensure(part(hdu('MASK')))).rejects.toMatchObject({ code: 'remote-changed' });
    await cache.evict(0);
    await expect(cache.ensure(part(hdu('IMAGE')))).rejects.toMatchObject({ code: 'remote-changed' });
    expect(filesBelow(new Layout(rig.cacheDirectory).temporary)).toEqual([]);
  });

  it('a file that changes between its headers and its data: an error; the same without validators, by its size', async () => {
    const changed = Buffer.concat([composite(WIDTH, HEIGHT, 5), Buffer.alloc(2880)]);
    const headers = 3;
    for (const etags of [
      ['"a"', '"b"'],
      [null, null],
    ]) {
      const name = `between-${String(etags[0])}.fits`;
      rig.server.handler = (request, response, count) =>
        serveBytes(request, response, count <= headers ? file : changed, etags[count <= headers ? 0 : 1] ?? null);
      await expect(cache.ensure(rig.request(name, { part: hdu('IMAGE') }))).rejects.toMatchObject({ code: 'remote-changed' });
    }
  });

  it('a file that changes while its headers are read: all is of the version after it', async () => {
    const changed = composite(WIDTH, HEIGHT, 5);
    rig.server.handler = (request, response, count) =>
      serveBytes(request, response, count === 1 ? file : changed, count === 1 ? '"a"' : '"b"');
    expect((await get(part(hdu('IMAGE')))).subarray(2880).equals(changed.subarray(2880, 2880 + hduBytes))).toBe(true);
  });

  it('where the whole has a published digest, a change at the origin is settled by it', async () => {
    const whole = { digest: digestOf(file), size: file.length };
    await get(part(hdu('IMAGE'), { whole }));
    let touched = '"1"';
    rig.server.handler = (request, response) => serveBytes(request, response, file, touched);
    touched = '"2"';
    const mask = await get(part(hdu('MASK'), { whole }));
    expect(mask.subarray(2880).equals(file.subarray(2880 + hduBytes, 2880 + 2 * hduBytes))).toBe(true);
    expect(cache.isPresent(rig.request('c.fits', whole))).toBe(true);
  });

  it('a whole that was damaged on disk is not what parts are made of, where every open is checked', async () => {
    const whole = { digest: digestOf(file), size: file.length };
    await cache.ensure(rig.request('c.fits', whole));
    await cache.close();
    const [stored] = filesBelow(new Layout(rig.cacheDirectory).objects);
    const path = join(new Layout(rig.cacheDirectory).objects, stored!);
    const damaged = Buffer.from(file);
    damaged.fill(0xff, 6000, 7000);
    chmodSync(path, 0o600);
    writeFileSync(path, damaged);
    cache = rig.open({ verify: 'open' });
    const image = await get(part(hdu('IMAGE'), { whole }));
    expect(image.subarray(2880).equals(file.subarray(2880, 2880 + hduBytes))).toBe(true);
  });

  it('with digests of chunks each chunk is checked before it is used', async () => {
    const chunkSize = 64 * 1024;
    const published = file;
    const digests: ChunkDigests = {
      size: published.length,
      chunkSize,
      whole: digestOf(published),
      digest: (i) =>
        createHash('sha256')
          .update(published.subarray(i * chunkSize, (i + 1) * chunkSize))
          .digest(),
    };
    await cache.close();
    cache = rig.open({ chunkDigests: () => digests });
    const damaged = Buffer.from(published);
    damaged.fill(0xff, 2880 + hduBytes + 100_000, 2880 + hduBytes + 100_100);
    rig.objects.set('c.fits', damaged);
    const whole = { digest: digests.whole, size: digests.size };
    expect((await get(part(hdu('IMAGE'), { whole }))).subarray(2880).equals(published.subarray(2880, 2880 + hduBytes))).toBe(true);
    await expect(cache.ensure(part(hdu('MASK'), { whole }))).rejects.toMatchObject({ code: 'wrong-digest' });
    await expect(
      cache.ensure(part({ kind: 'cutout', name: 'MASK', box: { x0: 0, x1: 400, y0: 100, y1: 140 } }, { whole })),
    ).rejects.toMatchObject({
      code: 'wrong-digest',
    });
    rig.objects.set('c.fits', published);
    expect((await get(part(hdu('MASK'), { whole }))).subarray(2880, 5760).toString('latin1')).toContain("EXTNAME = 'MASK");
  });

  it('of a member of an archive they come from the archive', async () => {
    execFileSync(
      'python3',
      [
        '-c',
        'import sys,zipfile\nzipfile.ZipFile(sys.argv[1],"w").writestr("in/c.fits",sys.stdin.buffer.read())',
        join(rig.directory, 'z.zip'),
      ],
      {
        input: file,
      },
    );
    rig.objects.set('z.zip', readFileSync(join(rig.directory, 'z.zip')));
    const request = rig.request('z.zip', {
      member: 'in/c.fits',
      part: hdu('VARIANCE'),
      whole: { digest: digestOf(file), size: file.length },
    });
    expect((await get(request)).subarray(2880).equals(file.subarray(2880 + 2 * hduBytes))).toBe(true);
    expect(await cache.partSize({ ...request, part: hdu('MASK') })).toBe(2880 + hduBytes);
    expect(rig.server.requests).toHaveLength(1);
  });

  it('a cut-out without a name is of the only image', async () => {
    rig.objects.set('one.fits', file.subarray(0, 2880 + hduBytes));
    const cut: FilePart = { kind: 'cutout', name: null, box: { x0: 1, x1: 3, y0: 0, y1: 1 } };
    const bytes = await get(rig.request('one.fits', { part: cut }));
    expect([bytes.readUInt16BE(5760), bytes.readUInt16BE(5762)]).toEqual([1, 2]);
    await expect(cache.ensure(part(cut))).rejects.toMatchObject({ code: 'unsupported', message: /3 HDUs of it hold images/ });
  });

  it('whoever gives up does not hold the transfer', async () => {
    await cache.partSize(part(hdu('IMAGE')));
    rig.server.handler = (request, response) => {
      response.writeHead(206, {
        'content-range': `bytes 2880-${2879 + hduBytes}/${file.length}`,
        'content-length': hduBytes,
        etag: `"${digestOf(file).hex.slice(0, 16)}"`,
      });
      response.write(file.subarray(2880, 6000));
      request.once('close', () => response.destroy());
    };
    const leaving = new AbortController();
    const waiting = cache.ensure(part(hdu('IMAGE')), { signal: leaving.signal });
    setTimeout(() => leaving.abort(), 50);
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    await vi.waitFor(() => expect(filesBelow(new Layout(rig.cacheDirectory).temporary)).toEqual([]), 5000);
  });

  it('a transfer that breaks off begins again; a part of bytes that never come is an error', async () => {
    let broken = 0;
    rig.server.handler = (request, response) => {
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')!.map(Number) as [number, number, number];
      if (last - first < 50_000 || ++broken > 1) return serveBytes(request, response, file);
      response.writeHead(206, {
        'content-range': `bytes ${first}-${last}/${file.length}`,
        'content-length': last - first + 1,
        etag: '"1"',
      });
      response.write(file.subarray(first, first + 20_000), () => response.destroy());
    };
    const image = await get(part(hdu('IMAGE')));
    expect(image.subarray(2880).equals(file.subarray(2880, 2880 + hduBytes))).toBe(true);
    expect(broken).toBe(2);
  });
});
