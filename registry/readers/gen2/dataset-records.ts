/** Datasets of Gen2 repositories as records: keys of their types, data IDs, RUNs and UUIDs. */

import { createHash } from 'node:crypto';
import type { DataIdValue, DimensionUniverse, RepositoryRecord, StoredFile, Validity } from '../../contract.js';
import { extensionOf } from '../gen3/locations.js';
import { calibrationRunName, runName } from './collections.js';
import type { Camera } from './contract.js';
import { dimensionValue, sequentialPatch } from './fields.js';
import type { LocatedDataset } from './layout.js';
import type { CoaddBands } from './observed.js';

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;

export class DatasetRecords {
  readonly #camera: Camera;
  /** Required dimensions by type, in the universe's order for data IDs. */
  readonly #required = new Map<string, readonly string[]>();
  readonly #typeIds = new Map<string, number>();

  constructor(camera: Camera, universe: DimensionUniverse) {
    this.#camera = camera;
    Object.values(camera.templates).forEach(({ type, dimensions }, index) => {
      this.#typeIds.set(type, index + 1);
      this.#required.set(type, universe.group(dimensions).required);
    });
  }

  *types(): IterableIterator<RecordOf<'dataset-type'>> {
    for (const { type, storageClass, validity } of Object.values(this.#camera.templates)) {
      const [id, dimensions] = [this.#typeIds.get(type)!, this.#required.get(type)!];
      yield { kind: 'dataset-type', id, name: type, storageClass, dimensions, isCalibration: validity !== undefined };
    }
  }

  /** Values of what the type requires; undefined where its path gives none, as for a patch that the sky map has not. */
  dataId({ template, fields }: LocatedDataset, bands: CoaddBands): readonly DataIdValue[] | undefined {
    const values: DataIdValue[] = [];
    for (const dimension of this.#required.get(template.type)!) {
      const value = dimensionValue(dimension, fields, this.#camera, (filter) => bands.of(filter));
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  /** The sequential number of its patch; undefined where it has none. */
  patch({ fields }: LocatedDataset): number | undefined {
    return fields.patch === undefined ? undefined : sequentialPatch(this.#camera.skymap, fields.patch);
  }

  /** Why its patch has no number; undefined where it has one, or no patch. */
  patchFault(dataset: LocatedDataset): string | undefined {
    if (dataset.fields.patch === undefined || this.patch(dataset) !== undefined) return undefined;
    const { name, columns, rows } = this.#camera.skymap;
    return `sky map ${name} has ${columns} by ${rows} patches in a tract, and none is ${dataset.fields.patch}`;
  }

  /** `run` is the key of its RUN; `size` in bytes, null where it is not known. */
  stored({ template: { type } }: LocatedDataset, location: string, run: number, size: number | null): RecordOf<'dataset'> {
    const extension = extensionOf(location);
    return this.#dataset(type, location, run, [{ component: null, location, member: null, size, checksum: null, extension }]);
  }

  /** One without a file. */
  registered({ template: { type } }: LocatedDataset, location: string, run: number): RecordOf<'dataset'> {
    return this.#dataset(type, location, run, []);
  }

  #dataset(type: string, location: string, run: number, files: readonly StoredFile[]): RecordOf<'dataset'> {
    return { kind: 'dataset', uuid: uuidOf(type, location), type: this.#typeIds.get(type)!, run, ingested: null, files };
  }

  membership(
    { template: { type } }: LocatedDataset,
    location: string,
    { dataId, collection, validity = null }: { dataId: readonly DataIdValue[]; collection: number; validity?: Validity | null },
  ): RecordOf<'membership'> {
    return { kind: 'membership', uuid: uuidOf(type, location), type: this.#typeIds.get(type)!, collection, dataId, validity };
  }
}

/** Name of the RUN that a dataset is in. */
export function runOf({ template, fields, repository, base }: LocatedDataset): string {
  if (template.root !== 'calibrations') return runName(repository);
  return calibrationRunName(base, fields.calibDate === undefined ? undefined : String(fields.calibDate));
}

export function locationOf(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The same at every reading: by the type and the place of the file. */
export function uuidOf(type: string, location: string): string {
  return createHash('sha256').update(`${type}\n${location}`).digest('hex').slice(0, 32);
}

/** What is said of a visit whose path says something else. */
export function strayFault(location: string, { fields: { visit = '' } }: LocatedDataset): string {
  return `${location} is left out: visit ${visit} has another filter, pointing, field or date`;
}
