/**
 * The cache: verified objects on local disk.
 *
 * Invariants, which hold at every instant and across kill -9 and power loss:
 * 1. A file below `objects/` holds bytes that passed their check before it got that name, whole. It never changes afterwards. Where the power went before they were
 *    on the disk, they are checked again before they are served (`cache/unsynced.ts`).
 * 2. An object's name is its digest; the same content is stored once whoever asks for it.
 * 3. An object that any process has open through this contract is not evicted.
 * 4. One fetch runs for all who wait for the same content in a process; a waiter that gives up does not stop the others.
 */

export const DIGEST_ALGORITHMS = ['blake2b512', 'sha256', 'sha1', 'md5', 'xxh64'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hexadecimal, full length of the algorithm. */
  readonly hex: string;
}

/**
 * A part of a FITS file. Names of HDUs are in any case: EXTNAME (`NAME,VERSION` for a further one of a name), else EXTTYPE; `PRIMARY` is the first.
 * `hdu`: that HDU as a file of its own. `cutout`: the pixels x0 <= x < x1, y0 <= y < y1 of the array as it is stored, the first being 0, 0, of the HDU of that
 * name, or where it is null of the only image. `index`: the headers, as text for `sky/fits/index-text.ts`.
 */
export type FilePart =
  | { readonly kind: 'hdu'; readonly name: string }
  | {
      readonly kind: 'cutout';
      readonly name: string | null;
      readonly box: { readonly x0: number; readonly x1: number; readonly y0: number; readonly y1: number };
    }
  | { readonly kind: 'index' };

/** What is wanted, and what it must turn out to be. Plain data: it travels between threads. */
export interface ObjectRequest {
  /** The URL of the object without credentials; of the containing file where `member` is given. */
  readonly origin: string;
  /** Published digest of the content (of the member where `member` is given), where one is. Checked before a byte is served. */
  readonly digest?: Digest | undefined;
  /** Published size in bytes (of the member where `member` is given). A different size is `wrong-size`. */
  readonly size?: number | undefined;
  /** The name of a member of a zip archive at `origin`. */
  readonly member?: string | undefined;
  /**
   * Names the version where no digest is published: content is pinned to its first fetch under (origin, member, identity), and later
   * fetches must bring the same bytes. Datasets give their UUID, files outside the catalogue their validator.
   */
  readonly identity: string;
  /**
   * The part that is wanted of the FITS file that the rest of the request names. It is content by itself, without a published digest and size: `digest` and
   * `size` are absent, and what is published of the file stands in `whole`.
   */
  readonly part?: FilePart | undefined;
  readonly whole?: { readonly digest?: Digest | undefined; readonly size?: number | undefined } | undefined;
}

/**
 * Digests of every chunk of one file, as a signed manifest publishes them. With them each chunk is checked by itself, and a file need not be here as a whole
 * before its first byte is served.
 */
export interface ChunkDigests {
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes of every chunk but the last, a multiple of 4096. */
  readonly chunkSize: number;
  /** Of the whole file. */
  readonly whole: Digest;
  /** SHA-256 of chunk `index`, 32 bytes; 0 <= index < ceil(size / chunkSize). */
  digest(index: number): Uint8Array;
}

/** The digests of the file at `origin` (a URL without credentials), or undefined where none are published. Synchronous and quick. */
export type ChunkDigestLookup = (origin: string) => ChunkDigests | undefined;

/** Bytes of a chunk of a large file: the unit in which it is fetched, kept and checked. */
export const CHUNK_SIZE = 2 ** 20;

/**
 * A large file that is open before all of it is here. Its bytes come from one version of the origin (one validator) until it is closed.
 *
 * `present[i]` of its chunk map is 1 once chunk i lies in the file below `path`, checked against what is known of it: with chunk digests, that is the
 * published content; without, it is what the origin sent, whose whole is checked when all of it is here. A check that fails makes every later read fail.
 */
export interface PartialContent {
  readonly kind: 'partial';
  /** Names it among those that are open in this process. */
  readonly id: number;
  readonly size: number;
  readonly chunkSize: number;
  /** The sparse file that holds the chunks; readers open it for themselves. Null where the disk of the cache takes nothing: then all bytes come by reading. */
  readonly path: string | null;
  /** One byte for each chunk, shared between threads; see above. */
  readonly present: Uint8Array<SharedArrayBuffer>;
}

/** The whole is here, verified: {@link ObjectReader.openIfPresent} finds it. */
export interface WholeContent {
  readonly kind: 'whole';
}

