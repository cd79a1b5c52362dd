/** Writes whole Gen3 repositories for the demo, the tests and the benchmarks. */

import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { INSTRUMENT, SKYMAP, centralPatches, planVisits, writeInstrument, writeSkyMap, writeVisits } from './dimensions.js';
import { fitsFile } from './fits.js';
import type { Card } from './fits.js';
import { starField } from './image.js';
import { coaddPath, visitDetectorPath, visitPath } from './paths.js';
import { RegistryWriter, butlerYaml } from './registry.js';
import type { DataId, DatasetTypeHandle } from './registry.js';

/** RUN of everything the survey made. */
export const SURVEY_RUN = 'demo/runs/w_01';
/** RUN that overrides the first patch of the first tract, in the first band. */
export const RERUN = 'u/me/rerun1';
/** CHAINED: the rerun, then the survey. */
export const CHAIN = 'u/me/all';

export interface SmallRepository {
  readonly tracts: readonly number[];
  /** Patches with coadds in each tract, from the middle outwards; at most 81. */
  readonly patches: number;
  readonly bands: readonly string[];
  readonly visits: number;
  /** Detectors of each visit, numbered from 0. */
  readonly detectors: number;
  /** Side of each image. */
  readonly pixels: number;
  /** Names of the images of a file; default: IMAGE alone. */
  readonly images?: readonly string[];
}

export const SMALL: SmallRepository = { tracts: [8766, 9813], patches: 13, bands: ['g', 'r', 'i'], visits: 6, detectors: 4, pixels: 64 };

/** A dataset of a repository just written. */
export interface WrittenDataset {
  readonly type: string;
  readonly dataId: DataId;
  readonly run: string;
  readonly path: string;
  readonly size: number;
  readonly checksum: string;
}

/**
 * Writes a repository with images into `directory`, which is made and must hold none: coadds (`deepCoadd_calexp`) and detector images
 * (`calexp`) in {@link SURVEY_RUN}, one coadd again in {@link RERUN}, and {@link CHAIN}. The same options give the same bytes.
 */
export function writeSmallRepository(directory: string, options: SmallRepository = SMALL): WrittenDataset[] {
  const { tracts, patches, bands, visits, detectors, pixels, images } = options;
  const written: WrittenDataset[] = [];
  const detectorIds = [...Array(detectors).keys()];
  withRegistry(directory, (registry) => {
    const coadd = registry.datasetType('deepCoadd_calexp', 'ExposureF', ['band', 'skymap', 'tract', 'patch']);
    const calexp = registry.datasetType('calexp', 'ExposureF', ['instrument', 'detector', 'visit']);
    const put = (type: DatasetTypeHandle, dataId: DataId, run: string, path: string, cards: readonly Card[]): void => {
      const content = fitsFile([...cards, { keyword: 'RUN', value: run }], starField(pixels, path), images);
      const checksum = createHash('blake2b512').update(content).digest('hex');
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
      registry.dataset({ type, dataId, run, path, size: content.length, checksum });
      written.push({ type: type.name, dataId, run, path, size: content.length, checksum });
    };
    const putCoadd = (run: string, tract: number, patch: number, band: string): void => {
      const cards = [
        { keyword: 'SKYMAP', value: SKYMAP },
        { keyword: 'TRACT', value: tract },
        { keyword: 'PATCH', value: patch },
        { keyword: 'BAND', value: band },
      ];
      put(coadd, { band, skymap: SKYMAP, tract, patch }, run, coaddPath(run, coadd.name, tract, patch, band), cards);
    };

    writeInstrument(registry, bands, detectorIds);
    writeSkyMap(registry, tracts);
    const plan = planVisits(visits, bands);
    writeVisits(registry, plan);
    const chosen = centralPatches(patches);
    for (const tract of tracts) {
      for (const patch of chosen) {
        for (const band of bands) putCoadd(SURVEY_RUN, tract, patch, band);
      }
    }
    for (const visit of plan) {
      for (const detector of detectorIds) {
        const cards = [
          { keyword: 'INSTRUME', value: INSTRUMENT },
          { keyword: 'VISIT', value: visit.id },
          { keyword: 'DETECTOR', value: detector },
          { keyword: 'FILTER', value: visit.filter },
          { keyword: 'BAND', value: visit.band },
        ];
        const dataId = { instrument: INSTRUMENT, detector, visit: visit.id };
        put(calexp, dataId, SURVEY_RUN, visitDetectorPath(SURVEY_RUN, calexp.name, visit, detector), cards);
      }
    }
    const [tract, patch, band] = [tracts[0], chosen[0], bands[0]];
    if (tract !== undefined && patch !== undefined && band !== undefined) putCoadd(RERUN, tract, patch, band);
  });
  return written;
}

