/** Applies the changes of a repository to its catalogue, in one transaction of the caller, and notes what they touch. */

import { sql } from 'kysely';
import type { CatalogueInfo, DataIdValue, KnownContent, RepositoryChange, StoredFile } from '../contract.js';
import { ContentRows, digestOf } from './content.js';
import type { MembershipState } from './content.js';
import type { Database } from './driver.js';
import { FileTotals } from './file-totals.js';
import { readInformation, writeInformation } from './information.js';
import type { StoredInformation } from './information.js';
import { KnownRows } from './known.js';
import { notInPlace } from './not-in-place.js';
import {
  dimensionColumn,
  firstAssociation,
  membershipIndexes,
  recordField,
  recordTable,
  Shape,
  storedLocation,
  unboundedBegin,
} from './schema.js';
import { slots } from './statements.js';
import { CatalogueStructure } from './structure.js';
import { refreshGovernors } from './summary.js';
import { refreshImplied } from './refresh-implied.js';
import { TouchLog } from './touched.js';
import type { CatalogueFacts } from './writer.js';

type Change<Kind extends RepositoryChange['kind']> = Extract<RepositoryChange, { kind: Kind }>;

/** A dataset as it is stored. */
interface DatasetState {
  readonly key: number;
  readonly type: number;
  readonly run: number;
  readonly stored: boolean;
}

/** A membership as it is stored. */
interface MembershipRow {
  readonly id: number;
  readonly type: number;
  readonly collection: number;
  readonly dataId: readonly DataIdValue[];
}

export class CatalogueUpdater {
  readonly known: KnownContent;
  readonly #content: ContentRows;
  readonly #information: StoredInformation;
  readonly #touches = new TouchLog();
  readonly #structure: CatalogueStructure;
  readonly #files: FileTotals;
  /** Changes of counts by type and collection. */
  readonly #counts = new Map<string, { readonly type: number; readonly collection: number; stored: number; registered: number }>();
  #datasets = 0;
  #unstored = 0;
  #nextKey: number;

