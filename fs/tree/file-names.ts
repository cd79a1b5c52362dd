/** Names of dataset files (docs/paths.md, rule 7). */

import { ButlerfsError } from '../../common/errors.js';
import type { DatasetRow, DatasetType, StoredFile, Validity } from '../../registry/contract.js';
import { encodeValue } from '../../registry/values.js';
import type { View } from './view.js';

export interface NamedFile {
  readonly name: string;
  readonly row: DatasetRow;
  readonly file: StoredFile;
  /** In upper case: set where the file is one HDU of `file`, by its name. */
  readonly hdu?: string | undefined;
}

/** A name that is made of a value; undefined where the value is one that no path can hold (empty, too long): such data are left out of listings. */
export function nameOrNone(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof ButlerfsError && error.code === 'invalid-value') return undefined;
    throw error;
  }
}

/**
 * The files of one data ID with their names: `<type>_<value>_<value>.<extension>`, of a dataset stored in parts `<type>.<component>_...`. Where several
 * calibrations are certified for the data ID each name also says when it is valid: `bias_13_from-20150101T000000_until-20160524T000000.fits`.
 * `component` leaves only files of that component ({@link filesOf}).
 */
export function fileNames(view: View, type: DatasetType, component: string | null, rows: readonly DatasetRow[]): NamedFile[] {
  const named: NamedFile[] = [];
  for (const row of rows) {
    const validity = rows.length > 1 && row.validity !== null ? validityText(row.validity) : '';
    for (const one of filesOf(row, component)) {
      const name = nameOrNone(() => `${stem(view, type, row, one)}${validity}${one.file.extension}`);
      if (name !== undefined) named.push({ name, row, ...one });
    }
  }
  return named;
}

/** FITS files of which parts can be had by themselves; not those that are compressed as a whole. */
const FITS = /\.(?:fits?|fts|fz)$/;

/** The files of a dataset; with `component` the one that holds it, else, of a dataset stored whole in a FITS file, the HDU of that name. */
export function filesOf({ files }: DatasetRow, component: string | null): readonly Pick<NamedFile, 'file' | 'hdu'>[] {
  if (component === null) return files.map((file) => ({ file }));
  const stored = files.filter((file) => file.component === component);
  if (stored.length > 0) return stored.map((file) => ({ file }));
  const whole = files.filter((file) => file.component === null && FITS.test(file.extension));
  return whole.map((file) => ({ file, hdu: component.toUpperCase() }));
}

/** The unlisted short names of one data ID's files: `<type>.<extension>`, and the long name without its validity. */
export function shortNames(view: View, type: DatasetType, named: NamedFile): string[] {
  const { extension } = named.file;
  return [`${typeName(type, named)}${extension}`, `${stem(view, type, named.row, named)}${extension}`];
}

function typeName(type: DatasetType, { file, hdu }: Pick<NamedFile, 'file' | 'hdu'>): string {
  const component = hdu === undefined ? file.component : encodeValue(hdu.toLowerCase());
  return component === null ? type.name : `${type.name}.${component}`;
}

function stem(view: View, type: DatasetType, row: DatasetRow, file: Pick<NamedFile, 'file' | 'hdu'>): string {
  const { required } = type.dimensions;
  let text = typeName(type, file);
  for (let i = 0; i < required.length; i++) {
    const value = row.values[i]!;
    if (view.defaults.get(required[i]!) !== value) text += `_${encodeValue(value)}`;
  }
  return text;
}

function validityText({ begin, end }: Validity): string {
  return `${begin === null ? '' : `_from-${instantText(begin)}`}${end === null ? '' : `_until-${instantText(end)}`}`;
}

/** TAI as a calendar date and time, with a fraction only where there is one: `20150101T000000`, `20150101T000000.5`. */
export function instantText(nanoseconds: bigint): string {
  const second = 1_000_000_000n;
  const fraction = ((nanoseconds % second) + second) % second;
  const whole = new Date(Number((nanoseconds - fraction) / 1_000_000n)).toISOString().slice(0, 19).replace(/[-:]/g, '');
  return fraction === 0n ? whole : `${whole}.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}`;
}
