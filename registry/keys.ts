/** Keys of paths and expressions: what they and their aliases stand for, and the values written for them (docs/paths.md, rules 2 and 5). */

import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { aliasNames, appliesTo, filterAlias, type KeyAlias, type KeyAliases, meaningsOf } from './aliases.js';
import type { Catalogue, Constraint, DataIdValue, DatasetType, Dimension, DimensionName, SearchPath } from './contract.js';
import { bandsOfFilter, filterDimension, mostInstruments, parseValue, uniqueValue } from './key-values.js';
import { decodeValue } from './values.js';

/** What keys of a path are counted among: a dataset type, or something else that they identify. */
export interface KeyOwner extends Pick<DatasetType, 'name' | 'dimensions'> {
  /** For messages; default: `dataset type`. */
  readonly kind?: string;
}

export interface KeyOptions {
  /** Of the user: before those of the repository. */
  readonly aliases?: KeyAliases | undefined;
  /** Says which instruments' filters are meant where a data ID has no instrument; default: all. */
  readonly searchPath?: SearchPath | undefined;
}

/** A key with its value. */
export interface ParsedKey {
  readonly dimension: DimensionName;
  readonly value: DataIdValue;
}

/**
 * The dimension that a key names, by its own name or by an alias that means the same dimension for every instrument, or for the one given; `filter` is a
 * physical filter. Throws `unknown-dimension` with the nearest names.
 */
export function resolveKey(catalogue: Catalogue, key: string, aliases: KeyAliases = {}, instrument?: DataIdValue): DimensionName {
  const { universe } = catalogue;
  if (universe.dimension(key) !== undefined) return key;
  const meanings = meaningsOf(catalogue, key, aliases).filter((meaning) => instrument === undefined || appliesTo(meaning, instrument));
  const named = new Set(meanings.map(({ means }) => (means === filterAlias ? 'physical_filter' : means)));
  const [name, another] = [...named].filter((one) => universe.dimension(one) !== undefined);
  if (name !== undefined && another === undefined) return name;
  if (another !== undefined) {
    throw new ButlerfsError('unknown-dimension', {
      what: `key '${key}'`,
      why: `it means ${[...named].join(' or ')}`,
      advice: 'write the one that is meant',
    });
  }
  const names = [...universe.names, ...aliasNames(catalogue, aliases)];
  throw unknownKey(key, `universe ${universe.namespace} ${universe.version}`, universe.names, didYouMean(nearestNames(key, names)));
}

/** What a key that the owner has not by its own name means for it; undefined for no alias that applies. The first that the owner has a key for counts. */
export function aliasOf(
  catalogue: Catalogue,
  known: readonly DimensionName[],
  key: string,
  instrument: DataIdValue | undefined,
  aliases?: KeyAliases,
): KeyAlias | undefined {
  const applying = meaningsOf(catalogue, key, aliases).filter((meaning) => appliesTo(meaning, instrument));
  return applying.find(({ means }) => isKnown(known, means)) ?? applying[0];
}

function isKnown(known: readonly DimensionName[], means: string): boolean {
  return known.includes(means) || (means === filterAlias && (known.includes('band') || known.includes('physical_filter')));
}

/**
 * Reads one `key=text` of a path under a dataset type: `text` is still percent-encoded. `constraint` is what the path said before, with what need not be said; it
 * tells the instrument whose aliases and names count, and the sky map that a `patch=x,y` counts in.
 *
 * Throws `unknown-dimension` for a key that the type neither requires nor implies (the message lists its keys), `invalid-value` for a text that is no value
 * of the dimension (integers are plain decimal, without leading zeros, so that every value has one name), and `ambiguous` for a name that means several values.
 * The value need not exist.
 */
export function parseKeyValue(
  catalogue: Catalogue,
  type: KeyOwner,
  key: string,
  text: string,
  constraint: Constraint,
  { aliases, searchPath }: KeyOptions = {},
): ParsedKey {
  const value = decodeValue(text);
  const known = keysOf(type);
  const instrument = constraint.get('instrument');
  const alias = known.includes(key) ? undefined : aliasOf(catalogue, known, key, instrument, aliases);
  const name = alias?.means ?? key;
  if (name === filterAlias && isKnown(known, name)) return parseFilter(catalogue, type, key, value, constraint, searchPath);
  const dimension = known.includes(name) ? catalogue.universe.dimension(name) : undefined;
  if (dimension === undefined) throw unknownKeyOf(catalogue, type, key, value, constraint, aliases);
  const meant = aliasValue(catalogue, dimension, alias, key, value, constraint);
  return gen2Key(catalogue, type, name, String(meant), constraint) ?? { dimension: name, value: meant };
}

