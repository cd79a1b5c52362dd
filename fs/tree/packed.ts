/** `user.butler.packed`: the data ID as the integer that the repository's own packers make of it. */

import type { Catalogue, DataIdValue, DatasetRecord } from '../../registry/contract.js';
import { packObservation, packSkyMap } from '../../sky/packing.js';

/** Decimal digits; undefined where no packer is for the dataset's dimensions, or a value lies outside what it packs. */
export function packDataId(catalogue: Catalogue, { type, values }: DatasetRecord): string | undefined {
  const { required } = type.dimensions;
  const dataId = new Map<string, DataIdValue>(required.map((dimension, i) => [dimension, values[i]!]));
  const observation = dataId.has('visit') ? 'visit' : 'exposure';
  try {
    if (hasExactly(required, ['instrument', observation, 'detector'])) return packedObservation(catalogue, dataId, observation);
    if (hasExactly(required, ['skymap', 'tract', 'patch']) || hasExactly(required, ['skymap', 'tract', 'patch', 'band'])) {
      return packedPatch(catalogue, dataId);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

function hasExactly(dimensions: readonly string[], wanted: readonly string[]): boolean {
  return dimensions.length === wanted.length && wanted.every((dimension) => dimensions.includes(dimension));
}

function packedObservation(catalogue: Catalogue, dataId: ReadonlyMap<string, DataIdValue>, observation: string): string | undefined {
  const instrument = catalogue.record('instrument', { instrument: dataId.get('instrument')! });
  const detectors = instrument?.['detector_max'];
  const observations = instrument?.[`${observation}_max`];
  if (typeof detectors !== 'number') return undefined;
  return packObservation(Number(dataId.get('detector')), Number(dataId.get(observation)), {
    detectors,
    observations: typeof observations === 'number' ? observations : undefined,
  }).value.toString();
}

function packedPatch(catalogue: Catalogue, dataId: ReadonlyMap<string, DataIdValue>): string | undefined {
  const skymap = catalogue.record('skymap', { skymap: dataId.get('skymap')! });
  const [tracts, patchColumns, patchRows] = ['tract_max', 'patch_nx_max', 'patch_ny_max'].map((field) => skymap?.[field]);
  if (typeof tracts !== 'number' || typeof patchColumns !== 'number' || typeof patchRows !== 'number') return undefined;
  const band = dataId.get('band');
  const limits = { tracts, patchColumns, patchRows };
  return packSkyMap(
    Number(dataId.get('tract')),
    Number(dataId.get('patch')),
    limits,
    band === undefined ? undefined : String(band),
  ).value.toString();
}
