/**
 * What publishing remembers of every file between publications, so that those that were not touched are not read again: `.butlerfs/state.sqlite3`, for its
 * writer alone. It is derived: where it is missing, damaged or of another version, everything is hashed anew.
 */

import { chmodSync, rmSync } from 'node:fs';
import { Database } from '../../registry/sqlite/driver.js';
import type { Statement } from '../../registry/sqlite/driver.js';
import type { WholeAlgorithm } from './digests-format.js';
import { WHOLE_ALGORITHMS } from './digests-format.js';

/** `bfsP`, and the version of the form. */
const APPLICATION_ID = 0x62667350;
const FORM = 1;
/** Rows between commits. */
const ROWS_IN_TRANSACTION = 50_000;
/** Kilobytes of pages kept in memory: keys come in no order. */
const PAGE_CACHE = 128 * 1024;

/** A file as it was hashed. */
export interface KnownFile {
  /** `stampOf` the file. */
  readonly stamp: string;
  /** Milliseconds since 1970 at which hashing began. */
  readonly hashedAt: number;
  readonly algorithm: WholeAlgorithm;
  readonly size: number;
  readonly whole: Uint8Array;
  readonly chunks: Uint8Array;
}

/** What the digests file needs of a file before its units are written. */
export interface FileSummary {
  readonly key: Buffer;
  readonly size: number;
  readonly algorithm: WholeAlgorithm;
}

/** The greatest serial number given, and to which repository. */
export interface LastPublication {
  readonly repository: string;
  readonly serial: number;
}

const tables = `
  create table if not exists file (
    key blob primary key, round integer not null, stamp text not null, hashed_at integer not null, algorithm integer not null, size integer not null,
    whole blob not null, chunks blob not null
  ) without rowid;
  create table if not exists publication (repository text not null, serial integer not null);
`;

export class KnownFiles {
  readonly #database: Database;
  readonly #find: Statement<[Buffer], [string, number, number, number, Buffer, Buffer]>;
  readonly #keep: Statement<[number, Buffer], unknown>;
  readonly #put: Statement<unknown[], unknown>;
  readonly #round: number;
  #pending = 0;

  /** Opens the state in `file`, or begins it. The caller holds the lock of the publication, and closes. */
  constructor(file: string) {
    this.#database = openDatabase(file);
    const last = this.#database.prepare<[], [number | null]>('select max(round) from file').raw().get();
    this.#round = (last?.[0] ?? 0) + 1;
    this.#find = this.#database
      .prepare<[Buffer], [string, number, number, number, Buffer, Buffer]>(
        'select stamp, hashed_at, algorithm, size, whole, chunks from file where key = ?',
      )
      .raw();
    this.#keep = this.#database.prepare('update file set round = ? where key = ?');
    this.#put = this.#database.prepare('insert or replace into file values (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#database.exec('begin');
  }

  find(key: Buffer): KnownFile | undefined {
    const row = this.#find.get(key);
    if (row === undefined) return undefined;
    const [stamp, hashedAt, number, size, whole, chunks] = row;
    const algorithm = WHOLE_ALGORITHMS[number];
    return algorithm === undefined ? undefined : { stamp, hashedAt, algorithm, size, whole, chunks };
  }

  /** The file belongs to this publication, as it is known. */
  keep(key: Buffer): void {
    this.#keep.run(this.#round, key);
    this.#written();
  }

  put(key: Buffer, { stamp, hashedAt, algorithm, size, whole, chunks }: KnownFile): void {
    const number = WHOLE_ALGORITHMS.indexOf(algorithm);
    this.#put.run(key, this.#round, stamp, hashedAt, number, size, bufferOf(whole), bufferOf(chunks));
    this.#written();
  }

  /** Forgets the files that this publication does not have. */
  forgetOthers(): void {
    this.#database.prepare('delete from file where round <> ?').run(this.#round);
  }

  count(): number {
    return this.#database.prepare<[], [number]>('select count(*) from file').raw().get()![0];
  }

  /** In the order of keys. */
  *summaries(): IterableIterator<FileSummary> {
    const rows = this.#database.prepare<[], [Buffer, number, number]>('select key, size, algorithm from file order by key').raw();
    for (const [key, size, algorithm] of rows.iterate()) yield { key, size, algorithm: WHOLE_ALGORITHMS[algorithm]! };
  }

  /** In the order of keys. */
  *contents(): IterableIterator<FileSummary & Pick<KnownFile, 'whole' | 'chunks'>> {
    const query = 'select key, size, algorithm, whole, chunks from file order by key';
    const rows = this.#database.prepare<[], [Buffer, number, number, Buffer, Buffer]>(query).raw();
    for (const [key, size, algorithm, whole, chunks] of rows.iterate())
      yield { key, size, algorithm: WHOLE_ALGORITHMS[algorithm]!, whole, chunks };
  }

  /** Undefined before the first publication from this host. */
  lastPublication(): LastPublication | undefined {
    const row = this.#database.prepare<[], [string, number]>('select repository, serial from publication').raw().get();
    return row === undefined ? undefined : { repository: row[0], serial: row[1] };
  }

  /** Durable when it returns. */
  rememberPublication({ repository, serial }: LastPublication): void {
    this.#database.exec('delete from publication');
    this.#database.prepare('insert into publication values (?, ?)').run(repository, serial);
    this.#commit();
  }

  /** Keeps what was hashed, also where publishing failed. */
  close(): void {
    if (this.#database.inTransaction) this.#database.exec('commit');
    this.#database.close();
  }

  #written(): void {
    if (++this.#pending % ROWS_IN_TRANSACTION === 0) this.#commit();
  }

  #commit(): void {
    this.#database.exec('commit');
    this.#database.exec('begin');
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function openDatabase(file: string): Database {
  try {
    return open(file);
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
    return open(file);
  }
}

function open(file: string): Database {
  const database = new Database(file);
  try {
    chmodSync(file, 0o600);
    database.pragma('journal_mode = delete');
    database.pragma(`cache_size = -${PAGE_CACHE}`);
    const isNew = database.prepare('select count(*) from sqlite_master').pluck().get() === 0;
    const isOurs =
      database.pragma('application_id', { simple: true }) === APPLICATION_ID && database.pragma('user_version', { simple: true }) === FORM;
    if (!isNew && !isOurs) throw new Database.SqliteError('of another form', 'SQLITE_NOTADB');
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.pragma(`user_version = ${FORM}`);
    database.exec(tables);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
