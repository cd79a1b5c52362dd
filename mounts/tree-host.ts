/**
 * What serves the tree of a repository to the kernel: a thread that speaks the kernel's protocol (reader-host.ts), or the main thread through libfuse
 * (libfuse-host.ts). The rest of a mount knows only this.
 */

import type { ObjectRequest, PartialContent, WholeContent } from '../cache/contract.js';
import type { ButlerfsError } from '../common/errors.js';
import type { DataIdValue, DataNeed, Unread } from '../registry/contract.js';
import type { FlavorNames, KeyAliases } from '../registry/open.js';
import type { KernelStatistics } from './contract.js';

/** What can be replaced while it is served. */
export type CatalogueFiles = Pick<TreeSettings, 'catalogueFile' | 'digestsFile' | 'unread'>;

/** What is served. */
export interface TreeSettings {
  readonly catalogueFile: string;
  /** Of a published source: nothing is served that these digests, or the catalogue, do not vouch for. */
  readonly digestsFile: string | undefined;
  /** Set where the catalogue lacks what was not read of the repository yet. */
  readonly unread?: Unread | undefined;
  readonly cacheDirectory: string;
  readonly verify: 'fetch' | 'open';
  /** URL of the repository's root, as its remote gives it. */
  readonly repositoryUrl: string;
  readonly collections: readonly string[];
  readonly calibrations?: Readonly<Record<string, readonly string[]>>;
  readonly defaults: Readonly<Record<string, DataIdValue>>;
  /** The user's, before those of the repository. */
  readonly aliases: KeyAliases;
  readonly flavors?: FlavorNames;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** What the tree may ask for. Each has a deadline of its own; its signal is aborted when nobody waits any more. */
export interface TreeServices {
  open(request: ObjectRequest, signal: AbortSignal): Promise<WholeContent | PartialContent>;
  readPartial(id: number, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  advance(id: number, chunk: number): void;
  closePartial(id: number): void;
  expect(requests: readonly ObjectRequest[]): void;
  /** Bytes of an object whose size is not published. */
  size(request: ObjectRequest, signal: AbortSignal): Promise<number>;
  /** Reads what a question needs; when it resolves the tree was told of the catalogue with it. */
  read(need: DataNeed, signal: AbortSignal): Promise<void>;
  status(): Promise<string>;
  onError(path: string, operation: string, error: ButlerfsError): void;
}

/** The view at the root, resolved. */
export interface ViewReady {
  /** Names of collections, first wins. */
  readonly searchPath: readonly string[];
  readonly defaults: Readonly<Record<string, DataIdValue>>;
}

export interface AttachSettings {
  readonly mountPoint: string;
  /** Shown as the device; without credentials. */
  readonly name: string;
  readonly allowOther: boolean;
  /** Milliseconds between looks at the origin; 0 for never. */
  readonly pollInterval: number;
}

export interface TreeHost {
  readonly transport: 'kernel' | 'libfuse';
  /** Resolves when the tree can be served; rejects where it cannot. */
  readonly ready: Promise<ViewReady>;
  /** Resolves when nothing is served any more, whoever ended it. */
  readonly ended: Promise<void>;
  readonly hasEnded: boolean;
  /** Mounts, read-only, and serves. Rejects with `mount-failed`, or `unsupported` where the transport cannot be used here. */
  attach(settings: AttachSettings): Promise<void>;
  statistics(): Promise<KernelStatistics>;
  /**
   * Resolves when the new catalogue is served and the kernel was told what changed, as far as it can be told. The tree is told at once: questions that are answered
   * afterwards find it there.
   */
  replaceCatalogue(files: CatalogueFiles): Promise<void>;
  /** The kernel shall forget listings for which directories were read too long ago, as far as it can be told. */
  expireUnread(): void;
  /** Content that is open by chunk turned out to be wrong: the kernel shall forget what it has of it, as far as it can be told. */
  brokenContent(id: number): void;
  /** Likewise of objects that were damaged on the disk, by their digests as `algorithm:hex`; and what is open for nobody any more is closed. */
  damagedContent(digests: readonly string[]): void;
  /** Unmounts lazily, and fails what still waits for a remote, so that nothing keeps the connection. Nothing where nothing is mounted. */
  detach(): Promise<void>;
  /** Ends serving, without unmounting where the mount is another's to see. Resolves when all is closed. */
  close(): Promise<void>;
}
