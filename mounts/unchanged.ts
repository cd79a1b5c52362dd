/**
 * The catalogue of a directory that is as it was when it was read: answered with two looks at the disk, and without all that reads repositories. What commands
 * that only ask begin with.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileRemote } from '../proxy/file.js';
import { digestOf, readButlerYaml } from './formats/butler-yaml.js';
import { repositoryFile } from './formats/repository-file.js';
import { registryStat } from './formats/registry-stat.js';
import { configuredKey } from './repository.js';
import { SourceStore } from './source-store.js';
import type { Configuration } from './configuration.js';
import type { ParsedSource } from './repository.js';
import type { SourceVersion } from './source-store.js';

/** Milliseconds that the disk may take. */
const PATIENCE = 10_000;

/**
 * The file of the newest catalogue, where it is of a Gen3 repository in a directory of this host whose registry did not change since. Undefined where anything is otherwise,
 * or in doubt: then `openSource` tells.
 */
export async function unchangedCatalogue(
  source: ParsedSource,
  { definitions = [], locations = [] }: Configuration,
  cacheDirectory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!source.isDirectory || configuredKey(source.named) !== undefined) return undefined;
  // What the repository or the user adds to the registry decides, too, and is not looked at here.
  if (definitions.length > 0 || locations.length > 0 || existsSync(join(source.repository, repositoryFile))) return undefined;
  const store = new SourceStore(cacheDirectory, source.repository);
  const version = await store.current();
  if (version === undefined) return undefined;
  const remote = fileRemote(source.repository, { idleTimeout: PATIENCE });
  try {
    return (await isUnchanged(version, source.repository)) ? store.catalogueOf(version) : undefined;
  } catch {
    return undefined;
  } finally {
    await remote.close();
  }

  async function isUnchanged({ configurationDigest, validator, copies }: SourceVersion, directory: string): Promise<boolean> {
    // A local registry is its own copy: where it is follows from butler.yaml, which must be the same.
    const [registry, ...others] = Object.keys(copies);
    if (registry === undefined || others.length > 0 || copies[registry] !== join(directory, registry)) return false;
    const text = await readButlerYaml(remote, signal);
    if (text === undefined || digestOf(text) !== configurationDigest) return false;
    return validator !== null && (await registryStat({ remote, directory }, registry, signal)).validator === validator;
  }
}
