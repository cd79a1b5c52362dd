/** Which packer `butlerfs pack` and `butlerfs unpack` use. */

import { Option } from 'commander';
import type { Command } from 'commander';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { resolveKey } from '../registry/keys.js';
import type { PackableDataId, Packer } from '../sky/packing/contract.js';
import type { ObjectIdForm, PackingPlan } from '../sky/packing/plan.js';
import type { DataIdValue } from '../sky/packing/values.js';
import type { Target } from './target.js';

/** Options of both verbs. */
export interface PackerFlags {
  readonly packer?: string;
  readonly dimensions?: string;
  readonly detectors?: number;
  readonly observations?: number;
  readonly tracts?: number;
  readonly patchColumns?: number;
  readonly patchRows?: number;
  readonly objects?: ObjectIdForm['form'];
  readonly releases?: number;
  readonly input?: string;
  readonly output?: string;
  readonly json?: boolean;
}

function positive(flag: string): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number > 0) return number;
    throw new ButlerfsError('usage', { what: `${flag}: '${text}' is not an integer from 1 on` });
  };
}

export function addPackerOptions(command: Command): Command {
  return command
    .option('--packer <name>', 'a packer by name, in place of a source: hsc, decam, rubin, hsc_rings_v1, ...')
    .option('--dimensions <names>', 'keys that are packed, separated by commas: tract,patch,band or visit,detector')
    .option('--detectors <number>', 'for --packer observation: detector_max', positive('--detectors'))
    .option('--observations <number>', 'for --packer observation: visit_max or exposure_max', positive('--observations'))
    .option('--tracts <number>', 'for --packer skymap: tract_max', positive('--tracts'))
    .option('--patch-columns <number>', 'for --packer skymap: patch_nx_max', positive('--patch-columns'))
    .option('--patch-rows <number>', 'for --packer skymap: patch_ny_max', positive('--patch-rows'))
    .addOption(
      new Option('--objects <form>', 'identifiers of objects, with counters: new ones, or older of 63 or 64 bits').choices([
        'new',
        'old',
        'oldest',
      ]),
    )
    .option('--releases <number>', 'data releases that new identifiers of objects have room for (default: 64)', positive('--releases'))
    .option(
      '--input <file>',
      'a file of numpy: .npy (of data IDs a structured array) or .npz; without it and without words, lines of standard input',
    )
    .option('--output <file>', 'a file of numpy that is made: .npy (of data IDs a structured array) or .npz (an array for each key)')
    .option('--json', 'print JSON lines');
}

export interface PackerChoice {
  readonly flags: PackerFlags;
  /** Undefined where a packer is named. */
  readonly source: string | undefined;
  /** Keys of the first data ID, where that is known. */
  readonly keys: readonly string[];
  /** Values that hold for all: `instrument=HSC`. */
  readonly given: PackableDataId;
}

/** Throws `usage` where neither names a packer, and where nothing says which of several it shall be. */
export async function choosePacker({ flags, source, keys, given }: PackerChoice): Promise<Packer> {
  const { makePacker, objectIds } = await import('../sky/packing/plan.js');
  const names = flags.dimensions?.split(',').map((name) => name.trim()) ?? keys;
  const plan = source === undefined ? await planByName(flags, names) : await planOfSource(source, names, given);
  return makePacker(flags.objects === undefined ? plan : objectIds(plan, { form: flags.objects, releases: flags.releases ?? 64 }));
}

async function planByName(
  { packer, detectors, observations, tracts, patchColumns, patchRows }: PackerFlags,
  keys: readonly string[],
): Promise<PackingPlan> {
  const { namedPlan, packerNames } = await import('../sky/packing/named.js');
  if (packer === undefined) {
    throw new ButlerfsError('usage', { what: 'neither a source nor --packer is given', advice: `packers are ${packerNames.join(', ')}` });
  }
  const limits = Object.entries({ detectors, observations, tracts, patchColumns, patchRows }).filter(([, value]) => value !== undefined);
  return namedPlan(packer, { keys, limits: Object.fromEntries(limits) });
}

async function planOfSource(source: string, keys: readonly string[], given: PackableDataId): Promise<PackingPlan> {
  const [{ openTarget }, { recordedPlan }] = await Promise.all([import('./target.js'), import('../fs/tree/packed.js')]);
  const target = await openTarget(source);
  try {
    const { universe } = target.catalogue;
    const wanted = keys
      .filter((key) => key !== 'counter' && key !== 'release')
      .map((key) => resolveKey(target.catalogue, key, target.aliases));
    if (wanted.length === 0) {
      throw new ButlerfsError('usage', {
        what: 'nothing says which dimensions are packed',
        advice: 'give --dimensions tract,patch or --dimensions visit,detector',
      });
    }
    // A visit implies its band: what is packed is what identifies.
    const packed = ['visit', 'exposure', 'detector', 'tract', 'patch', 'band'].filter((name) => wanted.includes(name));
    const withoutImplied = packed.includes('detector') ? packed.filter((name) => name !== 'band') : packed;
    const { required } = universe.group(withoutImplied.length > 0 ? withoutImplied : wanted);
    const dimensions = required.filter((name) => universe.dimension(name)?.isGovernor === true || withoutImplied.includes(name));
    const governors = Object.fromEntries(
      dimensions.filter((name) => universe.dimension(name)?.isGovernor === true).map((name) => [name, governorOf(target, name, given)]),
    );
    const plan = recordedPlan(target.catalogue, dimensions, governors);
    if (plan !== undefined) return plan;
    throw new ButlerfsError('unsupported', {
      what: `a packer for ${dimensions.join(', ')}`,
      where: source,
      why: 'there is none, or no dimension record has its sizes',
      advice: 'data IDs are packed of tract, patch with or without band, and of visit or exposure with detector',
    });
  } finally {
    target.catalogue.close();
  }
}

function governorOf({ catalogue, defaults }: Target, name: string, given: PackableDataId): DataIdValue {
  const value = given[name] ?? defaults.get(name);
  const known = catalogue.dimensionValues(name, 20);
  if (value === undefined) {
    if (known.length === 1) return known[0]!;
    throw new ButlerfsError('usage', { what: `nothing says which ${name} it is`, advice: `give ${name}=, one of ${known.join(', ')}` });
  }
  if (catalogue.record(name, { [name]: value }) !== undefined) return value;
  throw new ButlerfsError('unknown-value', {
    what: `${name} '${value}'`,
    advice: didYouMean(nearestNames(String(value), known.map(String), 1)),
  });
}

/** Throws `usage` for keys that the packer does not pack, with the nearest: what was meant would be left out. */
export function checkKeys(packer: Packer, keys: readonly string[]): void {
  const known = [...packer.keys, ...Object.keys(packer.fixed), 'instrument', 'skymap'];
  if (packer.keys.includes('patch_x')) known.push('patch');
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new ButlerfsError('usage', {
    what: `key '${unknown}'`,
    why: `packer ${packer.name} packs ${packer.keys.join(', ')}`,
    advice: didYouMean(nearestNames(unknown, packer.keys, 1)),
  });
}
