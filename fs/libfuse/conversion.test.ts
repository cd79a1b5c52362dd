import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../contract.js';
import {
  bytesFromText,
  foldInode,
  listedArray,
  nameFromText,
  numberOf,
  sizeOf,
  statArray,
  textFromBytes,
  textFromName,
  timeOf,
  timesOf,
  totalsArray,
  withSize,
} from './conversion.js';

const errno = (errnoNumber: number): unknown => expect.objectContaining({ errnoNumber });

describe('names', () => {
  it('go both ways, whatever text they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const given = text.replaceAll('\ufffd', '?');
        for (const encoding of ['utf8', 'latin1'] as const) {
          expect(textFromName(nameFromText(given, encoding), encoding)).toBe(given);
        }
      }),
    );
  });

  it('are one character per byte where the file system wants that', () => {
    expect(nameFromText('ü', 'latin1')).toBe('\xc3\xbc');
    expect(nameFromText('ü', 'utf8')).toBe('ü');
  });

  it('that are no UTF-8 are shown, and lead nowhere', () => {
    const shown = textFromName('a\xff', 'latin1');
    expect(shown).toBe('a\ufffd');
    expect(() => nameFromText(shown, 'latin1')).toThrow(errno(84));
    expect(() => bytesFromText(shown, 'latin1')).toThrow(errno(84));
    expect(() => textFromBytes(Buffer.from([0xff]))).toThrow(errno(84));
  });

  it('may hold the character that stands for what is no UTF-8, in a link', () => {
    expect(textFromBytes(Buffer.from('\ufffd'))).toBe('\ufffd');
  });
});

describe('inode numbers', () => {
  it('are kept where they fit in 32 bits', () => {
    for (const ino of [1, 2, 0x7fffffff, 0xfffffffe]) expect(foldInode(ino)).toBe(ino);
  });

  it('are folded where they do not: never 0, never "unknown"', () => {
    expect(foldInode(0)).toBe(0xffffffff);
    fc.assert(
      fc.property(fc.integer({ min: 0xffffffff, max: Number.MAX_SAFE_INTEGER }), (ino) => {
        const folded = foldInode(ino);
        expect(folded).toBeGreaterThan(0);
        expect(folded).toBeLessThan(0xffffffff);
      }),
    );
    expect(foldInode(2 ** 32 * 5 + 5)).toBe(1);
    expect(foldInode(2 ** 32 * 5 + 6)).toBe(3);
  });
});

describe('structures', () => {
  const attributes: Attributes = {
    ino: 12,
    size: 2 ** 33 + 7,
    blocks: 2 ** 32 + 1,
    accessed: { seconds: 1_700_000_000, nanoseconds: 123_999_999 },
    modified: { seconds: -5, nanoseconds: 0 },
    changed: { seconds: 0, nanoseconds: 999_999 },
    mode: 0o100644,
    nlink: 0,
    uid: 1,
    gid: 0xfffffffe,
    rdev: 3,
    blockSize: 4096,
    validity: 1,
  };

  it('stat: all of it, times in whole milliseconds, none before 1970', () => {
    const words = statArray(attributes);
    expect([...words.slice(0, 3)]).toEqual([0o100644, 1, 0xfffffffe]);
    expect(numberOf(words[3]!, words[4]!)).toBe(attributes.size);
    expect([...words.slice(6, 10)]).toEqual([0, 12, 3, 4096]);
    expect(numberOf(words[10]!, words[11]!)).toBe(attributes.blocks);
    expect(numberOf(words[12]!, words[13]!)).toBe(1_700_000_000_123);
    expect([...words.slice(14)]).toEqual([0, 0, 0, 0]);
  });

  it('stat with another size', () => {
    const words = withSize(statArray(attributes), 1025);
    expect([words[3], words[4], words[10], words[11]]).toEqual([1025, 0, 3, 0]);
  });

  it('an entry of a listing', () => {
    const words = listedArray(0o040000, 0);
    expect([words[0], words[7]]).toEqual([0o040000, 0xffffffff]);
  });

  it('statvfs: units as large as 32 bits need', () => {
    const totals = {
      files: 10,
      freeFiles: 2 ** 40,
      bytes: 2 ** 50,
      freeBytes: 2 ** 49,
      availableBytes: 2 ** 48,
      blockSize: 4096,
      nameLength: 255,
    };
    const words = totalsArray(totals);
    expect(words[1]! * words[2]!).toBe(2 ** 50);
    expect(words[1]! * words[3]!).toBe(2 ** 49);
    expect(words[1]! * words[4]!).toBe(2 ** 48);
    expect([words[5], words[6], words[10]]).toEqual([2 ** 32 - 1, 2 ** 32 - 1, 255]);
  });
});

describe('numbers', () => {
  it('of 64 bits come in halves', () => {
    expect(sizeOf(1, 1)).toBe(2 ** 32 + 1);
    expect(() => sizeOf(0, 2 ** 21)).toThrow(errno(27));
  });

  it('are times before 1970, too', () => {
    expect(timeOf(-1)).toEqual({ seconds: -1, nanoseconds: 999_000_000 });
    expect(timeOf(1_500)).toEqual({ seconds: 1, nanoseconds: 500_000_000 });
  });

  it('are both times of utimens, the second from where the structure has it', () => {
    const request = Buffer.alloc(200);
    request.writeBigInt64LE(-5_000n, 104);
    request.writeBigInt64LE(7_000n, 112);
    const low = request.readUInt32LE(104);
    const high = request.readUInt32LE(108);
    expect(timesOf(request, low, high)).toEqual({ accessed: -5_000, modified: 7_000 });
    request.writeBigInt64LE(1n, 104);
    expect(timesOf(request, low, high)).toEqual({ accessed: -5_000, modified: -5_000 });
  });
});