/** An open, verified object. The caller owns `fd` and must give it to {@link ObjectReader.close} exactly once. */
export interface OpenObject {
  /** Read-only file descriptor; holds a shared flock(2) that keeps the object from eviction in every process. */
  readonly fd: number;
  readonly size: number;
  readonly digest: Digest;
}

/** The part of the cache that never waits: usable from any thread, synchronous, no network. */
export interface ObjectReader {
  /** The object if it is here, touched for the eviction order; otherwise undefined. Never throws for a damaged cache: that is a miss. */
  openIfPresent(request: ObjectRequest): OpenObject | undefined;
  /** Whether the object is here, without touching it. */
  isPresent(request: ObjectRequest): boolean;
  /** Opens the file of content that is read by chunk; undefined where it is no longer there: it was published, or evicted. For {@link close}. */
  openPartial(content: Pick<PartialContent, 'path'>): Pick<OpenObject, 'fd'> | undefined;
  /** The size that a first fetch pinned, for content whose published size is unknown. */
  pinnedSize(request: ObjectRequest): number | undefined;
  close(object: Pick<OpenObject, 'fd'>): void;
}

/** Counters since the cache was opened, and what is on disk. Sizes in bytes. */
export interface CacheStatistics {
  readonly directory: string;
  readonly objects: number;
  readonly bytes: number;
  readonly limit: number;
  /** Objects among them that are kept from eviction, and their bytes. */
  readonly kept: number;
  readonly keptBytes: number;
  /** Of what this mount brought, where it has a quota; else 0 and null. */
  readonly brought: number;
  readonly quota: number | null;
  /** Free on the disk, and what stays free; null where the disk does not answer. */
  readonly free: number | null;
  readonly floor: number | null;
  /** Damaged objects that were set aside and are still there to look at. */
  readonly quarantined: number;
  /** The scrub in the background; null where it is off. */
  readonly scrub: import('./scrub-schedule.js').ScrubStatus | null;
  /** Why the disk does not take content, while it does not: reads go past it. */
  readonly degraded: string | null;
  /** Asked for and not here. */
  readonly misses: number;
  readonly fetches: number;
  readonly fetchedBytes: number;
  readonly hits: number;
  readonly evictions: number;
  /** Content that failed its check, since the cache was opened. */
  readonly wrongDigest: number;
  readonly wrongSize: number;
  readonly failures: number;
  /** Fetches under way. */
  readonly inFlight: number;
}

export interface ObjectCache extends ObjectReader {
  /**
   * Brings the object here if it is not, checks it and publishes it. Resolves when {@link ObjectReader.openIfPresent} will find it.
   * Rejects with `wrong-digest`, `wrong-size`, `remote-*`, `cache-full`, `cache-failed`, or `interrupted` when `signal` aborts (only this
   * waiter; the fetch ends when its last waiter has left).
   */
  ensure(request: ObjectRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /**
   * Opens content for reading: small content, and content whose parts could not be checked, is brought here whole as by {@link ensure}; large content is
   * opened for reading by chunk. The caller gives a partial one to {@link closePartial} exactly once. Rejects as {@link ensure} does.
   */
  openContent(request: ObjectRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<WholeContent | PartialContent>;
  /**
   * Brings the chunks that hold these bytes here: resolves with undefined when `present` says so, or with the bytes themselves where the disk of the cache
   * does not take them. Rejects as {@link ensure} does.
   */
  readPartial(
    id: number,
    offset: number,
    length: number,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Uint8Array | undefined>;
  /** A reader came to this chunk, which was here already: what follows may be fetched ahead. */
  advance(id: number, chunk: number): void;
  closePartial(id: number): void;
  /** Bytes of a part of a file, from the file's headers: the part itself need not be here. Rejects as {@link ensure} does. */
  partSize(request: ObjectRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<number>;
  statistics(): CacheStatistics;
  /** Evicts least recently used objects until `bytes` is within the limit; returns how many went. */
  evict(limit?: number): Promise<number>;
  /** Stops fetches and closes. Idempotent. */
  close(): Promise<void>;
  close(object: Pick<OpenObject, 'fd'>): void;
}

/** Where the cache gets the bytes of an origin; assembled in mounts/ from proxy/ remotes. */
export type OriginOpener = (origin: string) => OriginObject;

/** One object at its origin, bound to the remote that has it. Throws ButlerfsError where the origin may not be read (`remote-forbidden`). */
export interface OriginObject {
  stat(options?: { readonly signal?: AbortSignal | undefined }): Promise<import('../proxy/contract.js').ObjectStat>;
  open(options?: import('../proxy/contract.js').ReadOptions): Promise<import('../proxy/contract.js').RemoteBody>;
}
