/**
 * The catalogue: what the tree, the queries and the command line know of a repository.
 *
 * A reader (`registry/readers/`) turns a repository into a stream of {@link RepositoryRecord}; a {@link CatalogueWriter} stores the stream in
 * one schema; a {@link Catalogue} answers from it. Reading is synchronous and local: it never waits for a remote.
 */

import type { KeyAliases } from './aliases.js';
import type { FlavorNames } from './coadd-flavors.js';
import type { RepositoryNames } from './names.js';

/** Value of one dimension. Integers are exact: dimension values of every known universe lie below 2^53. */
export type DataIdValue = number | string;

export type DimensionName = string;

/** One dimension of the universe (an element with a primary key of its own, or a sky pixelisation level). */
export interface Dimension {
  readonly name: DimensionName;
  /** Type of its value in a data ID. */
  readonly type: 'int' | 'string';
  /** `instrument` and `skymap`: dimensions that others need and that a mount may have a default for. */
  readonly isGovernor: boolean;
  /** htm0..htm24, healpix0..healpix17 and the like. */
  readonly isSkypix: boolean;
  /** Dimensions whose values identify one of these, this one included, in the universe's order. */
  readonly required: readonly DimensionName[];
  /** Dimensions that a record of this one determines (band of a physical_filter), direct ones only. */
  readonly implied: readonly DimensionName[];
}

/** A closed set of dimensions: what identifies a dataset of some type. Immutable; one instance per set and universe. */
export interface DimensionGroup {
  /** In path order (docs/paths.md, rule 2): instrument, skymap, tract, patch, day_obs, exposure, visit, detector, skypix, physical_filter, band, others. */
  readonly required: readonly DimensionName[];
  /** Determined by the required ones, transitively; in the same order. */
  readonly implied: readonly DimensionName[];
}

/** The dimensions of one repository, read from its own configuration. */
export interface DimensionUniverse {
  readonly version: number;
  readonly namespace: string;
  /** The JSON text it was read from, for storing. */
  readonly json: string;
  /** Every dimension but the sky pixelisations, in the universe's order. */
  readonly names: readonly DimensionName[];
  /** The common sky pixelisation (`htm7`). */
  readonly commonSkypix: DimensionName;
  /** Undefined for a name that is none; sky pixelisation levels are known on demand. */
  dimension(name: DimensionName): Dimension | undefined;
  /** The group that the named dimensions span: everything they require, and what that implies. Throws `unknown-dimension`. */
  group(names: Iterable<DimensionName>): DimensionGroup;
  /** Sorts names into path order. */
  pathOrder(names: Iterable<DimensionName>): DimensionName[];
}

export interface DatasetType {
  /** Key within this catalogue. */
  readonly id: number;
  readonly name: string;
  readonly storageClass: string;
  readonly dimensions: DimensionGroup;
  /** Whether datasets of it may be certified for ranges of time. */
  readonly isCalibration: boolean;
}

export type CollectionType = 'RUN' | 'TAGGED' | 'CHAINED' | 'CALIBRATION';

export interface Collection {
  readonly id: number;
  readonly name: string;
  readonly type: CollectionType;
  readonly doc: string | null;
  /** Names in search order; empty but for CHAINED. */
  readonly children: readonly string[];
}

/** Collections to search, chains flattened, first wins. Immutable. */
export interface SearchPath {
  /** As asked for. */
  readonly names: readonly string[];
  /** RUN, TAGGED and CALIBRATION collections, each once, in search order. */
  readonly collections: readonly Collection[];
}

/** Half-open range of nanoseconds since 1970-01-01 TAI; null is unbounded. */
export interface Validity {
  readonly begin: bigint | null;
  readonly end: bigint | null;
}

