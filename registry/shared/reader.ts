/**
 * Reads a shared catalogue, as of one instant. Pages of rows in the order of their keys, rather than cursors: every statement is short, so that a server that is gone
 * is noticed, and none leaves a stream that ends too early unnoticed.
 */

import type { Kysely } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { CollectionType, RepositoryChange, RepositoryReader, RepositoryRecord } from '../contract.js';
import { parseUniverse } from '../universe.js';
import { databaseUrl } from './address.js';
import type { Engine } from './engine.js';
import { databaseError } from './errors.js';
import { bigOf, readDataId, readDimensions, readFields, readFiles } from './form.js';
import type { FieldValue } from './form.js';
import { readHead } from './information.js';
import type { Head } from './information.js';
import type { Integer, SharedDatabase, SharedTables } from './schema.js';

/** Rows of one statement. */
const PAGE = 5000;
/** Above every position of a removal. */
const LAST_POSITION = 2 ** 31 - 1;

/** Where a reader of {@link cursorOf} left off; undefined for a text of another origin. */
function parseCursor(cursor: string): { readonly identity: string; readonly sequence: number } | undefined {
  const match = /^shared ([0-9a-f]{32}) (\d+)$/.exec(cursor);
  return match === null ? undefined : { identity: match[1]!, sequence: Number(match[2]) };
}

/** Names an instant of a catalogue: another text where anything is another. */
export function cursorOf({ identity, sequence }: Pick<Head, 'identity' | 'sequence'>): string {
  return `shared ${identity} ${sequence}`;
}

/** A transaction that sees one instant, and writes nothing. */
interface Snapshot {
  readonly database: SharedDatabase;
  end(): Promise<void>;
}

async function beginSnapshot({ address, database }: Engine): Promise<Snapshot> {
  const begin = database.startTransaction();
  const isolated = address.engine === 'sqlite' ? begin : begin.setIsolationLevel('repeatable read').setAccessMode('read only');
  const transaction = await isolated.execute();
  return {
    database: transaction,
    end: async () => {
      if (!transaction.isCommitted && !transaction.isRolledBack) await transaction.rollback().execute();
    },
  };
}

