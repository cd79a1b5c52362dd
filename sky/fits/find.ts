/** Which HDU of a file a name means. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import { type Hdu, isPlainImage } from './hdu.js';
import type { FitsIndex } from './scan.js';

/** Names that a message lists. */
const SAMPLE = 20;

/** What the HDU is called in paths: EXTNAME, else EXTTYPE, else `PRIMARY` of the first; the second of a name with its version. Undefined where it has none. */
export function namesOf({ hdus }: FitsIndex): (string | undefined)[] {
  const taken = new Set<string>();
  return hdus.map((hdu, index) => {
    const plain = hdu.name !== '' ? hdu.name : hdu.type !== '' ? hdu.type : index === 0 ? 'PRIMARY' : undefined;
    if (plain === undefined) return undefined;
    const name = taken.has(plain) ? `${plain},${hdu.version}` : plain;
    if (taken.has(name)) return undefined;
    taken.add(name);
    return name;
  });
}

/**
 * The HDU called `name`, whatever its case: by EXTNAME (the first of several; `NAME,VERSION` by EXTNAME and EXTVER), else by EXTTYPE, else, for `PRIMARY`, the
 * first. Throws `unknown-path` with the names that there are.
 */
export function findHdu(index: FitsIndex, name: string): Hdu {
  const wanted = name.toUpperCase();
  const { hdus } = index;
  const found =
    hdus.find((hdu) => hdu.name === wanted) ??
    hdus.find((hdu) => `${hdu.name},${hdu.version}` === wanted) ??
    hdus.find((hdu) => hdu.type === wanted) ??
    (wanted === 'PRIMARY' ? hdus[0] : undefined);
  if (found !== undefined) return found;
  const names = namesOf(index).filter((one) => one !== undefined);
  throw new ButlerfsError('unknown-path', {
    what: `HDU '${name}'`,
    why: `the file has ${names.slice(0, SAMPLE).join(', ')}${names.length > SAMPLE ? ' and others' : ''}`,
    advice: didYouMean(nearestNames(wanted, names)),
  });
}

/** The only HDU that holds an array of pixels. Throws `unsupported` where there are several, or none. */
export function onlyImage({ hdus }: FitsIndex): Hdu {
  const images = hdus.filter(isPlainImage);
  if (images.length === 1) return images[0]!;
  throw new ButlerfsError('unsupported', {
    what: 'a cut-out of a file',
    why: images.length === 0 ? 'no HDU of it holds an uncompressed image' : `${images.length} HDUs of it hold images`,
  });
}
