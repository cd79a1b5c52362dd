/** Parts of composites, and cut-outs, on a mount over a real web server: bytes, sizes, and what crossed the network. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../registry/sqlite/driver.js';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { padded } from '../sky/fits/header.js';
import { formatCard, formatHeader } from '../sky/fits/write.js';
import { mountRepository, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { astropy, pythonJson } from './support/python.js';
import { runSuccessfully } from './support/run.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';
import { butlerAttributes, errorCode } from './support/tree.js';

const WIDTH = 700;
const HEIGHT = 600;
const DATA = padded(WIDTH * HEIGHT * 4);
const HDU = 2880 + DATA;
const NAMES = ['IMAGE', 'MASK', 'VARIANCE'];

/** Three HDUs of float32; pixel (x, y) of the nth is 10^6 n + y WIDTH + x, but for what float32 cannot hold. */
function composite(visit: number, detector: number): Buffer {
  const common = [formatCard('VISIT', visit), formatCard('DETECTOR', detector)];
  const primary = [formatCard('SIMPLE', true), formatCard('BITPIX', 8), formatCard('NAXIS', 0), formatCard('EXTEND', true), ...common];
  const hdus = NAMES.map((name, n) => {
    const data = Buffer.alloc(DATA);
    for (let i = 0; i < WIDTH * HEIGHT; i++) data.writeFloatBE(1_000_000 * n + i, 4 * i);
    const structure = [
      formatCard('XTENSION', 'IMAGE'),
      formatCard('BITPIX', -32),
      formatCard('NAXIS', 2),
      formatCard('NAXIS1', WIDTH),
      formatCard('NAXIS2', HEIGHT),
      formatCard('PCOUNT', 0),
      formatCard('GCOUNT', 1),
      formatCard('EXTNAME', name),
      formatCard('CTYPE1', 'RA---TAN'),
      formatCard('CTYPE2', 'DEC--TAN'),
      formatCard('CRVAL1', 150.5),
      formatCard('CRVAL2', 2.25),
      formatCard('CRPIX1', 350.5),
      formatCard('CRPIX2', 300.5),
      formatCard('CDELT1', -5e-5),
      formatCard('CDELT2', 5e-5),
    ];
    return Buffer.concat([formatHeader(structure), data]);
  });
  return Buffer.concat([formatHeader(primary), ...hdus]);
}

/** A file with an HDU that no cut-out is made of, and a compressed one: tables, as far as their structure goes. */
function withTables(): Buffer {
  const table = (name: string, ...more: string[]): Buffer =>
    Buffer.concat([
      formatHeader([
        formatCard('XTENSION', 'BINTABLE'),
        formatCard('BITPIX', 8),
        formatCard('NAXIS', 2),
        formatCard('NAXIS1', 8),
        formatCard('NAXIS2', 4),
        formatCard('PCOUNT', 3),
        formatCard('GCOUNT', 1),
        formatCard('TFIELDS', 1),
        formatCard('TFORM1', '1PB(8)'),
        formatCard('EXTNAME', name),
        ...more,
      ]),
      Buffer.alloc(2880, name.charCodeAt(0)),
    ]);
  const primary = formatHeader([formatCard('SIMPLE', true), formatCard('BITPIX', 8), formatCard('NAXIS', 0)]);
  return Buffer.concat([primary, table('SMALL', formatCard('ZIMAGE', true)), table('ROWS')]);
}

const READ = `
import json, sys
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
part, cut, x0, x1, y0, y1, width = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
whole, box = fits.open(part), fits.open(cut)
same = np.array_equal(whole[1].data[y0:y1, x0:x1], box[1].data)
a = WCS(whole[1].header).pixel_to_world_values(x0 + 1.5, y0 + 2.5)
b = WCS(box[1].header).pixel_to_world_values(1.5, 2.5)
print(json.dumps([bool(same), float(box[1].data[0, 0]), np.allclose(a, b, rtol=0, atol=1e-12), whole[0].header['VISIT']]))
`;

