/** A repository being read: a stream of records, whatever it is read from, and what changed in it since. */

import type { CatalogueInfo, CollectionType, DataIdValue, DimensionName, StoredFile, Validity } from './contract.js';

/** What a reader yields, in this order of kinds. Keys are the reader's own integers. */
export type RepositoryRecord =
  | { readonly kind: 'universe'; readonly json: string }
  | { readonly kind: 'file'; readonly location: string; readonly size: number | null; readonly checksum: string | null }
  | {
      readonly kind: 'collection';
      readonly id: number;
      readonly name: string;
      readonly type: CollectionType;
      readonly doc: string | null;
    }
  | { readonly kind: 'chain'; readonly parent: number; readonly position: number; readonly child: number }
  | {
      readonly kind: 'dataset-type';
      readonly id: number;
      readonly name: string;
      readonly storageClass: string;
      readonly dimensions: readonly DimensionName[];
      readonly isCalibration: boolean;
    }
  | {
      readonly kind: 'dimension';
      readonly element: string;
      readonly fields: Readonly<Record<string, DataIdValue | bigint | null>>;
    }
  | {
      readonly kind: 'dataset';
      readonly uuid: string;
      readonly type: number;
      readonly run: number;
      readonly ingested: bigint | null;
      readonly files: readonly StoredFile[];
    }
  | {
      readonly kind: 'membership';
      readonly uuid: string;
      readonly type: number;
      readonly collection: number;
      readonly dataId: readonly DataIdValue[];
      readonly validity: Validity | null;
    };

/** What changed at a repository since it was read, in the order of the stream. What is there already in the same form changes nothing. */
export type RepositoryChange =
  | RepositoryRecord
  /**
   * The collections, chains and dataset types that follow are all there are: others are gone, with their memberships. Comes first where it comes at all;
   * without it collections and types that come are added.
   */
  | { readonly kind: 'whole-structure' }
  /** Also gone: the memberships and files of the dataset. */
  | { readonly kind: 'dataset-gone'; readonly uuid: string }
  /** `begin` names one of several certified ranges by where it begins; undefined: all that the collection has of the dataset. */
  | {
      readonly kind: 'membership-gone';
      readonly uuid: string;
      readonly type: number;
      readonly collection: number;
      readonly begin?: bigint | null;
    };

/** What a catalogue has of its repository, for readers that find what went by comparing. Keys are those of the reader. */
export interface KnownContent {
  /** How many datasets each RUN has. */
  datasetCounts(): ReadonlyMap<number, number>;
  /** How many files the datasets of each RUN have. */
  fileCounts(): ReadonlyMap<number, number>;
  /** Datasets of a RUN, or all, sorted by UUID, with the number of their files. */
  datasets(run?: number): IterableIterator<{ readonly uuid: string; readonly files: number }>;
  /** How many memberships each collection has of datasets of a type. */
  membershipCount(type: number, collection: number): number;
  /** Memberships that a collection has of datasets of a type, sorted by UUID. */
  memberships(type: number, collection: number): IterableIterator<Extract<RepositoryRecord, { readonly kind: 'membership' }>>;
}

/** Records of a repository: at once where they are on this host, else as they come. */
export type RecordStream<Kind = RepositoryRecord> = Iterable<Kind> | AsyncIterable<Kind>;

/**
 * A repository being read: a stream whose memory does not grow with its size. The consumer calls {@link close}.
 *
 * Errors of either stream: `corrupt-repository`, `unsupported-repository`, `remote-*` where it is read from a server, `interrupted`.
 */
export interface RepositoryReader {
  readonly format: CatalogueInfo['format'];
  /** {@link CatalogueInfo.defaultCollections}. */
  readonly defaultCollections?: readonly string[] | undefined;
  /** All of it, as of one instant. */
  records(): RecordStream;
  /** Where the stream that ended last ended: text for {@link changes} of a later reader. Null where there is no such place. */
  cursor(): string | null;
  /**
   * What came, changed and went since a cursor; undefined where that cannot be told, so that all must be read again. `known` is what the catalogue to be
   * changed has at each moment, so with the changes that were taken from the stream before.
   */
  changes(cursor: string, known: KnownContent): RecordStream<RepositoryChange> | undefined;
  /**
   * After {@link changes} ended: whether it misses nothing, so that where it gave nothing new nothing is new. Otherwise all is to be read again then, because
   * whoever asks has reason to.
   */
  readonly missesNothing?: boolean | undefined;
  /** Likewise: whether something was left for another reading of changes, which shall follow soon: what went, where to look for it takes long. */
  readonly isUnfinished?: boolean | undefined;
  close(): void | Promise<void>;
}

/** A reader of what is on this host, which never waits. */
export interface LocalReader extends RepositoryReader {
  records(): IterableIterator<RepositoryRecord>;
  changes(cursor: string, known: KnownContent): Iterable<RepositoryChange> | undefined;
  close(): void;
}
