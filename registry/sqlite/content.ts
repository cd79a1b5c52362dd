/** Rows of a catalogue as they are added: what a new one and one that is updated have in common. */

import { sql } from 'kysely';
import type { CompiledQuery, RawBuilder } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { DimensionGroup, RepositoryRecord, StoredFile } from '../contract.js';
import { extensionOf } from '../readers/gen3/locations.js';
import { parseUniverse } from '../universe.js';
import type { DimensionElement, ElementUniverse } from '../universe.js';
import type { Database } from './driver.js';
import { joinRecords, planImplied } from './implied.js';
import {
  createMembershipTable,
  createRecordTable,
  dimensionColumn,
  firstAssociation,
  membershipTable,
  recordTable,
  Shape,
  storedLocation,
  unboundedBegin,
} from './schema.js';
import { builder, Prepared, Slot, slots } from './statements.js';

export type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;

/** The membership table of a set of dimensions. */
export interface MembershipState {
  readonly number: number;
  readonly table: string;
  readonly group: DimensionGroup;
  /** Number for the next membership that is not that of a dataset in its RUN. */
  next: number;
}

export interface RecordState {
  readonly element: DimensionElement;
  readonly fields: readonly string[];
}

export class ContentRows {
  readonly database: Database;
  /** By key of the type. */
  readonly types = new Map<number, MembershipState>();
  readonly memberships = new Map<string, MembershipState>();
  /** Elements with a record table. */
  readonly records = new Map<string, RecordState>();
  readonly #where: string;
  readonly #statements = new Map<string, Prepared>();
  #universe: ElementUniverse | undefined;

  /** `where` names the repository in messages. */
  constructor(database: Database, where: string) {
    this.database = database;
    this.#where = where;
  }

