/** A catalogue in an SQLite file, open for reading. */

import type { Database } from './driver.js';
import { sql } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { findCalibration } from '../calibrations.js';
import { flattenCollections } from '../collections.js';
import type {
  Catalogue,
  CalibrationQuery,
  CatalogueInfo,
  Collection,
  CollectionType,
  Constraint,
  DataIdQuery,
  DataIdValue,
  DatasetRecord,
  DatasetRow,
  DatasetType,
  DimensionName,
  DirectoryAnswer,
  DirectoryQuery,
  RepositoryEntry,
  SearchPath,
  Touched,
  WhereFilter,
} from '../contract.js';
import { parseUniverse } from '../universe.js';
import type { ElementUniverse } from '../universe.js';
import { membershipConditions } from './conditions.js';
import { streamDataIds } from './data-ids.js';
import { listDirectory } from './directory.js';
import { Filters } from './filters.js';
import { Layout } from './layout.js';
import { StoredRecordTables } from './record-tables.js';
import { RecordStore } from './records.js';
import { RowReader } from './rows.js';
import type { MembershipRow, StoredType } from './rows.js';
import { membershipTable, Shape } from './schema.js';
import { defineSkyFunctions } from './sky-functions.js';
import { builder, Prepared, Slot, StatementCache } from './statements.js';
import { streamRows } from './stream.js';
import { TimeLimit } from './time-limit.js';
import { readInformation } from './information.js';
import type { StoredInformation } from './information.js';
import { readTouched } from './touched.js';

/** How many datasets of a type a collection holds. */
interface Held {
  readonly stored: number;
  readonly registered: number;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

export class SqliteCatalogue implements Catalogue {
  readonly info: CatalogueInfo;
  readonly universe: ElementUniverse;
  readonly #database: Database;
  readonly #statements: StatementCache;
  readonly #records: RecordStore;
  readonly #recordTables: StoredRecordTables;
  readonly #filters: Filters;
  readonly #limit: TimeLimit;
  readonly #layout: Layout;
  readonly #stored: StoredInformation;
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #collectionsById: ReadonlyMap<number, Collection>;
  readonly #types: ReadonlyMap<string, StoredType>;
  readonly #sortedTypes: readonly StoredType[];
  readonly #sortedCollections: readonly Collection[];
  /** By type, then collection. */
  readonly #held = new Map<number, Map<number, Held>>();

  /** Takes the database over. Throws where it is not a whole catalogue of this schema. */
  constructor(database: Database) {
    this.#database = database;
    this.#statements = new StatementCache(database);
    const stored = readInformation(database);
    this.info = Object.freeze(stored.info);
    this.#stored = stored;
    this.universe = parseUniverse(stored.universe, stored.info.repository);
    this.#records = new RecordStore(database, this.universe, this.#statements);
    this.#recordTables = new StoredRecordTables(this.universe, this.#statements, (name) => this.#records.fields(name));
    this.#filters = new Filters(database, this, this.#recordTables);
    this.#limit = new TimeLimit(database);
    defineSkyFunctions(database, this.#limit);
    this.#layout = new Layout(database);
    this.#sortedCollections = readCollections(database).sort(byName);
    this.#collections = new Map(this.#sortedCollections.map((collection) => [collection.name, collection]));
    this.#collectionsById = new Map(this.#sortedCollections.map((collection) => [collection.id, collection]));
    this.#sortedTypes = readTypes(database, this.universe, stored.build).sort(byName);
    this.#types = new Map(this.#sortedTypes.map((type) => [type.name, type]));
    const summary = builder.selectFrom('collection_type').select(['dataset_type', 'collection', 'stored', 'registered']);
    for (const [type, collection, count, registered] of new Prepared(database, summary).all() as number[][]) {
      const held = this.#held.get(type!) ?? new Map<number, Held>();
      this.#held.set(type!, held.set(collection!, { stored: count!, registered: registered! }));
    }
  }

  datasetTypes(): readonly DatasetType[] {
    return this.#sortedTypes;
  }

  datasetType(name: string): DatasetType | undefined {
    return this.#types.get(name);
  }

  collections(): readonly Collection[] {
    return this.#sortedCollections;
  }

  searchPath(names?: readonly string[]): SearchPath {
    const asked = names ?? [];
    const searched = asked.length === 0 ? this.info.defaultCollections : asked;
    return { ...flattenCollections(this.#collections, searched, this.info.repository), names: [...asked] };
  }

  typesOn(searchPath: SearchPath): readonly DatasetType[] {
    return this.#sortedTypes.filter((type) => {
      const held = this.#held.get(type.id);
      return held !== undefined && searchPath.collections.some(({ id }) => (held.get(id)?.stored ?? 0) > 0);
    });
  }

  governorValues(searchPath: SearchPath, governor: DimensionName, limit: number): readonly string[] {
    const statement = this.#statements.get('governor', () =>
      builder
        .selectFrom('collection_governor')
        .distinct()
        .select('value')
        .where('governor', '=', new Slot(0))
        .where(sql<boolean>`collection in (select value from json_each(${new Slot(1)}))`)
        .orderBy('value')
        .limit(sql<number>`${new Slot(2)}`),
    );
    return statement.all([governor, JSON.stringify(searchPath.collections.map(({ id }) => id)), limit]).map(([value]) => value as string);
  }

