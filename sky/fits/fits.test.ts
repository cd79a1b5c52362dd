/** Headers, HDUs, parts and cut-outs: properties that hold for every file, and files that are damaged. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ButlerfsError } from '../../common/errors.js';
import { readCard } from './card.js';
import { cutoutFile, formatBox, parseBox } from './cutout.js';
import { findHdu, namesOf } from './find.js';
import { dataOffset, hduEnd } from './hdu.js';
import { BLOCK, padded, parseHeader } from './header.js';
import { formatIndex, parseIndex } from './index-text.js';
import { hduFile, type MadeFile } from './part.js';
import { type FitsIndex, FitsScan } from './scan.js';
import { formatCard, formatHeader, type WritableValue } from './write.js';

/** Images of cards written by hand. */
function lines(...texts: readonly string[]): string[] {
  return texts.map((text) => text.padEnd(80));
}

function fitsFile(...hdus: readonly { readonly cards: readonly string[]; readonly data?: Buffer }[]): Buffer {
  return Buffer.concat(
    hdus.map(({ cards, data = Buffer.alloc(0) }) =>
      Buffer.concat([formatHeader(lines(...cards)), data, Buffer.alloc(padded(data.length) - data.length)]),
    ),
  );
}

/** Scans `file`; also tells which ranges were read. */
function scan(file: Buffer, size: number | null = file.length): FitsIndex & { readonly ranges: readonly [number, number][] } {
  const scanning = new FitsScan(size);
  const ranges: [number, number][] = [];
  for (let want = scanning.next(); want !== undefined; want = scanning.next()) {
    const bytes = file.subarray(want.offset, want.offset + want.length);
    ranges.push([want.offset, bytes.length]);
    scanning.give(bytes);
  }
  return { ...scanning.index(), ranges };
}

function make(file: Buffer, { head, pieces, size }: MadeFile): Buffer {
  const parts: Uint8Array[] = [head];
  for (const { offset, length, stride, count } of pieces) {
    for (let i = 0; i < count; i++) parts.push(file.subarray(offset + i * stride, offset + i * stride + length));
  }
  const made = Buffer.concat(parts);
  return Buffer.concat([made, Buffer.alloc(size - made.length)]);
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof ButlerfsError ? error.code : String(error);
  }
}

const PRIMARY = ['SIMPLE  =                    T', 'BITPIX  =                    8', 'NAXIS   =                    0'];
const image = (width: number, height: number, ...more: string[]): string[] => [
  "XTENSION= 'IMAGE   '",
  'BITPIX  =                   16',
  'NAXIS   =                    2',
  `NAXIS1  = ${String(width).padStart(20)}`,
  `NAXIS2  = ${String(height).padStart(20)}`,
  'PCOUNT  =                    0',
  'GCOUNT  =                    1',
  ...more,
];

const keyword = fc
  .stringMatching(/^[A-Z][A-Z0-9_-]{0,7}$/)
  .filter((name) => !['END', 'COMMENT', 'HISTORY', 'CONTINUE', 'HIERARCH'].includes(name));
const printable = (maxLength: number) =>
  fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength });
