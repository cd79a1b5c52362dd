/** How one origin wants to be told who asks: found out with its first refusal, remembered for all requests that follow. */

import type { Credential } from './credentials.js';
import { authorizationOf } from './credentials.js';
import { digestAuthorization, digestChallenge, parseChallenges, type DigestChallenge } from './digest.js';
import type { Headers } from './http-headers.js';

/** What is sent of one request. */
export interface AuthorizedRequest {
  readonly method: string;
  /** Path and query, as they are sent. */
  readonly uri: string;
}

/** The Authorization headers of one origin; it lives as long as its remote does. */
export class Authorizer {
  #challenge: DigestChallenge | undefined;
  #count = 0;

  /** The header to send, or undefined where nothing is to be sent before the origin has asked. */
  header(credential: Credential, { method, uri }: AuthorizedRequest): string | undefined {
    if (credential.kind === 'bearer') return authorizationOf(credential);
    if (this.#challenge === undefined) return credential.scheme === 'digest' ? undefined : authorizationOf(credential);
    const { username, password } = credential;
    return digestAuthorization(this.#challenge, { method, uri, username, password, count: ++this.#count });
  }

  /**
   * Takes in a 401 in answer to a request that was sent with the header `sent`. Returns whether the request should be sent once more: where the origin wants
   * Digest and got something else, or says that its nonce was too old.
   */
  refused(credential: Credential, headers: Headers, sent: string | undefined): boolean {
    if (credential.kind === 'bearer') return false;
    const challenge = digestChallenge([headers['www-authenticate'] ?? []].flat().flatMap(parseChallenges));
    if (challenge === undefined) return false;
    if (challenge.nonce !== this.#challenge?.nonce) this.#begin(challenge);
    return sent?.startsWith('Digest ') !== true || challenge.stale;
  }

  /** Takes in an answer: an origin may name the next nonce with it. */
  accepted(headers: Headers): void {
    const info = headers['authentication-info'];
    const text = Array.isArray(info) ? info[0] : info;
    const next = text === undefined ? undefined : parseChallenges(`Digest ${text}`)[0]?.parameters.get('nextnonce');
    if (next !== undefined && this.#challenge !== undefined && next !== this.#challenge.nonce)
      this.#begin({ ...this.#challenge, nonce: next });
  }

  #begin(challenge: DigestChallenge): void {
    this.#challenge = challenge;
    this.#count = 0;
  }
}
