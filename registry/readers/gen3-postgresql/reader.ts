/**
 * Reads a Gen3 repository whose registry PostgreSQL keeps: the same stream of records as from SQLite, in another order. What differs is the form of values: UUIDs are
 * native, and time spans are ranges (`int8range`), of which an unbounded side and an empty one are written as SQLite registries have them.
 */

import { ButlerfsError } from '../../../common/errors.js';
import type { CollectionType, DimensionGroup, RepositoryReader, RepositoryRecord, StoredFile } from '../../contract.js';
import type { DatabaseAccess } from '../../shared/contract.js';
import { databaseError } from '../../shared/errors.js';
import { parseUniverse } from '../../universe.js';
import type { ElementUniverse } from '../../universe.js';
import type { Gen3Datastore } from '../gen3/configuration.js';
import { parseLocation } from '../gen3/locations.js';
import { quote } from '../gen3/source.js';
import { boundOf, ingestTime } from '../gen3/time.js';
import { dataIdValue, fieldValue } from '../gen3/values.js';
import { ServerRegistry } from './server-registry.js';

export interface ServerRegistryOptions {
  readonly access: DatabaseAccess;
  /** The schema of its tables; undefined: the user's own. */
  readonly namespace: string | undefined;
  readonly datastores: readonly Gen3Datastore[];
  /** Bytes of files that the registry does not tell of: `butler.yaml`. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** The repository in messages. */
  readonly repository: string;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Rejects with `not-a-repository`, `unsupported-repository` for a universe that is not understood, `remote-*`. */
export async function openServerRegistry(options: ServerRegistryOptions): Promise<RepositoryReader> {
  const registry = await ServerRegistry.open(options.access, options.namespace);
  try {
    return new ServerReader(options, registry, await readUniverse(registry));
  } catch (error) {
    await registry.close();
    throw databaseError(error, registry.where);
  }
}

async function readUniverse(registry: ServerRegistry): Promise<ElementUniverse> {
  const query = `select value from ${registry.table('butler_attributes')} where name = 'config:dimensions.json'`;
  for await (const [json] of registry.rows(query)) if (typeof json === 'string') return parseUniverse(json, registry.where);
  const why = "it holds no dimension universe (attribute 'config:dimensions.json')";
  throw new ButlerfsError('unsupported-repository', { what: 'the registry', where: registry.where, why });
}

const COLLECTION_TYPES: ReadonlyMap<number, CollectionType> = new Map([
  [1, 'RUN'],
  [2, 'TAGGED'],
  [3, 'CHAINED'],
  [4, 'CALIBRATION'],
]);
/** How SQLite registries write the ends of an unbounded time span; an empty one is written with the two in each other's place. */
const EARLIEST = 0n;
const LATEST = 4_102_444_800_000_000_000n;

interface TypeRow {
  readonly group: DimensionGroup;
  readonly tags: string;
  readonly calibrations: string | undefined;
}

/** What a column is called in records, and the expression that gives it. */
interface Field {
  readonly name: string;
  readonly expression: string;
}

class ServerReader implements RepositoryReader {
  readonly format = 'gen3';
  readonly #options: ServerRegistryOptions;
  readonly #registry: ServerRegistry;
  readonly #universe: ElementUniverse;

  constructor(options: ServerRegistryOptions, registry: ServerRegistry, universe: ElementUniverse) {
    this.#options = options;
    this.#registry = registry;
    this.#universe = universe;
  }

