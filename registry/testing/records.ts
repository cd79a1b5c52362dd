/** Records of made-up repositories. */

import type { CollectionType, DataIdValue, DimensionName, RepositoryRecord, StoredFile, Validity } from '../contract.js';
import { smallUniverse, uuidOf } from './repositories.js';

export function universe(): RepositoryRecord {
  return { kind: 'universe', json: smallUniverse };
}

export function collection(id: number, name: string, type: CollectionType = 'RUN'): RepositoryRecord {
  return { kind: 'collection', id, name, type, doc: null };
}

export function datasetType(id: number, name: string, dimensions: readonly DimensionName[], isCalibration = false): RepositoryRecord {
  return { kind: 'dataset-type', id, name, storageClass: 'ExposureF', dimensions, isCalibration };
}

export function dimension(element: string, fields: Readonly<Record<string, DataIdValue | bigint | null>>): RepositoryRecord {
  return { kind: 'dimension', element, fields };
}

export function fileAt(location: string, facts: Partial<StoredFile> = {}): StoredFile {
  return { component: null, location, member: null, size: 100, checksum: null, extension: '.fits', ...facts };
}

export interface DatasetFacts {
  readonly type?: number;
  readonly run?: number;
  readonly files?: readonly StoredFile[];
}

export function dataset(
  number: number,
  { type = 1, run = 1, files = [fileAt(`run/${number}.fits`)] }: DatasetFacts = {},
): RepositoryRecord {
  return { kind: 'dataset', uuid: uuidOf(number), type, run, ingested: 1_700_000_000_000_000_123n, files };
}

export function membership(
  number: number,
  dataId: readonly DataIdValue[],
  {
    type = 1,
    collection: where = 1,
    validity = null,
  }: { readonly type?: number; readonly collection?: number; readonly validity?: Validity | null } = {},
): RepositoryRecord {
  return { kind: 'membership', uuid: uuidOf(number), type, collection: where, dataId, validity };
}
