/** Reads what a repository calls keys and coadds: `aliases:` and `flavors:` of a file `butlerfs.yaml` at its root. */

import { createHash } from 'node:crypto';
import { asButlerfsError } from '../../common/errors.js';
import { parseRepositoryNames } from '../../registry/open.js';
import type { FoundRepository, RepositoryOrigin } from './contract.js';
import { repositoryFile } from './repository-file.js';
import { readSmallText } from './text.js';

/**
 * The repository with the names that it gives; another configuration where they are others. Throws `configuration`, naming the file and the line, for a file that
 * is not understood; `remote-*`; `interrupted`.
 */
export async function withNames(found: FoundRepository, { remote }: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository> {
  const text = await readSmallText(remote, repositoryFile, signal).catch((error: unknown) => {
    // Object stores that list nothing refuse what is not there.
    if (!['remote-not-found', 'remote-forbidden'].includes(asButlerfsError(error).code)) throw error;
    return undefined;
  });
  // A server may answer with a page for a file that is not there.
  if (text === undefined || /^\s*<(!doctype|html|\?xml)/i.test(text)) return found;
  const names = parseRepositoryNames(text, `${remote.url}/${repositoryFile}`);
  if (names === undefined) return found;
  const configurationDigest = createHash('sha256')
    .update(JSON.stringify([found.configurationDigest, names]))
    .digest('hex');
  return { ...found, configurationDigest, names };
}
