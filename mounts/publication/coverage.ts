/** Requests that bring what a publication vouches for, and nothing else. */

import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { PublishedContent } from './digests-file.js';

/**
 * The request such that it brings what was published, or fails. What the catalogue publishes stands, since the catalogue is signed; what it lacks comes from
 * the digests. A member of an archive without a digest of its own is pinned under that of its archive. No request is satisfied by what an unsigned mount
 * pinned. Throws `untrusted` where the publication says nothing of the content.
 */
export function coveredRequest(request: ObjectRequest, find: () => PublishedContent | undefined): ObjectRequest {
  const { digest, size, member, identity, origin } = request;
  if (digest !== undefined) return { ...request, identity: signedIdentity(identity, digest.hex) };
  const published = find();
  if (published === undefined) throw uncovered(origin, member);
  const { whole } = published;
  if (member !== undefined) return { ...request, identity: signedIdentity(identity, whole.hex) };
  if (size !== undefined && size !== published.size) {
    throw new ButlerfsError('wrong-size', { what: origin, why: `the catalogue publishes ${size} bytes, the digests ${published.size}` });
  }
  return { ...request, size: published.size, digest: whole, identity: signedIdentity(identity, whole.hex) };
}

function signedIdentity(identity: string, digest: string): string {
  return `${identity} signed ${digest}`;
}

function uncovered(origin: string, member: string | undefined): ButlerfsError {
  return new ButlerfsError('untrusted', {
    what: member === undefined ? origin : `member '${member}' of ${origin}`,
    why: 'the signed manifest does not cover it, so nothing tells whether its content is right',
    advice: 'ask whoever publishes the repository to publish it again, or mount without a public key',
  });
}
