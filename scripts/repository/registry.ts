/** Fills the registry and the datastore records of a new Gen3 repository. */

import { Database, type Statement } from '../../registry/sqlite/driver.js';
import { createHash } from 'node:crypto';
import { schemaSql, tagsTable, tagsTableName } from './schema.js';
import { universeJson } from './universe.js';

export type Value = number | string;
/** Values of the required dimensions, by name. */
export type DataId = Readonly<Record<string, Value>>;
type Field = Value | bigint | null;

export interface DatasetTypeHandle {
  readonly id: number;
  readonly name: string;
  readonly storageClass: string;
  /** In the universe's order. */
  readonly required: readonly string[];
  readonly dimensionsKey: number;
}

export interface StoredDataset {
  readonly type: DatasetTypeHandle;
  readonly dataId: DataId;
  readonly run: string;
  /** Relative to the repository. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** BLAKE2b-512 in hex, or null where it is not recorded. */
  readonly checksum: string | null;
}

const REGISTRY = 'lsst.daf.butler.registry';
const MANAGERS: Readonly<Record<string, readonly [name: string, version: string]>> = {
  attributes: [`${REGISTRY}.attributes.DefaultButlerAttributeManager`, '1.0.1'],
  dimensions: [`${REGISTRY}.dimensions.static.StaticDimensionRecordStorageManager`, '6.0.2'],
  collections: [`${REGISTRY}.collections.synthIntKey.SynthIntKeyCollectionManager`, '2.0.0'],
  datasets: [`${REGISTRY}.datasets.byDimensions._manager.ByDimensionsDatasetRecordStorageManagerUUID`, '2.0.0'],
  opaque: [`${REGISTRY}.opaque.ByNameOpaqueTableStorageManager`, '0.2.0'],
  datastores: [`${REGISTRY}.bridge.monolithic.MonolithicDatastoreRegistryBridgeManager`, '0.2.1'],
};

const FORMATTER = 'lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter';
/** 2026-01-01 12:00 UTC, in nanoseconds TAI since 1970: repositories made again come out the same. */
const INGESTED = 1_767_268_837_000_000_000n;

/** Text of butler.yaml. */
export function butlerYaml(): string {
  const managers = Object.entries(MANAGERS).map(([kind, [name]]) => `    ${kind}: ${name}`);
  return [
    'datastore:',
    '  checksum: true',
    '  cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore',
    '  records:',
    '    table: file_datastore_records',
    '  root: <butlerRoot>',
    'registry:',
    '  db: sqlite:///<butlerRoot>/gen3.sqlite3',
    '  managers:',
    ...managers,
    '',
  ].join('\n');
}

/** 32 hex digits in the form of a version 5 UUID: the same dataset gets the same one each time. */
export function datasetUuid(type: string, dataId: DataId, run: string): string {
  const bytes = createHash('sha1')
    .update(JSON.stringify([type, Object.entries(dataId), run]))
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex');
}

/** A registry being written. Use {@link transaction} around many insertions; {@link close} at the end. */
export class RegistryWriter {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement<unknown[], unknown>>();
  readonly #collections = new Map<string, number>();
  readonly #groups = new Map<string, number>();
  #types = 0;

  /** Creates the file, which must not exist. */
  constructor(file: string) {
    this.#database = new Database(file);
    // A half-written repository is thrown away, so nothing is gained by syncing each step.
    this.#database.pragma('synchronous = OFF');
    this.#database.pragma('foreign_keys = OFF');
    this.#database.exec(schemaSql());
    this.#insert('opaque_meta', { table_name: 'file_datastore_records' });
    this.#insert('butler_attributes', { name: 'config:dimensions.json', value: universeJson() });
    for (const [kind, [name, version]] of Object.entries(MANAGERS)) {
      this.#insert('butler_attributes', { name: `config:registry.managers.${kind}`, value: name });
      this.#insert('butler_attributes', { name: `version:${name}`, value: version });
    }
  }

  transaction(work: () => void): void {
    this.#database.transaction(work)();
  }

  /** Inserts a dimension record; columns not given are NULL. */
  record(element: string, fields: Readonly<Record<string, Field>>): void {
    this.#insert(element, fields);
  }

  run(name: string): void {
    const id = this.#collection(name, 1);
    this.#insert('run', { collection_id: id, host: null, timespan_begin: null, timespan_end: null });
  }

  /** `children` in search order, each made before. */
  chain(name: string, children: readonly string[]): void {
    const parent = this.#collection(name, 3);
    children.forEach((child, position) => {
      this.#insert('collection_chain', { parent, position, child: this.#collections.get(child)! });
    });
  }

  datasetType(name: string, storageClass: string, required: readonly string[]): DatasetTypeHandle {
    const group = required.join();
    let dimensionsKey = this.#groups.get(group);
    if (dimensionsKey === undefined) {
      dimensionsKey = this.#groups.size + 1;
      this.#groups.set(group, dimensionsKey);
      this.#insert('dimension_graph_key', { id: dimensionsKey });
      for (const dimension of required) {
        this.#insert('dimension_graph_definition', { dimension_graph_id: dimensionsKey, dimension_name: dimension });
      }
      this.#database.exec(tagsTable(dimensionsKey, required));
    }
    const id = ++this.#types;
    this.#insert('dataset_type', {
      id,
      name,
      storage_class: storageClass,
      dimensions_key: dimensionsKey,
      tag_association_table: tagsTableName(dimensionsKey),
      calibration_association_table: null,
    });
    return { id, name, storageClass, required, dimensionsKey };
  }

  dataset({ type, dataId, run, path, size, checksum }: StoredDataset): void {
    const id = datasetUuid(type.name, dataId, run);
    const runId = this.#collections.get(run)!;
    const values = Object.fromEntries(type.required.map((dimension) => [dimension, dataId[dimension]!]));
    this.#insert('dataset', { id, dataset_type_id: type.id, ingest_date: INGESTED, run_id: runId });
    this.#insert('collection_summary_dataset_type', { collection_id: runId, dataset_type_id: type.id });
    for (const governor of ['instrument', 'skymap']) {
      const value = values[governor];
      if (value !== undefined) this.#insert(`collection_summary_${governor}`, { collection_id: runId, [governor]: value });
    }
    this.#insert(tagsTableName(type.dimensionsKey), { dataset_type_id: type.id, dataset_id: id, collection_id: runId, ...values });
    this.#insert('dataset_location', { datastore_name: 'FileDatastore@<butlerRoot>', dataset_id: id });
    this.#insert('file_datastore_records', {
      dataset_id: id,
      path,
      formatter: FORMATTER,
      storage_class: type.storageClass,
      component: '__NULL_STRING__',
      checksum,
      file_size: size,
    });
  }

  close(): void {
    this.#database.close();
  }

  #collection(name: string, type: number): number {
    const id = this.#collections.size + 1;
    this.#collections.set(name, id);
    this.#insert('collection', { collection_id: id, name, type, doc: null });
    return id;
  }

  #insert(table: string, fields: Readonly<Record<string, Field>>): void {
    const names = Object.keys(fields);
    const key = `${table} ${names.join()}`;
    let statement = this.#statements.get(key);
    if (statement === undefined) {
      // Summary rows come once for each dataset and are wanted once.
      const verb = table.startsWith('collection_summary_') ? 'INSERT OR IGNORE' : 'INSERT';
      const columns = names.map((name) => `"${name}"`).join(', ');
      statement = this.#database.prepare(`${verb} INTO "${table}" (${columns}) VALUES (${names.map(() => '?').join(', ')})`);
      this.#statements.set(key, statement);
    }
    statement.run(...Object.values(fields));
  }
}
