/**
 * Dimension records joined so that their rows are data IDs: what `--dimensions`, `@missing` and expressions over keys that a dataset type has not stand on.
 *
 * Joined are the records of every dimension asked for that none of the others requires, and every relation between dimensions that has records
 * (`visit_detector_region`, `visit_definition`): a relation holds for an instrument or a sky map only where it has records of it. What two elements both
 * have must agree, what they imply as well. Dimensions on the sky are joined where their regions overlap.
 */

import { sql } from 'kysely';
import type { RawBuilder, SqlBool } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import type { DimensionName } from '../contract.js';
import type { DimensionElement, ElementUniverse } from '../universe.js';
import { spatialFamilies } from '../where/topology.js';
import { recordField, recordTable } from './schema.js';

export type Column = RawBuilder<unknown>;
export type Columns = ReadonlyMap<DimensionName, Column>;

/** What is known of the records of a catalogue. */
export interface RecordTables {
  readonly universe: ElementUniverse;
  /** Fields that the records of an element have; undefined for one without records. */
  fields(element: string): readonly string[] | undefined;
  /** Whether an instrument or sky map exists of which a relation has no record. */
  isPartial(relation: DimensionElement): boolean;
}

export interface JoinedRecords {
  /** Tables with their aliases; none where all that was asked for is known already. */
  readonly tables: readonly RawBuilder<unknown>[];
  readonly conditions: readonly RawBuilder<SqlBool>[];
  /** Of every dimension asked for, of what they imply, and those given. */
  readonly columns: Columns;
}

/**
 * Joins records for `wanted` to `given` columns of an enclosing query. `prefix` begins the aliases. Throws `unsupported` for a dimension that has no records.
 */
export function joinRecords(records: RecordTables, wanted: Iterable<DimensionName>, given: Columns, prefix: string): JoinedRecords {
  const join = new RecordJoin(records, given, prefix);
  join.add([...records.universe.group(wanted).required].filter((name) => !given.has(name)));
  return join;
}

/** As {@link joinRecords}, of the records of one element alone. */
export function recordsOf(records: RecordTables, element: DimensionElement, prefix: string): JoinedRecords {
  const join = new RecordJoin(records, new Map(), prefix);
  join.addElement(element);
  join.addImplied();
  return join;
}

/** A field of the record that `columns` select; null where there is none. */
export function recordColumn(element: DimensionElement, field: string, columns: Columns): Column {
  const conditions = element.required.map((name) => sql`x.${sql.ref(recordField(element, name))} = ${columns.get(name)!}`);
  return sql`(select x.${sql.ref(field)} from ${sql.table(recordTable(element.name))} as x where ${sql.join(conditions, sql` and `)})`;
}

class RecordJoin implements JoinedRecords {
  readonly tables: RawBuilder<unknown>[] = [];
  readonly conditions: RawBuilder<SqlBool>[] = [];
  readonly columns: Map<DimensionName, Column>;
  readonly #records: RecordTables;
  readonly #given: Columns;
  readonly #prefix: string;

  constructor(records: RecordTables, given: Columns, prefix: string) {
    this.#records = records;
    this.#given = given;
    this.#prefix = prefix;
    this.columns = new Map(given);
  }

  add(needed: readonly DimensionName[]): void {
    const { universe } = this.#records;
    const isJoined = (name: DimensionName): boolean => needed.includes(name) && this.#records.fields(name) !== undefined;
    for (const element of universe.elements) {
      if (!isJoined(element.name) || this.#isCovered(element, needed.filter(isJoined))) continue;
      this.addElement(element);
    }
    for (const name of needed) if (!this.columns.has(name)) this.#addView(name);
    for (const element of universe.elements) this.#addRelation(element, needed);
    this.addImplied();
    this.#addOverlaps(needed);
  }

  /** Whether the records of another dimension that is needed tell the values of this one. */
  #isCovered({ name }: DimensionElement, needed: readonly DimensionName[]): boolean {
    const { universe } = this.#records;
    return needed.some((other) => other !== name && universe.element(other)!.required.includes(name));
  }

  addElement(element: DimensionElement): void {
    const alias = this.#table(sql.table(recordTable(element.name)));
    const fields = this.#records.fields(element.name)!;
    for (const name of element.required) this.#bind(name, sql.ref(`${alias}.${recordField(element, name)}`));
    for (const name of element.implied) if (fields.includes(name)) this.#bind(name, sql.ref(`${alias}.${name}`));
  }