/** One file of a stored dataset. */
export interface StoredFile {
  /** Null for a dataset stored whole, else the component that this file holds. */
  readonly component: string | null;
  /**
   * Where it is: a path relative to the repository's root, decoded, or an absolute URI (`https://...`, `file:///...`).
   * Several datasets may share one.
   */
  readonly location: string;
  /** The member's name where the file at `location` is a zip archive that holds this one among others. */
  readonly member: string | null;
  /** Bytes, of the member where there is one; null where the repository does not say. */
  readonly size: number | null;
  /** BLAKE2b-512 in lower-case hex, of the member where there is one; null where the repository does not say. */
  readonly checksum: string | null;
  /** With the dot, in lower case, `.fits.gz` kept together; empty where there is none. Of the member where there is one. */
  readonly extension: string;
}

/** A dataset as a directory listing needs it. */
export interface DatasetRow {
  /** Key within this catalogue; for {@link Catalogue.dataset}. */
  readonly key: number;
  /** Values of `type.dimensions.required`, in that order. */
  readonly values: readonly DataIdValue[];
  /** The collection of the search path that it was found in. */
  readonly collection: Collection;
  /** Set where it was found in a CALIBRATION collection. */
  readonly validity: Validity | null;
  /** Never empty, sorted by component. */
  readonly files: readonly StoredFile[];
  /** Nanoseconds since 1970-01-01 TAI at which the repository took it in; null where unknown. */
  readonly ingested: bigint | null;
  /** 32 lower-case hex digits, without dashes. */
  readonly uuid: string;
}

/** All that is known of one dataset. */
export interface DatasetRecord extends DatasetRow {
  readonly type: DatasetType;
  /** Name of its RUN. */
  readonly run: string;
  /** Values of `type.dimensions.implied`, in that order; null where no dimension record says. */
  readonly implied: readonly (DataIdValue | null)[];
}

/** A partial data ID: required or implied dimensions of the dataset type with their values. */
export type Constraint = ReadonlyMap<DimensionName, DataIdValue>;

export interface DirectoryQuery extends WhereFilter {
  readonly type: DatasetType;
  readonly searchPath: SearchPath;
  readonly constraint: Constraint;
  /** Required dimensions not in the constraint, in the order the directory levels shall have. */
  readonly keys: readonly DimensionName[];
  /** Above this many datasets only the values of `keys[0]` are given. Not looked at where `keys` is empty or `window` is given. */
  readonly rowLimit: number;
  /** Only datasets whose value of `keys[0]` lies from `first` to `last`, both included, in the order of listings: a part of a long directory. */
  readonly window?: { readonly first: DataIdValue; readonly last: DataIdValue };
}

/**
 * What a directory holds.
 * `rows`: every dataset below it, find-first resolved (of one data ID only datasets of the first collection that has it, which are several only
 * for a CALIBRATION collection), sorted by `keys` in turn, integers as numbers, then by validity.
 * `values`: too many for that; the distinct values of `keys[0]`, sorted.
 */
export type DirectoryAnswer =
  { readonly kind: 'rows'; readonly rows: readonly DatasetRow[] } | { readonly kind: 'values'; readonly values: readonly DataIdValue[] };

/** When a repository took datasets in: nanoseconds since 1970-01-01 TAI, both ends included. */
export interface IngestRange {
  readonly from?: bigint | undefined;
  readonly until?: bigint | undefined;
}

/** An expression (docs/queries.md) that data IDs must satisfy, and when datasets were taken in. */
export interface WhereFilter {
  readonly where?: string | undefined;
  /** Of one data ID the first collection counts that has a dataset of that time. Datasets of which the repository does not say when are left out. Undefined: all. */
  readonly ingested?: IngestRange | undefined;
  /** Milliseconds that the catalogue may take to answer, where others wait for it meanwhile: then it throws `timed-out`. Undefined: as long as it takes. */
  readonly patience?: number | undefined;
  /** The user's further names of keys in it, before those of the repository. */
  readonly aliases?: KeyAliases | undefined;
  /** Likewise of flavours. */
  readonly flavors?: FlavorNames | undefined;
}

