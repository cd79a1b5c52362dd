/** Repositories that are served before all of them was read. */

import type { DataIdValue, DimensionName } from './contract.js';

/** What must have been read of a repository before its catalogue can answer a question. */
export type DataNeed =
  | {
      readonly kind: 'data';
      /** Name of a dataset type. */
      readonly type: string;
      /** The data IDs asked for: all with these values. With values of all its required dimensions it is one. */
      readonly dataId: Readonly<Record<DimensionName, DataIdValue>>;
      /** Names of the collections that are searched, the first first. */
      readonly collections: readonly string[];
    }
  /** All of it. */
  | { readonly kind: 'everything' };

/** What a catalogue may lack of its repository. Plain data: it travels to a thread. */
export interface Unread {
  /** Dataset types of which there may be more data, by the collection that they would be in. */
  readonly types: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds for which what was read is taken for what is there. */
  readonly trusted: number;
}
