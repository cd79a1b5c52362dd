/** PostgreSQL, and servers that speak its protocol. */

import { createHash } from 'node:crypto';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { databaseError } from './errors.js';
import { databaseUrl } from './address.js';
import { closeWithin, CONNECT_DEADLINE, CONNECTIONS, cutWhenSilent, IDLE_CONNECTION, STATEMENT_DEADLINE, TURN_DEADLINE } from './engine.js';
import type { DatabaseAccess } from './contract.js';
import type { Engine, Wire } from './engine.js';
import type { SharedDatabase, SharedTables } from './schema.js';
import { tlsOptions } from './tls.js';

/** Milliseconds between questions to a server that has nothing to tell: whether it is still there. */
const HEARTBEAT = 20_000;

/** Options of a connection, with every wait bounded on both sides. */
export function clientConfiguration({ address, user, password }: DatabaseAccess): pg.ClientConfig {
  const { host, port, database } = address;
  return {
    host,
    port,
    database,
    user,
    // A function, because the library takes even an empty text for none, and then the one of the environment, which may be for another server.
    password: () => password ?? '',
    ssl: tlsOptions(address) ?? false,
    application_name: 'butlerfs',
    connectionTimeoutMillis: CONNECT_DEADLINE,
    statement_timeout: STATEMENT_DEADLINE,
    lock_timeout: TURN_DEADLINE,
    idle_in_transaction_session_timeout: STATEMENT_DEADLINE,
    keepAlive: true,
    keepAliveInitialDelayMillis: HEARTBEAT,
  };
}

/** As {@link clientConfiguration}; where TLS is only preferred, after asking the server whether it speaks it. */
export async function settledConfiguration(access: DatabaseAccess): Promise<pg.ClientConfig> {
  const configuration = clientConfiguration(access);
  if (access.address.tls !== 'prefer' || configuration.ssl === false) return configuration;
  const client = new pg.Client(configuration);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return configuration;
  } catch (error) {
    if (error instanceof Error && /does not support SSL/i.test(error.message)) return { ...configuration, ssl: false };
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Bounds every wait of a client that is connected. `wires` has the connections that are open. */
export function guardClient(client: pg.ClientBase, wires: Set<Wire>): void {
  // One that breaks while it is used fails what uses it; the event alone would end the process.
  client.on('error', () => undefined);
  cutWhenSilent((client as unknown as { readonly connection: { readonly stream: Wire } }).connection.stream, wires);
}

export function openPostgresql(access: DatabaseAccess): Engine {
  const { address } = access;
  const wires = new Set<Wire>();
  const openPool = async (): Promise<pg.Pool> => {
    const pool = new pg.Pool({ ...(await settledConfiguration(access)), max: CONNECTIONS, idleTimeoutMillis: IDLE_CONNECTION });
    pool.on('connect', (client) => guardClient(client, wires));
    // A connection that breaks while nobody uses it is replaced when it is needed.
    pool.on('error', () => undefined);
    return pool;
  };
  const whole = new Kysely<SharedTables>({ dialect: new PostgresDialect({ pool: openPool }) });
  const database = whole.withSchema(address.schema);
  let closing: Promise<void> | undefined;
  return {
    address,
    database,
    isTold: true,
    migrating: async (work) =>
      await whole.transaction().execute(async (transaction) => {
        await sql`select pg_advisory_xact_lock(${lockNumber(address.schema)})`.execute(transaction);
        // Only where it is missing: its owner may have made it for a user who may make none.
        const there = await sql`select 1 from pg_namespace where nspname = ${address.schema}`.execute(transaction);
        if (there.rows.length === 0) await transaction.schema.createSchema(address.schema).ifNotExists().execute();
        await work(transaction.withSchema(address.schema));
      }),
    tell: async (transaction, channel) => {
      await sql`select pg_notify(${channel}, '')`.execute(transaction);
    },
    listen: (channel, onTold, signal) => listen(access, channel, onTold, signal),
    close: () => {
      closing ??= closePool(whole, wires);
      return closing;
    },
  };
}

/** What is under way fails; a pool would wait for it to end. */
async function closePool(database: SharedDatabase, wires: ReadonlySet<Wire>): Promise<void> {
  for (const wire of wires) wire.destroy();
  await closeWithin(database.destroy());
}

/** A number of 63 bits for the advisory lock, from the name of what is locked. */
function lockNumber(name: string): string {
  return (createHash('sha256').update(`butlerfs ${name}`).digest().readBigUInt64BE() >> 1n).toString();
}

async function listen(access: DatabaseAccess, channel: string, onTold: () => void, signal: AbortSignal): Promise<void> {
  const where = databaseUrl(access.address);
  const client = new pg.Client(await settledConfiguration(access).catch((error: unknown) => Promise.reject(databaseError(error, where))));
  let heartbeat: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      abort = resolve;
      if (signal.aborted) return resolve();
      signal.addEventListener('abort', abort, { once: true });
      client.once('error', reject);
      client.once('end', () => reject(new Error('Connection terminated')));
      client.on('notification', onTold);
      const begin = async (): Promise<void> => {
        await client.connect();
        guardClient(client, new Set());
        await client.query(`listen "${channel}"`);
        onTold();
        heartbeat = setInterval(() => void client.query('select 1').catch(reject), HEARTBEAT);
      };
      begin().catch(reject);
    });
  } catch (error) {
    throw databaseError(error, where);
  } finally {
    signal.removeEventListener('abort', abort);
    clearInterval(heartbeat);
    client.on('error', () => undefined);
    void client.end().catch(() => undefined);
  }
}
