/** Gen3 repositories whose registry is an SQLite file below their root; the others are those of gen3-postgresql.ts. */

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asButlerfsError, ButlerfsError } from '../../common/errors.js';
import { downloadTo } from '../../proxy/download.js';
import { parseRemotePath } from '../../proxy/paths.js';
import type { ObjectStat } from '../../proxy/contract.js';
import { parseButlerConfiguration } from '../../registry/open.js';
import type { Gen3Configuration } from '../../registry/open.js';
import { formatSize } from '../units.js';
import { readButlerYaml } from './butler-yaml.js';
import { findOnServer } from './gen3-postgresql.js';
import { displayName } from './contract.js';
import type { FoundRepository, Preparation, PreparedRepository, RepositoryFormat, RepositoryOrigin } from './contract.js';

export const gen3: RepositoryFormat = {
  name: 'gen3',
  async find(origin, signal): Promise<FoundRepository | undefined> {
    const text = await readButlerYaml(origin.remote, signal);
    if (text === undefined) return undefined;
    const onServer = await findOnServer(text, origin, signal);
    if (onServer !== undefined) return onServer;
    const configuration = parseButlerConfiguration(text, displayName(origin));
    const { validator } = await registryStat(origin, configuration, signal);
    return {
      configurationDigest: createHash('sha256').update(text).digest('hex'),
      validator,
      prepare: (preparation) => prepare(preparation, configuration, Buffer.byteLength(text)),
    };
  },
};

async function prepare(
  { origin, file, signal, onProgress }: Preparation,
  configuration: Gen3Configuration,
  configurationSize: number,
): Promise<PreparedRepository> {
  const { remote, directory } = origin;
  const { registry } = configuration;
  const before = await registryStat(origin, configuration, signal);
  if (directory !== undefined) {
    // Of a local repository the size is asked of the disk when it is wanted: its registry may grow meanwhile.
    const registryFile = join(directory, registry);
    const reading = { format: 'gen3', configuration, registryFile, sizes: {} } as const;
    return { reading, validator: before.validator, copies: { [registry]: registryFile } };
  }
  onProgress(`fetching the registry of ${remote.url}${before.size === null ? '' : ` (${formatSize(before.size)})`}`);
  const registryFile = file('registry', 'sqlite3');
  const { validator } = await downloadTo(remote, parseRemotePath(registry), registryFile, { signal });
  const { size } = await stat(registryFile);
  if (size === 0) throw emptyRegistry(origin);
  const sizes = { 'butler.yaml': configurationSize, [registry]: size };
  return { reading: { format: 'gen3', configuration, registryFile, sizes }, validator, copies: { [registry]: registryFile } };
}

/** Stat of the registry at its origin. The validator of a local one also tells writes that only its write-ahead log holds so far. */
async function registryStat(origin: RepositoryOrigin, { registry }: Gen3Configuration, signal: AbortSignal): Promise<ObjectStat> {
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

function emptyRegistry(origin: RepositoryOrigin): ButlerfsError {
  return new ButlerfsError('corrupt-repository', {
    what: `the registry of ${displayName(origin)} is empty`,
    why: 'its file has 0 bytes, as a failed `butler create` leaves it',
    advice: 'create the repository again, or check how it was copied',
  });
}
