/** A Gen3 repository with two instruments that share numbers of visits and detectors, and with coadds of several flavors; its files are small texts. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RegistryWriter, butlerYaml } from '../../scripts/repository/registry.js';
import type { DataId, DatasetTypeHandle } from '../../scripts/repository/registry.js';

export const BOTH_RUN = 'survey/run';
/** Has data of HSC only. */
export const HSC_RUN = 'HSC/run';
/** CHAINED: the two. */
export const ALL = 'survey/all';

interface Detector {
  readonly id: number;
  readonly full: string;
  readonly raft: string;
}

const detectors: Readonly<Record<string, readonly Detector[]>> = {
  HSC: [
    { id: 1, full: '1_53', raft: '53' },
    { id: 2, full: '1_54', raft: '54' },
  ],
  // S2 and N2 are both the second of their raft.
  DECam: [
    { id: 1, full: 'S29', raft: 'S' },
    { id: 2, full: 'S30', raft: 'S' },
    { id: 31, full: 'N4', raft: 'N' },
  ],
};

const filters: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // `wide` has another band in each.
  HSC: { 'HSC-R': 'r', 'HSC-I': 'i', wide: 'r' },
  // DECam calls its filter as the band is called.
  DECam: { r: 'r', 'i DECam': 'i', wide: 'i' },
};

const visits: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  HSC: { 1228: 'HSC-I', 1230: 'HSC-R' },
  DECam: { 1228: 'r', 4000: 'i DECam' },
};

const coadds: Readonly<Record<string, readonly string[]>> = {
  deepCoadd_calexp: ['i', 'r'],
  goodSeeingCoadd_calexp: ['i'],
  deepCoadd: ['i'],
  template_coadd: ['r'],
  // One flavor, in both ways of writing.
  nightlyCoadd: ['i'],
  nightly_coadd: ['r'],
  deep_coadd_predetection: ['i'],
  bestOfAll: ['i'],
  assembleCoadd_metadata: ['i'],
};

/** The text that a dataset's file holds. */
export function contentOf(type: string, dataId: DataId): string {
  return `${type} ${JSON.stringify(dataId)}\n`;
}

export function writeTwoInstruments(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const registry = new RegistryWriter(join(directory, 'gen3.sqlite3'));
  try {
    registry.transaction(() => {
      for (const run of [BOTH_RUN, HSC_RUN]) registry.run(run);
      registry.chain(ALL, [BOTH_RUN, HSC_RUN]);
      for (const instrument of Object.keys(detectors)) writeInstrument(registry, instrument);
      registry.record('skymap', { name: 'rings', hash: null, tract_max: 10_000, patch_nx_max: 9, patch_ny_max: 9 });
      registry.record('tract', { skymap: 'rings', id: 8766 });
      registry.record('patch', { skymap: 'rings', tract: 8766, id: 49, cell_x: 4, cell_y: 5 });
      writeDatasets(registry, directory);
    });
  } finally {
    registry.close();
  }
  writeFileSync(join(directory, 'butler.yaml'), butlerYaml());
}

function writeInstrument(registry: RegistryWriter, instrument: string): void {
  registry.record('instrument', {
    name: instrument,
    visit_max: 2 ** 31,
    visit_system: 0,
    exposure_max: 2 ** 31,
    detector_max: 200,
    class_name: '',
  });
  for (const [name, band] of Object.entries(filters[instrument]!)) registry.record('physical_filter', { instrument, name, band });
  for (const { id, full, raft } of detectors[instrument]!)
    registry.record('detector', { instrument, id, full_name: full, name_in_raft: full.slice(1), raft, purpose: 'SCIENCE' });
  registry.record('day_obs', { instrument, id: 20_260_101, timespan_begin: 0n, timespan_end: 86_400_000_000_000n });
  for (const [id, filter] of Object.entries(visits[instrument]!)) {
    registry.record('visit', { instrument, id: Number(id), day_obs: 20_260_101, physical_filter: filter, name: `${instrument}${id}` });
  }
}

function writeDatasets(registry: RegistryWriter, directory: string): void {
  const calexp = registry.datasetType('calexp', 'ExposureF', ['instrument', 'detector', 'visit']);
  const flat = registry.datasetType('flat', 'ExposureF', ['instrument', 'detector', 'physical_filter']);
  const put = (type: DatasetTypeHandle, dataId: DataId, run: string): void => {
    const content = Buffer.from(contentOf(type.name, dataId));
    const path = [run, type.name, ...Object.values(dataId), 'file.txt'].join('/').replaceAll(' ', '_');
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
    registry.dataset({ type, dataId, run, path, size: content.length, checksum: createHash('blake2b512').update(content).digest('hex') });
  };
  for (const [instrument, ofInstrument] of Object.entries(visits)) {
    for (const { id: detector } of detectors[instrument]!) {
      for (const visit of Object.keys(ofInstrument).map(Number)) put(calexp, { instrument, detector, visit }, BOTH_RUN);
      for (const filter of new Set(Object.values(ofInstrument))) put(flat, { instrument, detector, physical_filter: filter }, BOTH_RUN);
    }
  }
  put(calexp, { instrument: 'HSC', detector: 2, visit: 1228 }, HSC_RUN);
  for (const [name, bands] of Object.entries(coadds)) {
    const type = registry.datasetType(name, 'ExposureF', ['band', 'skymap', 'tract', 'patch']);
    for (const band of bands) put(type, { band, skymap: 'rings', tract: 8766, patch: 49 }, BOTH_RUN);
  }
}
