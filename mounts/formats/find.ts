/** Which kind of repository an origin holds. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ButlerfsError } from '../../common/errors.js';
import type { FoundRepository, RepositoryFormat, RepositoryOrigin } from './contract.js';
import { markers } from './gen2-stack.js';
import { gen2 } from './gen2.js';
import { gen3 } from './gen3.js';
import { withNames } from './repository-names.js';
import { shared } from './shared.js';

/** In the order in which they are looked for. */
const formats: readonly RepositoryFormat[] = [shared, gen3, gen2];

/**
 * The repository at an origin.
 *
 * @throws ButlerfsError as {@link RepositoryFormat.find}; `not-a-repository` where there is none of any kind, with what is there instead.
 */
export async function findRepository(origin: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository> {
  for (const format of formats) {
    const found = await format.find(origin, signal);
    if (found !== undefined) return format === shared ? found : await withNames(found, origin, signal);
  }
  throw await missingRepository(origin);
}

/** The error that says what there is in place of a repository. */
export async function missingRepository({ remote, directory }: RepositoryOrigin): Promise<ButlerfsError> {
  const what = 'looked for butler.yaml or _mapper';
  if (directory === undefined) {
    return new ButlerfsError('not-a-repository', {
      what,
      where: remote.url,
      why: 'the server has none there',
      advice: 'give the URL of the directory that holds it',
    });
  }
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) {
    return new ButlerfsError('not-a-repository', { what, where: directory, why: 'there is no such directory' });
  }
  const names = entries.map((entry) => entry.name);
  if (names.some((name) => markers.includes(name))) {
    return new ButlerfsError('unsupported-repository', {
      what: `${directory} is a Gen2 repository`,
      why: 'this needs a butler.yaml, which only Gen3 repositories have',
    });
  }
  for (const name of names.slice(0, 1_000)) {
    const below = join(directory, name);
    if ((await stat(join(below, 'butler.yaml')).catch(() => undefined)) !== undefined) {
      return new ButlerfsError('not-a-repository', {
        what,
        where: directory,
        why: 'none is there',
        advice: `one is in ${below}: try that`,
      });
    }
  }
  return new ButlerfsError('not-a-repository', {
    what,
    where: directory,
    why: 'none is there, nor in a folder of it',
    advice: 'give the directory that holds it',
  });
}
