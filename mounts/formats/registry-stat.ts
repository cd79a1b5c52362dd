/** The registry of a Gen3 repository at its origin, and whether it changed. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { ObjectStat } from '../../proxy/contract.js';
import { displayName } from './contract.js';
import type { RepositoryOrigin } from './contract.js';

/**
 * Stat of the registry at its origin; `registry` is its location below the root. The validator of a local one also tells writes that only its write-ahead log holds so far.
 *
 * @throws ButlerfsError `corrupt-repository` where it is not there or empty; `remote-*`; `interrupted`.
 */
export async function registryStat(origin: RepositoryOrigin, registry: string, signal: AbortSignal): Promise<ObjectStat> {
  const { remote, directory } = origin;
  const found = await remote.stat(parseRemotePath(registry), { signal }).catch((error: unknown) => {
    if (asButlerfsError(error).code !== 'remote-not-found') throw error;
    throw new ButlerfsError('corrupt-repository', {
      what: `the registry ${registry} that butler.yaml names`,
      where: displayName(origin),
      why: 'it is not there',
      cause: error,
    });
  });
  if (found.size === 0) throw emptyRegistry(origin);
  if (directory === undefined) return found;
  const log = await stat(`${join(directory, registry)}-wal`, { bigint: true }).catch(() => undefined);
  return log === undefined || log.size === 0n ? found : { ...found, validator: `${found.validator ?? ''} wal ${log.size} ${log.mtimeNs}` };
}

export function emptyRegistry(origin: RepositoryOrigin): ButlerfsError {
  return new ButlerfsError('corrupt-repository', {
    what: `the registry of ${displayName(origin)} is empty`,
    why: 'its file has 0 bytes, as a failed `butler create` leaves it',
    advice: 'create the repository again, or check how it was copied',
  });
}
