/**
 * What the configuration files say (./configuration-file.ts has their form). The user's file is read before the system's; a source, a host or a default that both name
 * is taken from the user's.
 */

import { readFile, stat } from 'node:fs/promises';
import { ButlerfsError } from '../common/errors.js';
import type { FlavorNames, KeyAliases } from '../registry/open.js';
import type { NamedLocation, TypeDefinition } from '../registry/definitions/contract.js';
import { hasErrno } from './errno.js';
import type { ConfiguredDefaults, HostCredentials, NamedSource } from './configuration-file.js';

export type { ConfiguredDefaults, HostCredentials, NamedSource };

/** A dataset type, or the beginning of paths, that the user defines. */
export type Addressed<Defined> = Defined & {
  /** The repository that it is for, as it was written: a directory, a URL or a name. Undefined: each that it fits. */
  readonly repository: string | undefined;
};

export interface Configuration {
  readonly sources: Readonly<Record<string, NamedSource>>;
  /** By host or host:port. */
  readonly credentials: Readonly<Record<string, HostCredentials>>;
  readonly defaults: ConfiguredDefaults;
  /** Extra names for keys. */
  readonly aliases: KeyAliases;
  /** Extra names for coadds. */
  readonly flavors?: FlavorNames;
  readonly definitions?: readonly Addressed<TypeDefinition>[];
  readonly locations?: readonly Addressed<NamedLocation>[];
  /** What it was read from, whether it is there or not: for those who follow changes. */
  readonly files?: readonly string[];
}

/**
 * Reads the files that exist and puts them together.
 *
 * @throws ButlerfsError `configuration`, naming the file, the line and the key; also where others may read a file that holds secrets.
 */
export async function loadConfiguration(files: readonly string[]): Promise<Configuration> {
  const parts = (await Promise.all(files.map(loadFile))).filter((part) => part !== undefined);
  const together = parts.reduceRight<Configuration>(
    (below, above) => ({
      sources: { ...below.sources, ...above.sources },
      credentials: { ...below.credentials, ...above.credentials },
      defaults: { ...below.defaults, ...above.defaults },
      aliases: { ...below.aliases, ...above.aliases },
      ...bothFlavors(below.flavors, above.flavors),
      definitions: withoutHidden(below.definitions, above.definitions),
      locations: withoutHidden(below.locations, above.locations),
    }),
    { sources: {}, credentials: {}, defaults: {}, aliases: {} },
  );
  return { ...together, files };
}

/** Both, but for those of `below` that are defined again above, for the same repository. */
function withoutHidden<Defined extends Addressed<{ readonly name: string }>>(
  below: readonly Defined[] = [],
  above: readonly Defined[] = [],
): readonly Defined[] {
  const isAbove = (one: Defined): boolean => above.some(({ name, repository }) => name === one.name && repository === one.repository);
  return [...below.filter((one) => !isAbove(one)), ...above];
}

/** Of a family the flavours that either names. */
function bothFlavors(below: FlavorNames = {}, above: FlavorNames = {}): Pick<Configuration, 'flavors'> {
  const families = [...new Set([...Object.keys(below), ...Object.keys(above)])];
  return families.length === 0
    ? {}
    : { flavors: Object.fromEntries(families.map((family) => [family, { ...below[family], ...above[family] }])) };
}

async function loadFile(file: string): Promise<Configuration | undefined> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new ButlerfsError('configuration', { what: `cannot read ${file}`, why: error instanceof Error ? error.message : String(error) });
  }
  // Most have none: then nothing that reads one is loaded.
  const { parseConfiguration } = await import('./configuration-file.js');
  const configuration = parseConfiguration(content, file);
  const holdsSecrets = Object.values(configuration.credentials).some((entry) => (entry.password ?? entry.bearer) !== undefined);
  if (holdsSecrets && ((await stat(file)).mode & 0o007) !== 0) {
    throw new ButlerfsError('configuration', {
      what: `${file} holds passwords or tokens`,
      why: 'everybody on this host may read it',
      advice: `chmod 600 ${file}`,
    });
  }
  return configuration;
}

/** Credentials by host as the proxy takes them; tokens are read from their files. Throws `configuration` for a file that cannot be read. */
export async function readCredentials(credentials: Configuration['credentials']): Promise<Record<string, ResolvedCredentials>> {
  const entries = Object.entries(credentials).map(async ([host, entry]) => [host, await resolveCredentials(host, entry)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

export type ResolvedCredentials =
  { readonly username: string; readonly password: string; readonly scheme?: 'digest' } | { readonly bearer: string };

async function resolveCredentials(
  host: string,
  { username, password, scheme, bearer, 'bearer-file': file }: HostCredentials,
): Promise<ResolvedCredentials> {
  if (username !== undefined && password !== undefined) return { username, password, ...(scheme === undefined ? {} : { scheme }) };
  if (bearer !== undefined) return { bearer };
  const token = await readFile(file ?? '', 'utf8').catch((cause: unknown) => {
    throw new ButlerfsError('configuration', {
      what: `cannot read the bearer-file of ${host}`,
      where: file,
      why: cause instanceof Error ? cause.message : '',
      cause,
    });
  });
  return { bearer: token.trim() };
}
