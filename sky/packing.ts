/**
 * Data IDs packed into integers, as Gen3 packers do; what object identifiers are made of.
 *
 * Mixed radix, not bit fields: results are exact `bigint`s. `bits` is the number of bits that the largest packed value takes.
 */

/** A packed data ID and the bits that every one of its kind fits in. */
export interface Packed {
  readonly value: bigint;
  readonly bits: number;
}

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

/** Bands in the order in which lsst.skymap counts them; 0 is "no band". */
export const packedBands = [
  '',
  ...['u', 'g', 'r', 'i', 'z', 'y', 'U', 'B', 'G', 'V', 'R', 'I', 'Z', 'Y', 'J', 'H', 'K'],
  ...['N387', 'N515', 'N656', 'N816', 'N921', 'N1010', 'N419', 'N540', 'N708', 'N964'],
] as const;

const usualBits = 32;

/**
 * detector + detectors * observation, where the observation is a visit or an exposure.
 * Throws RangeError for a number outside its limit.
 */
export function packObservation(detector: number, observation: number, { detectors, observations }: ObservationLimits): Packed {
  within('detector', detector, detectors);
  within('visit or exposure', observation, observations ?? Number.MAX_SAFE_INTEGER);
  const value = BigInt(detector) + BigInt(detectors) * BigInt(observation);
  if (observations !== undefined) return { value, bits: bitLength(BigInt(detectors) * BigInt(observations) - 1n) };
  return { value, bits: Math.max(usualBits, bitLength(value)) };
}

/**
 * patch + patches * (tract + tracts * band index); without a band the last factor is left out.
 * Throws RangeError for a number outside its limit and for a band that is not counted.
 */
export function packSkyMap(tract: number, patch: number, { tracts, patchColumns, patchRows }: SkyMapLimits, band?: string): Packed {
  const patches = patchColumns * patchRows;
  within('tract', tract, tracts);
  within('patch', patch, patches);
  const index = band === undefined ? 0 : (packedBands as readonly string[]).indexOf(band);
  if (index < 0) throw new RangeError(`band '${band}' has no number; those that have are ${packedBands.slice(1).join(', ')}`);
  const bands = band === undefined ? 1n : BigInt(packedBands.length);
  const value = BigInt(patch) + BigInt(patches) * (BigInt(tract) + BigInt(tracts) * BigInt(index));
  return { value, bits: bitLength(bands * BigInt(tracts) * BigInt(patches) - 1n) };
}

function within(what: string, number: number, limit: number): void {
  if (Number.isSafeInteger(number) && number >= 0 && number < limit) return;
  throw new RangeError(`${what} ${number} is not an integer from 0 to ${limit - 1}`);
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}
