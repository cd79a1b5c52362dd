/** What a catalogue has, for a reader that compares it with its repository. Answers from the connection that changes it. */

import { sql } from 'kysely';
import type { KnownContent } from '../contract.js';
import type { ContentRows, RecordOf } from './content.js';
import { dimensionColumn, Shape, unboundedBegin } from './schema.js';
import { Slot, slots } from './statements.js';

/** Of a dataset `d`. */
const fileCount = sql`case d.shape when ${sql.lit(Shape.SEVERAL)} then (select count(*) from dataset_file where dataset = d.key) else d.shape end`;

export class KnownRows implements KnownContent {
  readonly #content: ContentRows;
  /** Memberships that were added, less those that were taken away, since the counts were stored. */
  readonly #pending: (type: number, collection: number) => number;

  constructor(content: ContentRows, pending: (type: number, collection: number) => number) {
    this.#content = content;
    this.#pending = pending;
  }

  datasetCounts(): ReadonlyMap<number, number> {
    return new Map(this.#content.prepare(sql`select run, count(*) from dataset group by run`).all() as [number, number][]);
  }

  fileCounts(): ReadonlyMap<number, number> {
    const rows = this.#content.prepare(sql`select d.run, sum(${fileCount}) from dataset as d group by d.run`).all();
    return new Map(rows as [number, number][]);
  }

  *datasets(run?: number): IterableIterator<{ readonly uuid: string; readonly files: number }> {
    const where = run === undefined ? sql`` : sql`where d.run = ${new Slot(0)}`;
    const query = this.#content.prepare(
      sql`select lower(hex(u.uuid)), ${fileCount} from dataset_uuid as u cross join dataset as d on d.key = u.key ${where} order by u.uuid`,
    );
    for (const [uuid, count] of query.iterate(run === undefined ? [] : [run]) as IterableIterator<[string, number]>)
      yield { uuid, files: count };
  }

  membershipCount(type: number, collection: number): number {
    const [first, second] = slots(2);
    const statement = this.#content.statement(
      'held',
      () => sql`
      select registered from collection_type where dataset_type = ${first} and collection = ${second}`,
    );
    return ((statement.get([type, collection])?.[0] as number | undefined) ?? 0) + this.#pending(type, collection);
  }

  *memberships(type: number, collection: number): IterableIterator<RecordOf<'membership'>> {
    const state = this.#content.types.get(type);
    if (state === undefined) return;
    const [first, second] = slots(2);
    const dimensions = state.group.required.map((name) => sql.ref(`m.${dimensionColumn(name)}`));
    const query = this.#content.prepare(sql`
      select lower(hex(d.uuid)), c.type = 'CALIBRATION', cast(nullif(m.valid_begin, ${sql.raw(String(unboundedBegin))}) as text), cast(m.valid_end as text)
        ${sql.join(
          dimensions.map((column) => sql`, ${column}`),
          sql``,
        )}
      from ${sql.table(state.table)} as m join dataset as d on d.key = m.dataset join collection as c on c.id = m.collection
      where m.dataset_type = ${first} and m.collection = ${second} order by d.uuid`);
    for (const [uuid, certified, begin, end, ...dataId] of query.iterate([type, collection]) as IterableIterator<
      [string, number, string | null, string | null, ...(string | number)[]]
    >) {
      const bound = (text: string | null): bigint | null => (text === null ? null : BigInt(text));
      const validity = certified === 1 ? { begin: bound(begin), end: bound(end) } : null;
      yield { kind: 'membership', uuid, type, collection, dataId, validity };
    }
  }
}
