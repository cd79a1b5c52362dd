/** A shared catalogue over any engine. */

import { randomBytes } from 'node:crypto';
import { sleep, throwIfAborted } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { RecordStream, RepositoryChange, RepositoryReader } from '../contract.js';
import { databaseUrl } from './address.js';
import type {
  DatabaseAddress,
  DatasetName,
  Removal,
  SharedCatalogue,
  SharedFacts,
  SharedStructure,
  WriteOptions,
  WriteSummary,
} from './contract.js';
import type { Engine } from './engine.js';
import { databaseError } from './errors.js';
import { readDimensions, storable, uuidText } from './form.js';
import { checkVersion, readHead, readSchemaVersion, setInformation } from './information.js';
import type { Head } from './information.js';
import { openSharedReader } from './reader.js';
import { membershipSlot, RecordWriter } from './record-writer.js';
import { Remover } from './remover.js';
import { createInformation, migrate, sharedSchemaVersion, slotOf } from './schema.js';
import type { SharedDatabase } from './schema.js';
import { takingTurns } from './sqlite.js';
import { StructureWriter } from './structure-writer.js';
import { emptyTally } from './tally.js';
import type { Tally } from './tally.js';

/** Records that are taken from a stream before the turn of writing is, so that a slow stream holds up few. */
const AHEAD = 10_000;
/** Records between looks at whether to go on. */
const BETWEEN_LOOKS = 4096;
/** Milliseconds until a lost connection for listening is made again: grows to the second. */
const LISTEN_PAUSE = { first: 250, longest: 5_000 };

/** What a transaction of a writer has. */
interface Turn {
  readonly database: SharedDatabase;
  readonly head: Head;
  readonly sequence: number;
  readonly tally: Tally;
  readonly structure: StructureWriter;
  readonly remover: Remover;
}

/**
 * Makes the tables of a catalogue, or brings them up to date. Of a catalogue that is there already the root stays. Several processes may do it at once.
 * Rejects with `invalid-value` for another root than it has, `remote-*`, `unsupported-repository` for one of a later version.
 */
export async function createTables(
  engine: Engine,
  { root, universe }: { readonly root: string; readonly universe: string | null },
): Promise<void> {
  const where = databaseUrl(engine.address);
  try {
    await engine.migrating(async (database) => {
      await createInformation(database, engine.address.engine);
      const version = (await readSchemaVersion(database)) ?? 0;
      if (version > sharedSchemaVersion) checkVersion(version, where);
      await migrate(database, engine.address.engine, version);
      const rows = await database.selectFrom('information').selectAll().execute();
      const known = new Map(rows.map(({ name, value }) => [name, value]));
      const there = known.get('root');
      if (there !== undefined && there !== root) {
        const why = `its files are below ${there}`;
        throw new ButlerfsError('invalid-value', {
          what: `root ${root}`,
          where,
          why,
          advice: 'make another catalogue, in a schema or database of its own',
        });
      }
      await setInformation(database, 'root', storable(root, 'root'));
      if (!known.has('identity')) await setInformation(database, 'identity', randomBytes(16).toString('hex'));
      if (universe !== null && !known.has('universe')) await setInformation(database, 'universe', storable(universe, 'universe'));
      // Last: a catalogue that has it is whole.
      await setInformation(database, 'schema-version', String(sharedSchemaVersion));
    });
  } catch (error) {
    throw databaseError(error, where);
  }
}

