/** Writes the small part of a catalogue: its universe, collections, chains and dataset types. */

import { ButlerfsError } from '../../common/errors.js';
import type { RepositoryRecord } from '../contract.js';
import { parseUniverse } from '../universe.js';
import type { ElementUniverse } from '../universe.js';
import { readDimensions, storable } from './form.js';
import { setInformation } from './information.js';
import type { Head } from './information.js';
import { slotOf } from './schema.js';
import type { SharedDatabase } from './schema.js';
import type { Tally } from './tally.js';

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;

export interface KnownCollection {
  readonly id: number;
  readonly name: string;
  readonly type: string;
}

export interface KnownType {
  readonly id: number;
  readonly name: string;
  readonly dimensions: readonly string[];
}

export class StructureWriter {
  readonly #database: SharedDatabase;
  readonly #where: string;
  readonly #tally: Tally;
  readonly #collections = new Map<number, KnownCollection>();
  readonly #types = new Map<number, KnownType>();
  /** Children by position, of chains of the stream that were not written yet. */
  readonly #chains = new Map<number, Map<number, number>>();
  readonly #fields: Map<string, string[]>;
  #json: string | null;
  #universe: ElementUniverse | undefined;
  #nextId: number;
  #isChanged = false;
  #isLaidOut = true;

  constructor(database: SharedDatabase, where: string, head: Head, tally: Tally) {
    this.#database = database;
    this.#where = where;
    this.#tally = tally;
    this.#json = head.universe;
    this.#nextId = head.nextId;
    this.#fields = new Map(Object.entries(head.fields).map(([element, names]) => [element, [...names]]));
  }

  /** Throws `not-a-repository` where none was written yet. */
  get universe(): ElementUniverse {
    if (this.#json === null) {
      throw new ButlerfsError('not-a-repository', {
        what: 'the catalogue',
        where: this.#where,
        why: 'it has no dimension universe yet',
        advice: 'import a repository into it, or create it with --universe FILE',
      });
    }
    this.#universe ??= parseUniverse(this.#json, this.#where);
    return this.#universe;
  }

  /** By the stream's own number. Throws `corrupt-repository` for one that the stream did not bring. */
  collection(id: number): KnownCollection {
    return this.#collections.get(id) ?? this.#missing(`collection ${id}`);
  }

  type(id: number): KnownType {
    return this.#types.get(id) ?? this.#missing(`dataset type ${id}`);
  }

