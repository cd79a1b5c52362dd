/** What the thread that serves a directory and the main thread say to each other. */

import type { SerializedError } from '../../common/errors.js';
import type { Errand } from '../../fs/errands.js';
import type { DirectoryMountOptions, DirectoryStatistics } from './contract.js';

export interface DirectoryThreadSettings {
  readonly options: DirectoryMountOptions;
}

export type ToDirectoryThread =
  | { readonly kind: 'serve'; readonly device: number }
  | { readonly kind: 'done'; readonly token: number; readonly value: number }
  /** `errno`: positive. */
  | { readonly kind: 'failed'; readonly token: number; readonly errno: number }
  | { readonly kind: 'statistics'; readonly token: number }
  | { readonly kind: 'stop' };

export type FromDirectoryThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unusable'; readonly error: SerializedError }
  | { readonly kind: 'errand'; readonly token: number; readonly errand: Errand }
  | { readonly kind: 'statistics'; readonly token: number; readonly statistics: DirectoryStatistics }
  | { readonly kind: 'error'; readonly operation: string; readonly error: SerializedError };
