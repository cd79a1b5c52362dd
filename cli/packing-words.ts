/** The words of `butlerfs pack` and `butlerfs unpack`. */

import type { PackerFlags } from './choose-packer.js';

/** The first word, where no packer is named and it is neither KEY=VALUE nor an integer. */
export function sourceOf([first]: readonly string[], { packer }: PackerFlags): string | undefined {
  if (packer !== undefined || first === undefined || /^-?\d+$/.test(first)) return undefined;
  // A path or a URL may hold a `=`, a key no slash.
  return /^[^/]*=/.test(first) ? undefined : first;
}