  /** A universe of a later version replaces the one there is. */
  addUniverse({ json }: RecordOf<'universe'>): void {
    const { version, namespace } = parseUniverse(json, this.#where);
    if (this.#json !== null) {
      const { version: known, namespace: knownSpace } = this.universe;
      if (namespace !== knownSpace) {
        const why = `the catalogue has one of ${knownSpace}`;
        throw new ButlerfsError('invalid-value', { what: `a dimension universe of ${namespace}`, where: this.#where, why });
      }
      if (version <= known) return;
    }
    this.#json = storable(json, 'universe');
    this.#universe = undefined;
    this.#isLaidOut = false;
    this.#tally.changed++;
  }

  /** All names of fields that records of an element have, in one order; new ones are added. */
  fieldsOf(element: string, names: readonly string[]): readonly string[] {
    const known = this.#fields.get(element) ?? [];
    const fresh = names.filter((name) => !known.includes(name));
    if (fresh.length > 0) {
      fresh.forEach((name) => storable(name, 'field'));
      known.push(...fresh);
      this.#fields.set(element, known);
      this.#isLaidOut = false;
    }
    return known;
  }

  async addCollection({ id: own, name, type, doc }: RecordOf<'collection'>): Promise<void> {
    storable(name, 'collection');
    if (doc !== null) storable(doc, 'documentation of a collection');
    const slot = slotOf(name);
    const there = await this.#database.selectFrom('collection').selectAll().where('slot', '=', slot).executeTakeFirst();
    if (there !== undefined && there.type !== type) {
      const why = `it is ${there.type} in the catalogue and ${type} in what is written`;
      throw new ButlerfsError('invalid-value', { what: `collection '${name}'`, where: this.#where, why });
    }
    const id = there === undefined ? this.#nextId++ : Number(there.id);
    this.#collections.set(own, { id, name, type });
    if (type === 'CHAINED') this.#chains.set(own, new Map());
    if (there === undefined) await this.#database.insertInto('collection').values({ id, slot, name, type, doc }).execute();
    else if (there.doc !== doc) await this.#database.updateTable('collection').set({ doc }).where('id', '=', id).execute();
    this.#count(there === undefined, there?.doc !== doc);
  }

  addChain({ parent, position, child }: RecordOf<'chain'>): void {
    const chain = this.#chains.get(parent) ?? new Map<number, number>();
    chain.set(position, child);
    this.#chains.set(parent, chain);
  }

  async addType({ id: own, name, storageClass, dimensions: given, isCalibration }: RecordOf<'dataset-type'>): Promise<void> {
    const dimensions = this.universe.group(given).required;
    const slot = slotOf(storable(name, 'dataset type'));
    const row = { storage_class: storable(storageClass, 'storage class'), is_calibration: isCalibration ? 1 : 0 };
    const there = await this.#database.selectFrom('dataset_type').selectAll().where('slot', '=', slot).executeTakeFirst();
    const known = there === undefined ? dimensions : readDimensions(there.dimensions);
    if (known.join(' ') !== dimensions.join(' ')) {
      const why = `its dimensions are ${known.join(', ')} in the catalogue and ${dimensions.join(', ')} in what is written`;
      throw new ButlerfsError('invalid-value', { what: `dataset type '${name}'`, where: this.#where, why });
    }
    const id = there === undefined ? this.#nextId++ : Number(there.id);
    this.#types.set(own, { id, name, dimensions });
    const differs = there?.storage_class !== storageClass || Number(there.is_calibration) !== row.is_calibration;
    if (there === undefined) {
      await this.#database
        .insertInto('dataset_type')
        .values({ id, slot, name, dimensions: JSON.stringify(dimensions), ...row })
        .execute();
    } else if (differs) await this.#database.updateTable('dataset_type').set(row).where('id', '=', id).execute();
    this.#count(there === undefined, differs);
  }

  /** Chains that the stream brought replace those there are. Called when all collections are known. */
  async flush(): Promise<void> {
    for (const [own, children] of this.#chains) {
      const parent = this.collection(own).id;
      const wanted = [...children].map(([position, child]) => ({ parent, position, child: this.collection(child).id }));
      wanted.sort((a, b) => a.position - b.position);
      const there = await this.#database
        .selectFrom('collection_chain')
        .selectAll()
        .where('parent', '=', parent)
        .orderBy('position')
        .execute();
      const textOf = (rows: typeof there): string => rows.map(({ position, child }) => `${position} ${child}`).join();
      if (textOf(there) === textOf(wanted)) continue;
      await this.#database.deleteFrom('collection_chain').where('parent', '=', parent).execute();
      if (wanted.length > 0) await this.#database.insertInto('collection_chain').values(wanted).execute();
      this.#count(false, true);
    }
    this.#chains.clear();
  }

  /** Marks the structure as changed, also where something was taken out of it. */
  touch(): void {
    this.#isChanged = true;
  }

  async finish(sequence: number): Promise<void> {
    await this.flush();
    if (!this.#isLaidOut) {
      if (this.#json !== null) await setInformation(this.#database, 'universe', this.#json);
      await setInformation(this.#database, 'fields', JSON.stringify(Object.fromEntries(this.#fields)));
      await setInformation(this.#database, 'layout', String(sequence));
    }
    if (!this.#isChanged) return;
    await setInformation(this.#database, 'next-id', String(this.#nextId));
    await this.#database.updateTable('head').set({ structure: sequence }).where('id', '=', 1).execute();
  }

  #count(isNew: boolean, differs: boolean): void {
    if (isNew) this.#tally.added++;
    else if (differs) this.#tally.changed++;
    else this.#tally.unchanged++;
    if (isNew || differs) this.#isChanged = true;
  }

  #missing(what: string): never {
    const why = 'records refer to it, and it was not among them';
    throw new ButlerfsError('corrupt-repository', { what, where: this.#where, why });
  }
}
