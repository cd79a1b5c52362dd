/**
 * Dataset types that users define: where the files of a type are, and which data ID each has (docs/defining.md).
 *
 * A definition stands in `butlerfs.yaml` at a repository's root, or in the user's configuration. Both have the keys of file.ts.
 */

import type { DataIdValue, DimensionName } from '../contract.js';

/** One definition, as it was written. Plain data. */
export interface TypeDefinition {
  readonly name: string;
  /** What identifies a dataset, beside what these require. */
  readonly dimensions: readonly DimensionName[];
  /** Path with fields, `rerun/{rerun}/my/{visit:07d}-{detector:03d}.fits`; below `location`, where that is given. */
  readonly template: string;
  /** Name of a {@link NamedLocation} that the path begins with. */
  readonly location?: string | undefined;
  /** A key of {@link fileFormats}. */
  readonly format?: string | undefined;
  readonly storageClass?: string | undefined;
  /** RUN that the datasets are in, where the path does not name one. Gen3 only, as the following. */
  readonly collection?: string | undefined;
  /** Where paths begin: a directory below the repository, an absolute directory of this host, or an http(s) URL. Default: the repository. */
  readonly directory?: string | undefined;
  /** Values of required dimensions that the path does not give. */
  readonly defaults?: Readonly<Record<DimensionName, DataIdValue>> | undefined;
  /** Where it stands, for messages: `butlerfs.yaml:3`. */
  readonly where: string;
  /** Whether it is for whatever repository it fits: where it does not, it is passed over. */
  readonly isGeneral?: boolean | undefined;
}

/** A beginning of paths with a name: `coadd` is `deepCoadd-results/%(filter)s/%(tract)d/%(patch)s`. */
export interface NamedLocation {
  readonly name: string;
  readonly path: string;
  /** Where it stands, for messages. */
  readonly where: string;
}

/** What one file says. Of several the later one's locations come before the earlier one's. */
export interface DefinitionSet {
  readonly definitions: readonly TypeDefinition[];
  readonly locations: readonly NamedLocation[];
}

/** A definition of a Gen3 repository, ready to find files. Plain data: it travels to a thread. */
export interface DefinedType {
  readonly definition: TypeDefinition;
  /** The whole path with fields, relative to where it begins. */
  readonly path: string;
  readonly storageClass: string;
}

/** What was listed for definitions. */
export interface DefinedListing {
  /** As {@link TypeDefinition.directory}: undefined for the repository itself. */
  readonly directory: string | undefined;
  /** What locations begin with: '' for the repository, else an absolute URI without trailing slash. */
  readonly base: string;
  /** The SQLite file with what was listed. */
  readonly file: string;
}

/** What is read of definitions beside a registry. Plain data. */
export interface DefinedReading {
  readonly types: readonly DefinedType[];
  readonly listings: readonly DefinedListing[];
}