const value: fc.Arbitrary<WritableValue> = fc.oneof(
  printable(30),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

describe('cards', () => {
  it('what is written is read: every kind of value, and the comment as far as it fits', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keyword, value, printable(20)), { maxLength: 60 }), (cards) => {
        const images = cards.map(([name, one, comment]) => formatCard(name, one, comment));
        const bytes = formatHeader(images);
        const header = parseHeader(bytes);
        expect(bytes.length % BLOCK).toBe(0);
        expect(header.length).toBe(bytes.length);
        expect(header.cards.map((card) => card.text)).toEqual(images);
        header.cards.forEach((card, i) => {
          const [name, written, comment] = cards[i]!;
          const { value: read, comment: readComment } = readCard(card);
          expect(card.keyword).toBe(name);
          expect(card.at).toBe(i * 80);
          // A whole number beyond 2^53 reads as an integer, whatever it was; of zero the sign is lost.
          const expected = typeof written === 'string' ? written.trimEnd() : typeof written === 'number' ? written + 0 : written;
          expect(typeof expected === 'number' && typeof read === 'bigint' ? Number(read) : read).toEqual(expected);
          if (images[i]!.trimEnd().length < 80) expect(readComment).toBe(comment.trim());
        });
      }),
    );
  });

  it.each([
    ["KEY     = 'it''s /here'        / a comment", "it's /here", 'a comment'],
    ["KEY     = ''                   /", '', ''],
    ["KEY     = '  leading '", '  leading', ''],
    ['KEY     =                1.5D-3 / double', 0.0015, 'double'],
    ['KEY     =                   .5', 0.5, ''],
    ['KEY     =                  -7.', -7, ''],
    ['KEY     =  12345678901234567890', 12345678901234567890n, ''],
    ['KEY     =           (1.0, -2E1) / complex', { real: 1, imaginary: -20 }, 'complex'],
    ['KEY     =                      / nothing', null, 'nothing'],
    ['KEY     ', undefined, ''],
    ['COMMENT = not a value', undefined, '= not a value'],
    ["HISTORY   it's history", undefined, "it's history"],
    ["HIERARCH LSST BUTLER ID = 'abc' / which", 'abc', 'which'],
    ['HIERARCH eso det 1=42', 42, ''],
    ['', undefined, ''],
  ])('%s', (text, expected, comment) => {
    const [card] = parseHeader(formatHeader(lines(text))).cards;
    expect(readCard(card!)).toEqual({ value: expected, comment });
  });

  it('a string goes on in CONTINUE cards; one that stands alone, or after another value, is a card of its own', () => {
    const { cards } = parseHeader(
      formatHeader(
        lines(
          "LONG    = 'one &'",
          "CONTINUE  'two''s &' / first",
          "CONTINUE  'three' / second",
          'NEXT    = 1',
          "CONTINUE  'alone'",
          "LAST    = 'x&'",
        ),
      ),
    );
    expect(cards.map((card) => [card.keyword, readCard(card).value])).toEqual([
      ['LONG', "one two's three"],
      ['NEXT', 1],
      ['CONTINUE', undefined],
      ['LAST', 'x&'],
    ]);
    expect(readCard(cards[0]!).comment).toBe('first second');
    expect(cards[0]!.text).toHaveLength(240);
  });

  it('a card that cannot be read says where it is, and harms only who reads it', () => {
    const header = parseHeader(
      formatHeader(lines('GOOD    = 1', "STRING  = 'open", 'NUMBER  = 12abc', "AFTER   = 'a' b", 'LAST    = 2')),
      5760,
    );
    const codes = header.cards.map((card) => codeOf(() => readCard(card)));
    expect(codes).toEqual(['none', 'corrupt-repository', 'corrupt-repository', 'corrupt-repository', 'none']);
    expect(() => readCard(header.cards[1]!)).toThrow(/byte 5850 of a FITS file: a string without its closing quote/);
    expect(() => readCard(header.cards[2]!)).toThrow(/byte 5930 .*'12abc' is neither/);
    expect(() => parseHeader(Buffer.from(lines('A = 1').join('')))).toThrow(/byte 80 of a FITS file: the header has no END/);
    expect(() => parseHeader(Buffer.concat([formatHeader(lines('A = 1')).subarray(0, 80), Buffer.alloc(80)]))).toThrow(
      /byte 80 of a FITS file: byte 0x00 where a keyword should be/,
    );
  });

  it('no bytes whatever make it fail otherwise', () => {
    const like = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      printable(160).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(like, { maxLength: 6 }), fc.boolean(), (chunks, isPadded) => {
        const noise = Buffer.concat([Buffer.from(isPadded ? lines(...PRIMARY).join('') : 'SIMPLE  ='), ...chunks, formatHeader([])]);
        const attempt = (): void => {
          const index = scan(noise);
          for (const { header } of index.hdus) header.cards.forEach((card) => readCard(card));
          parseIndex(formatIndex(index));
        };
        expect(['none', 'corrupt-repository', 'unsupported']).toContain(codeOf(attempt));
      }),
    );
  });
});

