/**
 * A Gen3 registry beside a catalogue, for SQL that takes over its rows many at a time. Whatever SQL does not understand as ./reader.ts does is left to that.
 *
 * The library opens what it attaches for writing. Nothing is written: no statement does, and a write-ahead log is neither recovered nor emptied by this connection,
 * because the reader's own one, which is read-only, is opened before it and closed after it.
 */

import { asButlerfsError } from '../../../common/errors.js';
import type { RepositoryRecord, StoredFile } from '../../contract.js';
import type { AttachedMemberships, AttachedRepository, NumberedQuery } from '../../sqlite/attached.js';
import type { Database } from '../../sqlite/driver.js';
import { firstAssociation, Shape } from '../../sqlite/schema.js';
import { cursorOf } from './cursor.js';
import { structureRecords } from './reader.js';
import type { Gen3Parts } from './reader.js';
import { RowOffset } from './row-offset.js';
import { quote, RegistrySource } from './source.js';
import { noComponent, StoredFiles } from './stored-files.js';
import type { FoundDatastore } from './stored-files.js';
import { membershipTables, readUniverse, recordColumns } from './structure.js';
import type { MembershipTable, TypeRow } from './structure.js';
import { ingestTime } from './time.js';

const schema = 'registry';
/** In paths that are no locations as they stand: an escape, a member, a URI, or a component that is empty or begins with a dot. */
const awkward = /[%#:\0]|\/[/.]|^[/.]|\/$|^$/;
/** Kilobytes of the registry's pages that are kept. */
const pageCache = 48 * 1024;

/** {@link AttachedRepository} of the registry in `file`; undefined where it needs the reader. */
export function attachRegistry(database: Database, file: string, parts: Gen3Parts): AttachedRepository | undefined {
  database.prepare(`attach ? as ${schema}`).run(file);
  database.pragma(`${schema}.cache_size = -${pageCache}`);
  database.function('butlerfs_time', { deterministic: true }, (text: unknown) => ingestTime(text));
  database.function('butlerfs_plain', { deterministic: true }, (path: unknown) =>
    typeof path === 'string' && !awkward.test(path) ? 1 : 0,
  );
  database.function('butlerfs_base64', { deterministic: true }, (bytes: unknown) => (bytes as Buffer).toString('base64'));
  const source = new RegistrySource(database, schema, parts.source.where);
  const attached = { ...parts, source, universe: readUniverse(source) };
  const stored = new StoredFiles(source, parts.configuration, () => {});
  const [store, ...others] = stored.stores;
  // Several datastores are asked in turn, and below a URL names are encoded: that is for the reader.
  if (store === undefined || others.length > 0 || /^[a-z][a-z0-9+.-]*:\/\//i.test(store.root)) return undefined;
  const isNumbered = (table: string): boolean => !withoutNumbers(source, table);
  if (![store.table, 'dataset'].every(isNumbered)) return undefined;
  return new AttachedRegistry(attached, store, isNumbered, new RowOffset(database, 'butlerfs_row'));
}

/** Whether a table's rows have no numbers of their own, or a column takes their name. */
function withoutNumbers(source: RegistrySource, table: string): boolean {
  if (source.columns(table).some((column) => column.toLowerCase() === 'rowid')) return true;
  try {
    source.all(`select rowid from ${source.table(table)} limit 0`);
    return false;
  } catch {
    return true;
  }
}

/** {@link NumberedQuery.difference}, where `other` is a query of the number in another table. */
function difference(table: string, name: string, other: string): string {
  return `select (${other}) - ${name}.rowid from ${table} as ${name} where ${name}.rowid >= ? order by ${name}.rowid limit 1`;
}

class AttachedRegistry implements AttachedRepository {
  readonly #parts: Gen3Parts;
  readonly #store: FoundDatastore;
  readonly #stored: StoredFiles;
  readonly #isNumbered: (table: string) => boolean;
  readonly #offset: RowOffset;
  readonly #types: TypeRow[] = [];

  constructor(parts: Gen3Parts, store: FoundDatastore, isNumbered: (table: string) => boolean, offset: RowOffset) {
    this.#parts = parts;
    this.#offset = offset;
    this.#store = store;
    this.#stored = new StoredFiles(parts.source, parts.configuration, parts.warn);
    this.#isNumbered = isNumbered;
  }

  structure(): readonly RepositoryRecord[] {
    this.#types.length = 0;
    return [...structureRecords(this.#parts, this.#types)];
  }

  dimensions(): ReturnType<AttachedRepository['dimensions']> {
    const { source, universe } = this.#parts;
    return universe.elements.flatMap(({ name }) => {
      const fields = recordColumns(source, name);
      if (fields.length === 0 || source.all(`select 1 from ${source.table(name)} limit 1`).length === 0) return [];
      const columns = fields.map((field) => `iif(typeof(${quote(field)}) = 'blob', butlerfs_base64(${quote(field)}), ${quote(field)})`);
      return [{ element: name, fields, select: `select ${columns.join(', ')} from ${source.table(name)}` }];
    });
  }

  datasets(): NumberedQuery {
    const { source } = this.#parts;
    const { root, table } = this.#store;
    const location = root === '' ? 'place' : `'${root.replaceAll("'", "''")}/' || place`;
    const ingested = `case typeof(d.ingest_date) when 'integer' then d.ingest_date when 'text' then butlerfs_time(d.ingest_date) end`;
    const types = this.#types.map(({ id }) => id).join(', ');
    const [files, datasets] = [source.table(table), source.table('dataset')];
    const isIts = (file: string): string => `${file}.dataset_id = d.id and ${file}.component = '${noComponent}'`;
    // The offset keeps SQLite from working out the parts once for each place where they are used.
    const rows = (number: string, place: string, isUnderstood: string): string => `select d.rowid as key,
        iif(${isUnderstood}typeof(d.id) = 'text' and length(d.id) = 32 and d.id = lower(d.id), unhex(d.id), null) as uuid,
        iif(d.dataset_type_id in (${types}), d.dataset_type_id, null) as type,
        iif(typeof(d.run_id) = 'integer', d.run_id, null) as run,
        ${ingested} as ingested,
        ${number} as file,
        iif(butlerfs_plain(f.path), f.path, null) as place,
        iif(typeof(f.file_size) = 'integer' and f.file_size >= 0, f.file_size, null) as size,
        iif(typeof(f.checksum) = 'text' and length(f.checksum) = 128 and f.checksum = lower(f.checksum), unhex(f.checksum), null) as checksum
      from ${datasets} as d left join ${files} as f on f.rowid = ${place}
      where d.rowid between ? and ? order by d.rowid limit -1 offset 0`;
    const shape = `case when file is null then ${Shape.UNSTORED} when place is null then ${Shape.SEVERAL} else ${Shape.PLAIN} end`;
    const columns = `key, uuid, type, run, ingested, ${shape}, ${location}, size, checksum`;
    const found = this.#offset.find(files, 'd.rowid', isIts('g'));
    return {
      select: `select ${columns} from (${rows(this.#offset.found('d.rowid', 'f.rowid'), found, '')})`,
      aligned: `select ${columns} from (${rows('f.rowid', 'd.rowid + ?', `${isIts('f')} and `)})`,
      difference: difference(datasets, 'd', `select g.rowid from ${files} as g where ${isIts('g')}`),
      ...this.#numbers('dataset'),
    };
  }

  uuids(): string {
    return `select unhex(id), rowid from ${this.#parts.source.table('dataset')} order by id`;
  }

  fileRecords(): number {
    return this.#parts.source.rowCount(this.#store.table);
  }

  composites(): string {
    const { source } = this.#parts;
    return `select distinct d.rowid from ${source.table(this.#store.table)} as f join ${source.table('dataset')} as d on d.id = f.dataset_id
      where f.component is not '${noComponent}'`;
  }

  files(uuid: string): StoredFile[] {
    return this.#stored.of(uuid);
  }

  memberships(): readonly AttachedMemberships[] {
    const { source } = this.#parts;
    return membershipTables(source, this.#types).map((table) => this.#membershipsOf(table));
  }

  #membershipsOf({ table, group, certified, types }: MembershipTable): AttachedMemberships {
    const { source } = this.#parts;
    if (!this.#isNumbered(table)) throw asButlerfsError(new Error(`table ${table} has no numbered rows`));
    const datasets = source.table('dataset');
    const integer = (column: string): string => `iif(typeof(t.${column}) = 'integer', t.${column}, null)`;
    const value = (name: string): string => {
      const column = `t.${quote(name)}`;
      return `case typeof(${column}) when 'text' then ${column} when 'integer' then iif(abs(${column}) < 9007199254740992, ${column}, null) end`;
    };
    const bound = (column: string): string =>
      `iif(typeof(t.${column}) = 'integer' and t.${column} > 0 and t.${column} < 4102444800000000000, t.${column}, null)`;
    const isEmpty = `typeof(t.timespan_begin) = 'integer' and typeof(t.timespan_end) = 'integer' and t.timespan_begin >= t.timespan_end`;
    return {
      types,
      group,
      certified,
      from: `from ${source.table(table)} as t cross join ${datasets} as d
        on d.rowid = ${this.#offset.find(datasets, 't.rowid', 'g.id = t.dataset_id')}`,
      aligned: `from ${source.table(table)} as t left join ${datasets} as d on d.rowid = t.rowid + ?`,
      difference: difference(source.table(table), 't', `select g.rowid from ${datasets} as g where g.id = t.dataset_id`),
      ...this.#numbers(table),
      columns: {
        number: 't.rowid',
        key: this.#offset.found('t.rowid', 'd.rowid'),
        dataset: 'd.rowid',
        type: `iif(d.id = t.dataset_id and t.dataset_type_id in (${types.join(', ')}), t.dataset_type_id, null)`,
        collection: integer('collection_id'),
        run: 'd.run_id',
        dataId: group.required.map(value),
        begin: certified ? bound('timespan_begin') : 'null',
        end: certified ? bound('timespan_end') : 'null',
      },
      condition: certified ? `not (${isEmpty})` : 'true',
    };
  }

  #numbers(table: string): { readonly first: number; readonly last: number } {
    const { source } = this.#parts;
    // Two questions: one for both would look at every row.
    const bound = (name: 'min' | 'max'): number | undefined => {
      const [row] = source.all(`select ${name}(rowid) from ${source.table(table)}`);
      return typeof row![0] === 'bigint' ? Number(row![0]) : undefined;
    };
    const [first, last] = [bound('min') ?? 1, bound('max') ?? 0];
    if (first < 1 || last >= firstAssociation) throw asButlerfsError(new Error(`rows of table ${table} have unusual numbers`));
    return { first, last };
  }

  cursor(): string {
    return cursorOf(this.#parts);
  }
}
