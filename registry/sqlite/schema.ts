/**
 * The schema of a catalogue in SQLite.
 *
 *     information          one row: CatalogueInfo, universe, totals, cursor, as JSON
 *     collection           with collection_chain (parent, position, child)
 *     dataset_type         its dimensions, the number of its membership table, the version that touched it last
 *     record_<element>     dimension records, every field as the repository has it
 *     dataset              one row a dataset: uuid, type, run, and its file where that is one ordinary file
 *     dataset_uuid         the key of the dataset with a UUID
 *     dataset_file         files of all other datasets: components, members of zip archives
 *     own_file             the repository's own files: butler.yaml
 *     membership_<n>       for each set of dimensions: which dataset a collection has under which data ID
 *     collection_type      how many datasets of a type a collection holds
 *     collection_governor  values of instrument and skymap in a collection
 *     touch                what the latest updates touched
 *
 * The index of a membership table begins with (dataset type, collection, required dimensions in path order): a directory is a range of it. Its rows are numbered:
 * that of a dataset in its RUN has the dataset's key, so that the data ID of a dataset is found by its key; those of other collections have numbers from
 * {@link firstAssociation} on. Implied dimensions are columns of it too, filled from the dimension records.
 *
 * So one more dataset costs two rows in order, and one entry each by UUID, by location and by data ID.
 */

import { sql } from 'kysely';
import type { CompiledQuery, CreateTableBuilder } from 'kysely';
import type { DimensionGroup, DimensionName } from '../contract.js';
import type { DimensionElement } from '../universe.js';
import { builder } from './statements.js';

/** Grows with every change of the schema; a catalogue of another version is built anew. */
export const catalogueSchemaVersion = 3;

/** Marks an SQLite file as a catalogue: `bfsC`. */
export const applicationId = 0x62667343;

/** Stands for an unbounded begin, and for none, in the primary key of a membership. */
export const unboundedBegin = -9223372036854775808n;

/** Number of the first membership that is not that of a dataset in its RUN: keys of datasets are below. */
export const firstAssociation = 2 ** 40;

/** What a dataset's row says of its files. */
export const Shape = {
  /** None is stored. */
  UNSTORED: 0,
  /** One, stored whole, in the row itself. */
  PLAIN: 1,
  /** In `dataset_file`. */
  SEVERAL: 2,
} as const;

/**
 * How a location is stored: an absolute one behind a slash, with which no other begins, so that it is no part of the repository's layout.
 */
export function storedLocation(location: string): string {
  return location.includes('://') || location.startsWith('/') ? `/${location}` : location;
}

/** Column of a membership table for a dimension: prefixed, so that no dimension's name meets a column of ours. */
export function dimensionColumn(name: DimensionName): string {
  return `dimension_${name}`;
}

export function membershipTable(number: number): string {
  return `membership_${number}`;
}

export function recordTable(element: string): string {
  return `record_${element}`;
}

/** The field of an element's record that holds the value of one of its dimensions. */
export function recordField(element: DimensionElement, dimension: DimensionName): string {
  return dimension === element.name ? (element.keyField ?? dimension) : dimension;
}