describe('HDUs', () => {
  it('their data are as long as the standard says', () => {
    const axes = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.constantFrom(8, 16, 32, 64, -32, -64),
        axes,
        fc.nat(500),
        fc.integer({ min: 1, max: 3 }),
        (bitpix, shape, pcount, gcount) => {
          const cards = [
            "XTENSION= 'BINTABLE'",
            `BITPIX  = ${bitpix}`,
            `NAXIS   = ${shape.length}`,
            ...shape.map((axis, i) => `NAXIS${i + 1}  = ${axis}`),
            `PCOUNT  = ${pcount}`,
            `GCOUNT  = ${gcount}`,
          ];
          const expected =
            shape.length === 0 ? 0 : (Math.abs(bitpix) / 8) * gcount * (pcount + shape.reduce((product, axis) => product * axis, 1));
          const { hdus } = scan(
            fitsFile({ cards: PRIMARY }, { cards, data: Buffer.alloc(expected) }, { cards: image(1, 1), data: Buffer.alloc(2) }),
          );
          expect(hdus).toHaveLength(3);
          expect(hdus[1]!.dataLength).toBe(expected);
          expect(hdus[2]!.offset).toBe(hduEnd(hdus[1]!));
        },
      ),
    );
  });

  it('random groups in the primary HDU', () => {
    const cards = [
      'SIMPLE  = T',
      'BITPIX  = -32',
      'NAXIS   = 3',
      'NAXIS1  = 0',
      'NAXIS2  = 3',
      'NAXIS3  = 4',
      'GROUPS  = T',
      'PCOUNT  = 2',
      'GCOUNT  = 5',
    ];
    const file = fitsFile({ cards, data: Buffer.alloc(4 * 5 * (2 + 12)) }, { cards: image(1, 1), data: Buffer.alloc(2) });
    const index = scan(file);
    expect(index.hdus.map(({ dataLength }) => dataLength)).toEqual([280, 2]);
    expect(codeOf(() => hduFile(index, 'PRIMARY'))).toBe('unsupported');
  });

  it.each([
    ['no BITPIX', ["XTENSION= 'IMAGE'", 'NAXIS   = 0'], /byte 2880 of a FITS file: the header has no BITPIX/],
    ['a BITPIX that is none', ["XTENSION= 'IMAGE'", 'BITPIX  = 12', 'NAXIS   = 0'], /BITPIX is 12, none of/],
    [
      'a negative axis',
      ["XTENSION= 'IMAGE'", 'BITPIX  = 8', 'NAXIS   = 1', 'NAXIS1  = -4'],
      /byte 3120 .*NAXIS1 is '-4', no integer of 0 or more/,
    ],
    ['too many axes', ["XTENSION= 'IMAGE'", 'BITPIX  = 8', 'NAXIS   = 5000'], /NAXIS is 5000, more than 999/],
    ['an axis that is missing', ["XTENSION= 'IMAGE'", 'BITPIX  = 8', 'NAXIS   = 1'], /has no NAXIS1/],
    [
      'a size beyond counting',
      ["XTENSION= 'IMAGE'", 'BITPIX  = 64', 'NAXIS   = 2', 'NAXIS1  = 999999999999', 'NAXIS2  = 999999999999'],
      /claims .* bytes of data/,
    ],
  ])('%s is an error with its place', (_, cards, message) => {
    expect(() => scan(fitsFile({ cards: PRIMARY }, { cards }))).toThrow(message);
  });

  it('what is no FITS file, and one that ends within a header', () => {
    expect(codeOf(() => scan(Buffer.from('PK\x03\x04')))).toBe('unsupported');
    expect(codeOf(() => scan(Buffer.alloc(0), null))).toBe('unsupported');
    expect(() => scan(fitsFile({ cards: PRIMARY }, { cards: image(1, 1) }).subarray(0, 2880 + 400))).toThrow(
      /byte 3280 .*ends within a header/,
    );
  });

  it('only headers are read, in few ranges; the last data may be cut short of their padding; special records end it', () => {
    const data = Buffer.alloc(200_000, 7);
    const whole = fitsFile({ cards: PRIMARY }, { cards: image(1000, 100), data }, { cards: image(1000, 100), data });
    const short = whole.subarray(0, whole.length - (padded(data.length) - data.length));
    for (const file of [whole, short, Buffer.concat([whole, Buffer.alloc(2880, 0x41)])]) {
      const { hdus, ranges } = scan(file);
      expect(hdus).toHaveLength(3);
      expect(ranges.length).toBeLessThanOrEqual(3);
      expect(ranges.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(40_000);
      expect(scan(file, null).hdus).toHaveLength(3);
      expect(make(file, hduFile({ hdus, size: file.length }, 'PRIMARY'))).toHaveLength(2880);
    }
    expect(make(short, hduFile(namedImages(short), 'B')).length % 2880).toBe(0);
    expect(codeOf(() => hduFile(namedImages(short.subarray(0, short.length - 2880)), 'B'))).toBe('corrupt-repository');
  });

  /** The index with the extensions called A and B. */
  function namedImages(file: Buffer): FitsIndex {
    const { hdus, size } = scan(file);
    return { size, hdus: hdus.map((hdu, i) => ({ ...hdu, name: ['', 'A', 'B'][i]! })) };
  }

  it('a long header comes in several ranges', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `KEY${i} = ${i}`);
    const file = fitsFile({ cards: [...PRIMARY, ...many] }, { cards: [...image(1, 1), ...many], data: Buffer.alloc(2) });
    const { hdus } = scan(file);
    expect(hdus.map(({ header }) => header.cards.length)).toEqual([1003, 1007]);
  });

  it('names: EXTNAME in any case, the second of a name with its version, EXTTYPE, PRIMARY', () => {
    const named = (...more: string[]) => ({ cards: image(1, 1, ...more), data: Buffer.alloc(2) });
    const index = scan(
      fitsFile(
        { cards: PRIMARY },
        named("EXTNAME = 'image   '"),
        named("EXTNAME = 'SCI'", 'EXTVER  = 1'),
        named("EXTNAME = 'SCI'", 'EXTVER  = 2'),
        named("EXTTYPE = 'MASK'"),
        named(),
      ),
    );
    expect(namesOf(index)).toEqual(['PRIMARY', 'IMAGE', 'SCI', 'SCI,2', 'MASK', undefined]);
    const position = (name: string): number => index.hdus.indexOf(findHdu(index, name));
    expect(['Image', 'sci', 'SCI,1', 'sci,2', 'mask', 'primary'].map(position)).toEqual([1, 2, 2, 3, 4, 0]);
    expect(() => findHdu(index, 'imgae')).toThrow(/the file has PRIMARY, IMAGE, SCI, SCI,2, MASK; did you mean 'IMAGE'/);
    expect(codeOf(() => findHdu(index, 'imgae'))).toBe('unknown-path');
  });

  it('an index is the same after it was kept as text', () => {
    const table = [
      "XTENSION= 'BINTABLE'",
      'BITPIX  = 8',
      'NAXIS   = 2',
      'NAXIS1  = 4',
      'NAXIS2  = 3',
      'PCOUNT  = 9',
      'GCOUNT  = 1',
      'ZIMAGE  = T',
      "EXTNAME = 'Z'",
    ];
    const file = fitsFile(
      { cards: [...PRIMARY, "KEY     = 'a &'", "CONTINUE  'b'"] },
      { cards: table, data: Buffer.alloc(21) },
      { cards: image(2, 2, "EXTNAME = 'I'"), data: Buffer.alloc(8) },
    );
    const index = scan(file);
    const again = parseIndex(formatIndex(index))!;
    expect(again.hdus.map(({ header: _, ...rest }) => rest)).toEqual(index.hdus.map(({ header: _, ...rest }) => rest));
    for (const name of ['PRIMARY', 'Z', 'I']) expect(make(file, hduFile(again, name))).toEqual(make(file, hduFile(index, name)));
    const box = parseBox('0:1,1:2');
    expect(make(file, cutoutFile(again, 'I', box))).toEqual(make(file, cutoutFile(index, 'I', box)));
    for (const broken of [
      '',
      '{}',
      '{"fits":1,"size":1,"hdus":[]}',
      '{"fits":1,"size":1,"hdus":[{"offset":0,"headerLength":2880,"cards":["X"]}]}',
    ])
      expect(parseIndex(broken)).toBeUndefined();
  });
});