/** Throws as {@link readHead}, and `remote-*`. */
export async function openSharedReader(engine: Engine): Promise<RepositoryReader> {
  const where = databaseUrl(engine.address);
  try {
    const snapshot = await beginSnapshot(engine);
    try {
      const head = await readHead(snapshot.database, where);
      if (head.universe === null) throw withoutUniverse(where);
      return new SharedReader(snapshot, head, where);
    } catch (error) {
      await snapshot.end().catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw databaseError(error, where);
  }
}

function withoutUniverse(where: string): ButlerfsError {
  return new ButlerfsError('not-a-repository', {
    what: 'the catalogue',
    where,
    why: 'nothing was written into it yet',
    advice: 'import a repository: butlerfs catalogue import URL SOURCE',
  });
}

class SharedReader implements RepositoryReader {
  readonly format = 'native';
  readonly #snapshot: Snapshot;
  readonly #head: Head;
  readonly #where: string;

  constructor(snapshot: Snapshot, head: Head, where: string) {
    this.#snapshot = snapshot;
    this.#head = head;
    this.#where = where;
  }

  async *records(): AsyncGenerator<RepositoryRecord, void, undefined> {
    try {
      const { universe } = this.#head;
      if (universe !== null) yield { kind: 'universe', json: universe };
      yield* this.#files(-1);
      yield* this.#structure();
      yield* this.#dimensions(-1);
      yield* this.#datasets(-1);
      yield* this.#memberships(-1);
    } catch (error) {
      throw databaseError(error, this.#where);
    }
  }

  cursor(): string {
    return cursorOf(this.#head);
  }

  changes(cursor: string): AsyncGenerator<RepositoryChange, void, undefined> | undefined {
    const known = parseCursor(cursor);
    const { identity, sequence, layout } = this.#head;
    // A catalogue that was restored from a backup may be behind.
    if (known?.identity !== identity || known.sequence > sequence || known.sequence < layout) return undefined;
    return this.#changesSince(known.sequence);
  }

  async close(): Promise<void> {
    await this.#snapshot.end().catch(() => undefined);
  }

  async *#changesSince(since: number): AsyncGenerator<RepositoryChange, void, undefined> {
    try {
      if (since === this.#head.sequence) return;
      if (since < this.#head.structure) {
        yield { kind: 'whole-structure' };
        yield* this.#structure();
      }
      yield* this.#removals(since);
      yield* this.#files(since);
      yield* this.#dimensions(since);
      yield* this.#datasets(since);
      yield* this.#memberships(since);
    } catch (error) {
      throw databaseError(error, this.#where);
    }
  }

  async *#structure(): AsyncGenerator<RepositoryRecord, void, undefined> {
    const { database } = this.#snapshot;
    for (const { id, name, type, doc } of await database.selectFrom('collection').selectAll().orderBy('id').execute()) {
      yield { kind: 'collection', id: Number(id), name, type: this.#collectionType(name, type), doc };
    }
    for (const row of await database.selectFrom('collection_chain').selectAll().orderBy('parent').orderBy('position').execute()) {
      yield { kind: 'chain', parent: Number(row.parent), position: Number(row.position), child: Number(row.child) };
    }
    for (const row of await database.selectFrom('dataset_type').selectAll().orderBy('id').execute()) {
      const [id, dimensions, isCalibration] = [Number(row.id), readDimensions(row.dimensions), Number(row.is_calibration) === 1];
      yield { kind: 'dataset-type', id, name: row.name, storageClass: row.storage_class, dimensions, isCalibration };
    }
  }

  #collectionType(name: string, type: string): CollectionType {
    if (type === 'RUN' || type === 'TAGGED' || type === 'CHAINED' || type === 'CALIBRATION') return type;
    const why = `its type is '${type}'`;
    throw new ButlerfsError('corrupt-repository', { what: `collection '${name}'`, where: this.#where, why });
  }

  async *#removals(since: number): AsyncGenerator<RepositoryChange, void, undefined> {
    const { database } = this.#snapshot;
    let last: { readonly sequence: number; readonly position: number } = { sequence: since, position: LAST_POSITION };
    for (;;) {
      const { sequence, position } = last;
      const rows = await database
        .selectFrom('removal')
        .selectAll()
        .where((is) => is.or([is('sequence', '>', sequence), is.and([is('sequence', '=', sequence), is('position', '>', position)])]))
        .orderBy('sequence')
        .orderBy('position')
        .limit(PAGE)
        .execute();
      for (const row of rows) yield this.#gone(row);
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE) return;
      last = { sequence: Number(end.sequence), position: Number(end.position) };
    }
  }

  #gone({ uuid, type, collection, is_certified: isCertified, valid_begin: begin }: SharedTables['removal']): RepositoryChange {
    if (collection === null) return { kind: 'dataset-gone', uuid: uuid.toString('hex') };
    const gone = { kind: 'membership-gone', uuid: uuid.toString('hex'), type: Number(type), collection: Number(collection) } as const;
    return Number(isCertified) === 1 ? { ...gone, begin: bigOf(begin) } : gone;
  }

  async *#files(since: number): AsyncGenerator<RepositoryRecord, void, undefined> {
    for await (const { location, size, checksum } of this.#pages('file', 'slot', since)) {
      yield { kind: 'file', location, size: size === null ? null : Number(size), checksum };
    }
  }

  async *#dimensions(since: number): AsyncGenerator<RepositoryRecord, void, undefined> {
    const { universe, fields: known } = this.#head;
    const order = new Map(parseUniverse(universe ?? '', this.#where).elements.map(({ name }) => [name, known[name] ?? []]));
    for await (const { element, fields: text } of this.#pages('dimension_record', 'slot', since)) {
      const fields = readFields(text);
      // All records of an element have the same fields, whoever wrote them.
      const all: Record<string, FieldValue> = {};
      for (const name of order.get(element) ?? Object.keys(fields)) all[name] = fields[name] ?? null;
      yield { kind: 'dimension', element, fields: all };
    }
  }

  async *#datasets(since: number): AsyncGenerator<RepositoryRecord, void, undefined> {
    for await (const { uuid, type, run, ingested, files } of this.#pages('dataset', 'uuid', since)) {
      const record = { kind: 'dataset', uuid: uuid.toString('hex'), type: Number(type), run: Number(run) } as const;
      yield { ...record, ingested: bigOf(ingested), files: readFiles(files) };
    }
  }

  async *#memberships(since: number): AsyncGenerator<RepositoryRecord, void, undefined> {
    for await (const row of this.#pages('membership', 'slot', since)) {
      const certified = Number(row.is_certified) === 1;
      yield {
        kind: 'membership',
        uuid: row.uuid.toString('hex'),
        type: Number(row.type),
        collection: Number(row.collection),
        dataId: readDataId(row.data_id),
        validity: certified ? { begin: bigOf(row.valid_begin), end: bigOf(row.valid_end) } : null,
      };
    }
  }

  /** Rows that were written after `since`, in the order of their keys; of the whole table where it is negative. */
  async *#pages<Table extends 'file' | 'dimension_record' | 'dataset' | 'membership'>(
    table: Table,
    key: 'slot' | 'uuid',
    since: number,
  ): AsyncGenerator<SharedTables[Table], void, undefined> {
    const { database } = this.#snapshot;
    let last: { readonly key: Buffer; readonly changed: number } | undefined;
    for (;;) {
      // Kysely cannot know that each of these tables has both columns.
      let query = (database as unknown as Kysely<PagedTables>)
        .selectFrom(table as 'paged')
        .selectAll()
        .limit(PAGE);
      if (since >= 0) query = query.where('changed', '>', last === undefined ? since : last.changed - 1).orderBy('changed');
      query = query.orderBy(key);
      if (last !== undefined) {
        const { key: value, changed } = last;
        query = query.where((is) =>
          since < 0
            ? is(key, '>', value)
            : is.or([is('changed', '>', changed), is.and([is('changed', '=', changed), is(key, '>', value)])]),
        );
      }
      const rows = await query.execute();
      for (const row of rows) yield row as unknown as SharedTables[Table];
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE) return;
      last = { key: end[key], changed: Number(end.changed) };
    }
  }
}

/** What {@link SharedReader} needs to know of the tables that it reads page by page. */
interface PagedTables {
  readonly paged: { readonly slot: Buffer; readonly uuid: Buffer; readonly changed: Integer };
}
