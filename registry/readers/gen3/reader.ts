/**
 * Reads a Gen3 repository: the registry's tables become the stream of records of ../../contract.ts, whatever dimension universe they were made for.
 * Rows are streamed; only collections, dataset types and one row are in memory at a time.
 */

import { ButlerfsError } from '../../../common/errors.js';
import type { CollectionType, DataIdValue, DimensionGroup, LocalReader, RepositoryRecord, StoredFile } from '../../contract.js';
import { parseUniverse } from '../../universe.js';
import type { ElementUniverse } from '../../universe.js';
import type { Gen3Configuration } from './configuration.js';
import { parseLocation } from './locations.js';
import { quote, registryError, RegistrySource } from './source.js';
import { boundOf, ingestTime } from './time.js';

export interface Gen3ReaderOptions {
  readonly configuration: Gen3Configuration;
  /** The SQLite registry on this host: the repository's own file or a copy of it. */
  readonly registryFile: string;
  /** The repository in messages: a directory, or a URL without credentials. */
  readonly repository: string;
  /** Bytes of files that the registry does not tell of, where they are known: `butler.yaml` and the registry itself, by location. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Opens the registry. Throws `not-a-repository` for a file that is no registry, `corrupt-repository` for an empty or damaged one, and
 * `unsupported-repository` for a universe or managers that are not understood; {@link LocalReader.records} throws the same while it reads.
 */
export function openGen3(options: Gen3ReaderOptions): LocalReader {
  return new Gen3Reader(options);
}

const collectionTypes: ReadonlyMap<unknown, CollectionType> = new Map([
  [1n, 'RUN'],
  [2n, 'TAGGED'],
  [3n, 'CHAINED'],
  [4n, 'CALIBRATION'],
]);

interface TypeRow {
  readonly id: number;
  readonly dimensions: DimensionGroup;
  readonly tags: string;
  readonly calibrations: string | undefined;
}

class Gen3Reader implements LocalReader {
  readonly format = 'gen3';
  readonly #configuration: Gen3Configuration;
  readonly #source: RegistrySource;
  readonly #universe: ElementUniverse;
  readonly #sizes: Readonly<Record<string, number>>;
  readonly #warn: (message: string) => void;

