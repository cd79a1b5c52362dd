/** Keys of paths and expressions: their aliases, and the values written for them (docs/paths.md, rules 2 and 5). */

import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { Catalogue, Constraint, DataIdValue, DatasetType, Dimension, DimensionName, DimensionUniverse } from './contract.js';
import { decodeValue } from './values.js';

/** Further names for dimensions, by alias. */
export type KeyAliases = Readonly<Record<string, DimensionName>>;

/** The names of Gen2 and of other tools; `filter` stands for one of two dimensions, see {@link filterDimension}. */
export const commonAliases: KeyAliases = { ccd: 'detector', ccdnum: 'detector', sensor: 'detector' };

const filterAlias = 'filter';

/** What keys of a path are counted among: a dataset type, or something else that they identify. */
export interface KeyOwner extends Pick<DatasetType, 'name' | 'dimensions'> {
  /** For messages; default: `dataset type`. */
  readonly kind?: string;
}

/** How many filters an instrument may have before a name is no longer looked up among them. */
const mostFilters = 10_000;

/** What an alias stands for; other names as they are. Those of the repository or a configuration file come before the common ones. */
export function resolveAlias(key: string, aliases: KeyAliases = {}): string {
  if (Object.hasOwn(aliases, key)) return aliases[key]!;
  return Object.hasOwn(commonAliases, key) ? commonAliases[key]! : key;
}

/** The dimension that a key names, by its own name or an alias. Throws `unknown-dimension` with the nearest names. */
export function resolveKey(universe: DimensionUniverse, key: string, aliases: KeyAliases = {}): DimensionName {
  const name = resolveAlias(key, aliases);
  if (universe.dimension(name) !== undefined) return name;
  if (name === filterAlias && universe.dimension('physical_filter') !== undefined) return 'physical_filter';
  throw unknownKey(key, `universe ${universe.namespace} ${universe.version}`, [
    ...universe.names,
    ...Object.keys(aliases),
    ...Object.keys(commonAliases),
  ]);
}

/**
 * What `filter` means for a value where the keys are `known`: a band where that is one of them and the value is one, and is no physical filter where that is
 * one of them too; else a physical filter.
 */
export function filterDimension(catalogue: Catalogue, known: readonly DimensionName[], value: string): DimensionName {
  const isOne = (dimension: string): boolean =>
    known.includes(dimension) && catalogue.dimensionValues(dimension, mostFilters).includes(value);
  if (isOne('physical_filter')) return 'physical_filter';
  return isOne('band') || !known.includes('physical_filter') ? 'band' : 'physical_filter';
}

/**
 * Reads one `key=text` of a path under a dataset type: `text` is still percent-encoded. `constraint` is what the path said before; it tells the sky map that a
 * `patch=x,y` counts in.
 *
 * Throws `unknown-dimension` for a key that the type neither requires nor implies (the message lists its keys), and `invalid-value` for a text that is no value
 * of the dimension: integers are plain decimal, without leading zeros, so that every value has one name. The value need not exist.
 */
export function parseKeyValue(
  catalogue: Catalogue,
  type: KeyOwner,
  key: string,
  text: string,
  constraint: Constraint,
  aliases: KeyAliases = {},
): { readonly dimension: DimensionName; readonly value: DataIdValue } {
  const value = decodeValue(text);
  const known = keysOf(type);
  const subject = `${type.kind ?? 'dataset type'} '${type.name}'`;
  const alias = resolveAlias(key, aliases);
  const name = alias === filterAlias ? filterDimension(catalogue, known, value) : alias;
  const dimension = known.includes(name) ? catalogue.universe.dimension(name) : undefined;
  if (dimension === undefined) throw unknownKey(key, subject, known, filterAdvice(catalogue, alias, value, known));
  if (alias === filterAlias && name === 'band') {
    const advice = filterAdvice(catalogue, alias, value, known);
    const why = `${subject} has bands, not physical filters`;
    if (advice !== undefined && !known.includes('physical_filter'))
      throw new ButlerfsError('unknown-value', { what: `${key}=${text}`, why, advice });
  }
  const equal = gen2Key(catalogue, type, name, value, constraint);
  if (equal !== undefined) return equal;
  if (dimension.type === 'string') return { dimension: name, value };
  if (name === 'patch' && value.includes(',')) return { dimension: name, value: sequentialPatch(catalogue, value, constraint) };
  return { dimension: name, value: parseInteger(dimension, value) };
}