  async *records(): AsyncGenerator<RepositoryRecord, void, undefined> {
    try {
      yield { kind: 'universe', json: this.#universe.json };
      yield { kind: 'file', location: 'butler.yaml', size: this.#options.sizes?.['butler.yaml'] ?? null, checksum: null };
      yield* this.#collections();
      const types: TypeRow[] = [];
      for await (const { record, row } of this.#datasetTypes()) {
        types.push(row);
        yield record;
      }
      yield* this.#dimensionRecords();
      yield* this.#datasets();
      yield* this.#memberships(types);
    } catch (error) {
      throw databaseError(error, this.#registry.where);
    }
  }

  cursor(): null {
    return null;
  }

  changes(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    await this.#registry.close();
  }

  async *#collections(): AsyncGenerator<RepositoryRecord, void, undefined> {
    const doc = this.#registry.columns('collection').has('doc') ? 'doc' : 'null';
    const query = `select collection_id, name, type, ${doc} from ${this.#registry.table('collection')}`;
    for await (const [id, name, typeNumber, text] of this.#registry.rows(query)) {
      const type = COLLECTION_TYPES.get(Number(typeNumber));
      if (type === undefined) {
        const why = `its type is ${String(typeNumber)}, which is none of 1 to 4`;
        throw new ButlerfsError('unsupported-repository', { what: `collection '${String(name)}'`, where: this.#registry.where, why });
      }
      yield { kind: 'collection', id: Number(id), name: String(name), type, doc: typeof text === 'string' && text !== '' ? text : null };
    }
    const chains = `select parent, position, child from ${this.#registry.table('collection_chain')} order by parent, position`;
    for await (const [parent, position, child] of this.#registry.rows(chains)) {
      yield { kind: 'chain', parent: Number(parent), position: Number(position), child: Number(child) };
    }
  }

  async *#datasetTypes(): AsyncGenerator<{ readonly record: RepositoryRecord; readonly row: TypeRow }, void, undefined> {
    const dimensions = new Map<number, string[]>();
    const keys = `select dimension_graph_id, dimension_name from ${this.#registry.table('dimension_graph_definition')}`;
    for await (const [key, name] of this.#registry.rows(keys)) {
      dimensions.set(Number(key), [...(dimensions.get(Number(key)) ?? []), String(name)]);
    }
    const columns = 'id, name, storage_class, dimensions_key, tag_association_table, calibration_association_table';
    const query = `select ${columns} from ${this.#registry.table('dataset_type')}`;
    for await (const [id, name, storageClass, key, tags, calibrations] of this.#registry.rows(query)) {
      const group = this.#universe.group(dimensions.get(Number(key)) ?? []);
      const isCalibration = typeof calibrations === 'string' && calibrations !== '';
      const facts = { id: Number(id), name: String(name), storageClass: String(storageClass), dimensions: group.required, isCalibration };
      yield {
        record: { kind: 'dataset-type', ...facts },
        row: { group, tags: String(tags), calibrations: isCalibration ? calibrations : undefined },
      };
    }
  }

  async *#dimensionRecords(): AsyncGenerator<RepositoryRecord, void, undefined> {
    for (const { name } of this.#universe.elements) {
      const fields = [...this.#registry.columns(name)].flatMap(([column, type]) => fieldsOf(column, type));
      if (fields.length === 0) continue;
      const query = `select ${fields.map(({ expression }) => expression).join(', ')} from ${this.#registry.table(name)}`;
      for await (const row of this.#registry.rows(query)) {
        yield {
          kind: 'dimension',
          element: name,
          fields: Object.fromEntries(fields.map((field, index) => [field.name, fieldValue(row[index])])),
        };
      }
    }
  }

  async *#datasets(): AsyncGenerator<RepositoryRecord, void, undefined> {
    const stores = this.#options.datastores.filter(({ recordsTable }) => {
      const isThere = this.#registry.columns(recordsTable).size > 0;
      if (!isThere) this.#options.onWarning?.(`datastore table '${recordsTable}' is missing: its files are left out`);
      return isThere;
    });
    const files = stores.map(
      ({ recordsTable }, index) =>
        `select dataset_id, ${index} as store, path, component, checksum, file_size from ${this.#registry.table(recordsTable)}`,
    );
    const dataset = this.#registry.table('dataset');
    const query =
      files.length === 0
        ? `select id, dataset_type_id, ingest_date, run_id, null, null, null, null, null from ${dataset}`
        : `select d.id, d.dataset_type_id, d.ingest_date, d.run_id, f.store, f.path, f.component, f.checksum, f.file_size
           from ${dataset} d left join (${files.join(' union all ')}) f on f.dataset_id = d.id
           order by d.id, f.store, f.component collate "C"`;
    let last: { readonly record: Extract<RepositoryRecord, { kind: 'dataset' }>; readonly files: StoredFile[]; store: number } | undefined;
    for await (const [id, type, ingested, run, storeNumber, ...file] of this.#registry.rows(query)) {
      const uuid = String(id).replaceAll('-', '');
      const store = Number(storeNumber ?? 0);
      if (last?.record.uuid !== uuid) {
        if (last !== undefined) yield last.record;
        const found: StoredFile[] = [];
        const facts = { uuid, type: Number(type), run: Number(run), ingested: ingestTime(ingested) };
        last = { record: { kind: 'dataset', ...facts, files: found }, files: found, store };
      }
      // A dataset is read from the first datastore that has files of it.
      if (file[0] === null || (last.files.length > 0 && last.store !== store)) continue;
      last.store = store;
      last.files.push(...this.#storedFile(file, stores[store]?.root ?? '', uuid));
    }
    if (last !== undefined) yield last.record;
  }

  #storedFile([path, component, checksum, size]: unknown[], root: string, dataset: string): StoredFile[] {
    const parsed = parseLocation(String(path), root);
    if ('refused' in parsed) {
      this.#options.onWarning?.(`dataset ${dataset}: its path ${JSON.stringify(path)} is refused: ${parsed.refused}`);
      return [];
    }
    return [
      {
        component: typeof component === 'string' && component !== '__NULL_STRING__' && component !== '' ? component : null,
        ...parsed,
        size: typeof size === 'bigint' && size >= 0n ? Number(size) : null,
        checksum: typeof checksum === 'string' && /^[0-9a-f]{128}$/.test(checksum) ? checksum : null,
      },
    ];
  }

