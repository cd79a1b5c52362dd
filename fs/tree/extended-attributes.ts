/** Extended attributes of dataset files: `user.butler.*` (docs/paths.md, rule 9). */

import type { ObjectRequest } from '../../cache/contract.js';
import type { Catalogue, DataIdValue, DatasetRecord, StoredFile } from '../../registry/contract.js';
import { formatBox } from '../../sky/fits/cutout.js';
import { packDataId } from './packed.js';

export interface AttributeSource {
  readonly catalogue: Catalogue;
  readonly record: DatasetRecord;
  readonly file: StoredFile;
  /** Name of the collection of the search path that it was found in. */
  readonly collection: string;
  readonly request: ObjectRequest;
  readonly isCached: (request: ObjectRequest) => boolean;
}

const VALUES: Readonly<Record<string, (source: AttributeSource) => string | undefined>> = {
  type: ({ record }) => record.type.name,
  component: ({ file, request: { part } }) =>
    (part !== undefined && part.kind !== 'index' ? part.name?.toLowerCase() : undefined) ?? file.component ?? undefined,
  cutout: ({ request: { part } }) => (part?.kind === 'cutout' ? formatBox(part.box) : undefined),
  dataid: ({ record }) => JSON.stringify(fullDataId(record)),
  uuid: ({ record }) => dashed(record.uuid),
  run: ({ record }) => record.run,
  collection: ({ collection }) => collection,
  digest: ({ file, request }) => (file.checksum === null || request.part !== undefined ? undefined : `blake2b512:${file.checksum}`),
  origin: ({ request }) => (request.member === undefined ? request.origin : `${request.origin}#zip-path=${request.member}`),
  cached: ({ request, isCached }) => (isCached(request) ? 'yes' : 'no'),
  packed: ({ catalogue, record }) => packDataId(catalogue, record),
  handle: ({ catalogue, record }) =>
    JSON.stringify({
      repository: catalogue.info.repository,
      type: record.type.name,
      dataId: fullDataId(record),
      run: record.run,
      uuid: dashed(record.uuid),
    }),
};

const PREFIX = 'user.butler.';

export const ATTRIBUTE_NAMES: readonly string[] = Object.keys(VALUES).map((name) => PREFIX + name);

/** The value, or undefined where there is no such attribute or it does not apply: no published digest, no packing for these dimensions. */
export function extendedAttribute(name: string, source: AttributeSource): string | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const key = name.slice(PREFIX.length);
  return Object.hasOwn(VALUES, key) ? VALUES[key]!(source) : undefined;
}

/** Required and implied values by dimension, in path order. */
export function fullDataId({ type, values, implied }: DatasetRecord): Record<string, DataIdValue> {
  const all: Record<string, DataIdValue> = {};
  type.dimensions.required.forEach((dimension, i) => (all[dimension] = values[i]!));
  type.dimensions.implied.forEach((dimension, i) => {
    const value = implied[i];
    if (value !== null && value !== undefined) all[dimension] = value;
  });
  return all;
}

function dashed(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
