/** `@at/<time>`: the tree as it was at a time (docs/queries.md). */

import { ButlerfsError } from '../../common/errors.js';
import type { Catalogue } from '../../registry/contract.js';
import { decodeValue } from '../../registry/values.js';
import { parseMoment, TIME_FORMS } from '../../registry/moment.js';
import { asOf, type ViewRequest } from './view.js';

/** The name of the operator. */
export const AT = '@at';

/**
 * The request of the view below one component of a path, percent-encoded as values are. Throws `usage` (EINVAL), with the accepted forms, for what is no time, and
 * `unsupported` where the repository does not record when it took datasets in.
 */
export function atRequest({ info }: Catalogue, request: ViewRequest, component: string): ViewRequest {
  if (info.format === 'gen2') {
    throw new ButlerfsError('unsupported', {
      what: `'${AT}'`,
      where: info.repository,
      why: 'a Gen2 repository does not record when it took datasets in',
    });
  }
  const instant = parseMoment(decodeValue(component));
  if (instant !== undefined) return asOf(request, instant);
  throw new ButlerfsError('usage', { what: `'${component}' of ${AT}`, why: 'it is no time', advice: `write ${TIME_FORMS}` });
}
