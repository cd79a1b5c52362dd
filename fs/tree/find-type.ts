/** The dataset type that the first component of a path names. */

import { ButlerfsError } from '../../common/errors.js';
import { didYouMean, nearestNames } from '../../common/nearest.js';
import { familiesOf } from '../../registry/coadd-flavors.js';
import type { Catalogue, DatasetType } from '../../registry/contract.js';
import { decodeValue } from '../../registry/values.js';
import { SAMPLE } from './explain-text.js';
import type { View } from './view.js';

/** The type and component that the first component of a path names. Throws `unknown-dataset-type` with the nearest. */
export function findType(
  catalogue: Catalogue,
  view: View,
  name: string,
): { readonly type: DatasetType; readonly component: string | null } {
  const whole = catalogue.datasetType(name);
  if (whole !== undefined && view.shows(whole)) return { type: whole, component: null };
  const dot = name.lastIndexOf('.');
  const composite = dot > 0 ? catalogue.datasetType(name.slice(0, dot)) : undefined;
  if (composite !== undefined && view.shows(composite)) return { type: composite, component: decodeValue(name.slice(dot + 1)) };
  const names = view.types().map((type) => type.name);
  const families = /^coadd/i.test(name) ? familiesOf(catalogue, view.types(), view.flavors) : [];
  throw new ButlerfsError('unknown-dataset-type', {
    what: `dataset type '${name}'`,
    why: whole === undefined ? 'the repository has no such type' : whyNone(view),
    advice:
      didYouMean(nearestNames(name, [...names, ...families])) ??
      `types here: ${names.slice(0, SAMPLE).join(', ')}${names.length > SAMPLE ? ', ...' : ''}`,
  });
}

function whyNone({ where, ingested }: View): string {
  if (where !== undefined) return 'no dataset of it satisfies the expression';
  return `it has no stored datasets in the collections searched${ingested === undefined ? '' : ' at that time'}`;
}
