/** A dimension record as a small JSON text. */

import type { Catalogue, DataIdValue, DimensionName } from '../../registry/contract.js';

/**
 * The record of an element: first its key, dimensions by their own names, then the other fields by name. The same record gives the same text. Integers past
 * 2^53, as times in nanoseconds are, stand in quotes. Of a dimension without records of its own (`band`) there is the key alone.
 */
export function recordText(
  catalogue: Pick<Catalogue, 'record'>,
  { name, required }: { readonly name: string; readonly required: readonly DimensionName[] },
  dataId: Readonly<Record<DimensionName, DataIdValue>>,
): string {
  const record = catalogue.record(name, dataId) ?? {};
  const key = required.map((dimension) => [dimension, dataId[dimension]!] as const);
  const named = new Set<string>(required);
  const others = Object.keys(record)
    .filter((field) => !named.has(field) && !isOwnKey(field, record[field]!, name, required, dataId))
    .sort()
    .map((field) => [field, record[field]!] as const);
  return `${JSON.stringify(Object.fromEntries([...key, ...others]), null, 2)}\n`;
}

/** `id` or `name` of a dimension that the record is of. */
function isOwnKey(
  field: string,
  value: DataIdValue | null,
  name: string,
  required: readonly DimensionName[],
  dataId: Readonly<Record<DimensionName, DataIdValue>>,
): boolean {
  return required.includes(name) && (field === 'id' || field === 'name') && value === dataId[name];
}
