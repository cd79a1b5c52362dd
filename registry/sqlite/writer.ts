/** Stores the records of a repository in a new catalogue. */

import type { Database } from './driver.js';
import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { CatalogueInfo, DimensionGroup, RepositoryRecord, StoredFile } from '../contract.js';
import { parseUniverse } from '../universe.js';
import type { ElementUniverse } from '../universe.js';
import { ArtifactWriter } from './artifacts.js';
import { Fingerprint } from './fingerprint.js';
import { planImplied } from './implied.js';
import {
  applicationId,
  catalogueSchemaVersion,
  createMembershipIndex,
  createMembershipTable,
  createRecordTable,
  dimensionColumn,
  fixedTables,
  membershipTable,
  unboundedBegin,
} from './schema.js';
import { builder, Prepared, Slot, slots } from './statements.js';

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;

interface TypeState {
  readonly group: DimensionGroup;
  readonly membership: number;
  readonly fingerprint: Fingerprint;
}

/** What is stored beside the records: one JSON text, read when the catalogue is opened. */
export interface StoredInformation {
  readonly info: CatalogueInfo;
  readonly universe: string;
  readonly totals: { readonly files: number; readonly bytes: number };
}

/** Kilobytes of pages that SQLite may keep while it writes. */
const pageCache = 64 * 1024;

export class CatalogueWriter {
  readonly #database: Database;
  readonly #where: string;
  readonly #artifacts: ArtifactWriter;
  readonly #insertDataset: Prepared;
  readonly #insertFile: Prepared;
  readonly #inserts = new Map<string, Prepared>();
  readonly #insertRecord = new Map<string, { readonly fields: readonly string[]; readonly insert: Prepared }>();
  readonly #insertMembership = new Map<number, Prepared>();
  readonly #membershipTables = new Map<string, { readonly number: number; readonly group: DimensionGroup }>();
  readonly #types = new Map<number, TypeState>();
  #universe: ElementUniverse | undefined;
  #nextDataset = 1;

  /** Takes an empty database; nothing of it is durable before the caller syncs the file. */
  constructor(database: Database, where: string) {
    this.#database = database;
    this.#where = where;
    database.pragma('journal_mode = off');
    database.pragma('synchronous = off');
    database.pragma('locking_mode = exclusive');
    database.pragma(`cache_size = -${pageCache}`);
    database.pragma(`application_id = ${applicationId}`);
    database.pragma(`user_version = ${catalogueSchemaVersion}`);
    database.exec('begin');
    for (const table of fixedTables()) this.#execute(table);
    this.#artifacts = new ArtifactWriter(database);
    this.#insertDataset = this.#insert('dataset', ['key', 'uuid', 'type', 'run', 'ingested', 'stored']);
    this.#insertFile = this.#insert('dataset_file', ['dataset', 'component', 'artifact', 'member', 'size', 'checksum', 'extension']);
  }

