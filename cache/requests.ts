/** Requests for content: what they are called, which are the same, and which are none. */

import { ButlerfsError } from '../common/errors.js';
import type { ObjectRequest } from './contract.js';
import { formatDigest, isDigest } from './digest.js';
import { partName, partSchema, wholeOf } from './fits/request.js';
import { pinName } from './layout.js';

/** For messages. */
export function nameOf({ origin, member, part }: ObjectRequest): string {
  const file = member === undefined ? origin : `member '${member}' of ${origin}`;
  return part === undefined ? file : `${partName(part)} of ${file}`;
}

/** The same for requests that the same fetch can satisfy. */
export function keyOf(request: ObjectRequest): string {
  const { digest, size } = request;
  return `${digest === undefined ? pinName(request) : formatDigest(digest)} ${size ?? ''}`;
}

/** A registry may hold anything; what becomes part of a path is checked. Throws `corrupt-repository`, or `invalid-value` for a part. */
export function checkRequest(request: ObjectRequest): void {
  if (request.part !== undefined) {
    if (!partSchema.safeParse(request.part).success)
      throw new ButlerfsError('invalid-value', { what: `a part of ${request.origin}`, why: 'it names no HDU, or no pixels' });
    checkRequest(wholeOf(request));
  }
  const { digest, size } = request;
  if (digest !== undefined && !isDigest(digest)) {
    throw new ButlerfsError('corrupt-repository', {
      what: nameOf(request),
      why: `the registry publishes '${digest.hex.slice(0, 200)}', which is no ${digest.algorithm} digest`,
    });
  }
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw new ButlerfsError('corrupt-repository', { what: nameOf(request), why: `the registry publishes a size of ${size} bytes` });
  }
}
