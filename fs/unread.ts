/** What the tree needs to know of a repository that is served before all of it was read. Given to it by mounts/. */

import type { DataNeed } from '../registry/contract.js';
import type { Waiting } from './contract.js';

export interface UnreadContent {
  /** Whether there may be data of a type in one of the collections that the catalogue has not. */
  mayHold(type: string, collections: readonly string[]): boolean;
  /** Whether what a question needs was read, and lately enough: then the catalogue has the answer. */
  isRead(need: DataNeed): boolean;
  /** Waits until it was read and the tree has the catalogue with it. */
  read(need: DataNeed): Waiting<unknown>;
}
