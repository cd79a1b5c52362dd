/** Errors of database servers as they concern whoever uses a catalogue. */

import { ButlerfsError } from '../../common/errors.js';
import type { ErrorCode } from '../../common/errors.js';

interface Meaning {
  readonly code: ErrorCode;
  readonly why: string;
  readonly advice?: string;
}

const REFUSED: Meaning = {
  code: 'remote-forbidden',
  why: 'the server refuses the user or the password',
  advice: 'check the user of the URL, and the password in ~/.pgpass, ~/.my.cnf, the environment or the configuration file',
};
const NO_DATABASE: Meaning = { code: 'not-a-repository', why: 'the server has no such database', advice: 'check its name in the URL' };
const NO_RIGHT: Meaning = {
  code: 'remote-forbidden',
  why: 'the user has no right to do this',
  advice: 'ask whoever administers the database to grant it',
};
const NO_CATALOGUE: Meaning = {
  code: 'not-a-repository',
  why: 'the database holds no butlerfs catalogue',
  advice: 'make one with butlerfs catalogue create, or check the database and the schema of the URL',
};
const TOO_LONG: Meaning = { code: 'remote-timeout', why: 'a statement took longer than it may' };
const LOCKED: Meaning = { code: 'remote-timeout', why: 'another writer did not finish in time', advice: 'try again' };
const GONE: Meaning = { code: 'remote-unreachable', why: 'the connection to the server was lost' };
const BUSY: Meaning = { code: 'remote-unreachable', why: 'the server takes no more connections' };
const DAMAGED: Meaning = { code: 'corrupt-repository', why: 'the file is no SQLite database, or damaged' };
const FULL: Meaning = { code: 'remote-failed', why: 'the disk of the database is full' };

/** By SQLSTATE (PostgreSQL), by name (MySQL, MariaDB, SQLite), and by the names of system calls' errors. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '28000': REFUSED,
  '28P01': REFUSED,
  '3D000': NO_DATABASE,
  '3F000': NO_CATALOGUE,
  '42P01': NO_CATALOGUE,
  '42703': NO_CATALOGUE,
  '42501': NO_RIGHT,
  '53100': FULL,
  '53300': BUSY,
  '55P03': LOCKED,
  '57014': TOO_LONG,
  '57P01': GONE,
  '57P02': GONE,
  '57P03': { code: 'remote-unreachable', why: 'the server is starting or ending' },
  '25P03': { code: 'remote-timeout', why: 'a transaction stood still for too long' },
  ER_ACCESS_DENIED_ERROR: REFUSED,
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: REFUSED,
  ER_BAD_DB_ERROR: NO_DATABASE,
  ER_DBACCESS_DENIED_ERROR: NO_RIGHT,
  ER_TABLEACCESS_DENIED_ERROR: NO_RIGHT,
  ER_NO_SUCH_TABLE: NO_CATALOGUE,
  ER_BAD_FIELD_ERROR: NO_CATALOGUE,
  ER_LOCK_WAIT_TIMEOUT: LOCKED,
  ER_QUERY_INTERRUPTED: TOO_LONG,
  ER_QUERY_TIMEOUT: TOO_LONG,
  ER_STATEMENT_TIMEOUT: TOO_LONG,
  ER_CON_COUNT_ERROR: BUSY,
  ER_SERVER_SHUTDOWN: GONE,
  PROTOCOL_CONNECTION_LOST: GONE,
  SQLITE_BUSY: LOCKED,
  SQLITE_CANTOPEN: { code: 'not-a-repository', why: 'the file cannot be opened', advice: 'check its path, and who may read it' },
  SQLITE_ERROR: NO_CATALOGUE,
  SQLITE_NOTADB: DAMAGED,
  SQLITE_CORRUPT: DAMAGED,
  SQLITE_FULL: FULL,
  SQLITE_READONLY: NO_RIGHT,
  ENOTFOUND: { code: 'remote-unreachable', why: 'no such host', advice: 'check its name in the URL' },
  EAI_AGAIN: { code: 'remote-unreachable', why: 'the name of the host cannot be resolved now' },
  ECONNREFUSED: {
    code: 'remote-unreachable',
    why: 'nothing takes connections there',
    advice: 'check host and port, and whether the server runs',
  },
  ENOENT: { code: 'remote-unreachable', why: 'no server has a socket there', advice: 'check the path, and whether the server runs' },
  EHOSTUNREACH: { code: 'remote-unreachable', why: 'there is no way to the host' },
  ENETUNREACH: { code: 'remote-unreachable', why: 'there is no way to the host' },
  ECONNRESET: GONE,
  EPIPE: GONE,
  ETIMEDOUT: { code: 'remote-timeout', why: 'the server does not answer' },
};

/** What the drivers say without a code. */
const WORDS: readonly (readonly [RegExp, Meaning])[] = [
  [/timeout exceeded when trying to connect|connect ETIMEDOUT|timeout expired/i, MEANINGS['ETIMEDOUT']!],
  [
    /does not support SSL|doesn't support SSL|not support secure connection/i,
    {
      code: 'remote-forbidden',
      why: 'the server does not speak TLS, and sslmode asks for it',
      advice: 'sslmode=prefer goes on without it',
    },
  ],
  [/password must be a string|SASL/i, { ...REFUSED, why: 'the server asks for a password and none is known' }],
  [
    /Connection terminated|closed the connection|closed state|connection is closed|not queryable|Connection lost|Called end on pool|Pool is closed/i,
    GONE,
  ],
];

const TLS_FAULT = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|HANDSHAKE_SSL)/;

/** `where` is the URL without secrets. Errors of butlerfs pass as they are. */
export function databaseError(error: unknown, where: string): ButlerfsError {
  if (error instanceof ButlerfsError) return error;
  const inner: unknown = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const code = codeOf(inner) ?? codeOf(error) ?? '';
  const message = inner instanceof Error ? inner.message : String(inner);
  const what = 'the catalogue';
  if (TLS_FAULT.test(code)) {
    const advice = 'sslrootcert=FILE names the authority of the server';
    return new ButlerfsError('remote-forbidden', { what, where, why: `its certificate is not trusted: ${message}`, advice, cause: error });
  }
  const family = code.startsWith('SQLITE_') ? code.split('_').slice(0, 2).join('_') : code;
  const meaning =
    MEANINGS[code] ?? MEANINGS[family] ?? (/^08/.test(code) ? GONE : undefined) ?? WORDS.find(([pattern]) => pattern.test(message))?.[1];
  if (meaning === undefined) return new ButlerfsError('remote-failed', { what, where, why: message.split('\n')[0], cause: error });
  return new ButlerfsError(meaning.code, { what, where, why: meaning.why, advice: meaning.advice, cause: error });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
