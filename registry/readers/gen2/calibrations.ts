/** Calibrations and when they are valid, by the rules of Gen2. */

import type { Validity } from '../../contract.js';
import { instantOf } from './times.js';

/** One row of a table of calibRegistry.sqlite3. Dates are texts. */
export interface CalibrationRow {
  readonly filter: string | null;
  readonly ccd: number;
  readonly calibDate: string;
  readonly validStart: string;
  readonly validEnd: string;
}

/** What Gen2 found for an exposure: the one row that is valid, or all that are, which is an error there. */
export type CalibrationLookup =
  | { readonly kind: 'found'; readonly row: CalibrationRow }
  | { readonly kind: 'ambiguous'; readonly rows: readonly CalibrationRow[] }
  | { readonly kind: 'none' };

/**
 * The calibration for an exposure taken at `taiObs`. Times are compared as texts, both ends belong to a range, and more than one match is an error; `filter`
 * is given for types that have one each (flat, fringe, sky).
 */
export function lookUpCalibration(
  rows: Iterable<CalibrationRow>,
  { ccd, filter, taiObs }: { readonly ccd: number; readonly filter?: string | undefined; readonly taiObs: string },
): CalibrationLookup {
  const matching: CalibrationRow[] = [];
  for (const row of rows) {
    if (row.ccd === ccd && (filter === undefined || row.filter === filter) && row.validStart <= taiObs && taiObs <= row.validEnd) {
      matching.push(row);
    }
  }
  const [row] = matching;
  if (row === undefined) return { kind: 'none' };
  return matching.length === 1 ? { kind: 'found', row } : { kind: 'ambiguous', rows: matching };
}

/**
 * The same range, half-open: an end that belongs to it becomes the instant after. Registries tell times to the day, so that exposures, too, are at the first
 * instant of theirs. Undefined where a text is no date, or the range ends before it begins.
 */
export function validityOf({ validStart, validEnd }: Pick<CalibrationRow, 'validStart' | 'validEnd'>): Validity | undefined {
  const [begin, end] = [instantOf(validStart), instantOf(validEnd)];
  return begin === undefined || end === undefined || end < begin ? undefined : { begin, end: end + 1n };
}
