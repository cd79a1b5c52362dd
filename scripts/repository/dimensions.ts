/** Dimension records of a made-up survey: an instrument with its filters and detectors, visits over several nights, a sky map of 9 x 9 patches a tract. */

import type { RegistryWriter } from './registry.js';

export const INSTRUMENT = 'DemoCam';
export const SKYMAP = 'demo_rings';
/** Patches along one side of a tract. */
const SIDE = 9;
const DAY = 86_400_000_000_000n;
/** 2026-01-01 12:00 TAI, in nanoseconds since 1970. */
const FIRST_NOON = 1_767_268_800_000_000_000n;
const FIRST_VISIT = 1228;
const VISITS_A_NIGHT = 40;

export interface Visit {
  readonly id: number;
  readonly dayObs: number;
  readonly band: string;
  readonly filter: string;
}

export function filterOf(band: string): string {
  return `Demo-${band}`;
}

export function detectorName(detector: number): string {
  return `S${String(detector).padStart(3, '0')}`;
}

/** The `count` patches nearest to the middle of a tract, ascending. `count` is at most 81. */
export function centralPatches(count: number): number[] {
  const middle = (SIDE - 1) / 2;
  const distance = (patch: number): number => Math.hypot((patch % SIDE) - middle, Math.floor(patch / SIDE) - middle);
  return [...Array(SIDE * SIDE).keys()]
    .sort((a, b) => distance(a) - distance(b) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** Visits with even numbers from 1228, their bands in turn, 40 a night. */
export function planVisits(count: number, bands: readonly string[]): Visit[] {
  return Array.from({ length: count }, (_, index) => {
    const band = bands[index % bands.length]!;
    const night = new Date(Number((FIRST_NOON + BigInt(Math.floor(index / VISITS_A_NIGHT)) * DAY) / 1_000_000n));
    const dayObs = Number(night.toISOString().slice(0, 10).replaceAll('-', ''));
    return { id: FIRST_VISIT + 2 * index, dayObs, band, filter: filterOf(band) };
  });
}

export function writeInstrument(registry: RegistryWriter, bands: readonly string[], detectors: readonly number[]): void {
  registry.record('instrument', {
    name: INSTRUMENT,
    visit_max: 2 ** 31,
    visit_system: 0,
    exposure_max: 2 ** 31,
    detector_max: 1000,
    class_name: 'butlerfs.demo.DemoCam',
  });
  registry.record('visit_system', { instrument: INSTRUMENT, id: 0, name: 'one-to-one' });
  for (const band of bands) registry.record('physical_filter', { instrument: INSTRUMENT, name: filterOf(band), band });
  for (const detector of detectors) {
    const full = detectorName(detector);
    registry.record('detector', {
      instrument: INSTRUMENT,
      id: detector,
      full_name: full,
      name_in_raft: full.slice(1),
      raft: 'S',
      purpose: 'SCIENCE',
    });
  }
}

export function writeSkyMap(registry: RegistryWriter, tracts: readonly number[]): void {
  registry.record('skymap', { name: SKYMAP, hash: null, tract_max: 20_000, patch_nx_max: SIDE, patch_ny_max: SIDE });
  for (const tract of tracts) {
    registry.record('tract', { skymap: SKYMAP, id: tract });
    for (let patch = 0; patch < SIDE * SIDE; patch++) {
      registry.record('patch', { skymap: SKYMAP, tract, id: patch, cell_x: patch % SIDE, cell_y: Math.floor(patch / SIDE) });
    }
  }
}

/** Regions stay NULL: which visits overlap which patches is not told. */
export function writeVisits(registry: RegistryWriter, visits: readonly Visit[]): void {
  const nights = new Set<number>();
  visits.forEach((visit, index) => {
    const night = Math.floor(index / VISITS_A_NIGHT);
    const noon = FIRST_NOON + BigInt(night) * DAY;
    if (!nights.has(visit.dayObs)) {
      nights.add(visit.dayObs);
      registry.record('day_obs', { instrument: INSTRUMENT, id: visit.dayObs, timespan_begin: noon, timespan_end: noon + DAY });
    }
    const begin = noon + DAY / 4n + BigInt(index % VISITS_A_NIGHT) * 300_000_000_000n;
    const name = `demo${String(visit.id).padStart(8, '0')}`;
    const shared = {
      instrument: INSTRUMENT,
      id: visit.id,
      day_obs: visit.dayObs,
      physical_filter: visit.filter,
      seq_num: visit.id,
      exposure_time: 240,
      target_name: 'demo field',
      observation_reason: 'science',
      science_program: 'demo',
      azimuth: 180,
      zenith_angle: 25,
      timespan_begin: begin,
      timespan_end: begin + 240_000_000_000n,
    };
    registry.record('group', { instrument: INSTRUMENT, name: String(visit.id) });
    registry.record('exposure', {
      ...shared,
      group: String(visit.id),
      obs_id: name,
      dark_time: 240,
      observation_type: 'science',
      seq_start: visit.id,
      seq_end: visit.id,
      has_simulated: 1,
      can_see_sky: 1,
    });
    registry.record('visit', { ...shared, name });
    registry.record('visit_definition', { instrument: INSTRUMENT, exposure: visit.id, visit: visit.id });
    registry.record('visit_system_membership', { instrument: INSTRUMENT, visit: visit.id, visit_system: 0 });
  });
}
