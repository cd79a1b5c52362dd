/** What is read of FITS files, and made of them, against astropy. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCard } from '../sky/fits/card.js';
import { type Box, cutoutFile } from '../sky/fits/cutout.js';
import { namesOf } from '../sky/fits/find.js';
import { dataOffset, hduEnd } from '../sky/fits/hdu.js';
import { hduFile, type MadeFile } from '../sky/fits/part.js';
import { type FitsIndex, FitsScan } from '../sky/fits/scan.js';
import { sharedData } from './shared.js';
import { astropy, pythonJson } from './support/python.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';

/** Files of every kind that repositories hold. */
const MAKE = `
import json, os, sys
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
at = lambda name: os.path.join(sys.argv[1], name)
random = np.random.default_rng(1)

def wcs(header):
    for j, (ctype, crval, crpix) in enumerate((('RA---TAN', 150.1, 30.25), ('DEC--TAN', 2.2, -40.5)), 1):
        header[f'CTYPE{j}'], header[f'CRVAL{j}'], header[f'CRPIX{j}'] = ctype, crval, crpix
        header[f'CTYPE{j}A'], header[f'CRVAL{j}A'], header[f'CRPIX{j}A'], header[f'CUNIT{j}A'] = 'LINEAR', (2100, 1500)[j - 1], 1.0, 'PIXEL'
        header[f'LTV{j}'] = (-2100, -1500)[j - 1]
    header['CD1_1'], header['CD1_2'], header['CD2_1'], header['CD2_2'] = -4.6e-5, 1e-7, 2e-7, 4.6e-5
    return header

def named(name, data, kind=fits.ImageHDU, **more):
    hdu = kind(data, name=name, **more)
    wcs(hdu.header)
    hdu.header['EXTTYPE'] = name
    return hdu

shape = (61, 83)
image, mask, variance = random.normal(100, 5, shape).astype('f4'), random.integers(0, 2**20, shape).astype('i4'), random.random(shape).astype('f4')
primary = fits.PrimaryHDU()
primary.header['TELESCOP'] = 'Subaru'
primary.header['HIERARCH LSST BUTLER ID'] = 'f4fd0684'
primary.header['LONGTEXT'] = ("it's long, " * 30, 'and has a comment')
primary.header['EMPTY'] = None
primary.header['COMPLEX'] = 1.5 - 2j
primary.header['BIG'] = 2**62
primary.header['AR_HDU'] = 5
for text in ('first', "that's = it"):
    primary.header.add_comment(text)
    primary.header.add_history(text)
heap = fits.BinTableHDU.from_columns([fits.Column('id', 'K', array=np.arange(7)), fits.Column('values', 'PD()', array=np.array([np.arange(n, dtype='f8') for n in range(7)], dtype=object))], name='ARCHIVE')
ascii = fits.TableHDU.from_columns([fits.Column('a', 'I10', array=np.arange(100)), fits.Column('b', 'A5', array=['x'] * 100)], name='ASCII')
planes = [named('IMAGE', image), named('MASK', mask), named('VARIANCE', variance)]
fits.HDUList([primary, *planes, heap, ascii]).writeto(at('composite.fits'), checksum=True)
compressed = [named('IMAGE', image, fits.CompImageHDU, compression_type='RICE_1', quantize_level=-0.01), named('MASK', mask, fits.CompImageHDU, compression_type='GZIP_1')]
fits.HDUList([primary.copy(), *compressed, heap.copy()]).writeto(at('compressed.fits'))
fits.HDUList([fits.PrimaryHDU(), named('IMAGE', random.integers(0, 2**16, shape).astype('u2'), uint=True)]).writeto(at('unsigned.fits'))
scaled = named('IMAGE', random.integers(-1000, 1000, shape).astype('i2'))
scaled.scale('int16', bscale=0.5, bzero=7)
fits.HDUList([fits.PrimaryHDU(), scaled]).writeto(at('scaled.fits'))
only = fits.PrimaryHDU(image)
wcs(only.header)
only.header['OBJECT'] = 'M31'
fits.HDUList([only, named('MASK', mask)]).writeto(at('primary.fits'), checksum=True)
only.writeto(at('single.fits'))
fits.HDUList([fits.PrimaryHDU(), named('IMAGE', random.random((3, *shape)))]).writeto(at('cube.fits'))
twice = [fits.ImageHDU(np.full((4, 5), n, 'u1'), name='SCI', ver=n) for n in (1, 2)]
nameless = fits.ImageHDU(np.ones((2, 2)))
fits.HDUList([fits.PrimaryHDU(), *twice, nameless]).writeto(at('several.fits'))
group = fits.GroupData(random.random((10, 1, 1, 3)), bitpix=-32, parnames=['U', 'V'], pardata=[np.arange(10), np.arange(10)])
fits.HDUList([fits.GroupsHDU(group)]).writeto(at('groups.fits'))
print('[]')
`;