function aliasValue(
  catalogue: Catalogue,
  dimension: Dimension,
  alias: KeyAlias | undefined,
  key: string,
  text: string,
  constraint: Constraint,
): DataIdValue {
  const { values, field } = alias ?? {};
  if (values !== undefined && Object.hasOwn(values, text)) return parseValue(catalogue, dimension, String(values[text]), constraint);
  if (field === undefined) return parseValue(catalogue, dimension, text, constraint);
  const value = uniqueValue(catalogue, dimension, field, text, constraint);
  if (value !== undefined) return value;
  throw new ButlerfsError('unknown-value', { what: `${key}=${text}`, why: `no ${dimension.name} has it as its ${field}` });
}

/** A physical filter or a band, whichever the type has and the value is; where it has only a band, that of the physical filter of this name. */
function parseFilter(
  catalogue: Catalogue,
  type: KeyOwner,
  key: string,
  value: string,
  constraint: Constraint,
  searchPath: SearchPath | undefined,
): ParsedKey {
  const known = keysOf(type);
  const instrument = constraint.get('instrument');
  const dimension = filterDimension(catalogue, known, value, instrument);
  const equal = gen2Key(catalogue, type, dimension, value, constraint);
  if (equal !== undefined) return equal;
  if (dimension === 'physical_filter' || known.includes('physical_filter')) return { dimension, value };
  const searched = searchPath === undefined ? [] : catalogue.governorValues(searchPath, 'instrument', mostInstruments);
  const [band = value, ...others] = bandsOfFilter(catalogue, value, typeof instrument === 'string' ? [instrument] : searched);
  if (others.length === 0) return { dimension, value: band };
  throw new ButlerfsError('ambiguous', {
    what: `${key}=${value}`,
    why: `the filter has another band in another instrument: ${[band, ...others].join(', ')}`,
    advice: `write band=${band}`,
  });
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
): ParsedKey | undefined {
  const wanted = catalogue.info.format === 'gen2' ? gen2Keys.get(name) : undefined;
  // Where both are given they must agree.
  if (wanted === undefined || constraint.has(wanted)) return undefined;
  if (!dimensions.required.includes(wanted) || !dimensions.implied.includes(name)) return undefined;
  const isNumber = catalogue.universe.dimension(name)?.type === 'int';
  if (isNumber && !/^(?:0|[1-9]\d{0,14})$/.test(value)) return undefined;
  const given = isNumber ? Number(value) : value;
  const found = catalogue.dimensionValues(wanted, 2, new Map([[name, given]]));
  // An exposure of which nothing is known yet has the number of its visit.
  if (found.length === 0 && isNumber) return { dimension: wanted, value: given };
  return found.length === 1 ? { dimension: wanted, value: found[0]! } : undefined;
}

const gen2Keys: ReadonlyMap<DimensionName, DimensionName> = new Map([
  ['physical_filter', 'band'],
  ['visit', 'exposure'],
]);

function keysOf({ dimensions }: KeyOwner): readonly DimensionName[] {
  return [...dimensions.required, ...dimensions.implied];
}

/** The error for a key that the owner has not: says what an alias of this name means elsewhere, or the nearest key or alias. */
function unknownKeyOf(
  catalogue: Catalogue,
  type: KeyOwner,
  key: string,
  value: string,
  constraint: Constraint,
  aliases: KeyAliases | undefined,
): ButlerfsError {
  const known = keysOf(type);
  const subject = `${type.kind ?? 'dataset type'} '${type.name}'`;
  const given = constraint.get('instrument');
  const elsewhere = meaningsOf(catalogue, key, aliases).find((meaning) => isKnown(known, meaning.means) && !appliesTo(meaning, given));
  if (elsewhere !== undefined) {
    const { means, instrument } = elsewhere;
    const advice = given === undefined ? `put instrument=${instrument} before it` : `write ${means}=...`;
    const why = `it means ${means} for instrument ${instrument} only`;
    return new ButlerfsError('unknown-dimension', { what: `key '${key}'`, where: subject, why, advice });
  }
  const advice = key === 'physical_filter' ? bandAdvice(catalogue, value, known) : undefined;
  const useful = [...aliasNames(catalogue, aliases)].filter((name) => {
    const alias = aliasOf(catalogue, known, name, given, aliases);
    return alias !== undefined && isKnown(known, alias.means);
  });
  return unknownKey(key, subject, known, advice ?? didYouMean(nearestNames(key, [...known, ...useful])));
}

function unknownKey(key: string, where: string, known: readonly string[], advice?: string): ButlerfsError {
  const why = known.length === 0 ? 'it has no keys' : `the keys are ${known.join(', ')}`;
  return new ButlerfsError('unknown-dimension', { what: `key '${key}'`, where, why, advice });
}

/** Coadds have a band where a visit has a physical filter: says which. */
function bandAdvice(catalogue: Catalogue, value: string, known: readonly string[]): string | undefined {
  const bands = known.includes('band') ? bandsOfFilter(catalogue, value) : [];
  return bands.length === 0 ? undefined : didYouMean(bands.map((band) => `band=${band}`));
}
