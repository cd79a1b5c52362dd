/** Kinds of repositories: how each is recognised at an origin, how it tells that it changed, and what of it is brought here to be read. */

import type { Remote } from '../../proxy/contract.js';
import type { Catalogue, CatalogueInfo, DataNeed, RepositoryNames, RepositoryReader, Unread } from '../../registry/contract.js';
import type { ShownType } from '../../registry/open.js';
import type { DefinitionSet, NamedLocation, TypeDefinition } from '../../registry/definitions/contract.js';
import type { Reading } from '../../registry/reading.js';
import type { SharedOrigin } from '../shared-origin.js';

/** Where a repository is looked for. */
export interface RepositoryOrigin {
  readonly remote: Remote;
  /** Set where it is a directory of this host. */
  readonly directory: string | undefined;
  /** Set where a database server keeps the catalogue; the remote has only its files then. */
  readonly catalogue?: SharedOrigin | undefined;
  /** A file of this host that says where the files of a Gen2 repository are, beside what the repository says. */
  readonly templateFile?: string | undefined;
  /** Dataset types that the user defines for it, as of now. Rejects with `configuration`. */
  readonly userDefinitions?: (() => Promise<DefinitionSet>) | undefined;
}

/** A repository as one look at its origin found it. */
export interface FoundRepository {
  /** Hex digest of what says where everything is (butler.yaml, the templates of its files). */
  readonly configurationDigest: string;
  /** Another one where the content is another; null where the origin offers nothing that tells. */
  readonly validator: string | null;
  /** Whether content may change without the validator: then whoever wants to be sure has it read again. Default: no. */
  readonly mayChangeUnseen?: boolean;
  /** Text of its `butlerfs.yaml`, where finding it read that; null where it has none. */
  readonly ownText?: string | null;
  /** What it calls keys and coadds. */
  readonly names?: RepositoryNames;
  /** Where its files are, where the repository itself says so. */
  readonly root?: string;
  /** Brings here what is to be read. */
  prepare(preparation: Preparation): Promise<PreparedRepository>;
  /**
   * Brings here what it takes to serve the repository before all of it was read; undefined where reading it takes no time. `copies`: those of the version that is
   * gone on with, which are not brought again.
   */
  readonly grow?: ((preparation: Preparation, copies?: Readonly<Record<string, string>>) => Promise<GrowingRepository>) | undefined;
  /**
   * Which dataset types there are, and where each comes from. `openCatalogue` opens the catalogue of what is there now, where it is needed; the caller closes it. Undefined
   * where nothing can be defined. Rejects as {@link prepare}.
   */
  readonly knownTypes?: ((openCatalogue: () => Promise<Catalogue>) => Promise<KnownTypes>) | undefined;
}

/** Dataset types that a repository has, for those who define another one. */
export interface KnownTypes {
  readonly types: readonly ShownType[];
  readonly locations: readonly NamedLocation[];
  /** Whether the same type is there already. Throws `configuration` for a definition that does not fit, or clashes with another type. */
  check(definition: TypeDefinition): boolean;
}

/** A repository of which parts are read as they are asked for. {@link PreparedRepository.reading} reads what was found so far. Whoever gets it closes it. */
export interface GrowingRepository extends PreparedRepository {
  readonly types: Unread['types'];
  /**
   * Reads what the catalogue needs for an answer. `since`: milliseconds since 1970; what was read later is taken for what is there. Undefined where nothing was
   * found that the catalogue has not. Rejects with `remote-*` or `interrupted`; what was read until then is kept.
   */
  search(
    need: Extract<DataNeed, { kind: 'data' }>,
    catalogue: Catalogue,
    options: { readonly since: number; readonly signal: AbortSignal },
  ): Promise<Finding | undefined>;
  close(): void;
}

/** What a search found. */
export interface Finding {
  /** Reads it, for the catalogue as it is when it is updated. */
  reader(catalogue: Catalogue, onWarning: (message: string) => void): RepositoryReader;
  /** The catalogue has it: it is not found again as long as it stays as it is. */
  taken(): void;
}

export interface Preparation {
  /** The origin with the patience of a transfer. */
  readonly origin: RepositoryOrigin;
  /** Names a file to make, which lives as long as the version does: `file('registry', 'sqlite3')`. */
  readonly file: (what: string, extension: string) => string;
  /** Names a file that outlives versions, which one process at a time makes them from. `what` holds letters only. */
  readonly kept: (what: string, extension: string) => string;
  readonly signal: AbortSignal;
  /** Told what is being done, as a line that the next one replaces. */
  readonly onProgress: (line: string) => void;
}

export interface PreparedRepository {
  readonly reading: Reading;
  /** That of what was brought, which may be newer than what was found. */
  readonly validator: string | null;
  /** What was brought, by its location in the repository: readers of these files get the copy, which is what the catalogue was made from. */
  readonly copies: Readonly<Record<string, string>>;
}

export interface RepositoryFormat {
  readonly name: CatalogueInfo['format'];
  /**
   * Looks for a repository of this kind; undefined where the origin has none.
   *
   * @throws ButlerfsError `not-a-repository` where something else stands under its names, `unsupported-repository`, `corrupt-repository`, `remote-*`,
   *   `interrupted`.
   */
  find(origin: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository | undefined>;
}

/** The repository in messages: a URL without secrets, or an absolute directory. */
export function displayName({ catalogue, directory, remote }: RepositoryOrigin): string {
  return catalogue?.url ?? directory ?? remote.url;
}