/**
 * Writes a registry of `count` datasets without any file, for benchmarks: `visitSummary`, one to a visit. Sizes are plausible, checksums are
 * not recorded. Takes a few seconds for 100,000.
 */
export function writeLargeRegistry(directory: string, count: number): void {
  const bands = ['g', 'r', 'i', 'z', 'y'];
  withRegistry(directory, (registry) => {
    const type = registry.datasetType('visitSummary', 'ExposureCatalog', ['instrument', 'visit']);
    const visits = planVisits(count, bands);
    writeInstrument(registry, bands, [0]);
    writeVisits(registry, visits);
    visits.forEach((visit, index) => {
      registry.dataset({
        type,
        dataId: { instrument: INSTRUMENT, visit: visit.id },
        run: SURVEY_RUN,
        path: visitPath(SURVEY_RUN, type.name, visit),
        size: 2880 * (4 + (index % 97)),
        checksum: null,
      });
    });
  });
}

/**
 * Writes a repository of `count` datasets `visitSummary` of `size` bytes each, with their digests: for tests and benchmarks of large files. The bytes are no
 * tables, and no two blocks of them are the same.
 */
export function writeLargeFiles(directory: string, count: number, size: number): WrittenDataset[] {
  const written: WrittenDataset[] = [];
  const visits = planVisits(count, ['g']);
  const block = randomFillSync(Buffer.alloc(Math.min(size, 2 ** 22)));
  withRegistry(directory, (registry) => {
    const type = registry.datasetType('visitSummary', 'ExposureCatalog', ['instrument', 'visit']);
    writeInstrument(registry, ['g'], [0]);
    writeVisits(registry, visits);
    visits.forEach((visit, index) => {
      const path = visitPath(SURVEY_RUN, type.name, visit);
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      const hash = createHash('blake2b512');
      const file = openSync(join(directory, path), 'w');
      for (let offset = 0; offset < size; offset += block.length) {
        block.writeUInt32LE(offset / block.length, 0);
        block.writeUInt32LE(index, 4);
        const part = block.subarray(0, Math.min(block.length, size - offset));
        hash.update(part);
        writeSync(file, part);
      }
      closeSync(file);
      const checksum = hash.digest('hex');
      const dataId = { instrument: INSTRUMENT, visit: visit.id };
      registry.dataset({ type, dataId, run: SURVEY_RUN, path, size, checksum });
      written.push({ type: type.name, dataId, run: SURVEY_RUN, path, size, checksum });
    });
  });
  return written;
}

function withRegistry(directory: string, fill: (registry: RegistryWriter) => void): void {
  mkdirSync(directory, { recursive: true });
  const registry = new RegistryWriter(join(directory, 'gen3.sqlite3'));
  try {
    registry.transaction(() => {
      registry.run(SURVEY_RUN);
      registry.run(RERUN);
      registry.chain(CHAIN, [RERUN, SURVEY_RUN]);
      fill(registry);
    });
  } finally {
    registry.close();
  }
  // Last, so that a directory with a butler.yaml is a whole repository.
  writeFileSync(join(directory, 'butler.yaml'), butlerYaml());
}
