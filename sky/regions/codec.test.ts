import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ButlerfsError } from '../../common/errors.js';
import { Box } from './box.js';
import { Circle } from './circle.js';
import { decodeRegion, decodeRegionBase64, decodeRegionHex, encodeRegionBase64, encodeRegionHex } from './codec.js';
import { UnionRegion } from './compound.js';
import { Ellipse } from './ellipse.js';
import { regions } from './testing.js';

const circle = Circle.around([1, 0, 0], 0.5);

function numbers(letter: string, ...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(1 + 8 * values.length);
  bytes.write(letter);
  values.forEach((value, index) => bytes.writeDoubleLE(value, 1 + 8 * index));
  return bytes;
}

function member(bytes: Uint8Array, length = bytes.length): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([prefix, bytes]);
}

/** Of unions in intersections in unions. */
function nested(depth: number): Buffer {
  let bytes: Buffer = Buffer.from(circle.encode());
  for (let level = 0; level < depth; level++) bytes = Buffer.concat([Buffer.from(level % 2 === 0 ? 'u' : 'i'), member(bytes)]);
  return bytes;
}

describe('encoded regions', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(regions, (region) => {
        expect(encodeRegionHex(decodeRegion(region.encode()))).toBe(encodeRegionHex(region));
        expect(encodeRegionHex(decodeRegionHex(encodeRegionHex(region)))).toBe(encodeRegionHex(region));
        expect(encodeRegionHex(decodeRegionBase64(encodeRegionBase64(region)))).toBe(encodeRegionHex(region));
      }),
      { numRuns: 200 },
    );
  });

  it('are the bytes of sphgeom', () => {
    expect(encodeRegionHex(Circle.empty)).toBe('6300000000000000000000000000000000000000000000f03f000000000000f0bf000000000000f0bf');
    expect(encodeRegionHex(Box.empty)).toBe('62000000000000f87f000000000000f87f000000000000f03f0000000000000000');
    expect(encodeRegionHex(Box.full)).toBe('620000000000000000182d4454fb211940182d4454fb21f9bf182d4454fb21f93f');
    expect(Ellipse.empty.encode().length).toBe(113);
    expect(encodeRegionHex(UnionRegion.of([]))).toBe('75');
  });

  it('are unions where colons join them, and the empty union where there is no text', () => {
    const text = encodeRegionBase64(circle);
    expect(decodeRegionBase64(`${text}:${text}`)).toMatchObject({ kind: 'union', members: [circle, circle] });
    expect(decodeRegionBase64('')).toMatchObject({ kind: 'union', isEmpty: true });
    expect(encodeRegionHex(decodeRegion(nested(16)))).toBe(nested(16).toString('hex'));
  });

  const root = Math.SQRT1_2;
  it.each<[string, Uint8Array]>([
    ['there are no bytes', Buffer.alloc(0)],
    ['its first byte is 120', Buffer.from('x')],
    ['it has 1 bytes', Buffer.from('c')],
    ['it has 42 bytes', Buffer.concat([circle.encode(), Buffer.alloc(1)])],
    ['center is no unit vector', numbers('c', 1, 1, 0, 0.1, 0.3)],
    ['center is no unit vector', numbers('c', NaN, 0, 0, 0.1, 0.3)],
    ['size is NaN', numbers('c', 1, 0, 0, NaN, 0.3)],
    ['of different circles', numbers('c', 1, 0, 0, 0.1, 0.5)],
    ['it has 49 bytes', numbers('p', 1, 0, 0, 0, 1, 0)],
    ['it has 81 bytes', numbers('p', 1, 0, 0, 0, 1, 0, 0, 0, 1, 0)],
    ['no unit vector', numbers('p', 1, 0, 0, 0, 1, 0, 0, 0, Infinity)],
    ['turns right', numbers('p', 1, 0, 0, 0, 0, 1, 0, 1, 0)],
    ['does not go round', numbers('p', 1, 0, 0, 1, 0, 0, 0, 1, 0)],
    ['some of its bounds are NaN', numbers('b', 0, NaN, 0, 1)],
    ['not in [0, 2 pi]', numbers('b', -1, 1, 0, 1)],
    ['not in order', numbers('b', 0, 1, 1, 0)],
    ['not in order', numbers('b', 0, 1, 0, 2)],
    ['no unit vectors at right angles', numbers('e', root, root, 0, 0, 1, 0, 0, 0, 1, -1, -1, 0, 1.5, 1.5)],
    ['angles are NaN', numbers('e', 1, 0, 0, 0, 1, 0, 0, 0, 1, NaN, -1, 0, 1.5, 1.5)],
    ['do not fit', numbers('e', 1, 0, 0, 0, 1, 0, 0, 0, 1, -1, -1.2, 0, 1.5, 1.5)],
    ['it ends within member 0', Buffer.from('u1234567')],
    ['it ends within member 1', Buffer.concat([Buffer.from('u'), member(circle.encode()), Buffer.from('1')])],
    ['it ends within member 0', Buffer.concat([Buffer.from('i'), member(circle.encode(), 42)])],
    ['it ends within member 0', Buffer.from(`u${'\xff'.repeat(8)}`, 'latin1')],
    ['more than 16 deep', nested(17)],
  ])('are refused: %s', (why, bytes) => {
    expect(() => decodeRegion(bytes)).toThrow(ButlerfsError);
    expect(() => decodeRegion(bytes)).toThrow(why);
  });

  it('are refused as text that is none', () => {
    expect(() => decodeRegionHex('7')).toThrow('hexadecimal');
    expect(() => decodeRegionHex('zz')).toThrow('hexadecimal');
    expect(() => decodeRegionBase64('Y!==')).toThrow('base64');
    expect(() => decodeRegionBase64(`${encodeRegionBase64(circle)}:`)).toThrow('there are no bytes');
  });

  it('are refused or read, but nothing else, whatever the bytes', () => {
    const bytes = fc
      .tuple(fc.constantFrom(...'pcbeui'), fc.uint8Array({ maxLength: 130 }))
      .map(([letter, rest]) => Buffer.concat([Buffer.from(letter), rest]));
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          decodeRegion(input);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-value' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
