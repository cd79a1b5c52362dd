/** What is written for values of keys, where it is not the value itself (docs/paths.md, rules 5 and 6). */

import { ButlerfsError } from '../common/errors.js';
import type { Catalogue, Constraint, DataIdValue, Dimension, DimensionName } from './contract.js';

/** How many filters an instrument may have before a name is no longer looked up among them. */
const mostFilters = 10_000;
/** How many instruments are looked through where the data ID does not say which. */
export const mostInstruments = 100;
/** How many values an error names. */
const sample = 5;

/** Fields of records whose texts stand for a number, where they name one record of the instrument: detector `0_01` or `S29`. */
const namingFields: Readonly<Record<DimensionName, readonly string[]>> = { detector: ['full_name', 'name_in_raft'] };

/**
 * Reads the text of a value. Throws `invalid-value` for one that is none of the dimension's, `ambiguous` for a name that several records have. An integer is
 * plain decimal, without leading zeros; else it is a name by {@link namedValues}, of a patch also Gen2's x,y.
 */
export function parseValue(catalogue: Catalogue, dimension: Dimension, text: string, constraint: Constraint): DataIdValue {
  if (dimension.type === 'string') return text;
  if (dimension.name === 'patch' && text.includes(',')) return sequentialPatch(catalogue, text, constraint);
  for (const field of isNumeric(text) ? [] : (namingFields[dimension.name] ?? [])) {
    const named = uniqueValue(catalogue, dimension, field, text, constraint);
    if (named !== undefined) return named;
  }
  return parseInteger(dimension, text);
}

/** Whether other texts than integers may stand for a value of the dimension. */
export function mayHaveNames({ name, type }: Dimension): boolean {
  return type === 'int' && (name === 'patch' || Object.hasOwn(namingFields, name));
}

/** A value for an instrument; of a dimension that knows none without it. */
export interface NamedValue {
  readonly instrument: DataIdValue | undefined;
  readonly value: DataIdValue;
}

/** Values of the dimension whose records have the text in a field that names them, under the constraint; of the first such field. */
export function namedValues(catalogue: Catalogue, dimension: Dimension, text: string, constraint: Constraint): readonly NamedValue[] {
  if (isNumeric(text)) return [];
  for (const field of namingFields[dimension.name] ?? []) {
    const found = valuesOfField(catalogue, dimension, field, text, constraint);
    if (found.length > 0) return found;
  }
  return [];
}

/**
 * The value of the one record that has the text in a field, under the constraint; undefined where none has it, or no record has such a field. Throws
 * `ambiguous` where several have it, in one instrument or in several of which the constraint names none.
 */
export function uniqueValue(
  catalogue: Catalogue,
  dimension: Dimension,
  field: string,
  text: string,
  constraint: Constraint,
): DataIdValue | undefined {
  const found = valuesOfField(catalogue, dimension, field, text, constraint);
  if (found.length <= 1) {
    const isOfOther =
      found[0]?.instrument !== undefined && !constraint.has('instrument') && instrumentsOf(catalogue, constraint).length > 1;
    if (!isOfOther) return found[0]?.value;
  }
  const instruments = new Set(found.map(({ instrument }) => instrument));
  const shown = found.slice(0, sample).map(({ value }) => `${dimension.name}=${value}`);
  const advice = constraint.has('instrument')
    ? `give one of ${shown.join(', ')}${found.length > sample ? ', ...' : ''}`
    : `put instrument=${[...instruments][0]} before it`;
  throw new ButlerfsError('ambiguous', {
    what: `'${text}' as ${field} of ${dimension.name}`,
    why: instruments.size === 1 && found.length > 1 ? `${found.length} records have it` : 'names count within an instrument',
    advice,
  });
}

function valuesOfField(
  catalogue: Catalogue,
  { name, required }: Dimension,
  field: string,
  text: string,
  constraint: Constraint,
): readonly NamedValue[] {
  const given = new Map([...constraint].filter(([key]) => required.includes(key) && key !== name));
  const known = required.includes('instrument') ? instrumentsOf(catalogue, constraint) : [undefined];
  // Fields have the type that the repository gave them.
  const texts = isNumeric(text) && Number.isSafeInteger(Number(text)) ? [text, Number(text)] : [text];
  return known.flatMap((instrument) => {
    const within = instrument === undefined ? given : new Map(given).set('instrument', instrument);
    return texts.flatMap((wanted) => {
      const values = catalogue.dimensionValues(name, mostFilters, new Map(within).set(field, wanted));
      // Where records have no such field all of them come.
      const [first] = values;
      const isField = first !== undefined && catalogue.record(name, { ...Object.fromEntries(within), [name]: first })?.[field] === wanted;
      return isField ? values.map((value) => ({ instrument, value })) : [];
    });
  });
}

function instrumentsOf(catalogue: Catalogue, constraint: Constraint): readonly DataIdValue[] {
  const given = constraint.get('instrument');
  return given === undefined ? catalogue.dimensionValues('instrument', mostInstruments) : [given];
}

function isNumeric(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}

/**
 * What `filter` means for a value where the keys are `known`: a physical filter where that is one of them and the value is one, of the instrument where it is
 * given; else a band where that is one of them and the value is one; else a physical filter where that is one of them.
 */
export function filterDimension(
  catalogue: Catalogue,
  known: readonly DimensionName[],
  value: string,
  instrument?: DataIdValue,
): 'physical_filter' | 'band' {
  const within: Constraint = instrument === undefined ? new Map() : new Map([['instrument', instrument]]);
  const isOne = (dimension: string): boolean =>
    known.includes(dimension) && catalogue.dimensionValues(dimension, mostFilters, within).includes(value);
  if (isOne('physical_filter')) return 'physical_filter';
  return isOne('band') || !known.includes('physical_filter') ? 'band' : 'physical_filter';
}

/**
 * The bands that a filter means where there are only bands: itself where it is one, else those of the physical filters of this name, of the given instruments
 * where there are any. Sorted, each once.
 */
export function bandsOfFilter(catalogue: Catalogue, filter: string, among: readonly string[] = []): readonly string[] {
  if (catalogue.dimensionValues('band', mostFilters).includes(filter)) return [filter];
  const instruments = among.length > 0 ? among : catalogue.dimensionValues('instrument', mostInstruments);
  const bands = instruments.flatMap((instrument) => {
    const band = catalogue.record('physical_filter', { instrument, physical_filter: filter })?.['band'];
    return typeof band === 'string' ? [band] : [];
  });
  return [...new Set(bands)].sort();
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
