/** A mount: how it is asked for, what it says of itself, how it ends. */

import type { CacheStatistics, ObjectRequest } from '../cache/contract.js';
import type { MirrorHealth } from '../proxy/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { FlavorNames, KeyAliases } from '../registry/open.js';
import type { TreeSettings } from './tree-host.js';
import type { TRANSPORTS } from './transports.js';

/** Options of `butlerfs mount`, checked and complete. Plain data: it travels to the daemon. */
export interface MountOptions {
  /** As given: a directory, an http(s) or ssh URL, or a name from the configuration file. */
  readonly source: string;
  /** Absolute path. */
  readonly mountPoint: string;
  /** Search path; empty: the repository's default, else every RUN. */
  readonly collections: readonly string[];
  /** Values for governor (or any) keys, by canonical name. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Collections that are searched for a dataset type in place of the search path, by its name. */
  readonly calibrations?: Readonly<Record<string, readonly string[]>>;
  /** Extra names for keys, from the configuration. */
  readonly aliases?: KeyAliases;
  /** Extra names for coadds, from the configuration. */
  readonly flavors?: FlavorNames;
  /** The key that the source must be published with: `ed25519:BASE64`. Nothing is shown then that was not signed. */
  readonly publicKey?: string;
  readonly cacheDirectory: string;
  /** Bytes. */
  readonly cacheLimit: number;
  /** Bytes that stay free on the disk of the cache; null: 5 % of it, at most 10 GiB. */
  readonly cacheFree: number | null;
  /** Bytes that this mount may bring into the cache; null: as much as there is room for. */
  readonly quota: number | null;
  /** Milliseconds in which every object of the cache is read again and checked; 0: never. */
  readonly scrub: number;
  /** Begin offline: only what is in the cache is read, and no origin is contacted. */
  readonly offline: boolean;
  /** Bytes up to which a file is fetched whole, and checked, before its first byte is served; larger ones are read by chunk. */
  readonly wholeSize: number;
  /** `fetch`: content is checked when it is fetched; `open`: also at every open. */
  readonly verify: 'fetch' | 'open';
  readonly allowOther: boolean;
  /** How to talk to the kernel: `auto` goes over to libfuse where the kernel's own protocol cannot be spoken. */
  readonly transport: (typeof TRANSPORTS)[number];
  /** Milliseconds within which an operation that needs a remote must bring something new, else it fails. */
  readonly deadline: number;
  /** Milliseconds after which one attempt without progress is given up. */
  readonly idleTimeout: number;
  /** Further places of the same repository: URLs, absolute directories. Default: those of the source in the configuration. */
  readonly mirrors?: readonly string[];
  /** Bytes a second that come over the network at most, all reads together; null: as quick as they come. */
  readonly rateLimit?: number | null;
  /** Absolute path of a PEM file with authorities that may vouch for servers, beside those known already. */
  readonly caFile?: string | null;
  /** Milliseconds between looks at the origin for new data; 0 never looks. */
  readonly pollInterval: number;
  /** Log level name of pino. */
  readonly logLevel: string;
}

/** A published state of a repository. */
export interface Publication {
  /** Names the repository wherever it is copied to: 32 hexadecimal digits. */
  readonly repository: string;
  /** Grows with every publication. */
  readonly serial: number;
  /** ISO 8601. */
  readonly time: string;
  /** Names the key that it is signed with. */
  readonly keyId: string;
}

/** What `butlerfs status --json` and `@status` show. */
export interface MountStatus {
  readonly source: string;
  readonly mountPoint: string;
  readonly transport: 'kernel' | 'libfuse';
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly mountedAt: number;
  /**
   * `ok`, `offline`, or with the reason `origin-unreachable` while the last look at the origin failed, `origin-untrusted` while what is published there is refused;
   * what was served before still is.
   */
  readonly state: 'ok' | 'offline' | 'origin-unreachable' | 'origin-untrusted';
  readonly problem?: string;
  readonly searchPath: readonly string[];
  readonly defaults: Readonly<Record<string, string>>;
  readonly catalogue: CatalogueInfo;
  /** Set while the repository is not read to its end: how far that is, and why it does not go on at the moment. */
  readonly walk?: { readonly progress: string; readonly problem?: string };
  /** What was left out of the catalogue: how much that was, and the first of it. */
  readonly warnings: { readonly count: number; readonly first: readonly string[] };
  /** What is served, where the source is trusted by a public key. */
  readonly publication?: Publication;
  /** How each URL of the repository is, where there are several. */
  readonly mirrors?: readonly MirrorHealth[];
  readonly cache: CacheStatistics;
  readonly kernel: KernelStatistics;
  /** Resident memory of the daemon: now and at its highest, bytes. */
  readonly memory: { readonly resident: number; readonly peak: number };
  /** Most recent errors, newest last, at most 20. */
  readonly errors: readonly { readonly at: number; readonly path: string; readonly message: string }[];
  readonly logFile: string | null;
}

/** What the side that talks to the kernel counts. */
export interface KernelStatistics {
  /** Version of the kernel's protocol; `libfuse` where libfuse speaks it. */
  readonly protocol: string;
  readonly passthrough: boolean;
  /** Requests by operation name. */
  readonly requests: Readonly<Record<string, number>>;
  /** Opens that found their object in the cache. */
  readonly cacheHits: number;
  /** Inodes the kernel knows. */
  readonly nodes: number;
  /** Files open, and operations that wait for a remote. */
  readonly open: number;
  readonly waiting: number;
}

/** A live mount, in the process that serves it. */
export interface Mounted {
  readonly options: MountOptions;
  status(): Promise<MountStatus>;
  /** Looks at the origin now and takes in what changed; resolves to the catalogue then served. */
  refresh(): Promise<CatalogueInfo>;
  /** Goes offline, or online again; resolves when it is so. */
  setOffline(isOffline: boolean): Promise<void>;
  /** What is served, for those who look at it beside the mount. */
  treeSettings(): TreeSettings;
  /** Brings content into the cache, as a reader would. Rejects as `ObjectCache.ensure` does. */
  fetch(request: ObjectRequest, signal: AbortSignal): Promise<void>;
  /** Objects of the cache (`algorithm:hex`) were damaged and set aside: what the kernel has of them is dropped. */
  damagedContent(digests: readonly string[]): void;
  /** Unmounts (lazily: open files stay readable until closed) and resolves when all is closed. Idempotent. */
  unmount(): Promise<void>;
  /** Resolves when the mount has ended, whoever ended it. */
  readonly ended: Promise<void>;
}
