/** The packers of Gen3 and Gen2. */

import { ButlerfsError } from '../../common/errors.js';
import { bitLength, limitOf, mixedRadix } from './plan.js';
import type { PackingPlan } from './plan.js';
import { integersBelow, words } from './values.js';

/** Sizes of an instrument's numbering, from its dimension record; all exclusive. */
export interface ObservationLimits {
  /** `detector_max`. */
  readonly detectors: number;
  /** `visit_max` or `exposure_max`; where it is unknown the result is taken to fit in 32 bits. */
  readonly observations?: number | undefined;
}

/** Sizes of a sky map's numbering, from its dimension record; all exclusive. */
export interface SkyMapLimits {
  /** `tract_max`. */
  readonly tracts: number;
  /** `patch_nx_max` and `patch_ny_max`. */
  readonly patchColumns: number;
  readonly patchRows: number;
}

export type ObservationKey = 'visit' | 'exposure';

/** Bands in the order in which lsst.skymap counts them; 0 is "no band". */
export const packedBands = [
  '',
  ...['u', 'g', 'r', 'i', 'z', 'y', 'U', 'B', 'G', 'V', 'R', 'I', 'Z', 'Y', 'J', 'H', 'K'],
  ...['N387', 'N515', 'N656', 'N816', 'N921', 'N1010', 'N419', 'N540', 'N708', 'N964'],
] as const;

const usualBits = 32;

/** detector + detectors * observation. */
export function observationPlan(key: ObservationKey, { detectors, observations }: ObservationLimits, name = 'observation'): PackingPlan {
  const fields = mixedRadix([
    ['detector', integersBelow(checkedSize('detectors', detectors))],
    [key, integersBelow(checkedSize('observations', observations ?? Math.floor(Number.MAX_SAFE_INTEGER / Math.max(1, detectors / 1024))))],
  ]);
  return { name, fields, keys: [key, 'detector'], bits: observations === undefined ? usualBits : bitLength(limitOf(fields) - 1n) };
}

/** patch + patches * (tract + tracts * band number); without bands the last factor is left out. */
export function skyMapPlan({ tracts, patchColumns, patchRows }: SkyMapLimits, withBand: boolean, name = 'skymap'): PackingPlan {
  const fields = mixedRadix([
    ['patch', integersBelow(checkedSize('patches', patchColumns * patchRows))],
    ['tract', integersBelow(checkedSize('tracts', tracts))],
    ...(withBand ? [['band', words(packedBands)] as const] : []),
  ]);
  return { name, fields, keys: ['tract', 'patch', ...(withBand ? ['band'] : [])], bits: bitLength(limitOf(fields) - 1n) };
}

/** Of one HSC image in Gen2: visit * 200 + ccd, 32 bits. */
export function gen2ExposurePlan(): PackingPlan {
  const fields = mixedRadix([
    ['ccd', integersBelow(200)],
    ['visit', integersBelow(Math.floor(2 ** usualBits / 200))],
  ]);
  return { name: 'gen2-hsc', fields, keys: ['visit', 'ccd'], bits: usualBits };
}

const gen2TractBits = 16;
const gen2PatchBits = 5;
const gen2FilterBits = 6;

/**
 * Of one HSC patch in Gen2: tract, patch_x, patch_y, and with `withFilter` the filter's number, all in bits. A data ID may give `patch=x,y` for the two.
 */
export function gen2CoaddPlan(withFilter: boolean): PackingPlan {
  const fields = mixedRadix([
    ...(withFilter ? [['filter', integersBelow(2 ** gen2FilterBits)] as const] : []),
    ['patch_y', integersBelow(2 ** gen2PatchBits)],
    ['patch_x', integersBelow(2 ** gen2PatchBits)],
    ['tract', integersBelow(2 ** gen2TractBits)],
  ]);
  return {
    name: withFilter ? 'gen2-hsc-coadd' : 'gen2-hsc-merged-coadd',
    fields,
    keys: ['tract', 'patch_x', 'patch_y', ...(withFilter ? ['filter'] : [])],
    bits: bitLength(limitOf(fields) - 1n),
    reword: (dataId) => {
      const [, x, y] = /^(\d+),(\d+)$/.exec(String(dataId['patch'] ?? '')) ?? [];
      return x === undefined || y === undefined ? dataId : { patch_x: x, patch_y: y, ...dataId };
    },
  };
}

function checkedSize(what: string, size: number): number {
  if (Number.isSafeInteger(size) && size > 0) return size;
  throw new ButlerfsError('invalid-value', { what: `${what} ${size}`, why: 'it is not an integer from 1 on' });
}
