/** MySQL and MariaDB. */

import { createHash } from 'node:crypto';
import { CompiledQuery, Kysely, MysqlDialect, sql } from 'kysely';
import { createPool } from 'mysql2';
import type { Pool, PoolConnection, PoolOptions } from 'mysql2';
import { ButlerfsError } from '../../common/errors.js';
import { closeWithin, CONNECT_DEADLINE, CONNECTIONS, cutWhenSilent, IDLE_CONNECTION, TURN_DEADLINE } from './engine.js';
import type { DatabaseAccess } from './contract.js';
import type { Engine, Wire } from './engine.js';
import type { SharedTables } from './schema.js';
import { tlsOptions } from './tls.js';

/** What each connection begins with. The driver escapes values with backslashes, so these must mean what it takes them to mean. */
const BEGINNING = [
  "set session sql_mode = 'TRADITIONAL'",
  'set names utf8mb4 collate utf8mb4_bin',
  `set session innodb_lock_wait_timeout = ${TURN_DEADLINE / 1000}`,
];

function poolOptions({ address, user, password }: DatabaseAccess): PoolOptions {
  const { host, port, database, tls } = address;
  const secure = tlsOptions(address);
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    user,
    password: password ?? '',
    database,
    charset: 'utf8mb4_bin',
    connectTimeout: CONNECT_DEADLINE,
    connectionLimit: CONNECTIONS,
    maxIdle: CONNECTIONS,
    idleTimeout: IDLE_CONNECTION,
    enableKeepAlive: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    multipleStatements: false,
    ...(secure === undefined ? {} : { ssl: { ...mysqlTls(secure), verifyIdentity: tls === 'verify-full' } }),
  };
}

function mysqlTls({ rejectUnauthorized, ca }: NonNullable<ReturnType<typeof tlsOptions>>): { rejectUnauthorized: boolean; ca?: string } {
  return { rejectUnauthorized: rejectUnauthorized === true, ...(typeof ca === 'string' ? { ca } : {}) };
}

export function openMysql(access: DatabaseAccess): Engine {
  const { address } = access;
  const wires = new Set<Wire>();
  const openPool = async (): Promise<Pool> => {
    const options = poolOptions(access);
    const pool = createPool(options);
    const watched = (made: Pool): Pool => {
      made.on('connection', (connection: PoolConnection) =>
        cutWhenSilent((connection as unknown as { readonly stream: Wire }).stream, wires),
      );
      return made;
    };
    if (address.tls !== 'prefer' || options.ssl === undefined) return watched(pool);
    const failure = await firstFailure(pool);
    if (failure === undefined) return watched(pool);
    pool.end(() => undefined);
    if (!/secure connection|SSL/i.test(failure.message)) throw failure;
    const { ssl: _, ...plain } = options;
    return watched(createPool(plain));
  };
  const database = new Kysely<SharedTables>({
    dialect: new MysqlDialect({
      pool: openPool,
      onCreateConnection: async (connection) => {
        for (const statement of BEGINNING) await connection.executeQuery(CompiledQuery.raw(statement));
      },
    }),
  });
  let closing: Promise<void> | undefined;
  return {
    address,
    database,
    isTold: false,
    migrating: async (work) => {
      const name = createHash('sha256').update(`butlerfs ${address.database}`).digest('hex').slice(0, 32);
      await database.connection().execute(async (connection) => {
        const { rows } = await sql<{ locked: number | string | null }>`select get_lock(${name}, ${TURN_DEADLINE / 1000}) as locked`.execute(
          connection,
        );
        if (Number(rows[0]?.locked) !== 1) {
          throw new ButlerfsError('remote-timeout', {
            what: 'another process that makes or migrates the catalogue',
            why: 'it did not finish in time',
          });
        }
        try {
          await work(connection);
        } finally {
          await sql`select release_lock(${name})`.execute(connection);
        }
      });
    },
    tell: () => Promise.resolve(),
    listen: () => Promise.reject(new ButlerfsError('unsupported', { what: 'this server tells nobody of changes' })),
    close: () => {
      closing ??= (async () => {
        for (const wire of wires) wire.destroy();
        await closeWithin(database.destroy());
      })();
      return closing;
    },
  };
}

function firstFailure(pool: Pool): Promise<Error | undefined> {
  return new Promise((resolve) => {
    pool.getConnection((error: Error | null, connection: PoolConnection | undefined) => {
      connection?.release();
      resolve(error ?? undefined);
    });
  });
}