/**
 * In Gen2 a coadd has a filter where it has a band here, and a raw file a visit where it has an exposure: one value of the key that the type requires
 * stands for one of the other, which finds the same file. Undefined for all other keys, and where no record says so.
 */
function gen2Key(
  catalogue: Catalogue,
  { dimensions }: KeyOwner,
  name: DimensionName,
  value: string,
  constraint: Constraint,
): { readonly dimension: DimensionName; readonly value: DataIdValue } | undefined {
  const wanted = catalogue.info.format === 'gen2' ? gen2Keys.get(name) : undefined;
  // Where both are given they must agree.
  if (wanted === undefined || constraint.has(wanted)) return undefined;
  if (!dimensions.required.includes(wanted) || !dimensions.implied.includes(name)) return undefined;
  const isNumber = catalogue.universe.dimension(name)?.type === 'int';
  if (isNumber && !/^(?:0|[1-9]\d{0,14})$/.test(value)) return undefined;
  const given = isNumber ? Number(value) : value;
  const found = catalogue.dimensionValues(wanted, 2, new Map([[name, given]]));
  return found.length === 1 ? { dimension: wanted, value: found[0]! } : undefined;
}

const gen2Keys: ReadonlyMap<DimensionName, DimensionName> = new Map([
  ['physical_filter', 'band'],
  ['visit', 'exposure'],
]);

function keysOf({ dimensions }: KeyOwner): readonly DimensionName[] {
  return [...dimensions.required, ...dimensions.implied];
}

function unknownKey(key: string, where: string, known: readonly string[], advice?: string): ButlerfsError {
  const names = known.length === 0 ? 'it has no keys' : `the keys are ${known.join(', ')}`;
  return new ButlerfsError('unknown-dimension', {
    what: `key '${key}'`,
    where,
    why: names,
    advice: advice ?? didYouMean(nearestNames(key, known)),
  });
}

/** Coadds have a band where Gen2 had a filter: says which. */
function filterAdvice(catalogue: Catalogue, alias: string, value: string, known: readonly string[]): string | undefined {
  if ((alias !== filterAlias && alias !== 'physical_filter') || !known.includes('band')) return undefined;
  for (const instrument of catalogue.dimensionValues('instrument', 100)) {
    const band = catalogue.record('physical_filter', { instrument, physical_filter: value })?.['band'];
    if (band !== undefined && band !== null) return `did you mean 'band=${band}'?`;
  }
  return undefined;
}

function parseInteger({ name }: Dimension, text: string): number {
  const value = /^(?:0|-?[1-9]\d*)$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  const plain = /^[+-]?0*\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
  throw new ButlerfsError('invalid-value', {
    what: `value '${text}' of ${name}`,
    why: 'it is not an integer in plain decimal digits',
    advice: plain === undefined ? `write ${name}=1` : `write ${name}=${plain === 0 ? 0 : plain}`,
  });
}

/** Gen2 wrote patches as x,y; in Gen3 they count along x first. */
function sequentialPatch(catalogue: Catalogue, text: string, constraint: Constraint): number {
  const invalid = (why: string, advice: string): ButlerfsError =>
    new ButlerfsError('invalid-value', { what: `value '${text}' of patch`, why, advice });
  const match = /^(0|[1-9]\d{0,8}),(0|[1-9]\d{0,8})$/.exec(text);
  if (match === null) throw invalid('it is neither an integer nor two of them', 'write patch=42 or patch=4,5');
  const [x, y] = [Number(match[1]), Number(match[2])];
  const maps = constraint.has('skymap') ? [constraint.get('skymap')!] : catalogue.dimensionValues('skymap', 2);
  if (maps.length !== 1) throw invalid('it does not say in which sky map', 'put skymap=... before it, or give the sequential number');
  const record = catalogue.record('skymap', { skymap: maps[0]! });
  const [columns, rows] = [Number(record?.['patch_nx_max']), Number(record?.['patch_ny_max'])];
  if (!(columns > 0 && rows > 0))
    throw invalid(`sky map '${maps[0]}' does not say how many patches a tract has`, 'give the sequential number');
  if (x < columns && y < rows) return y * columns + x;
  throw invalid(
    `the tracts of sky map '${maps[0]}' have ${columns} by ${rows} patches`,
    `x goes from 0 to ${columns - 1} and y from 0 to ${rows - 1}`,
  );
}
