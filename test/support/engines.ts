/** Each engine with a real server, for the suites that run on all of them. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { hasMariadb, MariadbServer } from './mariadb.js';
import { hasPostgresql, PostgresqlServer } from './postgresql.js';
import { removeDirectory, temporaryDirectory } from './temporary.js';
import { parseDatabaseUrl } from '../../registry/shared/address.js';
import type { DatabaseAccess } from '../../registry/shared/contract.js';

export interface TestEngine {
  /** A way to an empty database of its own. */
  fresh(): Promise<DatabaseAccess>;
  stop(): Promise<void>;
}

/** By name; those whose server is not installed are left out, which is said once. */
export function testEngines(): readonly (readonly [string, () => Promise<TestEngine>])[] {
  return [
    ['SQLite', sqlite],
    ...(hasPostgresql() ? ([['PostgreSQL', postgresql]] as const) : []),
    ...(hasMariadb() ? ([['MariaDB', mariadb]] as const) : []),
  ];
}

function newName(): string {
  return `catalogue_${randomBytes(4).toString('hex')}`;
}

function sqlite(): Promise<TestEngine> {
  const directory = temporaryDirectory('shared');
  return Promise.resolve({
    fresh: () => {
      const address = parseDatabaseUrl(`sqlite://${join(directory, `${newName()}.sqlite3`)}`);
      return Promise.resolve({ address, user: '', password: undefined });
    },
    stop: () => Promise.resolve(removeDirectory(directory)),
  });
}

async function postgresql(): Promise<TestEngine> {
  const server = await PostgresqlServer.start();
  return {
    fresh: async () => {
      const name = newName();
      await server.createDatabase(name);
      return { address: parseDatabaseUrl(server.url(name)), user: 'butler', password: PostgresqlServer.password };
    },
    stop: () => server.stop(),
  };
}

async function mariadb(): Promise<TestEngine> {
  const server = await MariadbServer.start();
  return {
    fresh: async () => {
      const name = newName();
      await server.createDatabase(name);
      return { address: parseDatabaseUrl(server.url(name)), user: 'butler', password: MariadbServer.password };
    },
    stop: () => server.stop(),
  };
}