/** Tables that every catalogue has. */
export function fixedTables(): CompiledQuery[] {
  const { schema } = builder;
  return [
    schema.createTable('information').addColumn('value', 'text', (column) => column.notNull()),
    schema
      .createTable('collection')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('doc', 'text'),
    schema
      .createTable('collection_chain')
      .addColumn('parent', 'integer', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('child', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('collection_chain_key', ['parent', 'position'])
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('dataset_type')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('storage_class', 'text', (column) => column.notNull())
      .addColumn('dimensions', 'text', (column) => column.notNull())
      .addColumn('is_calibration', 'integer', (column) => column.notNull())
      .addColumn('membership', 'integer', (column) => column.notNull())
      .addColumn('touched', 'integer', (column) => column.notNull()),
    schema
      .createTable('own_file')
      .addColumn('location', 'text', (column) => column.notNull().primaryKey())
      .addColumn('size', 'integer')
      .addColumn('checksum', 'blob')
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('dataset')
      .addColumn('key', 'integer', (column) => column.primaryKey())
      .addColumn('uuid', 'blob', (column) => column.notNull())
      .addColumn('type', 'integer', (column) => column.notNull())
      .addColumn('run', 'integer', (column) => column.notNull())
      .addColumn('ingested', 'integer')
      .addColumn('shape', 'integer', (column) => column.notNull())
      .addColumn('location', 'text')
      .addColumn('size', 'integer')
      .addColumn('checksum', 'blob')
      .addColumn('extension', 'text')
      .addColumn('shared', 'integer', (column) => column.notNull()),
    // A table, where an index would do: rows that come in order of UUID need no sorting.
    schema
      .createTable('dataset_uuid')
      .addColumn('uuid', 'blob', (column) => column.notNull().primaryKey())
      .addColumn('key', 'integer', (column) => column.notNull())
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('dataset_file')
      .addColumn('dataset', 'integer', (column) => column.notNull())
      .addColumn('component', 'text', (column) => column.notNull())
      .addColumn('location', 'text', (column) => column.notNull())
      .addColumn('member', 'text')
      .addColumn('size', 'integer')
      .addColumn('checksum', 'blob')
      .addColumn('extension', 'text', (column) => column.notNull())
      .addColumn('shared', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('dataset_file_key', ['dataset', 'component'])
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('touch')
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('dataset_type', 'integer', (column) => column.notNull())
      .addColumn('collection', 'integer', (column) => column.notNull())
      .addColumn('data_id', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('touch_key', ['version', 'dataset_type', 'data_id', 'collection'])
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('collection_type')
      .addColumn('collection', 'integer', (column) => column.notNull())
      .addColumn('dataset_type', 'integer', (column) => column.notNull())
      .addColumn('stored', 'integer', (column) => column.notNull())
      .addColumn('registered', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('collection_type_key', ['dataset_type', 'collection'])
      .modifyEnd(sql`without rowid`),
    schema
      .createTable('collection_governor')
      .addColumn('governor', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addColumn('collection', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('collection_governor_key', ['governor', 'value', 'collection'])
      .modifyEnd(sql`without rowid`),
    // Few rows each, or none: what needs a second look is found without a scan.
    schema
      .createIndex('dataset_unstored')
      .on('dataset')
      .column('key')
      .where(sql<boolean>`shape = ${sql.lit(Shape.UNSTORED)}`),
    schema
      .createIndex('dataset_several')
      .on('dataset')
      .column('key')
      .where(sql<boolean>`shape = ${sql.lit(Shape.SEVERAL)}`),
    schema.createIndex('dataset_file_location').on('dataset_file').column('location'),
  ].map((table) => table.compile());
}

/** Made when `dataset` is full: sorting once is quicker than keeping order. */
export function locationIndex(): CompiledQuery {
  return builder.schema.createIndex('dataset_location').on('dataset').column('location').compile();
}

/** The membership table of a set of dimensions. */
export function createMembershipTable(table: string, { required, implied }: DimensionGroup): CompiledQuery {
  let create: CreateTableBuilder<string, string> = builder.schema
    .createTable(table)
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('dataset_type', 'integer', (column) => column.notNull())
    .addColumn('collection', 'integer', (column) => column.notNull());
  for (const name of required) create = create.addColumn(dimensionColumn(name), sql``, (column) => column.notNull());
  create = create
    .addColumn('valid_begin', 'integer', (column) => column.notNull())
    .addColumn('dataset', 'integer', (column) => column.notNull())
    .addColumn('valid_end', 'integer')
    .addColumn('stored', 'integer', (column) => column.notNull());
  for (const name of implied) create = create.addColumn(dimensionColumn(name), sql``);
  return create.compile();
}

/** The index by data ID, and that by dataset of memberships outside its RUN. Made when the table is full, where its rows come in bulk. */
export function membershipIndexes(table: string, { required }: DimensionGroup): CompiledQuery[] {
  const key = ['dataset_type', 'collection', ...required.map(dimensionColumn), 'valid_begin', 'dataset', 'stored'];
  return [
    builder.schema.createIndex(`${table}_key`).unique().on(table).columns(key).compile(),
    builder.schema
      .createIndex(`${table}_associated`)
      .on(table)
      .columns(['dataset', 'collection'])
      .where(sql<boolean>`id >= ${sql.lit(firstAssociation)}`)
      .compile(),
  ];
}

/** The record table of an element, with the fields that its first record has. */
export function createRecordTable(element: DimensionElement, fields: readonly string[]): CompiledQuery {
  const key = element.required.map((name) => recordField(element, name));
  let create: CreateTableBuilder<string, string> = builder.schema.createTable(recordTable(element.name));
  for (const field of fields) create = create.addColumn(field, sql``);
  return create
    .addPrimaryKeyConstraint(`${recordTable(element.name)}_key`, key)
    .modifyEnd(sql`without rowid`)
    .compile();
}
