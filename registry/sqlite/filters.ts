/** Expressions and times of ingest, compiled for the types that they are asked of, with the statements that they stand in: a tree asks the same again and again. */

import type { RawBuilder, SqlBool } from 'kysely';
import { sql } from 'kysely';
import type { Catalogue, IngestRange, WhereFilter } from '../contract.js';
import { flavorOfType } from '../coadd-flavors.js';
import { compileWhere } from '../where/compile.js';
import { expandAliases } from '../where/expand.js';
import { dimensionsOf, type WhereScope } from '../where/names.js';
import { namesIn, type WhereNode } from '../where/nodes.js';
import { parseWhere } from '../where/parser.js';
import type { Database } from './driver.js';
import type { Columns, RecordTables } from './record-join.js';
import type { StoredType } from './rows.js';
import { dimensionColumn } from './schema.js';
import { StatementCache } from './statements.js';
import { withinTime } from './time-limit.js';

export interface Filter {
  /** On memberships `m`. */
  readonly condition: RawBuilder<SqlBool>;
  readonly statements: StatementCache;
}

/** Filters kept, the latest. */
const mostFilters = 64;

export class Filters {
  readonly #database: Database;
  readonly #catalogue: Catalogue;
  readonly #records: RecordTables;
  readonly #filters = new Map<string, Filter>();

  constructor(database: Database, catalogue: Catalogue, records: RecordTables) {
    this.#database = database;
    this.#catalogue = catalogue;
    this.#records = records;
  }

  /** Undefined where all satisfy it. Throws what {@link parseWhere} and {@link compileWhere} throw. */
  of({ where, ingested, aliases = {}, flavors }: WhereFilter, type: StoredType): Filter | undefined {
    if (where === undefined && ingested === undefined) return undefined;
    const key = JSON.stringify([type.id, where, aliases, flavors, `${ingested?.from} ${ingested?.until}`]);
    const known = this.#filters.get(key);
    const filter = known ?? {
      condition: limited(this.#conditions({ where, ingested, aliases, flavors }, type)),
      statements: new StatementCache(this.#database),
    };
    this.#filters.delete(key);
    this.#filters.set(key, filter);
    if (this.#filters.size > mostFilters) this.#filters.delete(this.#filters.keys().next().value!);
    return filter;
  }

  #conditions({ where, ingested, aliases = {}, flavors }: WhereFilter, type: StoredType): RawBuilder<SqlBool>[] {
    const conditions = ingestedWithin(ingested);
    if (where === undefined) return conditions;
    return [...conditions, compiled(parseWhere(where), this.#scopeOf(type, aliases, flavors))];
  }

  /** Turns columns of dimension records into a condition. */
  ofRecords({ where, aliases = {} }: WhereFilter): ((columns: Columns) => RawBuilder<SqlBool>) | undefined {
    if (where === undefined) return undefined;
    const node = parseWhere(where);
    return (columns) => compiled(node, this.#scope(columns, 'the data ID', aliases));
  }

  /** Without a type names and values are checked against the universe and its records, whatever they are related to. */
  check(filter: WhereFilter, type: StoredType | undefined): void {
    const { where, aliases = {} } = filter;
    if (where === undefined) return;
    if (type !== undefined) {
      this.of(filter, type);
      return;
    }
    const scope = { ...this.#scope(new Map(), 'the repository', aliases), flavor: null };
    const node = expandAliases(parseWhere(where), scope);
    const named = namesIn(node).flatMap((name) => dimensionsOf(name, scope));
    const columns = new Map([...named, 'band', 'physical_filter'].map((name) => [name, sql.ref(`m.${dimensionColumn(name)}`)]));
    compileWhere(node, { ...scope, columns });
  }

  #scopeOf(type: StoredType, aliases: NonNullable<WhereFilter['aliases']>, flavors: WhereFilter['flavors']): WhereScope {
    const scope = this.#scope(columnsOf(type), `dataset type '${type.name}'`, aliases);
    return { ...scope, flavor: flavorOfType(this.#catalogue, type.name, flavors) };
  }

  #scope(columns: Columns, subject: string, aliases: NonNullable<WhereFilter['aliases']>): WhereScope {
    return { catalogue: this.#catalogue, records: this.#records, columns, subject, aliases, flavor: undefined };
  }
}

function compiled(node: WhereNode, scope: WhereScope): RawBuilder<SqlBool> {
  return compileWhere(expandAliases(node, scope), scope);
}

/** The conditions, at every membership within the time that the question may take. */
function limited(conditions: readonly RawBuilder<SqlBool>[]): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${sql.join([withinTime([sql.ref('m.dataset')]), ...conditions], sql` and `)})`;
}

/** Conditions on memberships `m` of datasets that were taken in within a time. */
export function ingestedWithin(range: IngestRange | undefined): RawBuilder<SqlBool>[] {
  const ingested = sql`(select i.ingested from dataset as i where i.key = m.dataset)`;
  return [
    ...(range?.from === undefined ? [] : [sql<SqlBool>`${ingested} >= ${range.from}`]),
    ...(range?.until === undefined ? [] : [sql<SqlBool>`${ingested} <= ${range.until}`]),
  ];
}

function columnsOf({ dimensions }: StoredType): Columns {
  const names = [...dimensions.required, ...dimensions.implied];
  return new Map(names.map((name) => [name, sql.ref(`m.${dimensionColumn(name)}`)]));
}