/** Data IDs that dimension records define (docs/queries.md), data or not. */
export interface DataIdQuery extends WhereFilter {
  /** Dimensions of the data IDs, with all that they require. */
  readonly dimensions: readonly DimensionName[];
  /** Only the records of this one element are looked at. */
  readonly element?: string;
  /** Of required or implied dimensions. */
  readonly constraint: Constraint;
  /** What is asked for: each combination of values of these dimensions comes once, sorted by them in turn. */
  readonly keys: readonly DimensionName[];
  /** Only data IDs for which the search path has no stored dataset of the type (`ingested` says which count). */
  readonly lacking?: { readonly type: DatasetType; readonly searchPath: SearchPath };
  readonly limit?: number;
}

/** Which dataset is valid for a data ID at a time. */
export interface CalibrationQuery {
  readonly type: DatasetType;
  readonly searchPath: SearchPath;
  /** Has the required dimensions of the type, or has them implied by dimension records: an exposure has a physical_filter. */
  readonly dataId: Constraint;
  /**
   * The time that it shall be valid in, at least for a part. Undefined: when the exposure of the data ID was taken, else its visit. Null, or where no record
   * says when: what is certified for ranges of time is not looked at.
   */
  readonly time?: Validity | null;
  /** As in {@link WhereFilter}. */
  readonly ingested?: IngestRange | undefined;
}

/** Facts of the catalogue as a whole. */
export interface CatalogueInfo {
  /** Grows by one with every change of content. */
  readonly version: number;
  /** Display form of the repository: URL or absolute directory. */
  readonly repository: string;
  /** Kind of repository that was read. */
  readonly format: 'gen3' | 'gen2' | 'native';
  /** Validator of the registry it was read from; null where the origin gives none. */
  readonly validator: string | null;
  /** Milliseconds since 1970 at which it was read. */
  readonly readAt: number;
  readonly datasets: number;
  /** Datasets known to the registry without any stored file. */
  readonly unstored: number;
  readonly universe: { readonly version: number; readonly namespace: string };
  /** Names that are searched where none are given; without it every RUN. */
  readonly defaultCollections?: readonly string[] | undefined;
  /** What the repository itself calls keys and coadds, beside their own names. */
  readonly names?: RepositoryNames | undefined;
}

/** Entry of one directory of the repository's own layout. */
export interface RepositoryEntry {
  readonly name: string;
  /** Undefined for a directory. */
  readonly file?: { readonly location: string; readonly size: number | null; readonly checksum: string | null };
}

/** What updates touched: never less than what changed, and little more. */
export interface Touched {
  /** Whether collections, chains or dataset types came, went or changed. */
  readonly structure: boolean;
  /** Whether records of dimensions came or changed: what an expression selects may be other data, also where no dataset was touched. */
  readonly records: boolean;
  /** By name, also of types that went. */
  readonly types: ReadonlyMap<string, TouchedType>;
}

/** Datasets of one type that were touched. */
export interface TouchedType {
  /** Values of the required dimensions, in their order; undefined: any. */
  readonly dataIds: readonly (readonly DataIdValue[])[] | undefined;
  /** Names of the collections with which they came, changed or went. */
  readonly collections: ReadonlySet<string>;
}

