/** Collections, chains and dataset types of a catalogue that is updated. */

import { sql } from 'kysely';
import type { RepositoryChange } from '../contract.js';
import type { ContentRows, MembershipState, RecordOf } from './content.js';
import { notInPlace } from './not-in-place.js';
import { slots } from './statements.js';

type StructureChange = Extract<RepositoryChange, { readonly kind: 'whole-structure' | 'collection' | 'chain' | 'dataset-type' }>;

export interface StructureEvents {
  /** Told of anything that came, went or changed. */
  readonly touched: () => void;
  /** Takes what a collection holds, before it goes. */
  readonly collectionGone: (id: number) => void;
  /** Likewise what is of a dataset type. */
  readonly typeGone: (id: number) => void;
}

export class CatalogueStructure {
  readonly #content: ContentRows;
  readonly #events: StructureEvents;
  /** Set while all that there is comes. */
  #seen: { readonly collections: Set<number>; readonly links: Set<string>; readonly types: Set<number> } | undefined;

  constructor(content: ContentRows, events: StructureEvents) {
    this.#content = content;
    this.#events = events;
  }

  /** `created` is told of a membership table that was made; `version` is the next one. Throws `unsupported` for a type that has other dimensions than before. */
  apply(change: StructureChange, created: (state: MembershipState) => void, version: number): void {
    if (change.kind === 'whole-structure') this.#seen = { collections: new Set(), links: new Set(), types: new Set() };
    else if (change.kind === 'collection') this.#setCollection(change);
    else if (change.kind === 'chain') this.#setLink(change);
    else this.#setType(change, created, version);
  }

  /** All of the structure has come: what did not is gone. Idempotent. */
  end(): void {
    const seen = this.#seen;
    if (seen === undefined) return;
    this.#seen = undefined;
    const [first, second] = slots(2);
    const all = (query: ReturnType<typeof sql>): number[][] => this.#content.prepare(query).all() as number[][];
    for (const [parent, position] of all(sql`select parent, position from collection_chain`)) {
      if (seen.links.has(`${parent} ${position}`)) continue;
      this.#content.prepare(sql`delete from collection_chain where parent = ${first} and position = ${second}`).run([parent, position]);
      this.#events.touched();
    }
    for (const [id] of all(sql`select id from collection`)) {
      if (seen.collections.has(id!)) continue;
      this.#events.collectionGone(id!);
      this.#content.prepare(sql`delete from collection where id = ${first}`).run([id]);
      this.#events.touched();
    }
    for (const [id] of all(sql`select id from dataset_type`)) {
      if (seen.types.has(id!)) continue;
      this.#events.typeGone(id!);
      this.#content.prepare(sql`delete from dataset_type where id = ${first}`).run([id]);
      this.#content.types.delete(id!);
      this.#events.touched();
    }
  }

  #setCollection({ id, name, type, doc }: RecordOf<'collection'>): void {
    this.#seen?.collections.add(id);
    const [first, second, third, fourth] = slots(4);
    const [found] = this.#content.statement('collection', () => sql`select type from collection where id = ${first}`).all([id]) as [
      string,
    ][];
    if (found !== undefined && found[0] !== type) throw notInPlace(`collection '${name}' is of another type`);
    // Names may go from one collection to another.
    const holder = this.#content
      .statement('holder', () => sql`select id from collection where name = ${first} and id <> ${second}`)
      .get([name, id]);
    if (holder !== undefined) throw notInPlace(`the name '${name}' is that of another collection`);
    const { changes } = this.#content
      .statement(
        'set collection',
        () => sql`
        insert into collection (id, name, type, doc) values (${first}, ${second}, ${third}, ${fourth})
        on conflict (id) do update set name = excluded.name, doc = excluded.doc where name is not excluded.name or doc is not excluded.doc`,
      )
      .run([id, name, type, doc]);
    if (changes > 0) this.#events.touched();
  }

  #setLink({ parent, position, child }: RecordOf<'chain'>): void {
    this.#seen?.links.add(`${parent} ${position}`);
    const [first, second, third] = slots(3);
    const { changes } = this.#content
      .statement(
        'set chain',
        () => sql`
        insert into collection_chain (parent, position, child) values (${first}, ${second}, ${third})
        on conflict (parent, position) do update set child = excluded.child where child <> excluded.child`,
      )
      .run([parent, position, child]);
    if (changes > 0) this.#events.touched();
  }

  #setType(change: RecordOf<'dataset-type'>, created: (state: MembershipState) => void, version: number): void {
    const { id, name, storageClass, dimensions, isCalibration } = change;
    this.#seen?.types.add(id);
    const [first] = slots(1);
    const row = this.#content
      .statement('type', () => sql`select name, storage_class, dimensions, is_calibration from dataset_type where id = ${first}`)
      .get([id]);
    const wanted = [name, storageClass, JSON.stringify(this.#content.universe.group(dimensions).required), isCalibration ? 1 : 0];
    if (row === undefined) {
      const holder = this.#content.statement('type holder', () => sql`select id from dataset_type where name = ${first}`).get([name]);
      if (holder !== undefined) throw notInPlace(`the name '${name}' is that of another dataset type`);
      this.#content.addType(change, created, version);
      this.#events.touched();
    } else if (JSON.stringify(row) !== JSON.stringify(wanted)) throw notInPlace(`dataset type '${name}' is another one`);
  }
}