/** What astropy sees: places, names and cards. */
const DESCRIBE = `
import json, sys
from astropy.io import fits
def plain(value):
    if isinstance(value, fits.card.Undefined): return None
    if isinstance(value, complex): return [value.real, value.imag]
    if isinstance(value, bool) or isinstance(value, str): return value
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value
out = {}
for path in sys.argv[1:]:
    with fits.open(path, disable_image_compression=True, memmap=True) as hdus:
        out[path] = [{'header': info['hdrLoc'], 'data': info['datLoc'], 'end': info['datLoc'] + info['datSpan'],
                      'cards': [[card.keyword, plain(card.value), card.comment] for card in hdu.header.cards]}
                     for hdu, info in ((hdu, hdu.fileinfo()) for hdu in hdus)]
print(json.dumps(out))
`;

/** Compares files made of one HDU, or of a box of it, with what astropy takes from the original. */
const COMPARE = `
import json, sys
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
out = []
for original, part, position, box in json.loads(sys.argv[1]):
    with fits.open(original) as whole, fits.open(part) as made:
        made.verify('exception')
        expected, got = whole[position], made[1]
        problems = []
        if len(made) != 2 or made[0].data is not None: problems.append('it is not a primary header and one HDU')
        data = expected.data
        if box is not None:
            x0, x1, y0, y1 = box
            data = data[..., y0:y1, x0:x1]
        if data.dtype != got.data.dtype or data.shape != got.data.shape: problems.append(f'{got.data.dtype}{got.data.shape} for {data.dtype}{data.shape}')
        elif data.dtype.names is None and not np.array_equal(data, got.data): problems.append('other pixels')
        elif data.dtype.names is not None and not all(np.array_equal(np.asarray(a, object).ravel()[0], np.asarray(b, object).ravel()[0]) for a, b in zip(data.tolist(), got.data.tolist())): problems.append('other rows')
        skip = {'SIMPLE', 'XTENSION', 'EXTEND', 'PCOUNT', 'GCOUNT', 'CHECKSUM', 'COMMENT', 'HISTORY', ''}
        if box is not None: skip |= {'DATASUM', 'NAXIS1', 'NAXIS2', 'CRPIX1', 'CRPIX2', 'CRPIX1A', 'CRPIX2A', 'LTV1', 'LTV2'}
        before, after = ({card.keyword: str(card.value) for card in hdu.header.cards if card.keyword not in skip} for hdu in (expected, got))
        if before != after: problems.append(f'cards: {sorted(set(before.items()) ^ set(after.items()))}')
        if position > 0:
            kept = {key: str(value) for key, value in whole[0].header.items()}
            for key in ('TELESCOP', 'LSST BUTLER ID', 'LONGTEXT', 'BIG'):
                if key in kept and str(made[0].header.get(key)) != kept[key]: problems.append(f'primary {key}')
        for key in ('CHECKSUM', 'DATASUM', 'AR_HDU'):
            if key in made[0].header: problems.append(f'primary has {key}')
        if 'CTYPE1' in expected.header and 'ZIMAGE' not in expected.header:
            shift = (0, 0) if box is None else (box[0], box[2])
            for letter in ' A':
                a = WCS(expected.header, key=letter).celestial if letter == ' ' else WCS(expected.header, key=letter)
                b = WCS(got.header, key=letter).celestial if letter == ' ' else WCS(got.header, key=letter)
                a, b = (one.sub([1, 2]) for one in (a, b))
                points = np.array([[0.0, 0.0], [3.0, 4.0]])
                if not np.allclose(a.all_pix2world(points + shift, 0), b.all_pix2world(points, 0), rtol=0, atol=1e-9): problems.append(f'world coordinates {letter}')
            if 'LTV1' in expected.header and got.header['LTV1'] != expected.header['LTV1'] - shift[0]: problems.append('LTV1')
        out.append(problems)
print(json.dumps(out))
`;

function scan(file: Buffer): FitsIndex {
  const scanning = new FitsScan(file.length);
  for (let want = scanning.next(); want !== undefined; want = scanning.next())
    scanning.give(file.subarray(want.offset, want.offset + want.length));
  return scanning.index();
}

function bytesOf(file: Buffer, { head, pieces, size }: MadeFile): Buffer {
  const parts: Uint8Array[] = [head];
  for (const { offset, length, stride, count } of pieces) {
    for (let i = 0; i < count; i++) parts.push(file.subarray(offset + i * stride, offset + i * stride + length));
  }
  const made = Buffer.concat(parts);
  return Buffer.concat([made, Buffer.alloc(size - made.length)]);
}

interface Described {
  readonly header: number;
  readonly data: number;
  readonly end: number;
  readonly cards: readonly [keyword: string, value: unknown, comment: string][];
}

