/** What a Gen3 registry says of collections, chains and dataset types: few rows, read whole. */

import { ButlerfsError } from '../../../common/errors.js';
import type { CollectionType, DimensionGroup, RepositoryRecord } from '../../contract.js';
import { parseUniverse } from '../../universe.js';
import type { ElementUniverse } from '../../universe.js';
import type { RegistrySource } from './source.js';

const collectionTypes: ReadonlyMap<unknown, CollectionType> = new Map([
  [1n, 'RUN'],
  [2n, 'TAGGED'],
  [3n, 'CHAINED'],
  [4n, 'CALIBRATION'],
]);

/** A dataset type with its tables of memberships. */
export interface TypeRow {
  readonly id: number;
  readonly dimensions: DimensionGroup;
  readonly tags: string;
  readonly calibrations: string | undefined;
}

/** One table of memberships. */
export interface MembershipTable {
  readonly table: string;
  readonly group: DimensionGroup;
  /** Whether its rows are certified for ranges of time. */
  readonly certified: boolean;
  /** Dataset types that use it. */
  readonly types: readonly number[];
}

/** Throws `unsupported-repository` where the registry has no universe that is understood. */
export function readUniverse(source: RegistrySource): ElementUniverse {
  const [row] = source.all(`select value from ${source.table('butler_attributes')} where name = 'config:dimensions.json'`);
  if (typeof row?.[0] === 'string') return parseUniverse(row[0], source.where);
  const why = "it holds no dimension universe (attribute 'config:dimensions.json')";
  throw new ButlerfsError('unsupported-repository', { what: 'the registry', where: source.where, why });
}

/** Collections, then the links of chains. */
export function* readCollections(source: RegistrySource): IterableIterator<RepositoryRecord> {
  const doc = source.columns('collection').includes('doc') ? 'doc' : 'null';
  for (const [id, name, typeNumber, text] of source.all(`select collection_id, name, type, ${doc} from ${source.table('collection')}`)) {
    const type = collectionTypes.get(typeNumber);
    if (type === undefined) {
      const why = `its type is ${String(typeNumber)}, which is none of 1 to 4`;
      throw new ButlerfsError('unsupported-repository', { what: `collection '${String(name)}'`, where: source.where, why });
    }
    yield { kind: 'collection', id: Number(id), name: String(name), type, doc: typeof text === 'string' && text !== '' ? text : null };
  }
  const links = `select parent, position, child from ${source.table('collection_chain')} order by parent, position`;
  for (const [parent, position, child] of source.all(links)) {
    yield { kind: 'chain', parent: Number(parent), position: Number(position), child: Number(child) };
  }
}

export function* readTypes(
  source: RegistrySource,
  universe: ElementUniverse,
): IterableIterator<{ readonly record: RepositoryRecord; readonly row: TypeRow }> {
  const dimensions = new Map<number, string[]>();
  for (const [key, name] of source.all(`select dimension_graph_id, dimension_name from ${source.table('dimension_graph_definition')}`)) {
    const names = dimensions.get(Number(key)) ?? [];
    names.push(String(name));
    dimensions.set(Number(key), names);
  }
  const columns = 'id, name, storage_class, dimensions_key, tag_association_table, calibration_association_table';
  for (const [idNumber, name, storageClass, key, tags, calibrations] of source.all(
    `select ${columns} from ${source.table('dataset_type')}`,
  )) {
    const id = Number(idNumber);
    const group = universe.group(dimensions.get(Number(key)) ?? []);
    const isCalibration = typeof calibrations === 'string' && calibrations !== '';
    yield {
      record: {
        kind: 'dataset-type',
        id,
        name: String(name),
        storageClass: String(storageClass),
        dimensions: group.required,
        isCalibration,
      },
      row: { id, dimensions: group, tags: String(tags), calibrations: isCalibration ? calibrations : undefined },
    };
  }
}

/** The tables of memberships of all types. Throws `corrupt-repository` where one is missing, or a column of it. */
export function membershipTables(source: RegistrySource, types: readonly TypeRow[]): MembershipTable[] {
  const tables = new Map<string, MembershipTable & { readonly types: number[] }>();
  const add = (table: string, { id, dimensions }: TypeRow, certified: boolean): void => {
    const known = tables.get(table);
    if (known !== undefined) known.types.push(id);
    else tables.set(table, { table, group: dimensions, certified, types: [id] });
  };
  for (const type of types) {
    add(type.tags, type, false);
    if (type.calibrations !== undefined) add(type.calibrations, type, true);
  }
  for (const { table, group } of tables.values()) {
    const present = new Set(source.columns(table));
    const missing = ['dataset_type_id', 'dataset_id', 'collection_id', ...group.required].find((column) => !present.has(column));
    if (missing === undefined) continue;
    const why = present.size === 0 ? `table '${table}' is missing` : `table '${table}' has no column '${missing}'`;
    throw new ButlerfsError('corrupt-repository', { what: 'the registry', where: source.where, why });
  }
  return [...tables.values()];
}

/** Columns of the table of a dimension element that can be fields of its records; empty where it has none. */
export function recordColumns(source: RegistrySource, element: string): string[] {
  return source.columns(element).filter((column) => /^[A-Za-z_]\w*$/.test(column));
}
