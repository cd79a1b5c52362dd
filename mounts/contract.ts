/** A mount: how it is asked for, what it says of itself, how it ends. */

import type { CacheStatistics } from '../cache/contract.js';
import type { CatalogueInfo } from '../registry/contract.js';
import type { TRANSPORTS } from './transports.js';

/** Options of `butlerfs mount`, checked and complete. Plain data: it travels to the daemon. */
export interface MountOptions {
  /** As given: a directory, an http(s) URL, or a name from the configuration file. */
  readonly source: string;
  /** Absolute path. */
  readonly mountPoint: string;
  /** Search path; empty: the repository's default, else every RUN. */
  readonly collections: readonly string[];
  /** Values for governor (or any) keys, by canonical name. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Extra names for dimensions, from the configuration: alias -> canonical name. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly cacheDirectory: string;
  /** Bytes. */
  readonly cacheLimit: number;
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
  /** Milliseconds between looks at the origin for new data; 0 never looks. */
  readonly pollInterval: number;
  /** Log level name of pino. */
  readonly logLevel: string;
}

/** What `butlerfs status --json` and `@status` show. */
export interface MountStatus {
  readonly source: string;
  readonly mountPoint: string;
  readonly transport: 'kernel' | 'libfuse';
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly mountedAt: number;
  /** `ok`, or `origin-unreachable` with the reason while the last look at the origin failed. */
  readonly state: 'ok' | 'origin-unreachable';
  readonly problem?: string;
  readonly searchPath: readonly string[];
  readonly defaults: Readonly<Record<string, string>>;
  readonly catalogue: CatalogueInfo;
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
  /** Unmounts (lazily: open files stay readable until closed) and resolves when all is closed. Idempotent. */
  unmount(): Promise<void>;
  /** Resolves when the mount has ended, whoever ended it. */
  readonly ended: Promise<void>;
}
