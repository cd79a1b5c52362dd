/**
 * Regions as bytes, in hexadecimal and in base64, as registries keep them.
 *
 * Source: LSST sphgeom, Region: a letter for the kind, then little-endian float64: `p` a polygon, `c` a circle, `b` a box, `e` an ellipse; `u` a union and `i` an
 * intersection of members, each after its length as an unsigned little-endian integer of 64 bits. In base64, texts joined by `:` are a union, and an empty text is the
 * empty union.
 */

import { ButlerfsError } from '../../common/errors.js';
import { Box } from './box.js';
import { Circle } from './circle.js';
import { IntersectionRegion, UnionRegion } from './compound.js';
import type { Region } from './contract.js';
import { ConvexPolygon } from './convex-polygon.js';
import { Ellipse } from './ellipse.js';
import type { AnyRegion } from './relations.js';

/** How deep unions and intersections may lie in each other. */
const deepest = 16;
const lengthBytes = 8;

/** Throws `invalid-value` for bytes that are no region. */
export function decodeRegion(bytes: Uint8Array): AnyRegion {
  return decodeAt(bytes, 0);
}

function decodeAt(bytes: Uint8Array, depth: number): AnyRegion {
  const letter = bytes.length === 0 ? '' : String.fromCharCode(bytes[0]!);
  switch (letter) {
    case 'p':
      return ConvexPolygon.decode(bytes);
    case 'c':
      return Circle.decode(bytes);
    case 'b':
      return Box.decode(bytes);
    case 'e':
      return Ellipse.decode(bytes);
    case 'u':
      return UnionRegion.of(decodeMembers(bytes, depth));
    case 'i':
      return IntersectionRegion.of(decodeMembers(bytes, depth));
  }
  const why = letter === '' ? 'there are no bytes' : `its first byte is ${bytes[0]!}, not one of the letters p, c, b, e, u, i`;
  throw refused(why);
}

function decodeMembers(bytes: Uint8Array, depth: number): AnyRegion[] {
  if (depth >= deepest) throw refused(`unions and intersections lie more than ${deepest} deep in each other`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const members: AnyRegion[] = [];
  for (let at = 1; at < bytes.length;) {
    const begin = at + lengthBytes;
    const length = begin <= bytes.length ? view.getBigUint64(at, true) : undefined;
    if (length === undefined || length > BigInt(bytes.length - begin)) throw refused(`it ends within member ${members.length}`);
    at = begin + Number(length);
    members.push(decodeAt(bytes.subarray(begin, at), depth + 1));
  }
  return members;
}

/** Throws `invalid-value` for text that is no region. */
export function decodeRegionHex(text: string): AnyRegion {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw refused('it is not written in pairs of hexadecimal digits');
  return decodeRegion(Buffer.from(text, 'hex'));
}

/** Throws `invalid-value` for text that is no region. */
export function decodeRegionBase64(text: string): AnyRegion {
  if (text === '') return UnionRegion.of([]);
  const parts = text.split(':').map((part) => {
    if (part.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(part)) throw refused('it is not written in base64');
    return decodeRegion(Buffer.from(part, 'base64'));
  });
  return parts.length === 1 ? parts[0]! : UnionRegion.of(parts);
}

export function encodeRegionHex(region: Region): string {
  return Buffer.from(region.encode()).toString('hex');
}

export function encodeRegionBase64(region: Region): string {
  return Buffer.from(region.encode()).toString('base64');
}

function refused(why: string): ButlerfsError {
  return new ButlerfsError('invalid-value', { what: 'an encoded region', why });
}