export interface Catalogue {
  readonly info: CatalogueInfo;
  readonly universe: DimensionUniverse;
  /** Sorted by name. */
  datasetTypes(): readonly DatasetType[];
  datasetType(name: string): DatasetType | undefined;
  /** Sorted by name. */
  collections(): readonly Collection[];
  /**
   * Flattens chains (nested; negative positions in order), refuses cycles (`corrupt-repository`) and unknown names (`unknown-collection`, with the
   * nearest). Without names: {@link CatalogueInfo.defaultCollections}, else every RUN, in order of name.
   */
  searchPath(names?: readonly string[]): SearchPath;
  /** Dataset types with at least one stored dataset on the search path, sorted by name. */
  typesOn(searchPath: SearchPath): readonly DatasetType[];
  /** Distinct values of a governor on the search path, at most `limit`, sorted. One indexed look-up, no scan of datasets. */
  governorValues(searchPath: SearchPath, governor: DimensionName, limit: number): readonly string[];
  /** One directory in one indexed query. An empty answer means that nothing matches. */
  directory(query: DirectoryQuery): DirectoryAnswer;
  /** The dataset with this key, as found in a RUN (no validity). */
  dataset(key: number): DatasetRecord | undefined;
  datasetByUuid(uuid: string): DatasetRecord | undefined;
  /** Every dataset that matches, find-first resolved, streamed in path order. `where` is an expression (docs/queries.md). */
  query(
    query: WhereFilter & {
      readonly type: DatasetType;
      readonly searchPath: SearchPath;
      readonly constraint: Constraint;
    },
  ): IterableIterator<DatasetRecord>;
  /**
   * Checks an expression against a dataset type, or without one against the universe and its records. Throws what {@link query} throws: `usage` for what is no
   * expression, `unknown-dimension`, `invalid-value`, `unsupported`.
   */
  checkWhere(filter: WhereFilter, type?: DatasetType): void;
  /** Streamed. Throws `unsupported` for dimensions without records, and as {@link query}. */
  dataIds(query: DataIdQuery): IterableIterator<readonly DataIdValue[]>;
  /**
   * Elements of the universe that have records, or whose values others' records name (`band`), in its order, with the dimensions that identify one, in path
   * order.
   */
  recordElements(): readonly { readonly name: string; readonly required: readonly DimensionName[] }[];
  /**
   * The dataset of the first collection that has one for the data ID: in a RUN or a TAGGED collection any, in a CALIBRATION collection one that is certified for
   * the time. Throws `ambiguous`, naming the ranges, where several are, and `unknown-value`, naming the nearest ranges, where no collection has one, or naming the
   * key, where the data ID does not say enough.
   */
  calibration(query: CalibrationQuery): DatasetRow;
  /** Whether the registry knows such a dataset without any stored file: for explanations. */
  isRegisteredOnly(query: { readonly type: DatasetType; readonly searchPath: SearchPath; readonly constraint: Constraint }): boolean;
  /** Values of a dimension that exist under the constraint, from datasets on the search path or, without one, from dimension records. At most `limit`. */
  dimensionValues(dimension: DimensionName, limit: number, constraint?: Constraint): readonly DataIdValue[];
  /** The record of one dimension element as stored, or undefined: `record('skymap', { skymap: 'x' })?.patch_nx_max`. */
  record(element: string, dataId: Readonly<Record<DimensionName, DataIdValue>>): Readonly<Record<string, DataIdValue | null>> | undefined;
  /**
   * Physical layout: entries of one directory of the repository's own files, sorted by name; undefined where no such directory is known.
   * `path` has no leading or trailing slash; '' is the root. Absolute locations are not listed.
   */
  repositoryDirectory(path: string): readonly RepositoryEntry[] | undefined;
  repositoryFile(path: string): RepositoryEntry['file'];
  /**
   * Every distinct file, streamed: also those at absolute locations, archives once however many members are recorded, and the repository's own. Sorted by
   * location, absolute ones first. While it runs this catalogue must not be closed.
   */
  files(): IterableIterator<NonNullable<RepositoryEntry['file']>>;
  /** Sum of the known sizes of distinct files, and their number: for statfs. */
  totals(): { readonly files: number; readonly bytes: number };
  /**
   * Another text where the datasets of this type, or their membership in any collection, are others; the same one only in catalogues that came from each other
   * by updates in place and copies.
   */
  fingerprint(type: DatasetType): string;
  /**
   * What was touched in this catalogue since it had a version (of {@link CatalogueInfo}); undefined where that is not known, as of a catalogue that was built
   * anew since, so that anything may have been touched.
   */
  touchedSince?(version: number): Touched | undefined;
  close(): void;
}

export type { RepositoryNames };
export type * from './reader-contract.js';
export type * from './unread-contract.js';
