/**
 * URLs of databases:
 *
 *     postgresql://[user@]host[:port]/database[?schema=butlerfs][&sslmode=prefer][&sslrootcert=FILE]      (or postgres:)
 *     mysql://[user@]host[:port]/database[?sslmode=prefer][&sslrootcert=FILE][&socket=FILE]               (or mariadb:)
 *     sqlite:///absolute/path
 *
 * `?host=/directory` names the Unix socket of a PostgreSQL server, as libpq has it.
 */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import type { DatabaseAddress, SharedEngine, TlsMode } from './contract.js';

const ENGINES: Readonly<Record<string, SharedEngine>> = {
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  sqlite: 'sqlite',
};
const PORTS: Readonly<Record<SharedEngine, number>> = { postgresql: 5432, mysql: 3306, sqlite: 0 };
const PARAMETERS: Readonly<Record<SharedEngine, readonly string[]>> = {
  postgresql: ['schema', 'sslmode', 'sslrootcert', 'host'],
  mysql: ['sslmode', 'sslrootcert', 'socket'],
  sqlite: [],
};
const TLS_MODES: Readonly<Record<string, TlsMode>> = {
  disable: 'disable',
  allow: 'prefer',
  prefer: 'prefer',
  require: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
};
const DEFAULT_SCHEMA = 'butlerfs';
/** Names of PostgreSQL are cut off after this many bytes. */
const LONGEST_SCHEMA = 63;
const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** Whether a URL is one of a database. */
export function isDatabaseUrl(text: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  return scheme !== undefined && Object.hasOwn(ENGINES, scheme);
}

/**
 * Reads the URL of a database. Throws `usage` for a broken one, for parameters that mean nothing, and for one with a password, which every user of this host
 * would see in the list of processes.
 */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const engine = ENGINES[/^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase() ?? ''];
  if (url === undefined || engine === undefined)
    throw wrong('the URL of a database', 'it cannot be read', 'write postgresql://USER@HOST/DATABASE');
  const what = `${engine}://${url.host}`;
  if (url.password !== '') {
    throw wrong(
      what,
      'a URL with a password shows it to every user of this host',
      'put it into ~/.pgpass, ~/.my.cnf, or the configuration file',
    );
  }
  if (url.hash !== '') throw wrong(what, "it holds a '#'", 'write %23 where it belongs to a name');
  const database = decoded(url.pathname.replace(engine === 'sqlite' ? /^$/ : /^\//, ''), what);
  const parameters = parametersOf(url, engine, what);
  if (engine === 'sqlite') {
    if (url.host !== '' || database === '' || database === '/') throw wrong(what, 'it names no file', 'write sqlite:///absolute/path');
    return { engine, host: '', port: 0, user: '', database, schema: '', tls: 'disable' };
  }
  if (database === '') throw wrong(what, 'it names no database', `write ${engine}://USER@HOST/DATABASE`);
  const host = parameters.get('host') ?? parameters.get('socket') ?? decoded(url.hostname, what).replace(/^\[(.*)\]$/, '$1');
  const schema = engine === 'postgresql' ? (parameters.get('schema') ?? DEFAULT_SCHEMA) : '';
  if (engine === 'postgresql' && (schema === '' || Buffer.byteLength(schema) > LONGEST_SCHEMA || schema.startsWith('pg_'))) {
    throw wrong(what, `schema '${schema}' cannot be one`, `a name of 1 to ${LONGEST_SCHEMA} bytes that does not begin with pg_`);
  }
  const authorities = parameters.get('sslrootcert');
  return {
    engine,
    host: host === '' ? 'localhost' : host,
    port: url.port === '' ? PORTS[engine] : Number(url.port),
    user: decoded(url.username, what),
    database,
    schema,
    tls: tlsOf(parameters.get('sslmode'), host, what),
    ...(authorities === undefined ? {} : { authorities }),
  };
}

/** The URL of an address, in one form for all ways to write it: in messages, and as its name. */
export function databaseUrl({ engine, host, port, user, database, schema }: DatabaseAddress): string {
  if (engine === 'sqlite') return `sqlite://${database.split('/').map(encodeURIComponent).join('/')}`;
  const isSocket = host.startsWith('/');
  const place = isSocket ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  const name = user === '' ? '' : `${encodeURIComponent(user)}@`;
  const parameters = new URLSearchParams();
  if (isSocket) parameters.set(engine === 'postgresql' ? 'host' : 'socket', host);
  if (engine === 'postgresql' && schema !== DEFAULT_SCHEMA) parameters.set('schema', schema);
  const query = parameters.size === 0 ? '' : `?${parameters.toString()}`;
  return `${engine}://${name}${place}${port === PORTS[engine] ? '' : `:${port}`}/${encodeURIComponent(database)}${query}`;
}

function parametersOf(url: URL, engine: SharedEngine, what: string): ReadonlyMap<string, string> {
  const known = PARAMETERS[engine];
  const found = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    // A password could stand here as well: values are not shown.
    if (!known.includes(name)) {
      throw wrong(
        what,
        `unknown parameter '${name}'`,
        didYouMean(nearestNames(name, known, 1)) ?? (known.length === 0 ? 'leave it out' : `known: ${known.join(', ')}`),
      );
    }
    if (found.has(name)) throw wrong(what, `parameter '${name}' is given twice`);
    found.set(name, value);
  }
  for (const name of ['host', 'socket', 'sslrootcert']) {
    if (found.has(name) && !found.get(name)!.startsWith('/')) throw wrong(what, `parameter '${name}' is no absolute path`);
  }
  return found;
}

function tlsOf(mode: string | undefined, host: string, what: string): TlsMode {
  if (mode === undefined) return host.startsWith('/') || host === '' || LOCAL_HOSTS.includes(host) ? 'disable' : 'prefer';
  const tls = TLS_MODES[mode];
  if (tls !== undefined) return tls;
  const known = Object.keys(TLS_MODES);
  throw wrong(what, `unknown sslmode '${mode}'`, didYouMean(nearestNames(mode, known, 1)) ?? `known: ${known.join(', ')}`);
}

function decoded(text: string, what: string): string {
  let result: string;
  try {
    result = decodeURIComponent(text);
  } catch {
    throw wrong(what, 'a percent sign in it begins no escape', 'write %25 for a percent sign');
  }
  if (result.includes('\0')) throw wrong(what, 'it holds a NUL');
  return result;
}

function wrong(what: string, why: string, advice?: string): ButlerfsError {
  return new ButlerfsError('usage', { what, why, advice });
}
