/** A small Gen3 registry in a real PostgreSQL, with the tables of the real one, for tests that change it row by row. */

import { smallUniverse, uuidOf } from '../../registry/testing/repositories.js';
import type { PostgresqlServer } from './postgresql.js';

const TABLES = `
  create extension if not exists btree_gist;
  create schema hsc;
  create table hsc.butler_attributes (name varchar primary key, value text not null);
  create table hsc.collection (collection_id bigserial primary key, name varchar not null unique, type smallint not null, doc text);
  create table hsc.collection_chain (parent bigint, position smallint, child bigint, primary key (parent, position));
  create table hsc.dataset_type (id bigserial primary key, name varchar, storage_class varchar, dimensions_key bigint, tag_association_table varchar,
    calibration_association_table varchar);
  create table hsc.dimension_graph_definition (dimension_graph_id bigint, dimension_name varchar, primary key (dimension_graph_id, dimension_name));
  create table hsc.dataset (id uuid primary key, dataset_type_id bigint, ingest_date bigint, run_id bigint);
  create table hsc.file_datastore_records (dataset_id uuid, path varchar, formatter varchar, storage_class varchar, component varchar, checksum varchar,
    file_size bigint, primary key (dataset_id, component));
  create table hsc.dataset_tags_00000001 (dataset_type_id bigint, dataset_id uuid, collection_id bigint, instrument varchar, visit bigint, detector bigint,
    primary key (dataset_type_id, collection_id, instrument, visit, detector));
  create table hsc.dataset_tags_00000002 (dataset_type_id bigint, dataset_id uuid, collection_id bigint, instrument varchar, detector bigint,
    primary key (dataset_type_id, collection_id, instrument, detector));
  create table hsc.dataset_calibs_00000002 (id bigserial primary key, dataset_type_id bigint, dataset_id uuid, collection_id bigint, instrument varchar,
    detector bigint, timespan int8range);
  create table hsc.instrument (name varchar primary key, detector_max bigint);
  create table hsc.visit (instrument varchar, id bigint, physical_filter varchar, day_obs bigint, exposure_time double precision, primary key (instrument, id));
  insert into hsc.collection values (1, 'run', 1, null), (2, 'tag', 2, null), (3, 'calib', 4, null);
  insert into hsc.dataset_type values (1, 'calexp', 'ExposureF', 1, 'dataset_tags_00000001', null),
    (2, 'bias', 'ExposureF', 2, 'dataset_tags_00000002', 'dataset_calibs_00000002');
  insert into hsc.dimension_graph_definition values (1, 'instrument'), (1, 'visit'), (1, 'detector'), (2, 'instrument'), (2, 'detector');
  insert into hsc.instrument values ('HSC', 200);
`;

/** A UUID of a number in SQL. */
export function uuidText(number: number): string {
  return `'${uuidOf(number)}'::uuid`;
}

/** Statements that add the calexps of a visit, by detector, with the numbers that follow `first`. */
export function calexps(first: number, visit: number, detectors: number, ingested = '1700000000000000000'): string {
  const uuid = `lpad(to_hex(${first} + d), 32, '0')::uuid`;
  const each = `generate_series(0, ${detectors - 1}) as d`;
  return `insert into hsc.dataset select ${uuid}, 1, ${ingested}, 1 from ${each};
    insert into hsc.file_datastore_records select ${uuid}, 'run/calexp/${visit}/' || d || '.fits', 'f', 's', '__NULL_STRING__', null, 100 from ${each};
    insert into hsc.dataset_tags_00000001 select 1, ${uuid}, 1, 'HSC', ${visit}, d from ${each};`;
}

/** Makes the schema `hsc` in a database. */
export async function createServerRegistry(server: PostgresqlServer, database: string): Promise<void> {
  await server.createDatabase(database);
  await server.query(database, TABLES);
  await server.query(database, `insert into hsc.butler_attributes values ('config:dimensions.json', $1)`, [smallUniverse]);
}

/** The text of the `butler.yaml` of a repository whose registry it is. */
export function serverConfiguration(server: PostgresqlServer, database: string): string {
  return `datastore:
  cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore
  records: {table: file_datastore_records}
  root: <butlerRoot>
registry:
  db: postgresql+psycopg2://butler@127.0.0.1:${server.port}/${database}
  namespace: hsc
`;
}
