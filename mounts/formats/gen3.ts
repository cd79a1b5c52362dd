/** Gen3 repositories whose registry is an SQLite file below their root; the others are those of gen3-postgresql.ts. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadTo } from '../../proxy/download.js';
import { parseRemotePath } from '../../proxy/paths.js';
import { parseButlerConfiguration } from '../../registry/open.js';
import type { Gen3Configuration } from '../../registry/open.js';
import { formatSize } from '../units.js';
import { digestOf, readButlerYaml } from './butler-yaml.js';
import { findOnServer } from './gen3-postgresql.js';
import { emptyRegistry, registryStat } from './registry-stat.js';
import { withDefinitions } from './definitions.js';
import { displayName } from './contract.js';
import type { FoundRepository, Preparation, PreparedRepository, RepositoryFormat } from './contract.js';

/** Rows that are counted in less time than anybody waits for new data. A copy that was fetched first is not looked at twice. */
const COUNT_LATER_ABOVE = 1_000_000;

export const gen3: RepositoryFormat = {
  name: 'gen3',
  async find(origin, signal): Promise<FoundRepository | undefined> {
    const text = await readButlerYaml(origin.remote, signal);
    if (text === undefined) return undefined;
    const onServer = await findOnServer(text, origin, signal);
    if (onServer !== undefined) return await withDefinitions(onServer, origin, signal);
    const configuration = parseButlerConfiguration(text, displayName(origin));
    const { validator } = await registryStat(origin, configuration.registry, signal);
    const found: FoundRepository = {
      configurationDigest: digestOf(text),
      validator,
      prepare: (preparation) => prepare(preparation, configuration, Buffer.byteLength(text)),
    };
    return await withDefinitions(found, origin, signal);
  },
};

async function prepare(
  { origin, file, signal, onProgress }: Preparation,
  configuration: Gen3Configuration,
  configurationSize: number,
): Promise<PreparedRepository> {
  const { remote, directory } = origin;
  const { registry } = configuration;
  const before = await registryStat(origin, configuration.registry, signal);
  if (directory !== undefined) {
    // Of a local repository the size is asked of the disk when it is wanted: its registry may grow meanwhile.
    const registryFile = join(directory, registry);
    const reading = { format: 'gen3', configuration, registryFile, sizes: {}, countLaterAbove: COUNT_LATER_ABOVE } as const;
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
