/** Reads what a repository calls keys and coadds: `aliases:` and `flavors:` of a file `butlerfs.yaml` at its root. */

import { createHash } from 'node:crypto';
import { parseRepositoryNames } from '../../registry/open.js';
import type { FoundRepository, RepositoryOrigin } from './contract.js';
import { repositoryFile } from './repository-file.js';
import { readOptionalText } from './text.js';

/**
 * The repository with the names that it gives; another configuration where they are others. Throws `configuration`, naming the file and the line, for a file that
 * is not understood; `remote-*`; `interrupted`.
 */
export async function withNames(found: FoundRepository, { remote }: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository> {
  const text = found.ownText === undefined ? await readOptionalText(remote, repositoryFile, signal) : found.ownText;
  if (text == null) return found;
  const names = parseRepositoryNames(text, `${remote.url}/${repositoryFile}`);
  if (names === undefined) return found;
  const configurationDigest = createHash('sha256')
    .update(JSON.stringify([found.configurationDigest, names]))
    .digest('hex');
  return { ...found, configurationDigest, names };
}
