/** `@where/<expression>`: the tree restricted by an expression (docs/queries.md). */

import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import type { Catalogue } from '../../registry/contract.js';
import { decodeValue } from '../../registry/values.js';
import { restricted, type ViewRequest } from './view.js';

/**
 * The request of the view below one component of a path, percent-encoded as values are. Throws `usage` (EINVAL) for an expression that is none, or that no
 * dataset type of the repository can satisfy: whatever is wrong with it, it is reported, because nobody tries expressions by accident.
 */
export function whereRequest(catalogue: Catalogue, request: ViewRequest, component: string): ViewRequest {
  try {
    const where = decodeValue(component);
    catalogue.checkWhere({ where, aliases: request.aliases, flavors: request.flavors });
    return restricted(request, where);
  } catch (error) {
    const { detail } = asButlerfsError(error);
    throw new ButlerfsError('usage', { ...detail, cause: error });
  }
}
