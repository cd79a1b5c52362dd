/** SQL functions over the regions of dimension records. */

import { ButlerfsError } from '../../common/errors.js';
import { decodeRegionBase64 } from '../../sky/regions/codec.js';
import type { Pixelisation, Region } from '../../sky/regions/contract.js';
import { HealpixPixelisation } from '../../sky/regions/healpix.js';
import { HtmPixelisation } from '../../sky/regions/htm.js';
import type { Database } from './driver.js';
import { pixelOverlaps, regionsOverlap } from './record-join.js';
import type { TimeLimit } from './time-limit.js';

/** Decoded regions, and pixels, kept: a join looks at each many times. */
const mostDecoded = 20_000;

/**
 * Defines what {@link regionsOverlap} and {@link pixelOverlaps} name. They throw `corrupt-repository` for what is no region, and `unsupported` for pixels that are not of
 * HTM or HEALPix; no region overlaps none.
 */
export function defineSkyFunctions(database: Database, limit: TimeLimit): void {
  const regionOf = remembered(decoded);
  const pixelisationOf = remembered(pixelisationNamed);
  const pixelOf = remembered((key: string) => {
    const [name, index] = key.split(' ') as [string, string];
    const pixelisation = pixelisationOf(name);
    const [first, end] = pixelisation.universe;
    const number = Number(index);
    return Number.isSafeInteger(number) && number >= first && number < end ? pixelisation.pixel(number) : undefined;
  });
  database.function(regionsOverlap, { deterministic: true }, (left: unknown, right: unknown) => {
    limit.check();
    if (typeof left !== 'string' || typeof right !== 'string') return 0;
    return left === right || regionOf(left).intersects(regionOf(right)) ? 1 : 0;
  });
  database.function(pixelOverlaps, { deterministic: true }, (pixelisation: unknown, index: unknown, region: unknown) => {
    limit.check();
    if (typeof region !== 'string') return 0;
    return pixelOf(`${String(pixelisation)} ${String(index)}`)?.intersects(regionOf(region)) === true ? 1 : 0;
  });
}

function remembered<Value>(make: (key: string) => Value): (key: string) => Value {
  const known = new Map<string, Value>();
  return (key) => {
    if (known.has(key)) return known.get(key)!;
    const value = make(key);
    if (known.size >= mostDecoded) known.clear();
    known.set(key, value);
    return value;
  };
}

function decoded(text: string): Region {
  try {
    return decodeRegionBase64(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ButlerfsError('corrupt-repository', { what: 'a region of a dimension record', why, cause: error });
  }
}

/** `htm7`, `healpix9`. */
function pixelisationNamed(name: string): Pixelisation {
  const [, kind, level] = /^(htm|healpix)(\d+)$/.exec(name) ?? [];
  if (kind === undefined) {
    throw new ButlerfsError('unsupported', {
      what: `pixels of ${name}`,
      why: 'keys on the sky are related by regions, and by pixels of HTM and HEALPix',
    });
  }
  return kind === 'htm' ? new HtmPixelisation(Number(level)) : new HealpixPixelisation(Number(level));
}
