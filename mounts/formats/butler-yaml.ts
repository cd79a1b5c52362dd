/** Reads a repository's butler.yaml. */

import { createHash } from 'node:crypto';
import { ButlerfsError, asButlerfsError } from '../../common/errors.js';
import type { Remote } from '../../proxy/contract.js';
import { readSmallText } from './text.js';

/**
 * The text of `butler.yaml` below the root of a remote; undefined where there is none.
 *
 * @throws ButlerfsError `not-a-repository` where there is something else under its name; `remote-*`; `interrupted`.
 */
export async function readButlerYaml(remote: Remote, signal: AbortSignal): Promise<string | undefined> {
  const text = await readSmallText(remote, 'butler.yaml', signal).catch((error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    return undefined;
  });
  if (text !== undefined && /^\s*<(!doctype|html|\?xml)/i.test(text)) {
    throw new ButlerfsError('not-a-repository', {
      what: `butler.yaml of ${remote.url}`,
      why: 'the server answers with a web page in its place',
      advice: 'check the URL: it must be the directory that holds butler.yaml, served without a login page',
    });
  }
  return text;
}

/** Tells one text of it from another: the `configurationDigest` of a Gen3 repository. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