  /** Takes a database that holds a catalogue, within a transaction. */
  constructor(database: Database) {
    this.#information = readInformation(database);
    this.#content = new ContentRows(database, this.#information.info.repository);
    this.#content.takeUniverse(this.#information.universe);
    this.#content.takeUp();
    this.known = new KnownRows(this.#content, (type, collection) => this.#counts.get(`${type} ${collection}`)?.registered ?? 0);
    this.#files = new FileTotals(this.#content, this.#information.totals);
    const [last] = this.#content.prepare(sql`select coalesce(max(key), 0) from dataset`).get() as [number];
    this.#nextKey = last + 1;
    this.#structure = new CatalogueStructure(this.#content, {
      touched: () => this.#touches.structure(),
      collectionGone: (id) => this.#emptyCollection(id),
      typeGone: (id) => this.#emptyType(id),
    });
  }

  /** The version that the catalogue has so far. */
  get info(): CatalogueInfo {
    return this.#information.info;
  }

  /** Where reading the repository ended. */
  get cursor(): string | null {
    return this.#information.cursor;
  }

  /** Whether anything was changed, after {@link end}, but what the repository says of its own files. */
  get hasChanged(): boolean {
    return !this.#touches.isEmpty;
  }

  apply(change: RepositoryChange): void {
    switch (change.kind) {
      case 'universe':
        if (change.json !== this.#information.universe) throw notInPlace('the universe is another one');
        return;
      case 'whole-structure':
      case 'collection':
      case 'chain':
      case 'dataset-type':
        this.#structure.apply(change, (state) => this.#createIndexes(state), this.info.version + 1);
        return;
      case 'file':
        this.#setOwnFile(change);
        return;
      case 'dimension':
        this.#structure.end();
        this.#setRecord(change);
        return;
      case 'dataset':
        this.#structure.end();
        this.#setDataset(change);
        return;
      case 'membership':
        this.#structure.end();
        this.#addMembership(change);
        return;
      case 'dataset-gone':
        this.#structure.end();
        this.#removeDataset(change.uuid);
        return;
      case 'membership-gone':
        this.#structure.end();
        this.#removeMemberships(change);
        return;
    }
  }

  /** To be called after the last change: {@link hasChanged} holds from then on. */
  end(): void {
    this.#structure.end();
  }

  /** Writes what is known of all rows together, as of the next version. `cursor` is that of the reader. */
  finish(facts: Omit<CatalogueFacts, 'repository' | 'format'>, cursor: string | null): CatalogueInfo {
    this.#structure.end();
    const { database } = this.#content;
    const [first, second, third, fourth] = slots(4);
    const count = this.#content.prepare(sql`
      insert into collection_type (dataset_type, collection, stored, registered) values (${first}, ${second}, ${third}, ${fourth})
      on conflict (dataset_type, collection) do update set stored = stored + excluded.stored, registered = registered + excluded.registered`);
    for (const { type, collection, stored, registered } of this.#counts.values()) count.run([type, collection, stored, registered]);
    this.#content.execute(sql`delete from collection_type where registered <= 0`);
    const collections = new Set([...this.#counts.values()].map(({ collection }) => collection));
    for (const collection of collections) refreshGovernors(this.#content, collection);
    const touched = this.#content.prepare(sql`update dataset_type set touched = ${first} where id = ${second}`);
    for (const type of this.#touches.types) touched.run([facts.version, type]);
    const touchesFrom = this.#touches.write(database, facts.version, this.#information.touchesFrom);
    const { info: before, universe, build } = this.#information;
    const info: CatalogueInfo = {
      ...before,
      ...facts,
      datasets: before.datasets + this.#datasets,
      unstored: before.unstored + this.#unstored,
    };
    writeInformation(database, { info, universe, totals: this.#files.totals, cursor, build, touchesFrom });
    return info;
  }

  #createIndexes({ table, group }: MembershipState): void {
    for (const index of membershipIndexes(table, group)) this.#content.execute(index);
  }

  #setOwnFile({ location, size, checksum }: Change<'file'>): void {
    const [first, second, third] = slots(3);
    const stored = storedLocation(location);
    this.#files.changing(stored, () => {
      this.#content
        .statement(
          'own file',
          () => sql`
          insert into own_file (location, size, checksum) values (${first}, ${second}, ${third})
          on conflict (location) do update set size = excluded.size, checksum = excluded.checksum
          where size is not excluded.size or checksum is not excluded.checksum`,
        )
        .run([stored, size, digestOf(checksum)]);
    });
  }

  #setRecord(change: Change<'dimension'>): void {
    const { element: name, fields } = change;
    const known = this.#content.records.get(name);
    if (known === undefined) {
      this.#content.addRecord(change);
      this.#content.forgetMembershipInserts();
      this.#touches.records();
      this.#refreshImplied(change);
      return;
    }
    if (Object.keys(fields).some((field) => !known.fields.includes(field))) throw notInPlace(`records of '${name}' have other fields`);
    const { changes } = this.#content
      .statement(`record ${name}`, () => {
        const key = known.element.required.map((dimension) => recordField(known.element, dimension));
        const others = known.fields.filter((field) => !key.includes(field));
        const values = slots(known.fields.length).map((slot) => sql`${slot}`);
        const update = others.map((field) => sql`${sql.ref(field)} = excluded.${sql.ref(field)}`);
        const differs = others.map((field) => sql`${sql.ref(`${recordTable(name)}.${field}`)} is not excluded.${sql.ref(field)}`);
        const resolution =
          others.length === 0 ? sql`do nothing` : sql`do update set ${sql.join(update)} where ${sql.join(differs, sql` or `)}`;
        return sql`insert into ${sql.table(recordTable(name))} (${sql.join(known.fields.map((field) => sql.ref(field)))})
          values (${sql.join(values)}) on conflict (${sql.join(key.map((field) => sql.ref(field)))}) ${resolution}`;
      })
      .run(known.fields.map((field) => fields[field] ?? null));
    if (changes === 0) return;
    this.#touches.records();
    this.#refreshImplied(change);
  }

  #refreshImplied(change: Change<'dimension'>): void {
    refreshImplied(this.#content, change, [...this.#counts.values()], (type, collection) => this.#touches.all(type, collection));
  }

  #find(uuid: string): DatasetState | undefined {
    const [first] = slots(1);
    const row = this.#content
      .statement(
        'find dataset',
        () => sql`select key, type, run, shape from dataset where key = (select key from dataset_uuid where uuid = ${first})`,
      )
      .get([Buffer.from(uuid, 'hex')]) as [number, number, number, number] | undefined;
    return row === undefined ? undefined : { key: row[0], type: row[1], run: row[2], stored: row[3] !== Shape.UNSTORED };
  }

  #setDataset(change: Change<'dataset'>): void {
    const { uuid, type, run, files } = change;
    let found = this.#find(uuid);
    if (found !== undefined && (found.type !== type || found.run !== run)) {
      this.#removeDataset(uuid);
      found = undefined;
    }
    if (found === undefined) {
      this.#files.changingAll(files, () => this.#content.addDataset(this.#nextKey, change));
      this.#nextKey++;
      this.#datasets++;
      if (files.length === 0) this.#unstored++;
      return;
    }
    this.#setIngested(found.key, change);
    const former = this.#filesOf(found.key);
    if (JSON.stringify(former) !== JSON.stringify(inOrder(files))) this.#setFiles(found, former, files);
  }

  #setIngested(key: number, { ingested }: Change<'dataset'>): void {
    const [first, second] = slots(2);
    const { changes } = this.#content
      .statement('ingested', () => sql`update dataset set ingested = ${first} where key = ${second} and ingested is not ${first}`)
      .run([ingested, key]);
    if (changes > 0) this.#touchMemberships(key);
  }

  #setFiles(dataset: DatasetState, former: readonly StoredFile[], files: readonly StoredFile[]): void {
    const { key } = dataset;
    this.#files.changingAll([...former, ...files], () => this.#content.setFiles(key, files));
    const isStored = files.length > 0;
    if (isStored !== dataset.stored) {
      this.#unstored += isStored ? -1 : 1;
      const { table } = this.#content.typeOf(dataset.type);
      const [first, second] = slots(2);
      const update = this.#content.statement(
        `stored ${table}`,
        () => sql`update ${sql.table(table)} set stored = ${first} where id = ${second}`,
      );
      for (const { id, type, collection } of this.#membershipsOf(dataset)) {
        update.run([isStored ? 1 : 0, id]);
        this.#count(type, collection, isStored ? 1 : -1, 0);
      }
    }
    this.#touchMemberships(key);
  }

  #filesOf(key: number): StoredFile[] {
    return this.#files.of(key);
  }

  #membershipsOf({ key, type }: Pick<DatasetState, 'key' | 'type'>): MembershipRow[] {
    const { table, group } = this.#content.typeOf(type);
    const [first] = slots(1);
    const columns = sql.join(
      group.required.map((name) => sql`, ${sql.ref(dimensionColumn(name))}`),
      sql``,
    );
    const select = sql`select id, dataset_type, collection${columns} from ${sql.table(table)}`;
    const statement = this.#content.statement(
      `memberships ${table}`,
      () => sql`
      ${select} where id = ${first} union all
      ${select} where dataset = ${first} and id >= ${sql.lit(firstAssociation)}`,
    );
    return (statement.all([key]) as [number, number, number, ...DataIdValue[]][]).map(([id, typeId, collection, ...dataId]) => ({
      id,
      type: typeId,
      collection,
      dataId,
    }));
  }

  #touchMemberships(key: number): void {
    const [first] = slots(1);
    const [type] = this.#content.statement('type of', () => sql`select type from dataset where key = ${first}`).get([key]) as [number];
    for (const row of this.#membershipsOf({ key, type })) this.#touches.dataset(row.type, row.collection, row.dataId);
  }

  #addMembership(change: Change<'membership'>): void {
    const dataset = this.#find(change.uuid);
    if (dataset === undefined) return;
    const { type, collection, dataId, validity } = change;
    if (validity === null && collection === dataset.run) {
      // A dataset stands in its RUN once: under another data ID than before it is there in place of that.
      const [former] = this.#membershipsOf(dataset).filter(({ id }) => id === dataset.key);
      if (former !== undefined && JSON.stringify(former.dataId) !== JSON.stringify(dataId)) this.#removeMembership(dataset, former);
    }
    if (!this.#content.addMembership(change)) return;
    this.#count(type, collection, dataset.stored ? 1 : 0, 1);
    this.#touches.dataset(type, collection, dataId);
  }

  #removeMemberships({ uuid, collection, begin }: Change<'membership-gone'>): void {
    const dataset = this.#find(uuid);
    if (dataset === undefined) return;
    for (const row of this.#membershipsOf(dataset)) {
      if (row.collection === collection && (begin === undefined || this.#beginOf(dataset, row) === (begin ?? unboundedBegin)))
        this.#removeMembership(dataset, row);
    }
  }

  #beginOf({ type }: DatasetState, { id }: MembershipRow): bigint {
    const { table } = this.#content.typeOf(type);
    const [first] = slots(1);
    const statement = this.#content.statement(
      `begin ${table}`,
      () => sql`
      select cast(valid_begin as text) from ${sql.table(table)} where id = ${first}`,
    );
    return BigInt(statement.get([id])![0] as string);
  }

  #removeMembership(dataset: DatasetState, { id, type, collection, dataId }: MembershipRow): void {
    const { table } = this.#content.typeOf(dataset.type);
    const [first] = slots(1);
    this.#content.statement(`remove ${table}`, () => sql`delete from ${sql.table(table)} where id = ${first}`).run([id]);
    this.#count(type, collection, dataset.stored ? -1 : 0, -1);
    this.#touches.dataset(type, collection, dataId);
  }

  #removeDataset(uuid: string): void {
    const dataset = this.#find(uuid);
    if (dataset === undefined) return;
    for (const row of this.#membershipsOf(dataset)) this.#removeMembership(dataset, row);
    const [first] = slots(1);
    this.#files.changingAll(this.#filesOf(dataset.key), () => {
      this.#content.statement('remove files', () => sql`delete from dataset_file where dataset = ${first}`).run([dataset.key]);
      this.#content.statement('remove dataset', () => sql`delete from dataset where key = ${first}`).run([dataset.key]);
      this.#content.statement('remove uuid', () => sql`delete from dataset_uuid where uuid = ${first}`).run([Buffer.from(uuid, 'hex')]);
    });
    this.#datasets--;
    if (!dataset.stored) this.#unstored--;
  }

  /** A collection that goes takes its memberships with it, and a RUN its datasets. */
  #emptyCollection(collection: number): void {
    const [first] = slots(1);
    const run = this.#content.prepare(sql`select lower(hex(uuid)) from dataset where run = ${first}`).all([collection]) as [string][];
    for (const [uuid] of run) this.#removeDataset(uuid);
    for (const type of this.#content.types.keys()) this.#emptyPair(type, collection);
  }

  #emptyType(type: number): void {
    const [first] = slots(1);
    const datasets = this.#content.prepare(sql`select lower(hex(uuid)) from dataset where type = ${first}`).all([type]) as [string][];
    for (const [uuid] of datasets) this.#removeDataset(uuid);
  }

  #emptyPair(type: number, collection: number): void {
    const { table } = this.#content.typeOf(type);
    const [first, second] = slots(2);
    const [stored, registered] = this.#content
      .prepare(
        sql`select coalesce(sum(stored), 0), count(*) from ${sql.table(table)} where dataset_type = ${first} and collection = ${second}`,
      )
      .get([type, collection]) as [number, number];
    if (registered === 0) return;
    this.#content
      .prepare(sql`delete from ${sql.table(table)} where dataset_type = ${first} and collection = ${second}`)
      .run([type, collection]);
    this.#count(type, collection, -stored, -registered);
    this.#touches.all(type, collection);
  }

  #count(type: number, collection: number, stored: number, registered: number): void {
    const key = `${type} ${collection}`;
    const counted = this.#counts.get(key) ?? { type, collection, stored: 0, registered: 0 };
    this.#counts.set(key, counted);
    counted.stored += stored;
    counted.registered += registered;
  }
}

function inOrder(files: readonly StoredFile[]): StoredFile[] {
  return files
    .map(({ component, location, member, size, checksum, extension }) => ({ component, location, member, size, checksum, extension }))
    .sort((a, b) => ((a.component ?? '') < (b.component ?? '') ? -1 : 1));
}