  #table(table: RawBuilder<unknown>): string {
    const alias = `${this.#prefix}${this.tables.length}`;
    this.tables.push(sql`${table} as ${sql.ref(alias)}`);
    return alias;
  }

  /** The column of a dimension, which must agree with one that is known. */
  #bind(name: DimensionName, column: Column): void {
    const known = this.columns.get(name);
    if (known === undefined) this.columns.set(name, column);
    else this.conditions.push(sql<SqlBool>`${known} = ${column}`);
  }

  /** A dimension without records of its own has the values that another's records name (`band` of `physical_filter`). */
  #addView(name: DimensionName): void {
    const source = this.#records.universe.element(name)?.viewOf;
    const fields = source === undefined ? undefined : this.#records.fields(source);
    if (source === undefined || fields?.includes(name) !== true) {
      const what = `data IDs over ${name}`;
      throw new ButlerfsError('unsupported', { what, why: `the repository has no dimension records of ${name}` });
    }
    const field = sql.ref(name);
    const values = sql`(select distinct ${field} from ${sql.table(recordTable(source))} where ${field} is not null)`;
    this.columns.set(name, sql.ref(`${this.#table(values)}.${name}`));
  }

  #addRelation(element: DimensionElement, needed: readonly DimensionName[]): void {
    const relates = element.keyField === undefined && this.#records.fields(element.name) !== undefined;
    if (!relates || !element.required.every((name) => this.columns.has(name)) || !element.required.some((name) => needed.includes(name)))
      return;
    if (!this.#records.isPartial(element)) {
      this.addElement(element);
      return;
    }
    const { universe } = this.#records;
    const table = sql.table(recordTable(element.name));
    const matches = (names: readonly DimensionName[]) =>
      sql`exists (select 1 from ${table} as x where ${sql.join(
        names.map((name) => sql`x.${sql.ref(recordField(element, name))} = ${this.columns.get(name)!}`),
        sql` and `,
      )})`;
    const governors = element.required.filter((name) => universe.dimension(name)?.isGovernor === true);
    this.conditions.push(sql<SqlBool>`(${matches(element.required)} or not ${matches(governors)})`);
  }

  /** What records of known dimensions imply, step by step. */
  addImplied(): void {
    for (const element of [...this.#records.universe.elements].reverse()) {
      const fields = this.#records.fields(element.name);
      if (element.keyField === undefined || fields === undefined || this.#given.has(element.name)) continue;
      if (!this.columns.has(element.name) || !element.required.every((name) => this.columns.has(name))) continue;
      for (const name of element.implied.filter((one) => fields.includes(one))) {
        if (!this.columns.has(name)) this.columns.set(name, recordColumn(element, name, this.columns));
        else if (this.#given.has(name))
          this.conditions.push(sql<SqlBool>`${this.columns.get(name)!} = ${recordColumn(element, name, this.columns)}`);
      }
    }
  }

  /** Regions of different families overlap, where what is joined here has one of them. */
  #addOverlaps(needed: readonly DimensionName[]): void {
    const finest = spatialFamilies(this.#records.universe).flatMap(
      (family) => family.find((element) => element.required.every((name) => this.columns.has(name)) && this.#hasRegion(element)) ?? [],
    );
    const isNew = (element: DimensionElement): boolean => element.required.some((name) => needed.includes(name));
    finest.forEach((element, index) => {
      for (const other of finest.slice(index + 1)) {
        if (!isNew(element) && !isNew(other)) continue;
        const [left, right] = [element, other].map((one) => recordColumn(one, 'region', this.columns));
        this.conditions.push(sql<SqlBool>`${sql.ref(regionsOverlap)}(${left}, ${right})`);
      }
    });
    const pixels = [...this.columns.keys()].filter((name) => this.#records.universe.dimension(name)?.isSkypix === true);
    for (const name of pixels) {
      for (const element of finest.filter(isNew)) {
        const region = recordColumn(element, 'region', this.columns);
        this.conditions.push(sql<SqlBool>`${sql.ref(pixelOverlaps)}(${name}, ${this.columns.get(name)!}, ${region})`);
      }
    }
  }

  #hasRegion({ name }: DimensionElement): boolean {
    return this.#records.fields(name)?.includes('region') === true;
  }
}

/** SQL functions that a catalogue's database has: of two regions, and of a pixelisation, a pixel and a region. */
export const regionsOverlap = 'regions_overlap';
export const pixelOverlaps = 'pixel_overlaps';
