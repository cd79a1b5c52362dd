/** Rows of a Gen3 registry in PostgreSQL as records: all of a table, or those that a condition selects. */

import type { RepositoryRecord, StoredFile } from '../../contract.js';
import { quote } from '../gen3/source.js';
import { storedFiles } from '../gen3/stored-files.js';
import { boundOf, ingestTime } from '../gen3/time.js';
import { dataIdValue, fieldValue } from '../gen3/values.js';
import type { Gen3Datastore } from '../gen3/configuration.js';
import type { ServerRegistry } from './server-registry.js';
import type { MembershipTable } from './structure.js';

/** How SQLite registries write the ends of an unbounded time span; an empty one is written with the two in each other's place. */
const EARLIEST = 0n;
const LATEST = 4_102_444_800_000_000_000n;

type RecordOf<Kind extends RepositoryRecord['kind']> = Extract<RepositoryRecord, { kind: Kind }>;

/** Which rows `x` of a table, in SQL, with its parameters. */
export interface Condition {
  readonly where: string;
  readonly values: readonly unknown[];
}

const EVERY: Condition = { where: 'true', values: [] };

/** What a column is called in records, and the expression that gives it. */
interface Field {
  readonly name: string;
  readonly expression: string;
}

/** The columns of an element's table as fields of its records; empty where it has none. */
export function recordFields(registry: ServerRegistry, element: string): Field[] {
  return [...registry.columns(element)].flatMap(([column, type]) => fieldsOf(column, type));
}

export async function* dimensionRows(
  registry: ServerRegistry,
  element: string,
  { where, values }: Condition = EVERY,
): AsyncGenerator<RecordOf<'dimension'>, void, undefined> {
  const fields = recordFields(registry, element);
  if (fields.length === 0) return;
  const query = `select ${fields.map(({ expression }) => expression).join(', ')} from ${registry.table(element)} as x where ${where}`;
  for await (const row of registry.rows(query, values)) {
    yield { kind: 'dimension', element, fields: Object.fromEntries(fields.map((field, index) => [field.name, fieldValue(row[index])])) };
  }
}

/** Datasets with their files. */
export class DatasetRows {
  /** Datastores whose table of records is there. */
  readonly stores: readonly Gen3Datastore[];
  readonly #registry: ServerRegistry;
  readonly #warn: (message: string) => void;

  /** `warn` is told of each record that is left out, and why. */
  constructor(registry: ServerRegistry, datastores: readonly Gen3Datastore[], warn: (message: string) => void) {
    this.#registry = registry;
    this.#warn = warn;
    this.stores = datastores.filter(({ recordsTable }) => {
      const isThere = registry.columns(recordsTable).size > 0;
      if (!isThere) warn(`datastore table '${recordsTable}' is missing: its files are left out`);
      return isThere;
    });
  }

  /** Sorted by UUID. */
  async *records({ where, values }: Condition = EVERY): AsyncGenerator<RecordOf<'dataset'>, void, undefined> {
    const files = this.stores.map(
      ({ recordsTable }, index) =>
        `select dataset_id, ${index} as store, path, component, checksum, file_size from ${this.#registry.table(recordsTable)}`,
    );
    const dataset = this.#registry.table('dataset');
    const query =
      files.length === 0
        ? `select id, dataset_type_id, ingest_date, run_id, null, null, null, null, null from ${dataset} as x where ${where} order by id`
        : `select x.id, x.dataset_type_id, x.ingest_date, x.run_id, f.store, f.path, f.component, f.checksum, f.file_size
           from ${dataset} as x left join (${files.join(' union all ')}) f on f.dataset_id = x.id
           where ${where}
           order by x.id, f.store, f.component collate "C"`;
    let last: { readonly record: RecordOf<'dataset'>; readonly files: StoredFile[]; store: number } | undefined;
    for await (const [id, type, ingested, run, storeNumber, ...file] of this.#registry.rows(query, values)) {
      const uuid = uuidOf(id);
      const store = Number(storeNumber ?? 0);
      if (last?.record.uuid !== uuid) {
        if (last !== undefined) yield last.record;
        const found: StoredFile[] = [];
        const facts = { uuid, type: Number(type), run: Number(run), ingested: ingestTime(ingested) };
        last = { record: { kind: 'dataset', ...facts, files: found }, files: found, store };
      }
      // A dataset is read from the first datastore that has files of it.
      if (file[0] === null || (last.files.length > 0 && last.store !== store)) continue;
      last.store = store;
      last.files.push(...storedFiles(file, { root: this.stores[store]?.root ?? '', dataset: uuid, warn: this.#warn }));
    }
    if (last !== undefined) yield last.record;
  }
}

/** Those that are valid at any time. */
export async function* membershipRows(
  registry: ServerRegistry,
  { table, group, isCertified }: MembershipTable,
  { where, values }: Condition = EVERY,
): AsyncGenerator<RecordOf<'membership'>, void, undefined> {
  const dimensions = group.required.map((name) => `, ${quote(name)}`).join('');
  const span = isCertified ? ', lower(timespan), upper(timespan), isempty(timespan)' : '';
  const query = `select dataset_type_id, dataset_id, collection_id${dimensions}${span} from ${registry.table(table)} as x where ${where}`;
  const count = group.required.length;
  for await (const row of registry.rows(query, values)) {
    const dataId = row.slice(3, 3 + count).map(dataIdValue);
    const membership = { kind: 'membership', uuid: uuidOf(row[1]), type: Number(row[0]), collection: Number(row[2]), dataId } as const;
    const [begin, end, isEmpty] = row.slice(3 + count) as (bigint | null)[];
    // What is certified for an empty time span is valid at no time.
    if (isCertified && isEmpty === 1n) continue;
    yield { ...membership, validity: isCertified ? { begin: boundOf(begin ?? null), end: boundOf(end ?? null) } : null };
  }
}

/** 32 digits, of the server's own form. */
export function uuidOf(value: unknown): string {
  return String(value).replaceAll('-', '');
}

function fieldsOf(column: string, type: string): Field[] {
  if (!/^[A-Za-z_]\w*$/.test(column)) return [];
  const name = quote(column);
  if (type !== 'int8range') return [{ name: column, expression: name }];
  const bound = (side: 'lower' | 'upper', unbounded: bigint, empty: bigint): string =>
    `case when isempty(${name}) then ${empty} when ${name} is null then null else coalesce(${side}(${name}), ${unbounded}) end`;
  return [
    { name: `${column}_begin`, expression: bound('lower', EARLIEST, LATEST) },
    { name: `${column}_end`, expression: bound('upper', LATEST, EARLIEST) },
  ];
}
