/** Opening a verified object: at once where it is in the cache, else after it was fetched. */

import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { ContentSource } from '../content.js';
import { type Answer, mapWaiting, type OpenedFile } from '../contract.js';

/** An open object of the cache: content that never changes. */
export class OpenedObject implements OpenedFile {
  readonly keepCache = true;
  readonly shareable = true;
  readonly backing: number;
  readonly size: number;

  constructor({ fd, size }: { readonly fd: number; readonly size: number }) {
    this.backing = fd;
    this.size = size;
  }
}

export function fetchAndOpen(content: ContentSource, request: ObjectRequest): Answer<OpenedObject> {
  const present = content.reader.openIfPresent(request);
  if (present !== undefined) {
    content.onHit();
    return new OpenedObject(present);
  }
  return mapWaiting(content.fetch(request), () => {
    const object = content.reader.openIfPresent(request);
    if (object === undefined) throw evictedAtOnce(request);
    return new OpenedObject(object);
  });
}

function evictedAtOnce(request: ObjectRequest): ButlerfsError {
  return new ButlerfsError('cache-failed', {
    what: `opening '${request.origin}'`,
    why: 'it left the cache before it could be opened',
    advice: 'give the cache more room with --cache-size',
  });
}
