/** Packers by name, as `--packer` takes them. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import { namedSkyMaps } from '../skymaps/named.js';
import { openSkyMap } from '../skymaps/open.js';
import type { PackingPlan } from './plan.js';
import { gen2CoaddPlan, gen2ExposurePlan, observationPlan, skyMapPlan } from './plans.js';
import type { ObservationLimits, SkyMapLimits } from './plans.js';
import { rubinPlan } from './rubin.js';

/** What a packer is told beside its name. */
export interface PackerRequest {
  /** Keys of the data IDs; some packers have several forms. */
  readonly keys: readonly string[];
  readonly limits: Partial<ObservationLimits & SkyMapLimits>;
}

/** Sizes of instruments' numberings, as their dimension records have them. */
const instruments = {
  hsc: { detectors: 200, observations: 21_474_800 },
  decam: { detectors: 100, observations: 2 ** 25 },
} as const;

const observationOf = ({ keys }: PackerRequest): 'visit' | 'exposure' =>
  keys.includes('exposure') && !keys.includes('visit') ? 'exposure' : 'visit';

function needed(limits: PackerRequest['limits'], names: readonly (keyof PackerRequest['limits'])[], packer: string): void {
  const missing = names.filter((name) => limits[name] === undefined);
  if (missing.length === 0) return;
  const flags = missing.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new ButlerfsError('usage', {
    what: `packer ${packer} without ${flags.join(', ')}`,
    advice: 'give them, or a source that has the dimension records',
  });
}

const makers: Readonly<Record<string, (request: PackerRequest) => PackingPlan>> = {
  observation: (request) => {
    needed(request.limits, ['detectors'], 'observation');
    return observationPlan(observationOf(request), request.limits as ObservationLimits);
  },
  skymap: ({ keys, limits }) => {
    needed(limits, ['tracts', 'patchColumns', 'patchRows'], 'skymap');
    return skyMapPlan(limits as SkyMapLimits, keys.includes('band'));
  },
  ...Object.fromEntries(
    Object.entries(instruments).map(([name, limits]) => [
      name,
      (request: PackerRequest) => observationPlan(observationOf(request), limits, name),
    ]),
  ),
  rubin: (request) => rubinPlan({ observation: rubinObservation(request), withControllers: false }),
  'rubin-controllers': (request) => rubinPlan({ observation: rubinObservation(request), withControllers: true }),
  'gen2-hsc': () => gen2ExposurePlan(),
  'gen2-hsc-coadd': () => gen2CoaddPlan(true),
  'gen2-hsc-merged-coadd': () => gen2CoaddPlan(false),
  ...Object.fromEntries(
    Object.keys(namedSkyMaps).map((name) => [name, ({ keys }: PackerRequest) => namedSkyMapPlan(name, keys.includes('band'))]),
  ),
};

function rubinObservation(request: PackerRequest): 'visit' | 'exposure' | 'parts' {
  return request.keys.includes('day_obs') ? 'parts' : observationOf(request);
}

function namedSkyMapPlan(name: string, withBand: boolean): PackingPlan {
  const map = openSkyMap(namedSkyMaps[name]!);
  const { columns, rows } = map.tract(0);
  return { ...skyMapPlan({ tracts: map.tractCount, patchColumns: columns, patchRows: rows }, withBand, name), fixed: { skymap: name } };
}

export const packerNames: readonly string[] = Object.keys(makers);

/** Instruments whose repositories use Rubin's packer. */
export const rubinInstruments: readonly string[] = ['LSSTCam', 'LSSTComCam', 'LSSTComCamSim', 'LATISS'];

/** Throws `usage` for a name that no packer has, with the nearest, and for one that lacks its limits. */
export function namedPlan(name: string, request: PackerRequest): PackingPlan {
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (make !== undefined) return make(request);
  throw new ButlerfsError('usage', {
    what: `unknown packer '${name}'`,
    advice: didYouMean(nearestNames(name, packerNames, 1)) ?? `known packers: ${packerNames.join(', ')}`,
  });
}
