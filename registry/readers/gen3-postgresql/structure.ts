/** What a Gen3 registry in PostgreSQL says of its universe, collections, chains and dataset types: few rows, read whole. */

import { ButlerfsError } from '../../../common/errors.js';
import type { CollectionType, DimensionGroup, RepositoryRecord } from '../../contract.js';
import { parseUniverse } from '../../universe.js';
import type { ElementUniverse } from '../../universe.js';
import type { ServerRegistry } from './server-registry.js';

const COLLECTION_TYPES: ReadonlyMap<number, CollectionType> = new Map([
  [1, 'RUN'],
  [2, 'TAGGED'],
  [3, 'CHAINED'],
  [4, 'CALIBRATION'],
]);

/** A dataset type with its tables of memberships. */
export interface TypeRow {
  readonly id: number;
  readonly group: DimensionGroup;
  readonly tags: string;
  readonly calibrations: string | undefined;
}

/** One table of memberships. */
export interface MembershipTable {
  readonly table: string;
  readonly group: DimensionGroup;
  /** Whether its rows are certified for ranges of time. */
  readonly isCertified: boolean;
  /** Dataset types that use it. */
  readonly types: readonly number[];
}

/** Rejects with `unsupported-repository` where the registry has no universe that is understood. */
export async function readUniverse(registry: ServerRegistry): Promise<ElementUniverse> {
  const query = `select value from ${registry.table('butler_attributes')} where name = 'config:dimensions.json'`;
  for await (const [json] of registry.rows(query)) if (typeof json === 'string') return parseUniverse(json, registry.where);
  const why = "it holds no dimension universe (attribute 'config:dimensions.json')";
  throw new ButlerfsError('unsupported-repository', { what: 'the registry', where: registry.where, why });
}

/** Collections, then the links of chains. */
export async function* readCollections(registry: ServerRegistry): AsyncGenerator<RepositoryRecord, void, undefined> {
  const doc = registry.columns('collection').has('doc') ? 'doc' : 'null';
  const query = `select collection_id, name, type, ${doc} from ${registry.table('collection')}`;
  for await (const [id, name, typeNumber, text] of registry.rows(query)) {
    const type = COLLECTION_TYPES.get(Number(typeNumber));
    if (type === undefined) {
      const why = `its type is ${String(typeNumber)}, which is none of 1 to 4`;
      throw new ButlerfsError('unsupported-repository', { what: `collection '${String(name)}'`, where: registry.where, why });
    }
    yield { kind: 'collection', id: Number(id), name: String(name), type, doc: typeof text === 'string' && text !== '' ? text : null };
  }
  const chains = `select parent, position, child from ${registry.table('collection_chain')} order by parent, position`;
  for await (const [parent, position, child] of registry.rows(chains)) {
    yield { kind: 'chain', parent: Number(parent), position: Number(position), child: Number(child) };
  }
}

export async function* readTypes(
  registry: ServerRegistry,
  universe: ElementUniverse,
): AsyncGenerator<{ readonly record: RepositoryRecord; readonly row: TypeRow }, void, undefined> {
  const dimensions = new Map<number, string[]>();
  const keys = `select dimension_graph_id, dimension_name from ${registry.table('dimension_graph_definition')}`;
  for await (const [key, name] of registry.rows(keys)) {
    dimensions.set(Number(key), [...(dimensions.get(Number(key)) ?? []), String(name)]);
  }
  const columns = 'id, name, storage_class, dimensions_key, tag_association_table, calibration_association_table';
  const query = `select ${columns} from ${registry.table('dataset_type')}`;
  for await (const [id, name, storageClass, key, tags, calibrations] of registry.rows(query)) {
    const group = universe.group(dimensions.get(Number(key)) ?? []);
    const isCalibration = typeof calibrations === 'string' && calibrations !== '';
    const facts = { id: Number(id), name: String(name), storageClass: String(storageClass), dimensions: group.required, isCalibration };
    yield {
      record: { kind: 'dataset-type', ...facts },
      row: { id: facts.id, group, tags: String(tags), calibrations: isCalibration ? calibrations : undefined },
    };
  }
}

/** The tables of memberships of all types. Throws `corrupt-repository` where one is missing, or a column of it. */
export function membershipTables(registry: ServerRegistry, rows: readonly TypeRow[]): MembershipTable[] {
  const tables = new Map<string, MembershipTable & { readonly types: number[] }>();
  const add = (table: string, { id, group }: TypeRow, isCertified: boolean): void => {
    const known = tables.get(table);
    if (known !== undefined) known.types.push(id);
    else tables.set(table, { table, group, isCertified, types: [id] });
  };
  for (const row of rows) {
    add(row.tags, row, false);
    if (row.calibrations !== undefined) add(row.calibrations, row, true);
  }
  for (const { table, group, isCertified } of tables.values()) {
    const wanted = ['dataset_type_id', 'dataset_id', 'collection_id', ...group.required, ...(isCertified ? ['timespan'] : [])];
    const present = registry.columns(table);
    const missing = wanted.find((column) => !present.has(column));
    if (missing === undefined) continue;
    const why = present.size === 0 ? `table '${table}' is missing` : `table '${table}' has no column '${missing}'`;
    throw new ButlerfsError('corrupt-repository', { what: 'the registry', where: registry.where, why });
  }
  return [...tables.values()];
}
