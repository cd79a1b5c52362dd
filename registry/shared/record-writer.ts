/** Writes records into a shared catalogue, many at a time, within one transaction of a writer who has the turn. */

import { ButlerfsError } from '../../common/errors.js';
import type { RepositoryChange, RepositoryRecord } from '../contract.js';
import { bigOf, parameterOf, readFiles, storable, uuidText, writeFields, writeFiles } from './form.js';
import { slotOf } from './schema.js';
import type { SharedDatabase, SharedTables } from './schema.js';
import type { Remover } from './remover.js';
import type { StructureWriter } from './structure-writer.js';
import type { Tally } from './tally.js';

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;
type Row<Table extends keyof SharedTables> = SharedTables[Table];

/** Rows of one statement: more are no quicker, and SQLite takes 32,766 parameters. */
const BATCH = 500;

export interface RecordWriterParts {
  readonly database: SharedDatabase;
  readonly where: string;
  readonly structure: StructureWriter;
  readonly remover: Remover;
  readonly tally: Tally;
  /** Of this transaction. */
  readonly sequence: number;
}

export class RecordWriter {
  readonly #parts: RecordWriterParts;
  /** By identity: the last of several in one batch counts. */
  readonly #files = new Map<string, Row<'file'>>();
  readonly #dimensions = new Map<string, Row<'dimension_record'>>();
  readonly #datasets = new Map<string, Row<'dataset'>>();
  readonly #memberships = new Map<string, Row<'membership'>>();

  constructor(parts: RecordWriterParts) {
    this.#parts = parts;
  }

