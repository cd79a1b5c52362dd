/**
 * The schema of a catalogue in SQLite.
 *
 *     information          one row: CatalogueInfo, universe, totals, as JSON
 *     collection           with collection_chain (parent, position, child)
 *     dataset_type         its dimensions, the number of its membership table, its fingerprint
 *     record_<element>     dimension records, every field as the repository has it
 *     directory, artifact  the repository's own files: location = directory.path / artifact.name
 *     dataset              one row a dataset: uuid, type, run
 *     dataset_file         its files: component, artifact, member of a zip archive
 *     membership_<n>       for each set of dimensions: which dataset a collection has under which data ID
 *     collection_type      how many datasets of a type a collection holds
 *     collection_governor  values of instrument and skymap in a collection
 *
 * The primary key of a membership table begins with (dataset type, collection, required dimensions in path order): a directory is a range of it.
 * Implied dimensions are columns of it too, filled from the dimension records when the catalogue is built.
 */

import { sql } from 'kysely';
import type { CompiledQuery, CreateTableBuilder } from 'kysely';
import type { DimensionGroup, DimensionName } from '../contract.js';
import type { DimensionElement } from '../universe.js';
import { builder } from './statements.js';

/** Grows with every change of the schema; a catalogue of another version is built anew. */
export const catalogueSchemaVersion = 1;

/** Marks an SQLite file as a catalogue: `bfsC`. */
export const applicationId = 0x62667343;

/** Stands for an unbounded begin, and for none, in the primary key of a membership. */
export const unboundedBegin = -9223372036854775808n;

/** The pseudo-directory of absolute locations, and the root of the repository. */
export const absoluteDirectory = 0;
export const rootDirectory = 1;

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
      .addColumn('fingerprint', 'text'),
    schema
      .createTable('directory')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('parent', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addUniqueConstraint('directory_name', ['parent', 'name']),
    schema
      .createTable('artifact')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('directory', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('size', 'integer')
      .addColumn('checksum', 'blob')
      .addUniqueConstraint('artifact_name', ['directory', 'name']),
    schema
      .createTable('dataset')
      .addColumn('key', 'integer', (column) => column.primaryKey())
      .addColumn('uuid', 'blob', (column) => column.notNull().unique())
      .addColumn('type', 'integer', (column) => column.notNull())
      .addColumn('run', 'integer', (column) => column.notNull())
      .addColumn('ingested', 'integer')
      .addColumn('stored', 'integer', (column) => column.notNull()),
    schema
      .createTable('dataset_file')
      .addColumn('dataset', 'integer', (column) => column.notNull())
      .addColumn('component', 'text', (column) => column.notNull())
      .addColumn('artifact', 'integer', (column) => column.notNull())
      .addColumn('member', 'text')
      .addColumn('size', 'integer')
      .addColumn('checksum', 'blob')
      .addColumn('extension', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('dataset_file_key', ['dataset', 'component'])
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
  ].map((table) => table.compile());
}

/** The membership table of a set of dimensions. */
export function createMembershipTable(table: string, { required, implied }: DimensionGroup): CompiledQuery {
  let create: CreateTableBuilder<string, string> = builder.schema
    .createTable(table)
    .addColumn('dataset_type', 'integer', (column) => column.notNull())
    .addColumn('collection', 'integer', (column) => column.notNull());
  for (const name of required) create = create.addColumn(dimensionColumn(name), sql``, (column) => column.notNull());
  create = create
    .addColumn('valid_begin', 'integer', (column) => column.notNull())
    .addColumn('dataset', 'integer', (column) => column.notNull())
    .addColumn('valid_end', 'integer')
    .addColumn('stored', 'integer', (column) => column.notNull());
  for (const name of implied) create = create.addColumn(dimensionColumn(name), sql``);
  const key = ['dataset_type', 'collection', ...required.map(dimensionColumn), 'valid_begin', 'dataset'];
  return create
    .addPrimaryKeyConstraint(`${table}_key`, key)
    .modifyEnd(sql`without rowid`)
    .compile();
}

/** Made when the table is full: sorting once is quicker than keeping order. */
export function createMembershipIndex(table: string): CompiledQuery {
  return builder.schema.createIndex(`${table}_dataset`).on(table).columns(['dataset', 'collection']).compile();
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
