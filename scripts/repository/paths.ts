/** File names as the default file template of lsst-daf-butler gives them. */

import { INSTRUMENT, SKYMAP, detectorName } from './dimensions.js';
import type { Visit } from './dimensions.js';

/** A name made of parts: `/` of a run becomes `_`. */
function joined(...parts: readonly (string | number)[]): string {
  return parts.join('_').replaceAll('/', '_');
}

export function coaddPath(run: string, type: string, tract: number, patch: number, band: string): string {
  return `${run}/${type}/${tract}/${patch}/${band}/${joined(type, tract, patch, band, SKYMAP, run)}.fits`;
}

export function visitDetectorPath(run: string, type: string, visit: Visit, detector: number): string {
  const directory = `${run}/${type}/${visit.dayObs}/${visit.band}/${visit.filter}/${visit.id}`;
  return `${directory}/${joined(type, INSTRUMENT, visit.band, visit.filter, visit.id, detectorName(detector), run)}.fits`;
}

export function visitPath(run: string, type: string, visit: Visit): string {
  const directory = `${run}/${type}/${visit.dayObs}/${visit.band}/${visit.filter}/${visit.id}`;
  return `${directory}/${joined(type, INSTRUMENT, visit.band, visit.filter, visit.id, run)}.fits`;
}
