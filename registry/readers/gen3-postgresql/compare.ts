/** What a catalogue has and a Gen3 registry in PostgreSQL has no more: found by counting, then by comparing what has fewer. */

import type { KnownContent, RepositoryChange, RepositoryRecord } from '../../contract.js';
import type { ServerParts } from './reader.js';
import { membershipRows, uuidOf } from './rows.js';
import type { MembershipTable } from './structure.js';

type Membership = Extract<RepositoryRecord, { kind: 'membership' }>;

/** Datasets of runs that have not as many as in the catalogue. */
export async function* compareDatasets(
  { registry, datasets }: ServerParts,
  known: KnownContent,
): AsyncGenerator<RepositoryChange, void, undefined> {
  const table = registry.table('dataset');
  const found = new Map<number, number>();
  for await (const [run, count] of registry.rows(`select run_id, count(*) from ${table} group by run_id`))
    found.set(Number(run), Number(count));
  for (const run of differing(found, known.datasetCounts())) {
    const rows = registry.rows(`select id from ${table} where run_id = $1 order by id`, [run]);
    const gone: RepositoryChange[] = [];
    const came: string[] = [];
    for await (const { uuid, here, there } of byUuid(known.datasets(run), rows, ([id]) => uuidOf(id))) {
      if (there.length === 0) gone.push({ kind: 'dataset-gone', uuid });
      else if (here.length === 0) came.push(uuid);
    }
    yield* gone;
    if (came.length > 0) yield* datasets.records({ where: 'x.id = any($1::uuid[])', values: [came] });
  }
}

/** Datasets that have not as many files as in the catalogue, of runs that have not. */
export async function* compareFiles(
  { registry, datasets }: ServerParts,
  known: KnownContent,
): AsyncGenerator<RepositoryChange, void, undefined> {
  const files = datasets.stores.map(({ recordsTable }) => `select dataset_id from ${registry.table(recordsTable)}`).join(' union all ');
  const dataset = registry.table('dataset');
  const found = new Map<number, number>();
  for await (const [run, count] of registry.rows(
    `select d.run_id, count(*) from (${files}) as f join ${dataset} as d on d.id = f.dataset_id group by d.run_id`,
  ))
    found.set(Number(run), Number(count));
  for (const run of differing(found, known.fileCounts())) {
    const query = `select d.id, count(f.dataset_id) from ${dataset} as d left join (${files}) as f on f.dataset_id = d.id
      where d.run_id = $1 group by d.id order by d.id`;
    const changed: string[] = [];
    for await (const { uuid, here, there } of byUuid(known.datasets(run), registry.rows(query, [run]), ([id]) => uuidOf(id))) {
      if (there.length > 0 && here[0]?.files !== Number(there[0]![1])) changed.push(uuid);
    }
    if (changed.length > 0) yield* datasets.records({ where: 'x.id = any($1::uuid[])', values: [changed] });
  }
}

/** Memberships of collections that have not as many as in the catalogue; certified ones in any case. */
export async function* compareTable(
  { registry }: ServerParts,
  known: KnownContent,
  table: MembershipTable,
): AsyncGenerator<RepositoryChange, void, undefined> {
  const counted = table.isCertified ? 'where not isempty(timespan)' : '';
  const found = new Map<string, number>();
  const query = `select dataset_type_id, collection_id, count(*) from ${registry.table(table.table)} ${counted} group by dataset_type_id, collection_id`;
  for await (const [type, collection, count] of registry.rows(query)) found.set(`${String(type)} ${String(collection)}`, Number(count));
  const collections: number[] = [];
  const kinds = table.isCertified ? '4' : '1, 2';
  for await (const [id] of registry.rows(`select collection_id from ${registry.table('collection')} where type in (${kinds})`))
    collections.push(Number(id));
  for (const type of table.types) {
    for (const collection of collections) {
      const [before, now] = [known.membershipCount(type, collection), found.get(`${type} ${collection}`) ?? 0];
      if (before !== now || (table.isCertified && now > 0)) yield* await compareCollection({ registry }, known, table, type, collection);
    }
  }
}

/** All differences before the first is given: the catalogue is not asked while it is changed. */
async function compareCollection(
  { registry }: Pick<ServerParts, 'registry'>,
  known: KnownContent,
  table: MembershipTable,
  type: number,
  collection: number,
): Promise<RepositoryChange[]> {
  const condition = { where: 'dataset_type_id = $1 and collection_id = $2 order by dataset_id', values: [type, collection] };
  const gone: RepositoryChange[] = [];
  const came: RepositoryChange[] = [];
  const rows = membershipRows(registry, table, condition);
  for await (const { uuid, here, there } of byUuid(known.memberships(type, collection), rows, (row) => row.uuid)) {
    const [before, after] = [new Set(here.map(textOf)), new Set(there.map(textOf))];
    if (before.size === after.size && [...before].every((text) => after.has(text))) continue;
    if (before.size > 0) gone.push({ kind: 'membership-gone', uuid, type, collection });
    came.push(...there);
  }
  return [...gone, ...came];
}

/** Keys that do not have the same number in both. */
function differing(found: ReadonlyMap<number, number>, known: ReadonlyMap<number, number>): number[] {
  return [...new Set([...found.keys(), ...known.keys()])].filter((key) => (found.get(key) ?? 0) !== (known.get(key) ?? 0));
}

function textOf({ dataId, validity }: Membership): string {
  return JSON.stringify([dataId, validity === null ? null : [String(validity.begin), String(validity.end)]]);
}

/** Goes through what a catalogue has and what a server sends, both sorted by UUID: what each has of one UUID. */
async function* byUuid<Here extends { readonly uuid: string }, There>(
  known: Iterable<Here>,
  found: AsyncIterable<There>,
  uuidOfRow: (row: There) => string,
): AsyncGenerator<{ readonly uuid: string; readonly here: Here[]; readonly there: There[] }, void, undefined> {
  const [a, b] = [known[Symbol.iterator](), found[Symbol.asyncIterator]()];
  try {
    let [left, right] = [a.next(), await b.next()];
    while (left.done !== true || right.done !== true) {
      const [one, other] = [left.done === true ? undefined : left.value.uuid, right.done === true ? undefined : uuidOfRow(right.value)];
      const uuid = one === undefined || (other !== undefined && other < one) ? other! : one;
      const here: Here[] = [];
      const there: There[] = [];
      for (; left.done !== true && left.value.uuid === uuid; left = a.next()) here.push(left.value);
      for (; right.done !== true && uuidOfRow(right.value) === uuid; right = await b.next()) there.push(right.value);
      yield { uuid, here, there };
    }
  } finally {
    a.return?.();
    await b.return?.();
  }
}