  get universe(): ElementUniverse {
    if (this.#universe !== undefined) return this.#universe;
    throw new ButlerfsError('internal', { what: 'a record of a repository came before its dimension universe', where: this.#where });
  }

  takeUniverse(json: string): void {
    this.#universe = parseUniverse(json, this.#where);
  }

  /** Takes up what a catalogue has already, after its universe. */
  takeUp(): void {
    const types = builder.selectFrom('dataset_type').select(['id', 'dimensions', 'membership']);
    for (const [id, dimensions, number] of this.prepare(types).all() as [number, string, number][]) {
      const group = this.universe.group(JSON.parse(dimensions) as string[]);
      const identity = group.required.join(' ');
      const table = membershipTable(number);
      const [last] = this.prepare(sql`select max(id) from ${sql.table(table)}`).get() as [number | null];
      const next = Math.max(firstAssociation, (last ?? 0) + 1);
      const state = this.memberships.get(identity) ?? { number, table, group, next };
      this.memberships.set(identity, state);
      this.types.set(id, state);
    }
    for (const element of this.universe.elements) {
      const columns = this.database.pragma(`table_info("${recordTable(element.name)}")`) as { name: string }[];
      if (columns.length > 0) this.records.set(element.name, { element, fields: columns.map(({ name }) => name) });
    }
  }

  execute(query: CompiledQuery | RawBuilder<unknown>): number {
    const { sql: text, parameters } = 'sql' in query ? query : query.compile(builder);
    return this.database.prepare<unknown[]>(text).run(...parameters).changes;
  }

  prepare(query: RawBuilder<unknown> | { compile(): CompiledQuery }): Prepared {
    return new Prepared(this.database, { compile: () => query.compile(builder) });
  }

  /** A prepared statement by a name that says all that the query depends on. */
  statement(name: string, query: () => RawBuilder<unknown> | { compile(): CompiledQuery }): Prepared {
    let known = this.#statements.get(name);
    if (known === undefined) this.#statements.set(name, (known = this.prepare(query())));
    return known;
  }

  /** One row by position; a row that is there already stays. */
  insert(table: string, columns: readonly string[]): Prepared {
    return this.statement(`insert ${table}`, () => {
      const values = Object.fromEntries(columns.map((column, index) => [column, new Slot(index)]));
      return builder
        .insertInto(table)
        .values(values)
        .onConflict((conflict) => conflict.doNothing());
    });
  }

  typeOf(id: number): MembershipState {
    const state = this.types.get(id);
    if (state !== undefined) return state;
    throw new ButlerfsError('corrupt-repository', {
      what: `dataset type ${id}`,
      where: this.#where,
      why: 'datasets refer to it and it is not registered',
    });
  }

  addOwnFile({ location, size, checksum }: RecordOf<'file'>): void {
    this.insert('own_file', ['location', 'size', 'checksum']).run([storedLocation(location), size, digestOf(checksum)]);
  }

  addCollection({ id, name, type, doc }: RecordOf<'collection'>): void {
    this.insert('collection', ['id', 'name', 'type', 'doc']).run([id, name, type, doc]);
  }

  addChain({ parent, position, child }: RecordOf<'chain'>): void {
    this.insert('collection_chain', ['parent', 'position', 'child']).run([parent, position, child]);
  }

  /** `created` is told of a membership table that was made for it. */
  addType(
    { id, name, storageClass, dimensions, isCalibration }: RecordOf<'dataset-type'>,
    created: (state: MembershipState) => void,
    version: number,
  ): void {
    const group = this.universe.group(dimensions);
    const identity = group.required.join(' ');
    let state = this.memberships.get(identity);
    if (state === undefined) {
      const number = 1 + Math.max(-1, ...[...this.memberships.values()].map((each) => each.number));
      state = { number, table: membershipTable(number), group, next: firstAssociation };
      this.memberships.set(identity, state);
      this.execute(createMembershipTable(state.table, group));
      created(state);
    }
    this.types.set(id, state);
    const columns = ['id', 'name', 'storage_class', 'dimensions', 'is_calibration', 'membership', 'touched'];
    const row = [id, name, storageClass, JSON.stringify(group.required), isCalibration ? 1 : 0, state.number, version];
    this.insert('dataset_type', columns).run(row);
  }

  addRecord({ element: name, fields }: RecordOf<'dimension'>): void {
    let known = this.records.get(name);
    if (known === undefined) {
      const element = this.universe.element(name);
      if (element === undefined) {
        throw new ButlerfsError('corrupt-repository', {
          what: `a record of dimension '${name}'`,
          where: this.#where,
          why: 'its universe has no such element',
        });
      }
      known = { element, fields: Object.keys(fields) };
      this.execute(createRecordTable(element, known.fields));
      this.records.set(name, known);
    }
    this.insert(recordTable(name), known.fields).run(known.fields.map((field) => fields[field] ?? null));
  }

  /** Adds a dataset under a key that none has; false where one of its UUID is there. */
  addDataset(key: number, { uuid, type, run, ingested, files }: RecordOf<'dataset'>): boolean {
    this.typeOf(type);
    const columns = ['key', 'uuid', 'type', 'run', 'ingested', 'shape', 'location', 'size', 'checksum', 'extension', 'shared'];
    const name = Buffer.from(uuid, 'hex');
    if (this.insert('dataset_uuid', ['uuid', 'key']).run([name, key]).changes === 0) return false;
    this.insert('dataset', columns).run([key, name, type, run, ingested, ...inRow(files), 0]);
    if (!isPlain(files)) this.#addFiles(key, files);
    return true;
  }

  /** Takes other files for a dataset. */
  setFiles(key: number, files: readonly StoredFile[]): void {
    this.statement('forget files', () => builder.deleteFrom('dataset_file').where('dataset', '=', new Slot(0))).run([key]);
    const [shape, location, size, checksum, extension, which] = slots(6);
    this.statement('set files', () =>
      builder
        .updateTable('dataset')
        .set({ shape, location, size, checksum, extension, shared: sql.lit(0) })
        .where('key', '=', which!),
    ).run([...inRow(files), key]);
    if (!isPlain(files)) this.#addFiles(key, files);
  }

  #addFiles(dataset: number, files: readonly StoredFile[]): void {
    const columns = ['dataset', 'component', 'location', 'member', 'size', 'checksum', 'extension', 'shared'];
    const insert = this.insert('dataset_file', columns);
    for (const { component, location, member, size, checksum, extension } of files) {
      insert.run([dataset, component ?? '', storedLocation(location), member, size, digestOf(checksum), extension, 0]);
    }
  }

  /** Adds a membership of a dataset that is there; false where there is none, or the membership is there already. */
  addMembership({ uuid, type, collection, dataId, validity }: RecordOf<'membership'>): boolean {
    const state = this.typeOf(type);
    const begin = validity?.begin ?? unboundedBegin;
    const insert = this.statement(`membership ${state.number}`, () => this.#membershipInsert(state));
    const isPlainMembership = validity === null ? 1 : 0;
    const row = [Buffer.from(uuid, 'hex'), type, collection, begin, validity?.end ?? null, isPlainMembership, state.next, ...dataId];
    if (insert.run(row).changes === 0) return false;
    state.next++;
    return true;
  }

  /** Arguments: uuid, dataset type, collection, begin, end, whether it is no validity range, number outside its RUN, required values. */
  #membershipInsert({ table, group }: MembershipState): RawBuilder<unknown> {
    const [uuid, type, collection, begin, end, isPlainMembership, next] = slots(7);
    const required = slots(group.required.length, 7).map((slot) => sql`${slot}`);
    const plan = planImplied(this.universe, group, new Set(this.records.keys()), required);
    const expressions = [
      sql`iif(${isPlainMembership} and dataset.run = ${collection}, dataset.key, ${next})`,
      sql`${type}`,
      sql`${collection}`,
      ...required,
      sql`${begin}`,
      sql.ref('dataset.key'),
      sql`${end}`,
      sql`dataset.shape > ${sql.lit(Shape.UNSTORED)}`,
      ...plan.values,
    ];
    const found = sql`dataset_uuid cross join dataset on dataset.key = dataset_uuid.key`;
    const selected = sql`select ${sql.join(expressions)} from ${found}${joinRecords(plan)} where dataset_uuid.uuid = ${uuid}`;
    return sql`insert into ${sql.table(table)} (${columnsOf(group)}) ${selected} on conflict do nothing`;
  }

  /** To be called where records of an element come that had none: memberships are joined with them from now on. */
  forgetMembershipInserts(): void {
    for (const { number } of this.memberships.values()) this.#statements.delete(`membership ${number}`);
  }
}

/** Columns of a membership table, in their order. */
export function columnsOf({ required, implied }: DimensionGroup): RawBuilder<unknown> {
  const names = [
    'id',
    'dataset_type',
    'collection',
    ...required.map(dimensionColumn),
    'valid_begin',
    'dataset',
    'valid_end',
    'stored',
    ...implied.map(dimensionColumn),
  ];
  return sql.join(names.map((name) => sql.ref(name)));
}

function isPlain(files: readonly StoredFile[]): boolean {
  return files.length === 1 && files[0]!.component === null && files[0]!.member === null;
}

/** Values of shape, location, size, checksum and extension. */
function inRow(files: readonly StoredFile[]): unknown[] {
  if (!isPlain(files)) return [files.length === 0 ? Shape.UNSTORED : Shape.SEVERAL, null, null, null, null];
  const { location, size, checksum, extension } = files[0]!;
  const derived = !location.includes('://') && extensionOf(location) === extension;
  return [Shape.PLAIN, storedLocation(location), size, digestOf(checksum), derived ? null : extension];
}

export function digestOf(checksum: string | null): Buffer | null {
  return checksum === null ? null : Buffer.from(checksum, 'hex');
}
