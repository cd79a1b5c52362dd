/**
 * What a PostgreSQL server tells of a schema without reading it: how many rows were written, changed and deleted in each table, and which transactions a reader sees.
 *
 * The server counts a moment after a transaction is committed. So the counts are asked for before the snapshot is taken: what they have not is counted later, and
 * found then. A row tells the transaction that wrote it (`xmin`): rows that a reader cannot have seen are those of transactions from the oldest one on that was
 * under way when it read.
 */

import { createHash } from 'node:crypto';
import type pg from 'pg';

/** Of one table, since the server began to count: decimal texts. */
export interface TableCounts {
  readonly table: string;
  /** Another one where the table was made anew. */
  readonly number: string;
  readonly written: string;
  readonly changed: string;
  readonly deleted: string;
}

export interface ServerMarks {
  /** Of the cluster and its timeline, and of the database: transactions are numbered by these alone. */
  readonly identity: string;
  /** Since when the server counts; null where it does not, as a standby. */
  readonly counting: string | null;
  readonly tables: ReadonlyMap<string, TableCounts>;
  /** Of the snapshot, 64 bits: the oldest transaction that may have been under way, and the first that had not begun. */
  readonly oldest: bigint;
  readonly next: bigint;
}

/** Every user may ask both by default; without them a cluster is told by its database alone. */
const CLUSTER = `select concat_ws(' ', (select system_identifier from pg_control_system()), (select timeline_id from pg_control_checkpoint())) as cluster`;

const SERVER = `select current_setting('track_counts') = 'on' and not pg_is_in_recovery() as counts, pg_postmaster_start_time()::text as started,
  (select concat_ws(' ', oid, datname) from pg_database where datname = current_database()) as database,
  (select coalesce(stats_reset::text, '') from pg_stat_database where datname = current_database()) as reset`;

const TABLES = `select relname as table, relid::text as number, n_tup_ins::text as written, n_tup_upd::text as changed, n_tup_del::text as deleted
  from pg_stat_all_tables where schemaname = $1 order by relid`;

const SNAPSHOT = 'select pg_snapshot_xmin(pg_current_snapshot())::text as oldest, pg_snapshot_xmax(pg_current_snapshot())::text as next';

/** Reads the counts, then begins a transaction with the statement `begin`, whose snapshot the marks tell of. */
export async function readMarks(client: pg.Client, schema: string, begin: string): Promise<ServerMarks> {
  const cluster = await client.query<{ cluster: string }>(CLUSTER).then(
    ({ rows }) => rows[0]?.cluster ?? '',
    () => '',
  );
  const [server] = (await client.query<{ counts: bigint; started: string; database: string; reset: string }>(SERVER)).rows;
  const counted = await client.query<TableCounts>(TABLES, [schema]);
  await client.query(begin);
  const [snapshot] = (await client.query<{ oldest: string; next: string }>(SNAPSHOT)).rows;
  return {
    identity: `${cluster} ${server!.database}`,
    counting: server!.counts === 1n ? `${server!.started} ${server!.reset}` : null,
    tables: new Map(counted.rows.map((row) => [row.table, row])),
    oldest: BigInt(snapshot!.oldest),
    next: BigInt(snapshot!.next),
  };
}

/** Another text where anything was written into the tables. */
export function validatorOf({ identity, counting, tables, next }: ServerMarks): string {
  if (counting === null) return `${identity} ${next}`;
  const counts = [...tables.values()].map(({ number, written, changed, deleted }) => [number, written, changed, deleted]);
  return `${counting} ${createHash('md5').update(JSON.stringify(counts)).digest('hex')}`;
}
