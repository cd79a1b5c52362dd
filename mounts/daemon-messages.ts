/** What the command and the daemon that it started say to each other until the mount answers, over the inherited IPC channel. */

import type { SerializedError } from '../common/errors.js';
import type { MountOptions } from './contract.js';

/** To the daemon, once. */
export interface StartMessage {
  readonly options: MountOptions;
  readonly logFile: string;
}

/** From the daemon. `alive` is sent every second until `ready` or `failed`. */
export type DaemonMessage =
  | { readonly kind: 'alive' }
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'remark'; readonly line: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: SerializedError };
