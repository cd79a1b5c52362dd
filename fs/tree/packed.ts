/** `user.butler.packed`: the data ID as the integer that the repository's own packers make of it. */

import { ButlerfsError } from '../../common/errors.js';
import type { Catalogue, DataIdValue, DatasetRecord } from '../../registry/contract.js';
import { rubinInstruments } from '../../sky/packing/named.js';
import { makePacker } from '../../sky/packing/plan.js';
import type { PackingPlan } from '../../sky/packing/plan.js';
import { observationPlan, skyMapPlan } from '../../sky/packing/plans.js';
import { rubinPlan } from '../../sky/packing/rubin.js';

/** Decimal digits; undefined where no packer is for the dataset's dimensions, or a value lies outside what it packs. */
export function packDataId(catalogue: Catalogue, { type, values }: DatasetRecord): string | undefined {
  const { required } = type.dimensions;
  const dataId = Object.fromEntries(required.map((dimension, i) => [dimension, values[i]!]));
  const plan = recordedPlan(catalogue, required, dataId);
  if (plan === undefined) return undefined;
  try {
    return makePacker(plan).pack(dataId).toString();
  } catch (error) {
    if (error instanceof ButlerfsError && error.code === 'invalid-value') return undefined;
    throw error;
  }
}

/**
 * The packer for these dimensions, governors included, with the sizes that the dimension records of the data ID's instrument or sky map say. Undefined where
 * there is none, or no record says.
 */
export function recordedPlan(
  catalogue: Catalogue,
  dimensions: readonly string[],
  governors: Readonly<Record<string, DataIdValue>>,
): PackingPlan | undefined {
  for (const observation of ['visit', 'exposure'] as const) {
    if (hasExactly(dimensions, ['instrument', observation, 'detector']))
      return instrumentPlan(catalogue, governors['instrument']!, observation);
  }
  const withBand = hasExactly(dimensions, ['skymap', 'tract', 'patch', 'band']);
  if (withBand || hasExactly(dimensions, ['skymap', 'tract', 'patch'])) return patchPlan(catalogue, governors['skymap']!, withBand);
  return undefined;
}

function hasExactly(dimensions: readonly string[], wanted: readonly string[]): boolean {
  return dimensions.length === wanted.length && wanted.every((dimension) => dimensions.includes(dimension));
}

function instrumentPlan(catalogue: Catalogue, instrument: DataIdValue, observation: 'visit' | 'exposure'): PackingPlan | undefined {
  const fixed = { instrument };
  if (rubinInstruments.includes(String(instrument))) return { ...rubinPlan({ observation, withControllers: false }), fixed };
  const record = catalogue.record('instrument', fixed);
  const detectors = record?.['detector_max'];
  const observations = record?.[`${observation}_max`];
  if (typeof detectors !== 'number' || detectors < 1) return undefined;
  return {
    ...observationPlan(observation, { detectors, observations: typeof observations === 'number' ? observations : undefined }),
    fixed,
  };
}

function patchPlan(catalogue: Catalogue, skymap: DataIdValue, withBand: boolean): PackingPlan | undefined {
  const fixed = { skymap };
  const record = catalogue.record('skymap', fixed);
  const [tracts, patchColumns, patchRows] = ['tract_max', 'patch_nx_max', 'patch_ny_max'].map((field) => record?.[field]);
  if (typeof tracts !== 'number' || typeof patchColumns !== 'number' || typeof patchRows !== 'number') return undefined;
  return { ...skyMapPlan({ tracts, patchColumns, patchRows }, withBand), fixed };
}