/** As DESCRIBE gives values. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && value !== null && 'real' in value && 'imaginary' in value) return [value.real, value.imaginary];
  return value;
}

/** A card of astropy's, which gives the text of COMMENT and HISTORY as the value, and numbers without what they were written with. */
function same(index: FitsIndex, described: readonly Described[]): void {
  expect(index.hdus.map((hdu) => [hdu.offset, dataOffset(hdu), hduEnd(hdu)])).toEqual(
    described.map(({ header, data, end }) => [header, data, end]),
  );
  index.hdus.forEach(({ header }, i) => {
    const cards = header.cards.map((card) => {
      const { value, comment } = readCard(card);
      return value === undefined ? [card.keyword, card.text.slice(8).trimEnd(), ''] : [card.keyword, plain(value), comment];
    });
    const expected = described[i]!.cards.map(([keyword, value, comment]) => [keyword.toUpperCase(), value, comment]);
    expect(cards).toEqual(expected);
  });
}

const shared = sharedData();

describe.skipIf(astropy() === undefined)('FITS files of astropy', () => {
  let place: string;
  const at = (name: string): string => join(place, name);

  beforeAll(async () => {
    place = temporaryDirectory('fits');
    await pythonJson(MAKE, [place]);
  });
  afterAll(() => {
    removeDirectory(place);
  });

  it('are read as astropy reads them: places of HDUs, every card', async () => {
    const paths = readdirSync(place)
      .filter((name) => name.endsWith('.fits'))
      .map(at);
    const described = (await pythonJson(DESCRIBE, paths)) as Record<string, Described[]>;
    expect(paths.length).toBe(9);
    for (const path of paths) same(scan(readFileSync(path)), described[path]!);
  });

  it.skipIf(shared === undefined)('so are those of a repository', async () => {
    const directory = join(shared!, 'gen3-hsc');
    const files = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.fits'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .filter((_, i) => i % 10 === 0);
    const described = (await pythonJson(DESCRIBE, files)) as Record<string, Described[]>;
    for (const path of files) same(scan(readFileSync(path)), described[path]!);
    const made = files.slice(0, 10).flatMap((path) => {
      const file = readFileSync(path);
      const index = scan(file);
      return index.hdus.flatMap((hdu, position) => {
        const name = namesOf(index)[position];
        if (name === undefined || hdu.dataLength === 0) return [];
        const part = at(`shared-${path.split('/').at(-1)}-${position}`);
        writeFileSync(part, bytesOf(file, hduFile(index, name)));
        return [[path, part, position, null]];
      });
    });
    expect(made.length).toBeGreaterThan(0);
    expect(await pythonJson(COMPARE, [JSON.stringify(made)])).toEqual(made.map(() => []));
  });

  it('parts and cut-outs are files that astropy reads, with the data, cards and coordinates of the original', async () => {
    const box: Box = { x0: 10, x1: 31, y0: 5, y1: 50 };
    const cases: [file: string, name: string, position: number, boxes: (Box | null)[]][] = [
      ['composite', 'IMAGE', 1, [null, box, { x0: 0, x1: 83, y0: 0, y1: 61 }, { x0: 82, x1: 83, y0: 60, y1: 61 }]],
      ['composite', 'MASK', 2, [null, box]],
      ['composite', 'VARIANCE', 3, [null, box]],
      ['composite', 'ARCHIVE', 4, [null]],
      ['composite', 'ASCII', 5, [null]],
      ['compressed', 'IMAGE', 1, [null]],
      ['compressed', 'MASK', 2, [null]],
      ['unsigned', 'IMAGE', 1, [null, box]],
      ['scaled', 'IMAGE', 1, [null, box]],
      ['primary', 'PRIMARY', 0, [null, box]],
      ['primary', 'MASK', 1, [null, box]],
      ['single', 'PRIMARY', 0, [null, box]],
      ['cube', 'IMAGE', 1, [null, box, { x0: 0, x1: 83, y0: 3, y1: 4 }]],
      ['several', 'SCI,2', 2, [null]],
    ];
    const made = cases.flatMap(([name, hdu, position, boxes]) => {
      const file = readFileSync(at(`${name}.fits`));
      const index = scan(file);
      return boxes.map((one, i) => {
        const part = at(`${name}-${hdu}-${i}.part`);
        writeFileSync(part, bytesOf(file, one === null ? hduFile(index, hdu) : cutoutFile(index, hdu, one)));
        return [at(`${name}.fits`), part, position, one === null ? null : [one.x0, one.x1, one.y0, one.y1]];
      });
    });
    const problems = (await pythonJson(COMPARE, [JSON.stringify(made)])) as string[][];
    expect(problems.map((found, i) => [made[i]![1], found])).toEqual(made.map(([, part]) => [part, []]));
  });
});
