/** System calls that may take long (they wait for a disk), done elsewhere than on the thread that talks to the kernel. */

import type { Waiting } from './contract.js';

/** Descriptors are those of this process; whoever runs the errand closes them when it is over. Offsets and lengths in bytes. */
export type Errand =
  | { readonly call: 'fsync' | 'fdatasync' | 'syncfs'; readonly fd: number }
  /** Brings a part of a file into memory, so that it can be read without waiting. */
  | { readonly call: 'load'; readonly fd: number; readonly offset: number; readonly length: number }
  | { readonly call: 'fallocate'; readonly fd: number; readonly mode: number; readonly offset: number; readonly length: number }
  | {
      readonly call: 'copy_file_range';
      readonly fd: number;
      readonly offset: number;
      readonly to: number;
      readonly toOffset: number;
      readonly length: number;
    };

export interface Errands {
  /**
   * The call's result (bytes copied; else 0), or the SystemCallError of its errno. Giving up the wait does not stop the call: it ends by itself, with its
   * descriptors.
   */
  run(errand: Errand): Waiting<number>;
}