  async *#memberships(types: readonly TypeRow[]): AsyncGenerator<RepositoryRecord, void, undefined> {
    const tables = new Map<string, { readonly group: DimensionGroup; readonly isCertified: boolean }>();
    for (const { tags, calibrations, group } of types) {
      tables.set(tags, { group, isCertified: false });
      if (calibrations !== undefined) tables.set(calibrations, { group, isCertified: true });
    }
    for (const [table, { group, isCertified }] of tables) {
      const wanted = ['dataset_type_id', 'dataset_id', 'collection_id', ...group.required, ...(isCertified ? ['timespan'] : [])];
      const present = this.#registry.columns(table);
      const missing = wanted.find((column) => !present.has(column));
      if (missing !== undefined) {
        const why = present.size === 0 ? `table '${table}' is missing` : `table '${table}' has no column '${missing}'`;
        throw new ButlerfsError('corrupt-repository', { what: 'the registry', where: this.#registry.where, why });
      }
      const dimensions = group.required.map((name) => `, ${quote(name)}`).join('');
      const span = isCertified ? ', lower(timespan), upper(timespan), isempty(timespan)' : '';
      const query = `select dataset_type_id, dataset_id, collection_id${dimensions}${span} from ${this.#registry.table(table)}`;
      const count = group.required.length;
      for await (const row of this.#registry.rows(query)) {
        const dataId = row.slice(3, 3 + count).map(dataIdValue);
        const uuid = String(row[1]).replaceAll('-', '');
        const membership = { kind: 'membership', uuid, type: Number(row[0]), collection: Number(row[2]), dataId } as const;
        const [begin, end, isEmpty] = row.slice(3 + count) as (bigint | null)[];
        // What is certified for an empty time span is valid at no time.
        if (isCertified && isEmpty === 1n) continue;
        yield { ...membership, validity: isCertified ? { begin: boundOf(begin ?? null), end: boundOf(end ?? null) } : null };
      }
    }
  }
}

function fieldsOf(column: string, type: string): Field[] {
  if (!/^[A-Za-z_]\w*$/.test(column)) return [];
  const name = quote(column);
  if (type !== 'int8range') return [{ name: column, expression: name }];
  const bound = (side: 'lower' | 'upper', unbounded: bigint, empty: bigint): string =>
    `case when isempty(${name}) then ${empty} when ${name} is null then null else coalesce(${side}(${name}), ${unbounded}) end`;
  return [
    { name: `${column}_begin`, expression: bound('lower', EARLIEST, LATEST) },
    { name: `${column}_end`, expression: bound('upper', LATEST, EARLIEST) },
  ];
}
