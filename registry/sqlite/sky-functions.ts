/** SQL functions over the regions of dimension records. */

import { ButlerfsError } from '../../common/errors.js';
import { type ConvexPolygon, decodeConvexPolygon, htmTriangle, polygonsOverlap } from '../../sky/convex-region.js';
import type { Database } from './driver.js';
import { pixelOverlaps, regionsOverlap } from './record-join.js';
import type { TimeLimit } from './time-limit.js';

/** Decoded regions kept: a join looks at each many times. */
const mostDecoded = 20_000;

/** Defines what {@link regionsOverlap} and {@link pixelOverlaps} name. They throw `unsupported` for regions that are no convex polygons; no region overlaps none. */
export function defineSkyFunctions(database: Database, limit: TimeLimit): void {
  const decoded = new Map<string, ConvexPolygon>();
  const polygonOf = (text: string): ConvexPolygon => {
    let polygon = decoded.get(text);
    if (polygon === undefined) {
      polygon = decodeConvexPolygon(text);
      if (polygon === undefined) throw unsupportedRegion('a region that is no convex polygon');
      if (decoded.size >= mostDecoded) decoded.clear();
      decoded.set(text, polygon);
    }
    return polygon;
  };
  database.function(regionsOverlap, { deterministic: true }, (left: unknown, right: unknown) => {
    limit.check();
    if (typeof left !== 'string' || typeof right !== 'string') return 0;
    return left === right || polygonsOverlap(polygonOf(left), polygonOf(right)) ? 1 : 0;
  });
  database.function(pixelOverlaps, { deterministic: true }, (pixelisation: unknown, index: unknown, region: unknown) => {
    limit.check();
    if (typeof region !== 'string') return 0;
    const level = /^htm(\d+)$/.exec(String(pixelisation))?.[1];
    if (level === undefined) throw unsupportedRegion(`pixels of ${String(pixelisation)}`);
    const triangle = htmTriangle(Number(level), Number(index));
    return triangle !== undefined && polygonsOverlap(triangle, polygonOf(region)) ? 1 : 0;
  });
}

function unsupportedRegion(what: string): ButlerfsError {
  return new ButlerfsError('unsupported', { what, why: 'keys on the sky are related by convex polygons and HTM pixels only' });
}