describe('parts of composites on a mount', () => {
  let place: string;
  let nginx: Nginx;
  let mount: TestMount;
  let files: { readonly visit: number; readonly detector: number; readonly path: string; readonly content: Buffer }[];
  let counted = 0;

  const leaf = (type: string, { visit, detector }: { readonly visit: number; readonly detector: number }): string =>
    join(mount.path, type, `visit=${visit}`, `detector=${detector}`);
  const nameOf = (type: string, { visit, detector }: { readonly visit: number; readonly detector: number }): string =>
    `${type}_${visit}_${detector}.fits`;

  /** Bytes of dataset files that nginx sent since the last call, and the requests for them. */
  async function moved(): Promise<{ readonly bytes: number; readonly requests: number }> {
    const lines = await nginx.logged();
    const fresh = lines.slice(counted).filter((line) => /^GET \S+\.fits /.test(line));
    counted = lines.length;
    return { bytes: fresh.reduce((sum, line) => sum + Number(line.split(' ')[3]), 0), requests: fresh.length };
  }

  beforeAll(async () => {
    place = temporaryDirectory('parts');
    const written = writeSmallRepository(place, { tracts: [8766], patches: 1, bands: ['g'], visits: 2, detectors: 4, pixels: 8 });
    const registry = new Database(join(place, 'gen3.sqlite3'));
    files = written
      .filter(({ type }) => type === 'calexp')
      .map(({ dataId, path }) => {
        const [visit, detector] = [Number(dataId['visit']), Number(dataId['detector'])];
        const content = detector === 3 ? withTables() : composite(visit, detector);
        writeFileSync(join(place, path), content);
        const checksum = createHash('blake2b512').update(content).digest('hex');
        registry
          .prepare('UPDATE file_datastore_records SET checksum = ?, file_size = ? WHERE path = ?')
          .run(checksum, content.length, path);
        return { visit, detector, path, content };
      })
      .sort((a, b) => a.detector - b.detector);
    registry.close();
    nginx = await Nginx.start(place);
    mount = await mountRepository(nginx.url);
  });
  afterAll(async () => {
    await mount?.dispose();
    await nginx?.stop();
    removeDirectory(place);
  });

  it('resolve though the root does not list them, under names of their own', async () => {
    const [file] = files;
    expect(await readdir(mount.path)).toEqual(['calexp', 'deepCoadd_calexp']);
    expect(await readdir(join(mount.path, 'calexp.image'))).toEqual(await readdir(join(mount.path, 'calexp')));
    expect(await readdir(leaf('calexp.image', file!))).toEqual([nameOf('calexp.image', file!)]);
    expect(await moved()).toEqual({ bytes: 0, requests: 0 });
  });

  it('cost their own bytes and 64 KiB; the size of another costs nothing', async () => {
    const file = files[0]!;
    const image = join(leaf('calexp.image', file), nameOf('calexp.image', file));
    expect((await stat(image)).size).toBe(2880 + HDU);
    expect((await moved()).bytes).toBeLessThanOrEqual(64 * 1024);
    const bytes = await readFile(image);
    expect((await moved()).bytes).toBe(HDU);
    expect(bytes.length).toBe(2880 + HDU);
    expect(bytes.subarray(2880).equals(file.content.subarray(2880, 2880 + HDU))).toBe(true);
    expect(bytes.toString('latin1', 0, 2880)).toContain(`VISIT   = ${String(file.visit).padStart(20)}`);
    expect((await stat(join(leaf('calexp.mask', file), nameOf('calexp.mask', file)))).size).toBe(2880 + HDU);
    expect((await stat(join(leaf('calexp.variance', file), 'calexp.variance.fits'))).size).toBe(2880 + HDU);
    expect(await moved()).toEqual({ bytes: 0, requests: 0 });
  });

  it('opened without being looked at first, all HDUs of a file at once: each its own bytes', async () => {
    const file = files[1]!;
    const read = await Promise.all(
      NAMES.map((name) => readFile(join(leaf(`calexp.${name.toLowerCase()}`, file), nameOf(`calexp.${name.toLowerCase()}`, file)))),
    );
    expect((await moved()).bytes).toBeLessThanOrEqual(3 * HDU + 64 * 1024);
    read.forEach((bytes, n) => {
      expect(bytes.subarray(2880).equals(file.content.subarray(2880 + n * HDU, 2880 + (n + 1) * HDU))).toBe(true);
    });
  });

  it('names are of any case, and lead to the same file', async () => {
    const file = files[0]!;
    const inodes = await Promise.all(
      ['image', 'IMAGE', 'Image'].map(
        async (name) => (await stat(join(leaf(`calexp.${name}`, file), 'calexp.image.fits'), { bigint: true })).ino,
      ),
    );
    expect(new Set(inodes).size).toBe(1);
    const whole = await stat(join(leaf('calexp', file), 'calexp.fits'), { bigint: true });
    expect(inodes).not.toContain(whole.ino);
  });

  it('extended attributes say what they are', async () => {
    const file = files[0]!;
    const image = join(leaf('calexp.image', file), 'calexp.image.fits');
    const box = join(leaf('calexp.image', file), '@cutout/1:3,2:4/calexp.image.fits');
    const attributes = await butlerAttributes([image, box]);
    expect(attributes.get(image)).toMatchObject({ component: 'image', type: 'calexp', cached: 'yes' });
    expect(attributes.get(image)).not.toHaveProperty('digest');
    expect(attributes.get(box)).toMatchObject({ component: 'image', cutout: '1:3,2:4', cached: 'no' });
  });

  it('an HDU that the file has not is ENOENT; @explain lists those that it has', async () => {
    const file = files[0]!;
    const wrong = join(leaf('calexp.psf', file), nameOf('calexp.psf', file));
    expect(await errorCode(stat(wrong))).toBe('ENOENT');
    const explained = await readFile(
      join(mount.path, '@explain', `calexp.psf%2Fvisit=${file.visit}%2Fdetector=${file.detector}%2Fcalexp.psf.fits`),
      'utf8',
    );
    expect(explained).toContain('HDUs: PRIMARY, IMAGE, MASK, VARIANCE');
    expect(explained).toContain('does not resolve (unknown-path)');
    for (const type of ['calexp.', 'calexp.image.fits', 'calxp.image'])
      expect(await errorCode(stat(join(mount.path, type)))).toBe('ENOENT');
  });

  it('cut-outs: the pixels of the box, for the rows that they stand in', async () => {
    const file = files[2]!;
    const box = join(leaf('calexp.variance', file), '@cutout/100:150,200:260', nameOf('calexp.variance', file));
    const { size } = await stat(box);
    expect(size).toBe(2880 + 2880 + padded(50 * 60 * 4));
    const headers = await moved();
    expect(headers.bytes).toBeLessThanOrEqual(64 * 1024);
    const bytes = await readFile(box);
    expect(await moved()).toEqual({ bytes: (59 * WIDTH + 50) * 4, requests: 1 });
    expect(bytes.length).toBe(size);
    for (let y = 0; y < 60; y++) {
      const from = 2880 + 2 * HDU + 2880 + ((200 + y) * WIDTH + 100) * 4;
      expect(bytes.subarray(5760 + y * 200, 5960 + y * 200).equals(file.content.subarray(from, from + 200))).toBe(true);
    }
    const header = bytes.toString('latin1', 2880, 5760);
    expect(header).toContain('NAXIS1  =                   50');
    expect(header).toContain('CRPIX1  =                250.5');
    expect(header).toContain('CRPIX2  =                100.5');
    expect(await readdir(join(leaf('calexp.variance', file), '@cutout'))).toEqual([]);
    expect(await readdir(join(leaf('calexp.variance', file), '@cutout/100:150,200:260'))).toEqual([nameOf('calexp.variance', file)]);
    expect(await readdir(leaf('calexp.variance', file))).not.toContain('@cutout');
  });

  it('boxes that are none, or lie outside, are ENOENT, and @explain says why', async () => {
    const file = files[0]!;
    const within = join(leaf('calexp.image', file), '@cutout');
    const name = nameOf('calexp.image', file);
    for (const bad of ['1:2', '3:3,0:1', '5:4,0:1', '-1:4,0:1', 'a:b,c:d'])
      expect([bad, await errorCode(stat(join(within, bad)))]).toEqual([bad, 'ENOENT']);
    for (const outside of [`0:${WIDTH + 1},0:1`, `0:1,${HEIGHT}:${HEIGHT + 1}`])
      expect([outside, await errorCode(readFile(join(within, outside, name)))]).toEqual([outside, 'ENOENT']);
    expect(await errorCode(readdir(join(leaf('calexp', file), '@cutout')))).toBe('ENOENT');
    const explain = (path: string): Promise<string> =>
      readFile(
        join(mount.path, '@explain', `calexp.image/visit=${file.visit}/detector=${file.detector}/@cutout/${path}`.replaceAll('/', '%2F')),
        'utf8',
      );
    expect(await explain(`0:701,0:1/${name}`)).toContain(`the image has ${WIDTH} columns and ${HEIGHT} rows`);
    expect(await explain('3:3,0:1')).toContain('it holds no pixel');
    expect(await explain(`0:2,0:1/${name}`)).toContain('part: box 0:2,0:1 of HDU IMAGE');
  });

  it('compressed images and tables are kept byte for byte; a cut-out of one is EOPNOTSUPP, and @explain says why', async () => {
    const file = files.find(({ detector }) => detector === 3)!;
    for (const [n, name] of ['small', 'rows'].entries()) {
      const bytes = await readFile(join(leaf(`calexp.${name}`, file), nameOf(`calexp.${name}`, file)));
      expect(bytes.subarray(2880).equals(file.content.subarray(2880 + n * 5760, 2880 + (n + 1) * 5760))).toBe(true);
      const box = join(leaf(`calexp.${name}`, file), '@cutout/0:1,0:1', nameOf(`calexp.${name}`, file));
      expect(await errorCode(stat(box))).toBe('ENOTSUP');
    }
    const path = `calexp.small/visit=${file.visit}/detector=3/@cutout/0:1,0:1/calexp.small.fits`;
    expect(await readFile(join(mount.path, '@explain', path.replaceAll('/', '%2F')), 'utf8')).toContain(
      'cut-outs need an uncompressed image',
    );
    expect(await errorCode(stat(join(leaf('calexp.image', file), nameOf('calexp.image', file))))).toBe('ENOENT');
  });

  it('reads at any place, and pages of a mapping, are those of the file', async () => {
    const file = files[3]!;
    const path = join(leaf('calexp.mask', file), nameOf('calexp.mask', file));
    const expected = file.content.subarray(2880 + HDU, 2880 + 2 * HDU);
    const handle = await open(path);
    try {
      for (const [offset, length] of [
        [0, 10],
        [2879, 2],
        [4095, 8192],
        [1_000_001, 123_457],
        [2880 + HDU - 5, 100],
      ] as const) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, offset);
        const whole = Buffer.concat([(await readFile(path)).subarray(0, 2880), expected]);
        expect(buffer.subarray(0, bytesRead).equals(whole.subarray(offset, offset + length))).toBe(true);
        expect(bytesRead).toBe(Math.min(length, whole.length - offset));
      }
    } finally {
      await handle.close();
    }
    expect(
      await runSuccessfully('python3', [
        '-c',
        'import mmap,sys;f=open(sys.argv[1],"rb");m=mmap.mmap(f.fileno(),0,access=mmap.ACCESS_READ);print(len(m),m[2880:2888].decode())',
        path,
      ]),
    ).toBe(`${2880 + HDU} XTENSION\n`);
  });

  it('come from the whole file where that is here', async () => {
    const file = files[4]!;
    expect((await readFile(join(leaf('calexp', file), nameOf('calexp', file)))).equals(file.content)).toBe(true);
    await moved();
    const image = await readFile(join(leaf('calexp.image', file), nameOf('calexp.image', file)));
    expect(image.subarray(2880).equals(file.content.subarray(2880, 2880 + HDU))).toBe(true);
    await readFile(join(leaf('calexp.mask', file), '@cutout/0:10,0:10', nameOf('calexp.mask', file)));
    expect(await moved()).toEqual({ bytes: 0, requests: 0 });
  });

  it('what was read is there while the server is not', async () => {
    const file = files[0]!;
    await nginx.kill();
    try {
      const image = await readFile(join(leaf('calexp.image', file), nameOf('calexp.image', file)));
      expect(image.subarray(2880).equals(file.content.subarray(2880, 2880 + HDU))).toBe(true);
      expect((await stat(join(leaf('calexp.mask', file), nameOf('calexp.mask', file)))).size).toBe(2880 + HDU);
    } finally {
      await nginx.restart();
    }
  });

  it.skipIf(astropy() === undefined)('astropy reads them: pixels and coordinates', async () => {
    const file = files[0]!;
    const image = join(leaf('calexp.image', file), nameOf('calexp.image', file));
    const box = join(leaf('calexp.image', file), '@cutout/10:700,20:600', nameOf('calexp.image', file));
    expect(await pythonJson(READ, [image, box, '10', '700', '20', '600', String(WIDTH)])).toEqual([
      true,
      20 * WIDTH + 10,
      true,
      file.visit,
    ]);
  });

  it('a file that changed at the origin is settled by its published digest, or an error', async () => {
    const file = files[5]!;
    await readFile(join(leaf('calexp.image', file), nameOf('calexp.image', file)));
    const path = join(place, file.path);
    const other = Buffer.from(file.content);
    other.fill(0x55, 2880 + HDU + 2880, 2880 + HDU + 2880 + 1000);
    writeFileSync(path, other);
    expect(await errorCode(readFile(join(leaf('calexp.mask', file), nameOf('calexp.mask', file))))).toBe('EIO');
    writeFileSync(path, file.content);
    const variance = await readFile(join(leaf('calexp.variance', file), nameOf('calexp.variance', file)));
    expect(variance.subarray(2880).equals(file.content.subarray(2880 + 2 * HDU))).toBe(true);
    expect(readFileSync(path).equals(file.content)).toBe(true);
  });
});
