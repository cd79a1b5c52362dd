/** Opening a verified object: at once where it is in the cache, else after it was fetched. */

import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { ContentSource } from '../content.js';
import type { OpenFile, Waiting } from '../contract.js';

export function fetchAndOpen(content: ContentSource, request: ObjectRequest): OpenFile | Waiting<OpenFile> {
  const present = content.reader.openIfPresent(request);
  if (present !== undefined) {
    content.onHit();
    return { fd: present.fd, size: present.size, immutable: true };
  }
  const waiting = content.fetch(request);
  return {
    begin: (settle) => {
      waiting.begin((outcome) => {
        if ('error' in outcome) {
          settle(outcome);
          return;
        }
        const object = content.reader.openIfPresent(request);
        if (object !== undefined) settle({ value: { fd: object.fd, size: object.size, immutable: true } });
        else settle({ error: evictedAtOnce(request) });
      });
    },
    abort: () => {
      waiting.abort();
    },
  };
}

function evictedAtOnce(request: ObjectRequest): ButlerfsError {
  return new ButlerfsError('cache-failed', {
    what: `opening '${request.origin}'`,
    why: 'it left the cache before it could be opened',
    advice: 'give the cache more room with --cache-size',
  });
}
