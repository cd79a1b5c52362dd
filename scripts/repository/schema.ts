/** The SQLite tables of a Gen3 registry, as lsst-daf-butler's default managers lay them out. */

import { ELEMENTS, TOPOLOGY, keyOf, requiredOf } from './universe.js';
import type { Column, ColumnType } from './universe.js';

const SQL_TYPE: Readonly<Record<ColumnType, string>> = { int: 'BIGINT', string: 'TEXT', float: 'FLOAT', bool: 'BOOLEAN', hash: 'TEXT' };

const STATIC = `
CREATE TABLE butler_attributes (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE collection (collection_id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, type SMALLINT NOT NULL, doc TEXT);
CREATE TABLE run (collection_id BIGINT NOT NULL PRIMARY KEY REFERENCES collection, host TEXT, timespan_begin BIGINT, timespan_end BIGINT);
CREATE TABLE collection_chain (
  parent BIGINT NOT NULL REFERENCES collection, position SMALLINT NOT NULL, child BIGINT NOT NULL REFERENCES collection,
  PRIMARY KEY (parent, position));
CREATE TABLE dimension_graph_key (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE dimension_graph_definition (
  dimension_graph_id BIGINT NOT NULL REFERENCES dimension_graph_key, dimension_name TEXT NOT NULL,
  PRIMARY KEY (dimension_graph_id, dimension_name));
CREATE TABLE dataset_type (
  id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, storage_class TEXT NOT NULL, dimensions_key BIGINT NOT NULL,
  tag_association_table TEXT NOT NULL, calibration_association_table TEXT);
CREATE TABLE dataset (
  id CHAR(32) NOT NULL PRIMARY KEY, dataset_type_id BIGINT NOT NULL REFERENCES dataset_type, ingest_date BIGINT NOT NULL,
  run_id BIGINT NOT NULL REFERENCES run);
CREATE TABLE collection_summary_dataset_type (
  collection_id BIGINT NOT NULL REFERENCES collection, dataset_type_id BIGINT NOT NULL REFERENCES dataset_type,
  PRIMARY KEY (collection_id, dataset_type_id));
CREATE TABLE collection_summary_instrument (
  collection_id BIGINT NOT NULL REFERENCES collection, instrument TEXT NOT NULL, PRIMARY KEY (collection_id, instrument));
CREATE TABLE collection_summary_skymap (
  collection_id BIGINT NOT NULL REFERENCES collection, skymap TEXT NOT NULL, PRIMARY KEY (collection_id, skymap));
CREATE TABLE opaque_meta (table_name TEXT NOT NULL PRIMARY KEY);
CREATE TABLE dataset_location (
  datastore_name TEXT NOT NULL, dataset_id CHAR(32) NOT NULL REFERENCES dataset, PRIMARY KEY (datastore_name, dataset_id));
CREATE TABLE dataset_location_trash (
  dataset_id CHAR(32) NOT NULL, datastore_name TEXT NOT NULL, PRIMARY KEY (dataset_id, datastore_name));
CREATE TABLE file_datastore_records (
  dataset_id CHAR(32) NOT NULL, path TEXT NOT NULL, formatter TEXT NOT NULL, storage_class TEXT NOT NULL, component TEXT NOT NULL,
  checksum TEXT, file_size BIGINT NOT NULL, PRIMARY KEY (dataset_id, component));
`;

function quoted(name: string): string {
  return `"${name}"`;
}

function declared(name: string, { type, nullable }: Pick<Column, 'type' | 'nullable'>): string {
  return `${quoted(name)} ${SQL_TYPE[type]}${nullable === false ? ' NOT NULL' : ''}`;
}

/** Declarations of columns that hold values of the dimensions. */
function dimensionColumns(dimensions: readonly string[]): string[] {
  return dimensions.map((dimension) => declared(dimension, { ...keyOf(dimension), nullable: false }));
}