  directory(query: DirectoryQuery): DirectoryAnswer {
    const type = this.#known(query.type);
    const { collections, datasets } = this.#holding(type, query.searchPath, 'stored');
    const filter = this.#filters.of(query, type);
    return this.#limit.within(query.patience, () =>
      listDirectory(filter?.statements ?? this.#statements, type, collections, datasets, query, filter?.condition),
    );
  }

  dataset(key: number): DatasetRecord | undefined {
    const statement = this.#statements.get('dataset', () =>
      builder
        .selectFrom('dataset')
        .innerJoin('dataset_type as t', 't.id', 'dataset.type')
        .select(['t.name', 'run'])
        .where('key', '=', new Slot(0)),
    );
    const [name, run] = (statement.get([key]) ?? []) as [string?, number?];
    const type = name === undefined ? undefined : this.#types.get(name);
    const collection = run === undefined ? undefined : this.#collectionsById.get(run);
    if (type === undefined || collection === undefined) return undefined;
    const reader = new RowReader(type, new Map(), true);
    const rows = this.#statements.get(`dataset ${type.membership} ${type.isCalibration}`, () =>
      reader.select().where('m.id', '=', new Slot(0)).where('d.shape', '>', sql.lit(Shape.UNSTORED)),
    );
    const [row] = reader.read(rows.all([key]), this.#collectionsById);
    return row === undefined ? undefined : this.#complete(type, row, collection.name);
  }

  datasetByUuid(uuid: string): DatasetRecord | undefined {
    if (!/^[0-9a-f]{32}$/.test(uuid)) return undefined;
    const statement = this.#statements.get('uuid', () => builder.selectFrom('dataset_uuid').select('key').where('uuid', '=', new Slot(0)));
    const row = statement.get([Buffer.from(uuid, 'hex')]);
    return row === undefined ? undefined : this.dataset(row[0] as number);
  }

