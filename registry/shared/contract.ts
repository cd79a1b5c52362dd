/**
 * A catalogue on a database server that many mounts and many writers use at once: PostgreSQL, MySQL or MariaDB, or an SQLite file.
 *
 * It holds the records of ../contract.ts. Writers take turns: each transaction gets the next sequence number while it holds the turn, so numbers become
 * visible in the order in which they were given, and whoever has seen number n has seen everything up to n. Mounts follow it with their own local
 * catalogue and never wait for it while they list.
 *
 * Errors of everything here: `remote-unreachable`, `remote-timeout`, `remote-forbidden` (the server refuses who asks), `remote-failed`, `not-a-repository` (no
 * such database, or no catalogue in it), `unsupported-repository` (a catalogue of another version), `interrupted`. None holds a password.
 */

import type { RecordStream, RepositoryChange, RepositoryReader, RepositoryRecord } from '../contract.js';

export type SharedEngine = 'postgresql' | 'mysql' | 'sqlite';

/** What a client does about TLS, as libpq calls it; `allow` counts as `prefer`. */
export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Where a database is. Plain data, without any secret. */
export interface DatabaseAddress {
  readonly engine: SharedEngine;
  /** Host name or address; the directory of a Unix socket (PostgreSQL) or the socket itself (MySQL) begins with a slash; empty for SQLite. */
  readonly host: string;
  /** 0 for SQLite. */
  readonly port: number;
  /** Empty: whoever runs this process, as the clients of the servers have it. */
  readonly user: string;
  /** Name of the database; of SQLite the absolute path of the file. */
  readonly database: string;
  /** PostgreSQL only: the schema that holds the tables. */
  readonly schema: string;
  readonly tls: TlsMode;
  /** PEM file with the authorities that may vouch for the server; undefined: those that Node knows. */
  readonly authorities?: string | undefined;
}

/** An address with what it takes to be let in. Plain data; it travels to threads, and to no log. */
export interface DatabaseAccess {
  readonly address: DatabaseAddress;
  readonly user: string;
  readonly password: string | undefined;
}

/** What a catalogue says of itself. */
export interface SharedFacts {
  /** 32 hexadecimal digits, of this catalogue alone: another one where it was made anew. */
  readonly identity: string;
  /** Where the files of its relative locations are: a URL or an absolute directory. */
  readonly root: string;
  /** Number of the last change; grows with every transaction that changed anything. */
  readonly sequence: number;
  /** Null until a dimension universe was written. */
  readonly universe: string | null;
}

/** What a transaction of a writer did. */
export interface WriteSummary {
  /** Records that were not there. */
  readonly added: number;
  /** Records that were there in another form. */
  readonly changed: number;
  /** Records that were there already. */
  readonly unchanged: number;
  readonly removed: number;
  /** {@link SharedFacts.sequence} after it. */
  readonly sequence: number;
}

/** A dataset in a collection, by its data ID. */
export interface DatasetName {
  readonly type: string;
  readonly collection: string;
  readonly dataId: Readonly<Record<string, string | number>>;
}

/** What to take out. */
export interface Removal {
  /** Datasets with their files and all their memberships. 32 hexadecimal digits, or in the usual form with dashes. */
  readonly datasets?: readonly string[];
  /** Of a RUN the dataset itself, of another collection only its membership. */
  readonly names?: readonly DatasetName[];
  /** Collections; a RUN with its datasets. One that a chain holds, which is not removed too, is refused (`invalid-value`). */
  readonly collections?: readonly string[];
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of records taken so far, every few thousand. */
  readonly onProgress?: ((records: number) => void) | undefined;
  /**
   * {@link SharedStructure.templates} to add. Rejects with `configuration`, showing both, where a type has another one.
   */
  readonly templates?: Readonly<Record<string, string>> | undefined;
}

export interface SharedCatalogue {
  readonly address: DatabaseAddress;
  facts(): Promise<SharedFacts>;
  /**
   * Stores records in one transaction: all of them or, where anything is wrong, none. Integer keys of collections and dataset types are the stream's own:
   * they are matched by name. Records that are there in the same form change nothing, and of a dataset
   * whose files are the same the time at which it was taken in stays. `whole-structure` removes nothing here, since other writers may have
   * collections of their own.
   *
   * Rejects with `invalid-value` for a text that cannot be stored (a NUL, half of a surrogate pair), and where a dataset would take a data ID that another one
   * has in the same RUN or TAGGED collection: the message shows both; `corrupt-repository` for records that refer to what is not there.
   */
  write(records: RecordStream<RepositoryChange>, options?: WriteOptions): Promise<WriteSummary>;
  /** One transaction. What is not there is no error. Rejects with `unknown-collection` for a collection that is not there, and the nearest. */
  remove(removal: Removal, options?: WriteOptions): Promise<WriteSummary>;
  /** The catalogue as of one instant: all of it, or what changed since a cursor. The caller closes it, soon: the server keeps the instant meanwhile. */
  reader(): Promise<RepositoryReader>;
  /** Names and types, for those who write by name. */
  structure(): Promise<SharedStructure>;
  /**
   * Calls `onChange` soon after each transaction that changed anything: at once where the server tells (PostgreSQL), else by looking every `interval`
   * milliseconds. Goes on when the connection is lost, and calls once when it is there again. Until `signal` fires.
   */
  watch(onChange: () => void, options: { readonly interval: number; readonly signal: AbortSignal }): void;
  /** Whether {@link watch} hears of changes without looking. */
  readonly isTold: boolean;
  /** Ends what is under way. Idempotent. */
  close(): Promise<void>;
}

/** The small part of a catalogue that names things. */
export interface SharedStructure {
  readonly universe: string | null;
  readonly identity: string;
  /** Paths with fields (docs/defining.md) of the datasets of types that were defined with one, by name of the type. */
  readonly templates: Readonly<Record<string, string>>;
  readonly types: readonly Extract<RepositoryRecord, { kind: 'dataset-type' }>[];
  readonly collections: readonly Extract<RepositoryRecord, { kind: 'collection' }>[];
}