export class EngineCatalogue implements SharedCatalogue {
  readonly #engine: Engine;
  readonly #where: string;
  readonly #closing = new AbortController();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#where = databaseUrl(engine.address);
  }

  get address(): DatabaseAddress {
    return this.#engine.address;
  }

  get isTold(): boolean {
    return this.#engine.isTold;
  }

  async facts(): Promise<SharedFacts> {
    try {
      const { identity, root, sequence, universe } = await readHead(this.#engine.database, this.#where);
      return { identity, root, sequence, universe };
    } catch (error) {
      throw databaseError(error, this.#where);
    }
  }

  async structure(): Promise<SharedStructure> {
    const { database } = this.#engine;
    try {
      const { universe, identity, templates } = await readHead(database, this.#where);
      const types = await database.selectFrom('dataset_type').selectAll().execute();
      const collections = await database.selectFrom('collection').selectAll().execute();
      return {
        universe,
        identity,
        templates,
        types: types.map(({ id, name, storage_class: storageClass, dimensions, is_calibration: isCalibration }) => {
          const facts = {
            id: Number(id),
            name,
            storageClass,
            dimensions: readDimensions(dimensions),
            isCalibration: Number(isCalibration) === 1,
          };
          return { kind: 'dataset-type', ...facts };
        }),
        collections: collections.map(({ id, name, type, doc }) => {
          return { kind: 'collection', id: Number(id), name, type: type as SharedStructure['collections'][number]['type'], doc };
        }),
      };
    } catch (error) {
      throw databaseError(error, this.#where);
    }
  }

  reader(): Promise<RepositoryReader> {
    return openSharedReader(this.#engine);
  }

  async write(records: RecordStream<RepositoryChange>, options: WriteOptions = {}): Promise<WriteSummary> {
    const stream = Symbol.asyncIterator in records ? records[Symbol.asyncIterator]() : records[Symbol.iterator]();
    const what = `writing into ${this.#where}`;
    try {
      const ahead: RepositoryChange[] = [];
      let isDone = false;
      while (!isDone && ahead.length < AHEAD) {
        throwIfAborted(options.signal, what);
        const next = await stream.next();
        if (next.done === true) isDone = true;
        else ahead.push(next.value);
      }
      return await this.#turn(async ({ database, head, structure, remover, tally, sequence }) => {
        const writer = new RecordWriter({ database, where: this.#where, structure, remover, tally, sequence });
        let count = 0;
        const take = async (record: RepositoryChange): Promise<void> => {
          await writer.add(record);
          if (++count % BETWEEN_LOOKS !== 0) return;
          throwIfAborted(options.signal, what);
          options.onProgress?.(count);
        };
        for (const record of ahead.splice(0)) await take(record);
        while (!isDone) {
          const next = await stream.next();
          if (next.done === true) isDone = true;
          else await take(next.value);
        }
        await writer.flush();
        if (options.templates !== undefined) await addTemplates(database, head.templates, options.templates, this.#where);
        throwIfAborted(options.signal, what);
      });
    } finally {
      await stream.return?.();
    }
  }

  async remove({ datasets = [], names = [], collections = [] }: Removal, { signal }: WriteOptions = {}): Promise<WriteSummary> {
    const uuids = datasets.map(uuidText);
    return await this.#turn(async (turn) => {
      throwIfAborted(signal, `removing from ${this.#where}`);
      await turn.remover.removeDatasets(uuids);
      for (const name of names) await this.#removeNamed(turn, name);
      if (collections.length > 0) await this.#removeCollections(turn, collections);
    });
  }

  watch(onChange: () => void, { interval, signal }: { readonly interval: number; readonly signal: AbortSignal }): void {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const following = this.#engine.isTold ? this.#listen(onChange, ended) : this.#look(onChange, interval, ended);
    following.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#engine.close();
  }

  async #listen(onChange: () => void, signal: AbortSignal): Promise<void> {
    let pause = LISTEN_PAUSE.first;
    let channel: string | undefined;
    while (!signal.aborted) {
      try {
        channel ??= channelOf((await this.facts()).identity);
        const told = (): void => {
          pause = LISTEN_PAUSE.first;
          onChange();
        };
        await this.#engine.listen(channel, told, signal);
      } catch {
        // Whoever looks at the catalogue is told why; here it is only tried again.
        await sleep(pause, signal);
        pause = Math.min(2 * pause, LISTEN_PAUSE.longest);
      }
    }
  }

  async #look(onChange: () => void, interval: number, signal: AbortSignal): Promise<void> {
    let known: string | undefined;
    for (;;) {
      await sleep(interval, signal);
      const facts = await this.facts().catch(() => undefined);
      if (facts === undefined) continue;
      const seen = `${facts.identity} ${facts.sequence}`;
      if (known !== seen) onChange();
      known = seen;
    }
  }

  /** One transaction of one writer at a time; it is numbered, and told, where it changed anything. */
  async #turn(work: (turn: Turn) => Promise<void>): Promise<WriteSummary> {
    const { database, address } = this.#engine;
    const begin = database.transaction();
    const isolated = address.engine === 'sqlite' ? begin : begin.setIsolationLevel('read committed');
    try {
      return await isolated.execute(async (transaction) => {
        const takeTurn = () =>
          transaction
            .updateTable('head')
            .set((is) => ({ turn: is('turn', '+', 1) }))
            .where('id', '=', 1)
            .execute();
        await (address.engine === 'sqlite' ? takingTurns(takeTurn) : takeTurn());
        const head = await readHead(transaction, this.#where);
        const [sequence, tally] = [head.sequence + 1, emptyTally()];
        const structure = new StructureWriter(transaction, this.#where, head, tally);
        const remover = new Remover(transaction, sequence, tally);
        await work({ database: transaction, head, sequence, tally, structure, remover });
        await structure.finish(sequence);
        if (tally.added + tally.changed + tally.removed === 0) return { ...tally, sequence: head.sequence };
        await transaction.updateTable('head').set({ sequence }).where('id', '=', 1).execute();
        await this.#engine.tell(transaction, channelOf(head.identity));
        return { ...tally, sequence };
      });
    } catch (error) {
      throw databaseError(error, this.#where);
    }
  }

  async #removeNamed({ database, remover, structure }: Turn, { type: typeName, collection: name, dataId }: DatasetName): Promise<void> {
    const type = await database.selectFrom('dataset_type').selectAll().where('slot', '=', slotOf(typeName)).executeTakeFirst();
    if (type === undefined) {
      const known = (await database.selectFrom('dataset_type').select('name').execute()).map((row) => row.name);
      throw unknown('unknown-dataset-type', `dataset type '${typeName}'`, this.#where, nearestNames(typeName, known));
    }
    const place = await this.#collection(database, name);
    const values = structure.universe.group(readDimensions(type.dimensions)).required.map((dimension) => {
      const value = dataId[dimension];
      if (value !== undefined) return value;
      throw new ButlerfsError('invalid-value', { what: `the data ID of a ${typeName}`, why: `it has no ${dimension}` });
    });
    const [typeId, text] = [Number(type.id), JSON.stringify(values)];
    const slot = membershipSlot(place.id, typeId, values);
    const rows =
      place.type === 'CALIBRATION'
        ? (
            await database.selectFrom('membership').selectAll().where('collection', '=', place.id).where('type', '=', typeId).execute()
          ).filter(({ data_id: own }) => own === text)
        : await database.selectFrom('membership').selectAll().where('slot', '=', slot).execute();
    if (place.type === 'RUN') await remover.removeDatasets(rows.map(({ uuid }) => uuid.toString('hex')));
    else await remover.removeRows(rows);
  }

  async #removeCollections({ database, remover, structure }: Turn, names: readonly string[]): Promise<void> {
    const going = [];
    for (const name of new Set(names)) going.push(await this.#collection(database, name));
    const ids = going.map(({ id }) => id);
    const holder = await database
      .selectFrom('collection_chain')
      .innerJoin('collection', 'collection.id', 'collection_chain.parent')
      .select(['collection.name', 'collection_chain.child'])
      .where('collection_chain.child', 'in', ids)
      .where('collection_chain.parent', 'not in', ids)
      .executeTakeFirst();
    if (holder !== undefined) {
      const name = going.find(({ id }) => id === Number(holder.child))!.name;
      const why = `chain '${holder.name}' holds it`;
      throw new ButlerfsError('invalid-value', {
        what: `collection '${name}'`,
        where: this.#where,
        why,
        advice: 'take it out of the chain first',
      });
    }
    for (const { id, type } of going) await remover.removeCollection(id, type);
    structure.touch();
  }

  async #collection(
    database: SharedDatabase,
    name: string,
  ): Promise<{ readonly id: number; readonly name: string; readonly type: string }> {
    const row = await database.selectFrom('collection').selectAll().where('slot', '=', slotOf(name)).executeTakeFirst();
    if (row !== undefined) return { id: Number(row.id), name, type: row.type };
    const known = (await database.selectFrom('collection').select('name').execute()).map((other) => other.name);
    throw unknown('unknown-collection', `collection '${name}'`, this.#where, nearestNames(name, known));
  }
}

/** What writers tell of a catalogue, and those who follow it listen to. */
function channelOf(identity: string): string {
  return `butlerfs_${identity}`;
}

function unknown(
  code: 'unknown-collection' | 'unknown-dataset-type',
  what: string,
  where: string,
  nearest: readonly string[],
): ButlerfsError {
  return new ButlerfsError(code, { what, where, why: 'there is none of that name', advice: didYouMean(nearest) });
}

/** Throws `configuration` where a type has another template. */
async function addTemplates(
  database: SharedDatabase,
  there: SharedStructure['templates'],
  added: SharedStructure['templates'],
  where: string,
): Promise<void> {
  for (const [type, template] of Object.entries(added)) {
    const known = Object.hasOwn(there, type) ? there[type] : undefined;
    if (known === undefined || known === template) continue;
    const why = `its path is '${known}' in the catalogue, and '${template}' in what is written`;
    throw new ButlerfsError('configuration', { what: `dataset type '${type}'`, where, why, advice: 'take another name' });
  }
  await setInformation(database, 'templates', JSON.stringify({ ...there, ...added }));
}
