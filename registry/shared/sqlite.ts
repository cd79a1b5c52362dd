/** A shared catalogue in an SQLite file: for hosts that share a disk with working locks, and for those who want no server. */

import { setTimeout as pause } from 'node:timers/promises';
import { existsSync } from 'node:fs';
import { CompiledQuery, Kysely, SqliteDialect } from 'kysely';
import { ButlerfsError } from '../../common/errors.js';
import { Database } from '../sqlite/driver.js';
import { databaseUrl } from './address.js';
import type { DatabaseAccess } from './contract.js';
import type { Engine } from './engine.js';
import { closeWithin, TURN_DEADLINE } from './engine.js';
import type { SharedTables } from './schema.js';

/** Marks the file: `bfsS`. */
const APPLICATION_ID = 0x62667353;
/** Milliseconds between attempts to get the turn of writing. */
const TURN_PAUSE = 20;

/** `isNew`: the file may be made. */
export function openSqlite({ address }: DatabaseAccess, { isNew }: { readonly isNew: boolean }): Engine {
  const open = async (): Promise<Database> => {
    if (!isNew && !existsSync(address.database)) throw noFile(databaseUrl(address));
    const file = new Database(address.database, { timeout: 0 });
    file.defaultSafeIntegers(true);
    const application = Number(file.pragma('application_id', { simple: true }));
    const isEmpty = Number(file.pragma('page_count', { simple: true })) === 0;
    if (application !== APPLICATION_ID && !isEmpty) {
      file.close();
      throw new ButlerfsError('not-a-repository', {
        what: 'the catalogue',
        where: databaseUrl(address),
        why: 'the file is no butlerfs catalogue',
      });
    }
    const end = performance.now() + TURN_DEADLINE;
    for (;;) {
      try {
        if (isEmpty && isNew) file.pragma(`application_id = ${APPLICATION_ID}`);
        file.pragma('journal_mode = wal');
        return file;
      } catch (error) {
        if (!isBusy(error) || performance.now() > end) throw error;
        await pause(TURN_PAUSE);
      }
    }
  };
  const database = new Kysely<SharedTables>({ dialect: new SqliteDialect({ database: open }) });
  let closing: Promise<void> | undefined;
  return {
    address,
    database,
    isTold: false,
    migrating: async (work) =>
      await database.connection().execute(async (connection) => {
        await takingTurns(() => connection.executeQuery(CompiledQuery.raw('begin immediate')));
        try {
          await work(connection);
          await connection.executeQuery(CompiledQuery.raw('commit'));
        } catch (error) {
          await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined);
          throw error;
        }
      }),
    tell: () => Promise.resolve(),
    listen: () => Promise.reject(new ButlerfsError('unsupported', { what: 'an SQLite file tells nobody of its changes' })),
    close: () => {
      closing ??= closeWithin(database.destroy());
      return closing;
    },
  };
}

/** Tries again while another process writes. */
export async function takingTurns<T>(attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + TURN_DEADLINE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
      await pause(TURN_PAUSE);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

function noFile(where: string): ButlerfsError {
  return new ButlerfsError('not-a-repository', {
    what: 'the catalogue',
    where,
    why: 'there is no such file',
    advice: 'make one with butlerfs catalogue create',
  });
}
