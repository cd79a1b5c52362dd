/** What the thread that talks to the kernel and the main thread, which talks to remotes, say to each other. */

import type { ObjectRequest } from '../cache/contract.js';
import type { SerializedError } from '../common/errors.js';
import type { DataNeed } from '../registry/contract.js';
import type { KernelStatistics } from './contract.js';
import type { KernelThreadData } from './kernel-thread.js';
import type { CatalogueFiles, TreeSettings, ViewReady } from './tree-host.js';

/** What the reader thread is started with. */
export type ReaderSettings = TreeSettings & KernelThreadData;

/** To the reader thread. `token` is that of the question answered. */
export type ToReader =
  | { readonly kind: 'serve'; readonly device: number }
  | { readonly kind: 'settled'; readonly token: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly token: number; readonly error: SerializedError }
  | { readonly kind: 'catalogue'; readonly files: CatalogueFiles }
  /** Content that is open by chunk turned out to be wrong. */
  | { readonly kind: 'broken'; readonly id: number }
  /** Objects that were damaged on the disk and are set aside, as `algorithm:hex`. */
  | { readonly kind: 'damaged'; readonly digests: readonly string[] }
  | { readonly kind: 'statistics'; readonly token: number }
  /** Listings for which directories were read too long ago are forgotten. */
  | { readonly kind: 'expire' }
  | { readonly kind: 'stop' };

/** From the reader thread. */
export type FromReader =
  | ({ readonly kind: 'ready' } & ViewReady)
  | { readonly kind: 'unusable'; readonly error: SerializedError }
  | { readonly kind: 'open' | 'size'; readonly token: number; readonly request: ObjectRequest }
  | { readonly kind: 'read'; readonly token: number; readonly id: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'advance'; readonly id: number; readonly chunk: number }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'expect'; readonly requests: readonly ObjectRequest[] }
  | { readonly kind: 'need'; readonly token: number; readonly need: DataNeed }
  | { readonly kind: 'status'; readonly token: number }
  /** Bring a part of a file of the cache into memory. The descriptor is for this alone, and closed afterwards. */
  | { readonly kind: 'load'; readonly token: number; readonly fd: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'abort'; readonly token: number }
  | { readonly kind: 'statistics'; readonly token: number; readonly statistics: KernelStatistics }
  | { readonly kind: 'error'; readonly path: string; readonly operation: string; readonly error: SerializedError }
  /** `isUpdate`: of a catalogue that was replaced. */
  | { readonly kind: 'invalidate'; readonly frames: readonly Uint8Array[]; readonly isUpdate?: boolean }
  | { readonly kind: 'ended' };
