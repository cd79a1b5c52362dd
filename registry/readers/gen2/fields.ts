/** Keys of Gen2 data IDs: how each is written in a path, and which dimension it gives. */

import type { DataIdValue, DimensionName } from '../../contract.js';
import type { Camera, FieldName, FieldValues } from './contract.js';

interface Shape {
  readonly type: 'int' | 'string';
  /** Of its text in a path, where the template does not pad it: it begins and ends within one component. */
  readonly pattern: string;
}

const date = '\\d{4}-\\d\\d-\\d\\d';

/** Integers have at most 15 digits, so that they are exact. */
const shapes: Readonly<Record<FieldName, Shape>> = {
  field: { type: 'string', pattern: '[^/]+?' },
  dateObs: { type: 'string', pattern: date },
  pointing: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
  filter: { type: 'string', pattern: '[A-Za-z0-9][A-Za-z0-9_.+-]*?' },
  visit: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
  ccd: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
  tract: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
  patch: { type: 'string', pattern: '(?:0|[1-9]\\d{0,8}),(?:0|[1-9]\\d{0,8})' },
  calibDate: { type: 'string', pattern: `${date}(?:T\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?)?` },
  subfilter: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
  name: { type: 'string', pattern: '[^/]+?' },
  pixel_id: { type: 'int', pattern: '0|[1-9]\\d{0,14}' },
};

export const fieldNames = Object.keys(shapes) as readonly FieldName[];

export function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(shapes, name);
}

export function fieldShape(name: FieldName): Shape {
  return shapes[name];
}

/** The field that a dimension's value comes from; undefined for one that no field gives. */
export function fieldOf(dimension: DimensionName): FieldName | undefined {
  return fieldOfDimension.get(dimension);
}

const fieldOfDimension: ReadonlyMap<DimensionName, FieldName> = new Map([
  ['exposure', 'visit'],
  ['visit', 'visit'],
  ['detector', 'ccd'],
  ['tract', 'tract'],
  ['patch', 'patch'],
  ['physical_filter', 'filter'],
  ['band', 'filter'],
  ['subfilter', 'subfilter'],
  ['catalogue', 'name'],
  ['htm7', 'pixel_id'],
]);

export const dimensionsOfFields: readonly DimensionName[] = [...fieldOfDimension.keys()];

/** Trixels of HTM level 7. */
const [firstTrixel, endOfTrixels] = [131_072, 262_144];

/** The sequential number of a patch `x,y`; undefined where the sky map has no such patch. */
export function sequentialPatch({ columns, rows }: Camera['skymap'], patch: DataIdValue): number | undefined {
  const text = String(patch);
  const comma = text.indexOf(',');
  const [x, y] = [Number(text.slice(0, comma)), Number(text.slice(comma + 1))];
  return x < columns && y < rows ? y * columns + x : undefined;
}

/** `x,y` of a sequential number. */
export function patchText({ columns }: Camera['skymap'], patch: number): string {
  return `${patch % columns},${Math.floor(patch / columns)}`;
}

/**
 * The value that a data ID has for a dimension, from the fields of a path; undefined where they give none. `bandOf` names the band of the coadds of a
 * physical filter.
 */
export function dimensionValue(
  dimension: DimensionName,
  fields: FieldValues,
  camera: Camera,
  bandOf: (filter: string) => string,
): DataIdValue | undefined {
  if (dimension === 'instrument') return camera.instrument;
  if (dimension === 'skymap') return camera.skymap.name;
  const field = fieldOf(dimension);
  const value = field === undefined ? undefined : fields[field];
  if (value === undefined) return undefined;
  if (dimension === 'patch') return sequentialPatch(camera.skymap, value);
  if (dimension === 'band') return bandOf(String(value));
  if (dimension === 'htm7') return Number(value) >= firstTrixel && Number(value) < endOfTrixels ? value : undefined;
  return value;
}