describe('cut-outs', () => {
  it('boxes', () => {
    expect(formatBox(parseBox('100:200,300:400'))).toBe('100:200,300:400');
    for (const bad of [
      '',
      '1:2',
      '1:2,3',
      '-1:2,0:1',
      '1.0:2,0:1',
      '2:2,0:1',
      '3:2,0:1',
      '0:1,5:4',
      ':,:',
      '1:2,3:4,5:6',
      '99999999999999999:2,0:1',
    ])
      expect([bad, codeOf(() => parseBox(bad))]).toEqual([bad, 'invalid-value']);
  });

  it('have the pixels of their box, of every plane', () => {
    const side = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 3 }), fc.infiniteStream(fc.nat(100)), (width, height, planes, random) => {
        const within = (size: number): [number, number] => {
          const from = random.next().value! % size;
          return [from, from + 1 + (random.next().value! % (size - from))];
        };
        const [x0, x1] = within(width);
        const [y0, y1] = within(height);
        const cards = image(width, height, `NAXIS3  = ${planes}`).map((card) => card.replace(/^NAXIS {3}= .*/, 'NAXIS   = 3'));
        const data = Buffer.alloc(width * height * planes * 2);
        for (let i = 0; i < data.length / 2; i++) data.writeUInt16BE(i, 2 * i);
        const file = fitsFile({ cards: PRIMARY }, { cards: [...cards, "EXTNAME = 'I'"], data });
        const cut = scan(make(file, cutoutFile(scan(file), 'I', { x0, x1, y0, y1 })));
        const bytes = make(file, cutoutFile(scan(file), 'I', { x0, x1, y0, y1 }));
        expect(bytes.length % BLOCK).toBe(0);
        const [, hdu] = cut.hdus;
        expect(hdu!.axes).toEqual([x1 - x0, y1 - y0, planes]);
        const expected: number[] = [];
        for (let z = 0; z < planes; z++)
          for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) expected.push((z * height + y) * width + x);
        expect(expected.map((_, i) => bytes.readUInt16BE(dataOffset(hdu!) + 2 * i))).toEqual(expected);
      }),
    );
  });

  it('shift what counts pixels, drop checksums, and leave the rest as it is', () => {
    const more = [
      "EXTNAME = 'IMAGE   '",
      "CTYPE1  = 'RA---TAN'",
      'CRPIX1  =               1000.5 / reference',
      'CRPIX2  =               -20.25',
      'CRPIX1A =                  1.0',
      'CRPIX2A =                    1',
      'CRVAL1A =              2100.0',
      'CRVAL2B =                  0.0',
      'LTV1    =                -2100',
      'LTV2    =              -1500.0',
      "CHECKSUM= 'abc'",
      "DATASUM = '123'",
      'COMMENT   stays',
      'CRPIX1C = broken/',
    ];
    const file = fitsFile(
      { cards: [...PRIMARY, "TELESCOP= 'Subaru'", 'EXTEND  = T', "CHECKSUM= 'abc'", 'AR_HDU  = 5'] },
      { cards: image(50, 60, ...more), data: Buffer.alloc(6000) },
    );
    const cut = scan(make(file, cutoutFile(scan(file), 'image', parseBox('10:20,30:60'))));
    const texts = cut.hdus[1]!.header.cards.map(({ text }) => text.trimEnd());
    expect(texts.slice(0, 7)).toEqual(image(10, 30).map((text) => text));
    expect(texts.slice(7)).toEqual([
      "EXTNAME = 'IMAGE   '",
      "CTYPE1  = 'RA---TAN'",
      'CRPIX1  =                990.5 / reference',
      'CRPIX2  =               -50.25',
      'CRPIX1A =                 -9.0',
      'CRPIX2A =                  -29',
      'CRVAL1A =              2100.0',
      'CRVAL2B =                  0.0',
      'LTV1    =                -2110',
      'LTV2    =              -1530.0',
      'COMMENT   stays',
      'CRPIX1C = broken/',
      'CRPIX2B =                -30.0',
    ]);
    expect(cut.hdus[0]!.header.cards.map(({ keyword }) => keyword)).toEqual(['SIMPLE', 'BITPIX', 'NAXIS', 'EXTEND', 'TELESCOP']);
  });

  it('outside, of a table, of a compressed image, of one axis: refused, with the reason', () => {
    const compressed = [
      "XTENSION= 'BINTABLE'",
      'BITPIX  = 8',
      'NAXIS   = 2',
      'NAXIS1  = 8',
      'NAXIS2  = 1',
      'PCOUNT  = 0',
      'GCOUNT  = 1',
      'ZIMAGE  = T',
      "EXTNAME = 'Z'",
    ];
    const line = ["XTENSION= 'IMAGE'", 'BITPIX  = 8', 'NAXIS   = 1', 'NAXIS1  = 8', 'PCOUNT  = 0', 'GCOUNT  = 1', "EXTNAME = 'L'"];
    const index = scan(
      fitsFile(
        { cards: PRIMARY },
        { cards: image(5, 6, "EXTNAME = 'I'"), data: Buffer.alloc(60) },
        { cards: compressed, data: Buffer.alloc(8) },
        { cards: compressed.filter((card) => !card.startsWith('ZIMAGE')).map((card) => card.replace("'Z'", "'T'")), data: Buffer.alloc(8) },
        { cards: line, data: Buffer.alloc(8) },
      ),
    );
    expect(() => cutoutFile(index, 'I', parseBox('0:6,0:1'))).toThrow(
      /box '0:6,0:1': the image has 5 columns and 6 rows; the whole is 0:5,0:6/,
    );
    expect(codeOf(() => cutoutFile(index, 'I', parseBox('0:1,5:7')))).toBe('invalid-value');
    expect(() => cutoutFile(index, 'Z', parseBox('0:1,0:1'))).toThrow(/cut-outs need an uncompressed image/);
    for (const name of ['Z', 'T', 'L', 'PRIMARY'])
      expect([name, codeOf(() => cutoutFile(index, name, parseBox('0:1,0:1')))]).toEqual([name, 'unsupported']);
    expect(codeOf(() => cutoutFile(index, null, parseBox('0:1,0:1')))).toBe('unsupported');
    expect(codeOf(() => cutoutFile(index, 'nothing', parseBox('0:1,0:1')))).toBe('unknown-path');
  });
});
