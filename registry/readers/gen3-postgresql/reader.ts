/**
 * Reads a Gen3 repository whose registry PostgreSQL keeps: the same stream of records as from SQLite, in another order. What differs is the form of values: UUIDs are
 * native, and time spans are ranges (`int8range`), of which an unbounded side and an empty one are written as SQLite registries have them.
 */

import type { KnownContent, RepositoryChange, RepositoryReader, RepositoryRecord } from '../../contract.js';
import type { DatabaseAccess } from '../../shared/contract.js';
import { databaseError } from '../../shared/errors.js';
import type { ElementUniverse } from '../../universe.js';
import type { Gen3Datastore } from '../gen3/configuration.js';
import { readChanges } from './changes.js';
import { writeCursor } from './cursor.js';
import { DatasetRows, dimensionRows, membershipRows } from './rows.js';
import { ServerRegistry } from './server-registry.js';
import { membershipTables, readCollections, readTypes, readUniverse } from './structure.js';
import type { TypeRow } from './structure.js';

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

/** What the parts of a reader share. */
export interface ServerParts {
  readonly registry: ServerRegistry;
  readonly universe: ElementUniverse;
  readonly datasets: DatasetRows;
  readonly sizes: Readonly<Record<string, number>>;
}

/** Rejects with `not-a-repository`, `unsupported-repository` for a universe that is not understood, `remote-*`. */
export async function openServerRegistry(options: ServerRegistryOptions): Promise<RepositoryReader> {
  const { datastores, sizes = {}, onWarning = () => undefined } = options;
  const registry = await ServerRegistry.open(options.access, options.namespace);
  try {
    const universe = await readUniverse(registry);
    return new ServerReader({ registry, universe, datasets: new DatasetRows(registry, datastores, onWarning), sizes });
  } catch (error) {
    await registry.close();
    throw databaseError(error, registry.where);
  }
}

class ServerReader implements RepositoryReader {
  readonly format = 'gen3';
  readonly missesNothing = true;
  readonly #parts: ServerParts;
  #cursor: string | null = null;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  async *records(): AsyncGenerator<RepositoryRecord, void, undefined> {
    const { registry, universe, datasets } = this.#parts;
    try {
      const types: TypeRow[] = [];
      yield* structureRecords(this.#parts, types);
      for (const { name } of universe.elements) yield* dimensionRows(registry, name);
      yield* datasets.records();
      for (const table of membershipTables(registry, types)) yield* membershipRows(registry, table);
      this.#cursor = writeCursor(registry.marks, universe.json, Date.now());
    } catch (error) {
      throw databaseError(error, registry.where);
    }
  }

  cursor(): string | null {
    return this.#cursor;
  }

  changes(cursor: string, known: KnownContent): AsyncIterable<RepositoryChange> | undefined {
    return readChanges(this.#parts, cursor, known, (next) => (this.#cursor = next));
  }

  async close(): Promise<void> {
    await this.#parts.registry.close();
  }
}

/** What comes before the records of dimensions; fills `types`. */
export async function* structureRecords(
  { registry, universe, sizes }: ServerParts,
  types: TypeRow[],
): AsyncGenerator<RepositoryRecord, void, undefined> {
  yield { kind: 'universe', json: universe.json };
  yield { kind: 'file', location: 'butler.yaml', size: sizes['butler.yaml'] ?? null, checksum: null };
  yield* readCollections(registry);
  for await (const { record, row } of readTypes(registry, universe)) {
    types.push(row);
    yield record;
  }
}
