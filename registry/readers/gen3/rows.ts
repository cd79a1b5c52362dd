/** Rows of a Gen3 registry as records. */

import type { DataIdValue, RepositoryRecord } from '../../contract.js';
import { quote } from './source.js';
import type { RegistrySource } from './source.js';
import type { MembershipTable } from './structure.js';
import { boundOf } from './time.js';
import { dataIdValue, fieldValue } from './values.js';

/** The rows of a table of memberships, for {@link membershipOf}; conditions may follow. */
export function membershipQuery(source: RegistrySource, { table, group, certified }: MembershipTable): string {
  const spans = certified ? ', timespan_begin, timespan_end' : '';
  const dimensions = group.required.map((name) => `, ${quote(name)}`).join('');
  return `select dataset_type_id, dataset_id, collection_id${dimensions}${spans} from ${source.table(table)}`;
}

/** Undefined for one that is valid at no time. */
export function membershipOf(
  { group, certified }: MembershipTable,
  row: readonly unknown[],
): Extract<RepositoryRecord, { kind: 'membership' }> | undefined {
  const count = group.required.length;
  const dataId = row.slice(3, 3 + count).map(dataIdValue);
  const membership = { kind: 'membership', uuid: String(row[1]), type: Number(row[0]), collection: Number(row[2]), dataId } as const;
  if (!certified) return { ...membership, validity: null };
  const [begin, end] = [row[3 + count], row[4 + count]].map((value) => (typeof value === 'bigint' ? value : null));
  // A time span that ends before it begins is empty.
  if (begin !== null && end !== null && begin! >= end!) return undefined;
  return { ...membership, validity: { begin: boundOf(begin!), end: boundOf(end!) } };
}

/** The record of a dimension element. */
export function recordOf(element: string, columns: readonly string[], row: readonly unknown[]): RepositoryRecord {
  const fields: Record<string, DataIdValue | bigint | null> = {};
  columns.forEach((column, index) => (fields[column] = fieldValue(row[index])));
  return { kind: 'dimension', element, fields };
}