  #execute(query: CompiledQuery): void {
    this.#database.prepare<unknown[]>(query.sql).run(...query.parameters);
  }

  /** One row by position; a row that is there already stays. */
  #insert(table: string, columns: readonly string[]): Prepared {
    const values = Object.fromEntries(columns.map((column, index) => [column, new Slot(index)]));
    return new Prepared(
      this.#database,
      builder
        .insertInto(table)
        .values(values)
        .onConflict((conflict) => conflict.doNothing()),
    );
  }

  add(record: RepositoryRecord): void {
    switch (record.kind) {
      case 'universe':
        this.#universe = parseUniverse(record.json, this.#where);
        return;
      case 'file':
        this.#artifacts.add(record.location, record);
        return;
      case 'collection':
        this.#insertOnce('collection', ['id', 'name', 'type', 'doc']).run([record.id, record.name, record.type, record.doc]);
        return;
      case 'chain':
        this.#insertOnce('collection_chain', ['parent', 'position', 'child']).run([record.parent, record.position, record.child]);
        return;
      case 'dataset-type':
        this.#addType(record);
        return;
      case 'dimension':
        this.#addRecord(record);
        return;
      case 'dataset':
        this.#addDataset(record);
        return;
      case 'membership':
        this.#addMembership(record);
        return;
    }
  }

  /** As {@link #insert}, prepared at the first row of a table. */
  #insertOnce(table: string, columns: readonly string[]): Prepared {
    const known = this.#inserts.get(table) ?? this.#insert(table, columns);
    this.#inserts.set(table, known);
    return known;
  }

  #knownUniverse(): ElementUniverse {
    if (this.#universe !== undefined) return this.#universe;
    throw new ButlerfsError('internal', { what: 'a record of a repository came before its dimension universe', where: this.#where });
  }

  #knownType(id: number): TypeState {
    const state = this.#types.get(id);
    if (state !== undefined) return state;
    throw new ButlerfsError('corrupt-repository', {
      what: `dataset type ${id}`,
      where: this.#where,
      why: 'datasets refer to it and it is not registered',
    });
  }

  #addType({ id, name, storageClass, dimensions, isCalibration }: RecordOf<'dataset-type'>): void {
    const group = this.#knownUniverse().group(dimensions);
    const identity = group.required.join(' ');
    let table = this.#membershipTables.get(identity);
    if (table === undefined) {
      table = { number: this.#membershipTables.size, group };
      this.#membershipTables.set(identity, table);
      this.#execute(createMembershipTable(membershipTable(table.number), group));
    }
    this.#types.set(id, { group, membership: table.number, fingerprint: new Fingerprint() });
    const columns = ['id', 'name', 'storage_class', 'dimensions', 'is_calibration', 'membership'];
    const row = [id, name, storageClass, JSON.stringify(group.required), isCalibration ? 1 : 0, table.number];
    this.#insertOnce('dataset_type', columns).run(row);
  }

  #addRecord({ element: name, fields }: RecordOf<'dimension'>): void {
    let known = this.#insertRecord.get(name);
    if (known === undefined) {
      const element = this.#knownUniverse().element(name);
      if (element === undefined) {
        throw new ButlerfsError('corrupt-repository', {
          what: `a record of dimension '${name}'`,
          where: this.#where,
          why: 'its universe has no such element',
        });
      }
      const names = Object.keys(fields);
      this.#execute(createRecordTable(element, names));
      known = { fields: names, insert: this.#insert(`record_${name}`, names) };
      this.#insertRecord.set(name, known);
    }
    known.insert.run(known.fields.map((field) => fields[field] ?? null));
  }

  #addDataset({ uuid, type, run, ingested, files }: RecordOf<'dataset'>): void {
    const { fingerprint } = this.#knownType(type);
    const key = this.#nextDataset++;
    const { changes } = this.#insertDataset.run([key, Buffer.from(uuid, 'hex'), type, run, ingested, files.length > 0 ? 1 : 0]);
    if (changes === 0) return;
    fingerprint.add(
      `${uuid} ${run} ${files.map((file) => [file.component, file.location, file.member, file.size, file.checksum].join(' ')).join('|')}`,
    );
    for (const file of files) this.#addFile(key, file);
  }

  #addFile(dataset: number, { component, location, member, size, checksum, extension }: StoredFile): void {
    if (member === null) {
      const artifact = this.#artifacts.add(location, { size, checksum });
      this.#insertFile.run([dataset, component ?? '', artifact, null, null, null, extension]);
      return;
    }
    // Size and checksum are the member's: those of the archive around it are not known.
    const artifact = this.#artifacts.add(location, { size: null, checksum: null });
    const digest = checksum === null ? null : Buffer.from(checksum, 'hex');
    this.#insertFile.run([dataset, component ?? '', artifact, member, size, digest, extension]);
  }

  #addMembership({ uuid, type, collection, dataId, validity }: RecordOf<'membership'>): void {
    const { membership, fingerprint, group } = this.#knownType(type);
    const begin = validity === null ? unboundedBegin : (validity.begin ?? unboundedBegin);
    const insert = this.#insertMembership.get(membership) ?? this.#prepareMembership(membership, group);
    insert.run([Buffer.from(uuid, 'hex'), type, collection, begin, validity?.end ?? null, ...dataId]);
    fingerprint.add(`${uuid} ${collection} ${begin} ${validity?.end ?? ''}`);
  }

  /** Arguments: uuid, dataset type, collection, begin, end, required values. */
  #prepareMembership(number: number, group: DimensionGroup): Prepared {
    const [uuid, type, collection, begin, end] = slots(5);
    const { joins, values } = planImplied(this.#knownUniverse(), group, new Set(this.#insertRecord.keys()), 5);
    const columns = [
      'dataset_type',
      'collection',
      'valid_begin',
      'valid_end',
      'dataset',
      'stored',
      ...[...group.required, ...group.implied].map(dimensionColumn),
    ];
    const expressions = [
      sql`${type}`,
      sql`${collection}`,
      sql`${begin}`,
      sql`${end}`,
      sql.ref('dataset.key'),
      sql.ref('dataset.stored'),
      ...slots(group.required.length, 5).map((slot) => sql`${slot}`),
      ...values,
    ];
    const joined = joins.map(({ table, on }) => {
      const conditions = on.map(({ field, value }) => sql`${sql.ref(field)} = ${value}`);
      return sql` left join ${sql.table(table)} on ${sql.join(conditions, sql` and `)}`;
    });
    const selected = sql`select ${sql.join(expressions)} from dataset${sql.join(joined, sql``)} where dataset.uuid = ${uuid}`;
    const query = sql`insert into ${sql.table(membershipTable(number))} (${sql.join(columns.map((name) => sql.ref(name)))}) ${selected} on conflict do nothing`;
    const prepared = new Prepared(this.#database, { compile: () => query.compile(builder) });
    this.#insertMembership.set(number, prepared);
    return prepared;
  }

  /** Writes summaries and indexes; the catalogue is complete afterwards. */
  finish(facts: Omit<CatalogueInfo, 'datasets' | 'unstored' | 'universe'>): CatalogueInfo {
    const universe = this.#knownUniverse();
    for (const { number, group } of this.#membershipTables.values()) {
      const table = membershipTable(number);
      this.#execute(createMembershipIndex(table));
      this.#summarise(table, group, universe);
    }
    const setFingerprint = new Prepared(
      this.#database,
      builder
        .updateTable('dataset_type')
        .set({ fingerprint: new Slot(0) })
        .where('id', '=', new Slot(1)),
    );
    for (const [id, { fingerprint }] of this.#types) setFingerprint.run([fingerprint.toString(), id]);
    const [datasets = 0, unstored = 0] = this.#numbers(sql`select count(*), coalesce(sum(1 - stored), 0) from dataset`);
    const [files = 0, bytes = 0] = this.#numbers(sql`select count(*), coalesce(sum(size), 0) from artifact`);
    const info: CatalogueInfo = { ...facts, datasets, unstored, universe: { version: universe.version, namespace: universe.namespace } };
    const stored: StoredInformation = { info, universe: universe.json, totals: { files, bytes } };
    this.#insert('information', ['value']).run([JSON.stringify(stored)]);
    this.#database.exec('commit');
    return info;
  }

  #summarise(table: string, group: DimensionGroup, universe: ElementUniverse): void {
    const counts = builder
      .selectFrom(table)
      .select(['collection', 'dataset_type', sql`sum(stored)`.as('stored'), sql`count(*)`.as('registered')])
      .groupBy(['dataset_type', 'collection']);
    const columns = ['collection', 'dataset_type', 'stored', 'registered'];
    this.#execute(builder.insertInto('collection_type').columns(columns).expression(counts).compile());
    for (const governor of group.required.filter((name) => universe.dimension(name)?.isGovernor === true)) {
      const values = builder
        .selectFrom(table)
        .distinct()
        .select([sql`${sql.lit(governor)}`.as('governor'), dimensionColumn(governor), 'collection'])
        .where('stored', '=', sql.lit(1));
      const insert = builder.insertInto('collection_governor').columns(['governor', 'value', 'collection']).expression(values);
      this.#execute(insert.onConflict((conflict) => conflict.doNothing()).compile());
    }
  }

  #numbers(query: ReturnType<typeof sql>): number[] {
    return new Prepared(this.#database, { compile: () => query.compile(builder) }).get() as number[];
  }
}