function createTable(name: string, columns: readonly string[], primaryKey: readonly string[], constraints: readonly string[] = []): string {
  return `CREATE TABLE ${quoted(name)} (${[...columns, `PRIMARY KEY (${primaryKey.map(quoted).join(', ')})`, ...constraints].join(', ')});`;
}

function elementTable(name: string): string {
  const { keys = [], implies = [], metadata = [] } = ELEMENTS[name]!;
  const [primary, ...unique] = keys;
  const others = requiredOf(name).filter((dimension) => primary === undefined || dimension !== name);
  const spatial = Object.values(TOPOLOGY.spatial)
    .flat()
    .includes(name as never);
  const temporal = TOPOLOGY.temporal.observation_timespans.includes(name as never);
  const columns = [
    ...dimensionColumns(others),
    ...(primary === undefined ? [] : [declared(primary.name, { ...primary, nullable: false })]),
    ...dimensionColumns(implies),
    ...[...unique, ...metadata].map((column) => declared(column.name, column)),
    ...(spatial ? ['region TEXT'] : []),
    ...(temporal ? ['timespan_begin BIGINT', 'timespan_end BIGINT'] : []),
  ];
  return createTable(name, columns, primary === undefined ? others : [...others, primary.name]);
}

const SKYPIX = ['skypix_system VARCHAR(16) NOT NULL', 'skypix_level SMALLINT NOT NULL'];
const SKYPIX_KEY = ['skypix_system', 'skypix_level'];

/** Tables of the overlaps of one spatial element with sky pixels, and their summary by governor. */
function skypixOverlapTables(element: string): string[] {
  const required = requiredOf(element);
  const governor = required.slice(0, 1);
  return [
    createTable(`${element}_skypix_overlap_summary`, [...SKYPIX, ...dimensionColumns(governor)], [...SKYPIX_KEY, ...governor]),
    createTable(
      `${element}_skypix_overlap`,
      [...SKYPIX, ...dimensionColumns(required), 'skypix_index BIGINT NOT NULL'],
      [...SKYPIX_KEY, ...required, 'skypix_index'],
    ),
  ];
}

/** Tables that the software expects for overlaps of two elements; it leaves them empty. */
function pairOverlapTables(skymapElement: string, observationElement: string): string[] {
  const name = `${skymapElement}_${observationElement}_overlap`;
  const required = [...requiredOf(skymapElement), ...requiredOf(observationElement)];
  return [
    createTable(`${name}_summary`, dimensionColumns(['skymap', 'instrument']), ['skymap', 'instrument']),
    createTable(name, dimensionColumns(required), required),
  ];
}

/** SQL that makes every table but those of {@link tagsTable}. */
export function schemaSql(): string {
  const { observation_regions: observations, skymap_regions: skymaps } = TOPOLOGY.spatial;
  // The band has no table: bands are the distinct values of physical_filter.band.
  const elements = Object.keys(ELEMENTS).filter((name) => name !== 'band');
  return [
    STATIC,
    ...elements.map(elementTable),
    ...[...observations, ...skymaps].flatMap(skypixOverlapTables),
    ...skymaps.flatMap((skymap) => observations.flatMap((observation) => pairOverlapTables(skymap, observation))),
  ].join('\n');
}

/** Name of the table that says which datasets are in which collection, for dataset types of one dimension group. */
export function tagsTableName(dimensionsKey: number): string {
  return `dataset_tags_${String(dimensionsKey).padStart(8, '0')}`;
}

export function tagsTable(dimensionsKey: number, required: readonly string[]): string {
  return createTable(
    tagsTableName(dimensionsKey),
    [
      'dataset_type_id BIGINT NOT NULL REFERENCES dataset_type',
      'dataset_id CHAR(32) NOT NULL REFERENCES dataset',
      'collection_id BIGINT NOT NULL REFERENCES collection',
      ...dimensionColumns(required),
    ],
    ['dataset_id', 'collection_id'],
    [`UNIQUE (${['dataset_type_id', 'collection_id', ...required.map(quoted)].join(', ')})`],
  );
}
