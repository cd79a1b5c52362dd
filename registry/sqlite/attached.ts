/** Readers whose rows SQL takes over many at a time, from a database beside that of the catalogue. */

import type { DimensionGroup, LocalReader, RepositoryRecord, StoredFile } from '../contract.js';
import type { Database } from './driver.js';

/** A reader whose repository is an SQLite file. What is taken over is what {@link LocalReader.records} gives. */
export interface AttachableReader extends LocalReader {
  /**
   * Makes the repository a schema of the catalogue's connection, outside of a transaction; undefined where its rows are of a form that only
   * {@link LocalReader.records} understands. Nothing is written to it. The reader is closed after the connection.
   */
  attach(database: Database): AttachedRepository | undefined;
}

/** What there is to be taken over. All of it is read in one transaction of the caller. */
export interface AttachedRepository {
  /** Records that come before those of dimensions. */
  structure(): readonly RepositoryRecord[];
  /** Elements with at least one record: a query of its fields, in their order. */
  dimensions(): readonly { readonly element: string; readonly fields: readonly string[]; readonly select: string }[];
  /**
   * Key, UUID (16 bytes), type, run, time, shape, stored location, size, checksum (64 bytes) of each dataset whose number lies between two parameters. A value that
   * is null where it may not be stands for a row that SQL does not understand: all must be read as records then. Shape and the facts of files as in the schema of the
   * catalogue; files of shape `SEVERAL` are asked for one by one.
   */
  datasets(): NumberedQuery;
  /** A query of the UUID (16 bytes) and key of every dataset, in the order of UUIDs. */
  uuids(): string;
  /** How many files there are records of. Where it is the number of datasets that came with a file, there are no {@link composites}. */
  fileRecords(): number;
  /** A query of the keys of further datasets whose files must be asked for. */
  composites(): string;
  /** Files of a dataset, by its UUID. */
  files(uuid: string): readonly StoredFile[];
  /** One for each table of memberships. */
  memberships(): readonly AttachedMemberships[];
  /** As {@link LocalReader.cursor}. */
  cursor(): string;
}

export interface NumberedQuery {
  readonly select: string;
  /**
   * The same for rows whose number in another table differs from their own by so much as the first parameter says: several times quicker. A row that is elsewhere
   * there breaks a constraint.
   */
  readonly aligned: string;
  /** A query of that difference, null where there is none, for the first row from the number on that is its parameter. */
  readonly difference: string;
  /** Numbers of the first and the last row. */
  readonly first: number;
  readonly last: number;
}

export interface AttachedMemberships {
  /** Keys of the dataset types that may occur. */
  readonly types: readonly number[];
  readonly group: DimensionGroup;
  /** Whether they are certified for ranges of time. */
  readonly certified: boolean;
  /** SQL: numbered rows `t`, joined with datasets `d`. */
  readonly from: string;
  /** The same, and {@link NumberedQuery.difference}, as in {@link NumberedQuery.aligned}: then {@link columns} has a type only where `d` is the dataset. */
  readonly aligned: string;
  readonly difference: string;
  /** Which of them count. */
  readonly condition: string;
  readonly first: number;
  readonly last: number;
  /** Expressions over `t` and `d`; those of the bounds are null where there is none. */
  readonly columns: {
    readonly number: string;
    /** The key of `d`; to be worked out once for each row, and not where rows are aligned. */
    readonly key: string;
    /** The same as {@link key}, as often as wanted. */
    readonly dataset: string;
    readonly type: string;
    readonly collection: string;
    readonly run: string;
    readonly dataId: readonly string[];
    readonly begin: string;
    readonly end: string;
  };
}

/** Whether a reader has that form. */
export function isAttachable(reader: LocalReader | object): reader is AttachableReader {
  return 'attach' in reader;
}