  async add(record: RepositoryChange): Promise<void> {
    const { structure, remover } = this.#parts;
    switch (record.kind) {
      case 'universe':
        structure.addUniverse(record);
        return;
      case 'collection':
        await structure.addCollection(record);
        return;
      case 'chain':
        structure.addChain(record);
        return;
      case 'dataset-type':
        await structure.addType(record);
        return;
      case 'file':
        this.#addFile(record);
        if (this.#files.size >= BATCH) await this.#flushFiles();
        return;
      case 'dimension':
        this.#addDimension(record);
        if (this.#dimensions.size >= BATCH) await this.#flushDimensions();
        return;
      case 'dataset':
        this.#addDataset(record);
        if (this.#datasets.size >= BATCH) await this.#flushDatasets();
        return;
      case 'membership':
        await this.#addMembership(record);
        if (this.#memberships.size >= BATCH) await this.#flushMemberships();
        return;
      case 'whole-structure':
        return;
      case 'dataset-gone':
        await this.flush();
        await remover.removeDatasets([uuidText(record.uuid)]);
        return;
      case 'membership-gone':
        await this.flush();
        await remover.removeMemberships(
          uuidText(record.uuid),
          structure.type(record.type).id,
          structure.collection(record.collection).id,
          record.begin,
        );
        return;
    }
  }

  /** Writes what is still in memory. */
  async flush(): Promise<void> {
    await this.#parts.structure.flush();
    await this.#flushFiles();
    await this.#flushDimensions();
    await this.#flushMemberships();
  }

  #addFile({ location, size, checksum }: RecordOf<'file'>): void {
    const slot = slotOf(storable(location, 'location'));
    this.#files.set(slot.toString('hex'), { slot, location, size, checksum, changed: this.#parts.sequence });
  }

  #addDimension({ element: name, fields }: RecordOf<'dimension'>): void {
    const { structure, where, sequence } = this.#parts;
    const element = structure.universe.element(name);
    if (element === undefined) {
      const why = 'the universe of the catalogue has no such element';
      throw new ButlerfsError('corrupt-repository', { what: `a record of dimension '${name}'`, where, why });
    }
    const key = element.required.map((dimension) => fields[dimension === name ? (element.keyField ?? dimension) : dimension] ?? null);
    const text = writeFields(fields);
    const slot = slotOf(name, ...key.map((value) => (typeof value === 'bigint' ? String(value) : value)));
    for (const value of Object.values(fields)) if (typeof value === 'string') storable(value, `a field of dimension ${name}`);
    structure.fieldsOf(name, Object.keys(fields));
    this.#dimensions.set(slot.toString('hex'), { slot, element: name, fields: text, changed: sequence });
  }

  #addDataset({ uuid, type, run, ingested, files }: RecordOf<'dataset'>): void {
    const { structure, sequence, where } = this.#parts;
    const collection = structure.collection(run);
    if (collection.type !== 'RUN') {
      const why = `collection '${collection.name}' is ${collection.type}, not a RUN`;
      throw new ButlerfsError('corrupt-repository', { what: `dataset ${uuid}`, where, why });
    }
    for (const { location, member, component } of files) {
      for (const text of [location, member ?? '', component ?? '']) storable(text, 'location');
    }
    this.#datasets.set(uuidText(uuid), {
      uuid: Buffer.from(uuidText(uuid), 'hex'),
      type: structure.type(type).id,
      run: collection.id,
      ingested: parameterOf(ingested),
      files: writeFiles(files),
      changed: sequence,
    });
  }

  async #addMembership({ uuid, type, collection, dataId, validity }: RecordOf<'membership'>): Promise<void> {
    const { structure, sequence, where } = this.#parts;
    const { id, name, dimensions } = structure.type(type);
    const { id: into } = structure.collection(collection);
    if (dataId.length !== dimensions.length) {
      const why = `its data ID has ${dataId.length} values, dataset type '${name}' has ${dimensions.length} dimensions`;
      throw new ButlerfsError('corrupt-repository', { what: `a membership of dataset ${uuid}`, where, why });
    }
    for (const value of dataId) if (typeof value === 'string') storable(value, 'data ID value');
    const slot = membershipSlot(into, id, dataId, validity === null ? undefined : { uuid: uuidText(uuid), begin: validity.begin });
    const holder = this.#memberships.get(slot.toString('hex'));
    // Another one for the same place is a clash with what is written.
    if (holder !== undefined && holder.uuid.toString('hex') !== uuidText(uuid)) await this.#flushMemberships();
    this.#memberships.set(slot.toString('hex'), {
      slot,
      uuid: Buffer.from(uuidText(uuid), 'hex'),
      type: id,
      collection: into,
      data_id: JSON.stringify(dataId),
      is_certified: validity === null ? 0 : 1,
      valid_begin: parameterOf(validity?.begin ?? null),
      valid_end: parameterOf(validity?.end ?? null),
      changed: sequence,
    });
  }

  async #flushFiles(): Promise<void> {
    const { database } = this.#parts;
    const rows = takeAll(this.#files);
    if (rows.length === 0) return;
    const slots = rows.map(({ slot }) => slot);
    const there = indexed(await database.selectFrom('file').selectAll().where('slot', 'in', slots).execute(), ({ slot }) => slot);
    const isSame = (a: Row<'file'>, b: Row<'file'>): boolean => sameInteger(a.size, b.size) && a.checksum === b.checksum;
    const { fresh, differing } = this.#compare(rows, ({ slot }) => slot, there, isSame);
    if (differing.length > 0) await database.deleteFrom('file').where('slot', 'in', keysOf(differing)).execute();
    const written = [...fresh, ...differing];
    if (written.length > 0) await database.insertInto('file').values(written).execute();
  }

  async #flushDimensions(): Promise<void> {
    const { database } = this.#parts;
    const rows = takeAll(this.#dimensions);
    if (rows.length === 0) return;
    const slots = rows.map(({ slot }) => slot);
    const found = await database.selectFrom('dimension_record').selectAll().where('slot', 'in', slots).execute();
    const isSame = (a: Row<'dimension_record'>, b: Row<'dimension_record'>): boolean => a.fields === b.fields;
    const { fresh, differing } = this.#compare(
      rows,
      ({ slot }) => slot,
      indexed(found, ({ slot }) => slot),
      isSame,
    );
    if (differing.length > 0) await database.deleteFrom('dimension_record').where('slot', 'in', keysOf(differing)).execute();
    const written = [...fresh, ...differing];
    if (written.length > 0) await database.insertInto('dimension_record').values(written).execute();
  }

  async #flushDatasets(): Promise<void> {
    const { database, where, structure } = this.#parts;
    await structure.flush();
    const rows = takeAll(this.#datasets);
    if (rows.length === 0) return;
    const uuids = rows.map(({ uuid }) => uuid);
    const there = indexed(await database.selectFrom('dataset').selectAll().where('uuid', 'in', uuids).execute(), ({ uuid }) => uuid);
    for (const { uuid, type, run } of rows) {
      const known = there.get(uuid.toString('hex'));
      if (known === undefined || (Number(known.type) === Number(type) && Number(known.run) === Number(run))) continue;
      const why = 'the catalogue has it in another RUN, or with another dataset type';
      const advice = 'remove it there first';
      throw new ButlerfsError('invalid-value', { what: `dataset ${uuid.toString('hex')}`, where, why, advice });
    }
    // When it was taken in first stays: whoever writes it again brings nothing new.
    const isSame = (a: Row<'dataset'>, b: Row<'dataset'>): boolean => a.files === b.files;
    const { fresh, differing } = this.#compare(rows, ({ uuid }) => uuid, there, isSame);
    const replaced = differing.map(({ uuid }) => uuid);
    if (replaced.length > 0) await database.deleteFrom('dataset').where('uuid', 'in', replaced).execute();
    const written = [...fresh, ...differing];
    if (written.length > 0) await database.insertInto('dataset').values(written).execute();
  }

  async #flushMemberships(): Promise<void> {
    const { database, remover } = this.#parts;
    await this.#flushDatasets();
    const rows = takeAll(this.#memberships);
    if (rows.length === 0) return;
    await this.#checkDatasets(rows);
    const slots = rows.map(({ slot }) => slot);
    const there = indexed(await database.selectFrom('membership').selectAll().where('slot', 'in', slots).execute(), ({ slot }) => slot);
    for (const row of rows) {
      const holder = there.get(row.slot.toString('hex'));
      if (holder !== undefined && !holder.uuid.equals(row.uuid)) throw await this.#clash(holder.uuid, row);
    }
    const isSame = (a: Row<'membership'>, b: Row<'membership'>): boolean => sameInteger(a.valid_end, b.valid_end);
    const { fresh, differing } = this.#compare(rows, ({ slot }) => slot, there, isSame);
    if (differing.length > 0) {
      await remover.note(differing);
      await database.deleteFrom('membership').where('slot', 'in', keysOf(differing)).execute();
    }
    const written = [...fresh, ...differing];
    if (written.length > 0) await database.insertInto('membership').values(written).execute();
  }

  async #checkDatasets(rows: readonly Row<'membership'>[]): Promise<void> {
    const { database, where } = this.#parts;
    const uuids = [...new Map(rows.map(({ uuid }) => [uuid.toString('hex'), uuid])).values()];
    const found = await database.selectFrom('dataset').select(['uuid', 'type']).where('uuid', 'in', uuids).execute();
    const types = new Map(found.map(({ uuid, type }) => [uuid.toString('hex'), Number(type)]));
    const broken = rows.find(({ uuid, type }) => types.get(uuid.toString('hex')) !== Number(type));
    if (broken === undefined) return;
    const uuid = broken.uuid.toString('hex');
    const why = types.has(uuid) ? 'the dataset is of another dataset type' : 'there is no such dataset';
    throw new ButlerfsError('corrupt-repository', { what: `a membership of dataset ${uuid}`, where, why });
  }

  /** Counts, and divides rows into those that are not there and those that are there in another form. */
  #compare<R>(
    rows: readonly R[],
    keyOf: (row: R) => Buffer,
    there: ReadonlyMap<string, R>,
    isSame: (a: R, b: R) => boolean,
  ): { readonly fresh: readonly R[]; readonly differing: readonly R[] } {
    const { tally } = this.#parts;
    const fresh: R[] = [];
    const differing: R[] = [];
    for (const row of rows) {
      const known = there.get(keyOf(row).toString('hex'));
      if (known === undefined) fresh.push(row);
      else if (!isSame(known, row)) differing.push(row);
    }
    tally.added += fresh.length;
    tally.changed += differing.length;
    tally.unchanged += rows.length - fresh.length - differing.length;
    return { fresh, differing };
  }

  async #clash(holder: Buffer, { uuid, type, collection, data_id: dataId }: Row<'membership'>): Promise<ButlerfsError> {
    const { database, where } = this.#parts;
    const rows = await database.selectFrom('dataset').select(['uuid', 'files']).where('uuid', 'in', [holder, uuid]).execute();
    const show = (wanted: Buffer): string => {
      const files = rows.find((row) => row.uuid.equals(wanted))?.files ?? '[]';
      return `${wanted.toString('hex')} (${readFiles(files)[0]?.location ?? 'no file'})`;
    };
    const typeRow = await database.selectFrom('dataset_type').selectAll().where('id', '=', Number(type)).executeTakeFirst();
    const place = await database.selectFrom('collection').select('name').where('id', '=', Number(collection)).executeTakeFirst();
    const values = JSON.parse(dataId) as unknown[];
    const names = JSON.parse(typeRow?.dimensions ?? '[]') as string[];
    const named = names.map((name, index) => `${name}=${String(values[index])}`).join(', ');
    return new ButlerfsError('invalid-value', {
      what: `${typeRow?.name ?? ''} ${named} in collection '${place?.name ?? ''}'`,
      where,
      why: `dataset ${show(holder)} has this data ID, so ${show(uuid)} cannot take it`,
      advice: 'remove the one that is there first, or write into another RUN',
    });
  }
}

/** Whose place a membership takes: one for each data ID, but of certified ones one for each dataset and begin. */
export function membershipSlot(
  collection: number,
  type: number,
  dataId: readonly (string | number)[],
  certified?: { readonly uuid: string; readonly begin: bigint | null },
): Buffer {
  const validity = certified === undefined ? [] : [certified.uuid, certified.begin === null ? null : String(certified.begin)];
  return slotOf(collection, type, dataId.length, ...dataId, ...validity);
}

function takeAll<R>(rows: Map<string, R>): R[] {
  const all = [...rows.values()];
  rows.clear();
  return all;
}

function indexed<R>(rows: readonly R[], keyOf: (row: R) => Buffer): ReadonlyMap<string, R> {
  return new Map(rows.map((row) => [keyOf(row).toString('hex'), row]));
}

function keysOf(rows: readonly { readonly slot: Buffer }[]): Buffer[] {
  return rows.map(({ slot }) => slot);
}

function sameInteger(a: SharedTables['dataset']['ingested'], b: SharedTables['dataset']['ingested']): boolean {
  return bigOf(a) === bigOf(b);
}