  constructor({ configuration, registryFile, repository, sizes = {}, onWarning }: Gen3ReaderOptions) {
    this.#configuration = configuration;
    this.#sizes = sizes;
    this.#warn = onWarning ?? (() => {});
    this.#source = new RegistrySource(registryFile, `${repository} (${configuration.registry})`);
    try {
      this.#universe = this.#readUniverse();
    } catch (error) {
      this.#source.close();
      throw registryError(error, this.#source.where);
    }
  }

  #readUniverse(): ElementUniverse {
    const [row] = [...this.#source.rows("select value from butler_attributes where name = 'config:dimensions.json'")];
    if (typeof row?.[0] === 'string') return parseUniverse(row[0], this.#source.where);
    const why = "it holds no dimension universe (attribute 'config:dimensions.json')";
    throw new ButlerfsError('unsupported-repository', { what: 'the registry', where: this.#source.where, why });
  }

  *records(): IterableIterator<RepositoryRecord> {
    try {
      yield { kind: 'universe', json: this.#universe.json };
      for (const location of ['butler.yaml', this.#configuration.registry]) {
        yield { kind: 'file', location, size: this.#sizes[location] ?? null, checksum: null };
      }
      yield* this.#collections();
      const types: TypeRow[] = [];
      for (const { record, row } of this.#datasetTypes()) {
        types.push(row);
        yield record;
      }
      yield* this.#dimensionRecords();
      yield* this.#datasets();
      yield* this.#memberships(types);
    } catch (error) {
      throw registryError(error, this.#source.where);
    }
  }

  cursor(): null {
    return null;
  }

  changes(): undefined {
    return undefined;
  }

  close(): void {
    this.#source.close();
  }

  *#collections(): IterableIterator<RepositoryRecord> {
    const doc = this.#source.columns('collection').includes('doc') ? 'doc' : 'null';
    for (const [id, name, typeNumber, text] of this.#source.rows(`select collection_id, name, type, ${doc} from collection`)) {
      const type = collectionTypes.get(typeNumber);
      if (type === undefined) {
        const why = `its type is ${String(typeNumber)}, which is none of 1 to 4`;
        throw new ButlerfsError('unsupported-repository', { what: `collection '${String(name)}'`, where: this.#source.where, why });
      }
      yield { kind: 'collection', id: Number(id), name: String(name), type, doc: typeof text === 'string' && text !== '' ? text : null };
    }
    for (const [parent, position, child] of this.#source.rows(
      'select parent, position, child from collection_chain order by parent, position',
    )) {
      yield { kind: 'chain', parent: Number(parent), position: Number(position), child: Number(child) };
    }
  }

  *#datasetTypes(): IterableIterator<{ record: RepositoryRecord; row: TypeRow }> {
    const dimensions = new Map<number, string[]>();
    for (const [key, name] of this.#source.rows('select dimension_graph_id, dimension_name from dimension_graph_definition')) {
      const names = dimensions.get(Number(key)) ?? [];
      names.push(String(name));
      dimensions.set(Number(key), names);
    }
    const query = 'select id, name, storage_class, dimensions_key, tag_association_table, calibration_association_table from dataset_type';
    for (const [idNumber, name, storageClass, key, tags, calibrations] of this.#source.rows(query)) {
      const id = Number(idNumber);
      const group = this.#universe.group(dimensions.get(Number(key)) ?? []);
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

  *#dimensionRecords(): IterableIterator<RepositoryRecord> {
    for (const { name } of this.#universe.elements) {
      const columns = this.#source.columns(name).filter((column) => /^[A-Za-z_]\w*$/.test(column));
      if (columns.length === 0) continue;
      for (const row of this.#source.rows(`select ${columns.map(quote).join(', ')} from ${quote(name)}`)) {
        const fields: Record<string, DataIdValue | bigint | null> = {};
        columns.forEach((column, index) => (fields[column] = fieldValue(row[index])));
        yield { kind: 'dimension', element: name, fields };
      }
    }
  }

  *#datasets(): IterableIterator<RepositoryRecord> {
    const stores = this.#configuration.datastores.flatMap(({ root, recordsTable }) => {
      if (!this.#source.hasTable(recordsTable)) {
        this.#warn(`datastore table '${recordsTable}' is missing: its files are left out`);
        return [];
      }
      const query = `select path, component, checksum, file_size from ${quote(recordsTable)} where dataset_id = ? order by component`;
      return [{ root, find: this.#source.lookup(query) }];
    });
    for (const [id, type, ingested, run] of this.#source.rows('select id, dataset_type_id, ingest_date, run_id from dataset')) {
      if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) {
        const why = `dataset '${String(id)}' is not named by a UUID, as in registries made before 2022`;
        throw new ButlerfsError('unsupported-repository', {
          what: 'the registry',
          where: this.#source.where,
          why,
          advice: 'migrate it with butler migrate',
        });
      }
      let files: StoredFile[] = [];
      for (const { root, find } of stores) {
        files = find(id).flatMap((row) => this.#storedFile(row, root, id));
        if (files.length > 0) break;
      }
      yield { kind: 'dataset', uuid: id, type: Number(type), run: Number(run), ingested: ingestTime(ingested), files };
    }
  }

  #storedFile([path, component, checksum, size]: unknown[], root: string, dataset: string): StoredFile[] {
    const parsed = parseLocation(String(path), root);
    if ('refused' in parsed) {
      this.#warn(`dataset ${dataset}: its path ${JSON.stringify(path)} is refused: ${parsed.refused}`);
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

  *#memberships(types: readonly TypeRow[]): IterableIterator<RepositoryRecord> {
    const groups = new Map<string, { readonly group: DimensionGroup; readonly certified: boolean }>();
    for (const { tags, calibrations, dimensions } of types) {
      groups.set(tags, { group: dimensions, certified: false });
      if (calibrations !== undefined) groups.set(calibrations, { group: dimensions, certified: true });
    }
    for (const [table, { group, certified }] of groups) {
      const present = new Set(this.#source.columns(table));
      const missing = ['dataset_type_id', 'dataset_id', 'collection_id', ...group.required].find((column) => !present.has(column));
      if (missing !== undefined) {
        const why = present.size === 0 ? `table '${table}' is missing` : `table '${table}' has no column '${missing}'`;
        throw new ButlerfsError('corrupt-repository', { what: 'the registry', where: this.#source.where, why });
      }
      const spans = certified ? ', timespan_begin, timespan_end' : '';
      const dimensions = group.required.map((name) => `, ${quote(name)}`).join('');
      const query = `select dataset_type_id, dataset_id, collection_id${dimensions}${spans} from ${quote(table)}`;
      const count = group.required.length;
      for (const row of this.#source.rows(query)) {
        const dataId = row.slice(3, 3 + count).map(dataIdValue);
        const membership = { kind: 'membership', uuid: String(row[1]), type: Number(row[0]), collection: Number(row[2]), dataId } as const;
        if (!certified) {
          yield { ...membership, validity: null };
          continue;
        }
        const [begin, end] = [row[3 + count], row[4 + count]].map((value) => (typeof value === 'bigint' ? value : null));
        // A time span that ends before it begins is empty: it is valid at no time.
        if (begin !== null && end !== null && begin! >= end!) continue;
        yield { ...membership, validity: { begin: boundOf(begin!), end: boundOf(end!) } };
      }
    }
  }
}

function dataIdValue(value: unknown): DataIdValue {
  return typeof value === 'bigint' ? Number(value) : String(value);
}

function fieldValue(value: unknown): DataIdValue | bigint | null {
  if (typeof value === 'bigint') return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
  if (typeof value === 'number' || typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('base64') : null;
}
