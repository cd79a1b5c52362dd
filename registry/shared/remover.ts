/** Takes datasets, memberships and collections out of a shared catalogue, and notes what went for those who follow it. */

import type { Integer, SharedDatabase, SharedTables } from './schema.js';
import { bigOf } from './form.js';
import type { Tally } from './tally.js';

/** Rows of one statement. */
const BATCH = 500;

type Gone = Omit<SharedTables['removal'], 'sequence' | 'position'>;

export class Remover {
  readonly #database: SharedDatabase;
  readonly #sequence: number;
  readonly #tally: Tally;
  #position = 0;

  constructor(database: SharedDatabase, sequence: number, tally: Tally) {
    this.#database = database;
    this.#sequence = sequence;
    this.#tally = tally;
  }

  /** UUIDs as 32 digits. What is not there is no error. */
  async removeDatasets(uuids: readonly string[]): Promise<void> {
    for (const batch of batches(uuids.map((uuid) => Buffer.from(uuid, 'hex')))) {
      const found = await this.#database.selectFrom('dataset').select(['uuid', 'type']).where('uuid', 'in', batch).execute();
      if (found.length === 0) continue;
      const there = found.map(({ uuid }) => uuid);
      await this.note(found.map(({ uuid, type }) => ({ uuid, type, collection: null, is_certified: 0, valid_begin: null })));
      await this.#database.deleteFrom('membership').where('uuid', 'in', there).execute();
      await this.#database.deleteFrom('dataset').where('uuid', 'in', there).execute();
      this.#tally.removed += there.length;
    }
  }

  /** `begin` as in `membership-gone`. */
  async removeMemberships(uuid: string, type: number, collection: number, begin: bigint | null | undefined): Promise<void> {
    const rows = await this.#database
      .selectFrom('membership')
      .selectAll()
      .where('uuid', '=', Buffer.from(uuid, 'hex'))
      .where('collection', '=', collection)
      .where('type', '=', type)
      .execute();
    await this.removeRows(rows.filter((row) => begin === undefined || bigOf(row.valid_begin) === begin));
  }

  async removeRows(rows: readonly SharedTables['membership'][]): Promise<void> {
    for (const batch of batches(rows)) {
      await this.note(batch);
      await this.#database
        .deleteFrom('membership')
        .where(
          'slot',
          'in',
          batch.map(({ slot }) => slot),
        )
        .execute();
      this.#tally.removed += batch.length;
    }
  }

  /** Everything that a collection holds, and the collection. */
  async removeCollection(id: number, type: string): Promise<void> {
    for (;;) {
      if (type !== 'RUN') {
        const rows = await this.#database.selectFrom('membership').selectAll().where('collection', '=', id).limit(BATCH).execute();
        if (rows.length === 0) break;
        await this.removeRows(rows);
        continue;
      }
      const rows = await this.#database.selectFrom('dataset').select('uuid').where('run', '=', id).limit(BATCH).execute();
      if (rows.length === 0) break;
      await this.removeDatasets(rows.map(({ uuid }) => uuid.toString('hex')));
    }
    await this.#database.deleteFrom('collection_chain').where('parent', '=', id).execute();
    await this.#database.deleteFrom('collection').where('id', '=', id).execute();
    this.#tally.removed++;
  }

  /** For those who follow: these are gone, or gone in the form that they had. */
  async note(rows: readonly (Omit<Gone, 'collection'> & { readonly collection: Integer | null })[]): Promise<void> {
    for (const batch of batches(rows)) {
      const noted = batch.map(({ uuid, type, collection, is_certified, valid_begin }) => ({
        sequence: this.#sequence,
        position: this.#position++,
        uuid,
        collection,
        type,
        is_certified,
        valid_begin: valid_begin === null ? null : String(valid_begin),
      }));
      await this.#database.insertInto('removal').values(noted).execute();
    }
  }
}

function* batches<R>(rows: readonly R[]): Generator<R[], void, undefined> {
  for (let begin = 0; begin < rows.length; begin += BATCH) yield rows.slice(begin, begin + BATCH);
}
