/** Writes a small Gen3 repository with the tables of the real one, for tests that need one the real butler would not make. */

import { Database } from '../sqlite/driver.js';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { smallUniverse, uuidOf } from './repositories.js';

export const plainConfiguration = `datastore:
  cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore
  records: {table: file_datastore_records}
  root: <butlerRoot>
registry:
  db: sqlite:///<butlerRoot>/gen3.sqlite3
`;

const tables = `
  create table butler_attributes (name text not null primary key, value text not null);
  create table collection (collection_id integer primary key, name text not null unique, type smallint not null, doc text);
  create table collection_chain (parent bigint, position smallint, child bigint, primary key (parent, position));
  create table dataset_type (id integer primary key, name text, storage_class text, dimensions_key bigint, tag_association_table text, calibration_association_table text);
  create table dimension_graph_definition (dimension_graph_id bigint, dimension_name text, primary key (dimension_graph_id, dimension_name));
  create table dataset (id char(32) primary key, dataset_type_id bigint, ingest_date bigint, run_id bigint);
  create table file_datastore_records (dataset_id char(32), path text, formatter text, storage_class text, component text, checksum text, file_size bigint, primary key (dataset_id, component));
  create table dataset_tags_00000001 (dataset_type_id bigint, dataset_id char(32), collection_id bigint, instrument text, visit bigint, detector bigint, primary key (dataset_type_id, collection_id, instrument, visit, detector));
  insert into collection values (1, 'run', 1, null);
  insert into dataset_type values (1, 'calexp', 'ExposureF', 1, 'dataset_tags_00000001', null);
  insert into dimension_graph_definition values (1, 'instrument'), (1, 'visit'), (1, 'detector');
`;

export interface SmallRepository {
  readonly root: string;
  /** Runs SQL on the registry. */
  sql(text: string): void;
  /** Adds the calexp of a visit and detector, at `path`. */
  add(number: number, visit: number, detector: number, path: string): void;
  /** Adds many in one transaction. */
  fill(count: number): void;
  close(): void;
}

/** A repository with the dataset type calexp (visit, detector) and the RUN `run`. */
export function makeRepository(root: string, { configuration = plainConfiguration, universe = smallUniverse } = {}): SmallRepository {
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'butler.yaml'), configuration);
  const database = new Database(join(root, 'gen3.sqlite3'));
  database.pragma('synchronous = off');
  database.exec(tables);
  database.prepare("insert into butler_attributes values ('config:dimensions.json', ?)").run(universe);
  const dataset = database.prepare('insert into dataset values (?, 1, 1700000000000000000, 1)');
  const record = database.prepare("insert into file_datastore_records values (?, ?, 'f', 'ExposureF', '__NULL_STRING__', null, 100)");
  const tag = database.prepare("insert into dataset_tags_00000001 values (1, ?, 1, 'HSC', ?, ?)");
  const add = (number: number, visit: number, detector: number, path: string): void => {
    dataset.run(uuidOf(number));
    record.run(uuidOf(number), path);
    tag.run(uuidOf(number), visit, detector);
  };
  return {
    root,
    sql: (text) => void database.exec(text),
    add,
    fill: database.transaction((count: number) => {
      for (let index = 0; index < count; index++) {
        const [visit, detector] = [1000 + Math.floor(index / 100), index % 100];
        add(index + 1, visit, detector, `run/calexp/${visit}/calexp_${visit}_${detector}.fits`);
      }
    }),
    close: () => void database.close(),
  };
}