  *query(query: Parameters<Catalogue['query']>[0]): IterableIterator<DatasetRecord> {
    const type = this.#known(query.type);
    const { collections } = this.#holding(type, query.searchPath, 'stored');
    const constraint = this.#withGovernors(type, query.searchPath, query.constraint);
    for (const row of streamRows(this.#statements, type, collections, constraint, this.#filters.of(query, type)?.condition)) {
      yield this.#complete(type, row, this.#runOf(row.key));
    }
  }

  checkWhere(filter: WhereFilter, type?: DatasetType): void {
    this.#filters.check(filter, type === undefined ? undefined : this.#known(type));
  }

  dataIds(query: DataIdQuery): IterableIterator<readonly DataIdValue[]> {
    const { lacking } = query;
    const type = lacking === undefined ? undefined : this.#known(lacking.type);
    const without = type && { type, collections: this.#holding(type, lacking!.searchPath, 'stored').collections };
    const found = streamDataIds(this.#statements, this.#recordTables, query, without, this.#filters.ofRecords(query));
    // What is limited comes whole: others may ask between the rows of a stream.
    return query.patience === undefined ? found : this.#limit.within(query.patience, () => [...found].values());
  }

  recordElements(): ReturnType<Catalogue['recordElements']> {
    const stored = this.universe.elements.filter(
      ({ name, viewOf }) =>
        this.#records.fields(name) !== undefined || (viewOf !== undefined && this.#records.fields(viewOf)?.includes(name)),
    );
    return stored.map(({ name, required }) => ({ name, required: this.universe.pathOrder(required) }));
  }

  calibration(query: CalibrationQuery): DatasetRow {
    return findCalibration(this, query);
  }

  isRegisteredOnly({ type: asked, searchPath, constraint }: Parameters<Catalogue['isRegisteredOnly']>[0]): boolean {
    const type = this.#known(asked);
    const { collections } = this.#holding(type, searchPath, 'registered');
    const { where, values, form } = membershipConditions(type, collections, constraint);
    if (collections.length === 0) return false;
    const statement = this.#statements.get(`registered ${type.membership} ${form}`, () =>
      where.reduce(
        (select, condition) => select.where(condition),
        builder.selectFrom(`${membershipTable(type.membership)} as m`).select(sql`max(m.stored)`.as('stored')),
      ),
    );
    return statement.get(values)?.[0] === 0;
  }

  dimensionValues(dimension: DimensionName, limit: number, constraint: Constraint = new Map()): readonly DataIdValue[] {
    return this.#records.values(dimension, limit, constraint, this.#sortedTypes);
  }

  record(element: string, dataId: Readonly<Record<DimensionName, DataIdValue>>): ReturnType<Catalogue['record']> {
    return this.#records.record(element, dataId);
  }

  repositoryDirectory(path: string): readonly RepositoryEntry[] | undefined {
    return this.#layout.list(path);
  }

  files(): IterableIterator<NonNullable<RepositoryEntry['file']>> {
    return this.#layout.all();
  }

  repositoryFile(path: string): RepositoryEntry['file'] {
    return this.#layout.file(path);
  }

  totals(): StoredInformation['totals'] {
    return this.#stored.totals;
  }

  fingerprint(type: DatasetType): string {
    return this.#known(type).fingerprint;
  }

  touchedSince(version: number): Touched | undefined {
    if (version < this.#stored.touchesFrom || version > this.info.version) return undefined;
    return readTouched(this.#database, version);
  }

  close(): void {
    this.#database.close();
  }

  /** The type as this catalogue knows it: a caller may hold one of an older catalogue of the same repository. */
  #known(type: DatasetType): StoredType {
    const stored = this.#types.get(type.name);
    if (stored !== undefined) return stored;
    throw new ButlerfsError('unknown-dataset-type', { what: `dataset type '${type.name}'`, where: this.info.repository });
  }

  /** Collections of a search path that hold datasets of a type, and how many. */
  #holding(type: StoredType, { collections }: SearchPath, what: keyof Held): { collections: readonly Collection[]; datasets: number } {
    const held = this.#held.get(type.id);
    if (held === undefined) return { collections: [], datasets: 0 };
    let datasets = 0;
    const holding = collections.filter(({ id }) => {
      const count = held.get(id)?.[what] ?? 0;
      datasets += count;
      return count > 0;
    });
    return { collections: holding, datasets };
  }

  /**
   * The constraint, with governors of which the search path has one value only: that leaves nothing out, and what an expression says of the dimensions behind them becomes
   * a range of the index.
   */
  #withGovernors(type: StoredType, searchPath: SearchPath, constraint: Constraint): Constraint {
    const all = new Map(constraint);
    for (const name of type.dimensions.required) {
      if (all.has(name) || this.universe.dimension(name)?.isGovernor !== true) continue;
      const [only, another] = this.governorValues(searchPath, name, 2);
      if (only !== undefined && another === undefined) all.set(name, only);
    }
    return all;
  }

  #complete(type: StoredType, row: MembershipRow, run: string): DatasetRecord {
    return { ...row, type, run };
  }

  #runOf(key: number): string {
    const statement = this.#statements.get('run', () => builder.selectFrom('dataset').select('run').where('key', '=', new Slot(0)));
    return this.#collectionsById.get(statement.get([key])![0] as number)?.name ?? '';
  }
}

function readCollections(database: Database): Collection[] {
  const links = builder
    .selectFrom('collection_chain as chain')
    .innerJoin('collection as child', 'child.id', 'chain.child')
    .select(['chain.parent', 'child.name'])
    .orderBy('chain.parent')
    .orderBy('chain.position');
  const children = new Map<number, string[]>();
  for (const [parent, child] of new Prepared(database, links).all() as [number, string][]) {
    const names = children.get(parent) ?? [];
    names.push(child);
    children.set(parent, names);
  }
  const collections = new Prepared(database, builder.selectFrom('collection').select(['id', 'name', 'type', 'doc']));
  return (collections.all() as [number, string, CollectionType, string | null][]).map(([id, name, type, doc]) =>
    Object.freeze({ id, name, type, doc, children: Object.freeze(children.get(id) ?? []) }),
  );
}

function readTypes(database: Database, universe: ElementUniverse, build: string): StoredType[] {
  const query = builder
    .selectFrom('dataset_type')
    .select(['id', 'name', 'storage_class', 'dimensions', 'is_calibration', 'membership', 'touched']);
  return (new Prepared(database, query).all() as [number, string, string, string, number, number, number][]).map(
    ([id, name, storageClass, dimensions, isCalibration, membership, touched]) =>
      Object.freeze({
        id,
        name,
        storageClass,
        dimensions: universe.group(JSON.parse(dimensions) as string[]),
        isCalibration: isCalibration === 1,
        membership,
        fingerprint: `${build} ${touched}`,
      }),
  );
}
