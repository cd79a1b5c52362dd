/**
 * Reads a Gen3 repository: the registry's tables become the stream of records of ../../contract.ts, whatever dimension universe they were made for.
 * Rows are streamed; only collections, dataset types and one row are in memory at a time.
 */

import { ButlerfsError } from '../../../common/errors.js';
import type { KnownContent, RepositoryChange, RepositoryRecord } from '../../contract.js';
import type { AttachableReader, AttachedRepository } from '../../sqlite/attached.js';
import type { Database } from '../../sqlite/driver.js';
import type { ElementUniverse } from '../../universe.js';
import { attachRegistry } from './attached.js';
import { readChanges } from './changes.js';
import type { ChangesEnd } from './changes.js';
import type { Gen3Configuration } from './configuration.js';
import { cursorOf } from './cursor.js';
import { membershipQuery, membershipOf, recordOf } from './rows.js';
import { openRegistry, quote, registryError } from './source.js';
import type { RegistrySource } from './source.js';
import { StoredFiles } from './stored-files.js';
import { membershipTables, readCollections, readTypes, readUniverse, recordColumns } from './structure.js';
import type { TypeRow } from './structure.js';
import { ingestTime } from './time.js';

export interface Gen3ReaderOptions {
  readonly configuration: Gen3Configuration;
  /** The SQLite registry on this host: the repository's own file or a copy of it. */
  readonly registryFile: string;
  /** The repository in messages: a directory, or a URL without credentials. */
  readonly repository: string;
  /** Bytes of files that the registry does not tell of, where they are known: `butler.yaml` and the registry itself, by location. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** Rows of a table from which on changes that came are told before rows are counted, for what went: `isUnfinished` of a RepositoryReader. Default: none. */
  readonly countLaterAbove?: number | undefined;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Opens the registry. Throws `not-a-repository` for a file that is no registry, `corrupt-repository` for an empty or damaged one, and
 * `unsupported-repository` for a universe or managers that are not understood; {@link LocalReader.records} throws the same while it reads.
 */
export function openGen3(options: Gen3ReaderOptions): AttachableReader {
  return new Gen3Reader(options);
}

/** What the parts of a reader share. */
export interface Gen3Parts {
  readonly source: RegistrySource;
  readonly configuration: Gen3Configuration;
  readonly universe: ElementUniverse;
  readonly sizes: Readonly<Record<string, number>>;
  readonly countLaterAbove: number;
  readonly warn: (message: string) => void;
}

class Gen3Reader implements AttachableReader {
  readonly format = 'gen3';
  readonly #options: Gen3ReaderOptions;
  readonly #parts: Gen3Parts;
  #cursor: string | null = null;
  #end: ChangesEnd | undefined;

  constructor(options: Gen3ReaderOptions) {
    const { configuration, registryFile, repository, sizes = {}, countLaterAbove = Infinity, onWarning = () => {} } = options;
    this.#options = options;
    const source = openRegistry(registryFile, `${repository} (${configuration.registry})`);
    try {
      this.#parts = { source, configuration, universe: readUniverse(source), sizes, countLaterAbove, warn: onWarning };
    } catch (error) {
      source.close();
      throw registryError(error, source.where);
    }
  }

  *records(): IterableIterator<RepositoryRecord> {
    const { source } = this.#parts;
    try {
      const types: TypeRow[] = [];
      yield* structureRecords(this.#parts, types);
      yield* this.#dimensionRecords();
      yield* this.#datasets();
      yield* this.#memberships(types);
      this.#cursor = cursorOf(this.#parts);
    } catch (error) {
      throw registryError(error, source.where);
    }
  }

  attach(database: Database): AttachedRepository | undefined {
    return attachRegistry(database, this.#options.registryFile, this.#parts);
  }

  cursor(): string | null {
    return this.#cursor;
  }

  changes(cursor: string, known: KnownContent): Iterable<RepositoryChange> | undefined {
    return readChanges(this.#parts, cursor, known, (end) => {
      this.#end = end;
      this.#cursor = end.cursor;
    });
  }

  get missesNothing(): boolean {
    return this.#end?.wasUncounted === true;
  }

  get isUnfinished(): boolean {
    return this.#end?.isUncounted === true;
  }

  close(): void {
    this.#parts.source.close();
  }

  *#dimensionRecords(): IterableIterator<RepositoryRecord> {
    const { source, universe } = this.#parts;
    for (const { name } of universe.elements) {
      const columns = recordColumns(source, name);
      if (columns.length === 0) continue;
      for (const row of source.rows(`select ${columns.map(quote).join(', ')} from ${source.table(name)}`)) {
        yield recordOf(name, columns, row);
      }
    }
  }

  *#datasets(): IterableIterator<RepositoryRecord> {
    const { source, configuration, warn } = this.#parts;
    const stored = new StoredFiles(source, configuration, warn);
    for (const row of source.rows(`select id, dataset_type_id, ingest_date, run_id from ${source.table('dataset')}`)) {
      yield datasetOf(source, stored, row);
    }
  }

  *#memberships(types: readonly TypeRow[]): IterableIterator<RepositoryRecord> {
    const { source } = this.#parts;
    for (const table of membershipTables(source, types)) {
      for (const row of source.rows(membershipQuery(source, table))) {
        const membership = membershipOf(table, row);
        if (membership !== undefined) yield membership;
      }
    }
  }
}

/** What comes before the records of dimensions; fills `types`. */
export function* structureRecords(
  { source, configuration, universe, sizes }: Gen3Parts,
  types: TypeRow[],
): IterableIterator<RepositoryRecord> {
  yield { kind: 'universe', json: universe.json };
  for (const location of ['butler.yaml', configuration.registry]) {
    yield { kind: 'file', location, size: sizes[location] ?? null, checksum: null };
  }
  yield* readCollections(source);
  for (const { record, row } of readTypes(source, universe)) {
    types.push(row);
    yield record;
  }
}

/** A row of `dataset`: id, type, time, run. */
export function datasetOf(
  source: RegistrySource,
  stored: StoredFiles,
  [id, type, ingested, run]: readonly unknown[],
): Extract<RepositoryRecord, { kind: 'dataset' }> {
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) {
    const why = `dataset '${String(id)}' is not named by a UUID, as in registries made before 2022`;
    throw new ButlerfsError('unsupported-repository', {
      what: 'the registry',
      where: source.where,
      why,
      advice: 'migrate it with butler migrate',
    });
  }
  return { kind: 'dataset', uuid: id, type: Number(type), run: Number(run), ingested: ingestTime(ingested), files: stored.of(id) };
}
