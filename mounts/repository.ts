/** What a SOURCE names: a directory, a URL, or a repository of the configuration. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { databaseUrl, isDatabaseUrl, parseDatabaseUrl } from '../registry/shared/address.js';
import { readPublicKey } from './publication/keys.js';
import type { DatabaseAddress } from '../registry/shared/contract.js';
import type { Configuration, NamedSource } from './configuration.js';

export interface ParsedSource {
  /** The form that means the same in any working directory: a name, a URL, an absolute directory. */
  readonly asGiven: string;
  /** The repository itself: a URL, or an absolute directory; without the name of its `butler.yaml`. */
  readonly repository: string;
  readonly isDirectory: boolean;
  /** Where its catalogue is, where that is kept by a database server; its files are elsewhere then. */
  readonly database?: DatabaseAddress;
  /** Its entry in the configuration, where it was given by name. */
  readonly named?: NamedSource;
}

/** The public key that the configuration gives for a source. Throws `usage` for one that is none. */
export function configuredKey(named: NamedSource | undefined): string | undefined {
  const text = named?.['public-key'];
  return text === undefined ? undefined : readPublicKey(text);
}

/**
 * Further places of the repository at `source`: URLs, or directories that start at `workingDirectory`; each once. Throws `usage` for broken ones, and where the
 * repository is a directory of this host, which needs none.
 */
export function parseMirrors(source: ParsedSource, texts: readonly string[], workingDirectory: string): readonly string[] {
  const mirrors = texts.map((text) => parseLocation(text, workingDirectory).repository);
  if (mirrors.length > 0 && source.isDirectory) {
    throw new ButlerfsError('usage', {
      what: `mirrors of ${source.repository}`,
      why: 'a repository that is a directory of this host has none',
      advice: 'give the URL as the source and the directory as its mirror',
    });
  }
  return [...new Set(mirrors)].filter((mirror) => mirror !== source.repository);
}

/** The mirrors that the configuration gives for a source. */
export function configuredMirrors(source: ParsedSource): readonly string[] {
  return parseMirrors(source, source.named?.mirrors ?? [], '/');
}

const SCHEMES_OF_LATER_VERSIONS = ['sftp', 's3', 'gs', 'webdav', 'davs'];

/**
 * A text without a slash that the configuration names is that repository; `./name` is the directory of the same name.
 *
 * @throws ButlerfsError `unsupported` for URLs of kinds that this version does not read, `usage` for broken ones, `not-a-repository` for a name
 *   that is neither configured nor a directory.
 */
export function parseSource(source: string, configuration: Configuration, workingDirectory: string): ParsedSource {
  const named = Object.hasOwn(configuration.sources, source) ? configuration.sources[source] : undefined;
  if (named !== undefined) {
    return { ...parseLocation(named.repository, '/'), asGiven: source, named };
  }
  const location = parseLocation(source, workingDirectory);
  const { repository, isDirectory, database } = location;
  if (isDirectory && !source.includes('/') && statSync(repository, { throwIfNoEntry: false }) === undefined) {
    const names = Object.keys(configuration.sources);
    throw new ButlerfsError('not-a-repository', {
      what: `source '${source}'`,
      why: 'neither a repository of the configuration nor a directory here',
      advice:
        didYouMean(nearestNames(source, names)) ?? 'give a directory, a URL (http, https, ssh, postgresql, mysql) or a configured name',
    });
  }
  // How to connect is part of the URL, and not of the name.
  return { ...location, asGiven: database === undefined ? repository : source };
}

function parseLocation(text: string, workingDirectory: string): Omit<ParsedSource, 'asGiven' | 'named'> {
  if (text === '' || text.includes('\0')) throw new ButlerfsError('usage', { what: 'the source is empty or holds a NUL' });
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { repository: withoutConfigurationName(resolve(workingDirectory, text)), isDirectory: true };
  if (isDatabaseUrl(text)) {
    const database = parseDatabaseUrl(text);
    return { repository: databaseUrl(database), isDirectory: false, database };
  }
  if (SCHEMES_OF_LATER_VERSIONS.includes(scheme)) {
    throw new ButlerfsError('unsupported', {
      what: `${scheme}:// sources are not in this version`,
      advice: scheme === 'sftp' ? 'write ssh:// in its place' : 'give a directory or an http(s):// or ssh:// URL',
    });
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (scheme === 'file' && url !== undefined && url.host === '') {
    return { repository: withoutConfigurationName(resolve('/', decodeURIComponent(url.pathname))), isDirectory: true };
  }
  if (url === undefined || (scheme !== 'http' && scheme !== 'https' && scheme !== 'ssh')) {
    throw new ButlerfsError('usage', {
      what: `source '${scheme}://...' is not a URL that can be read`,
      advice: 'give a directory or an http(s):// or ssh:// URL',
    });
  }
  // The user name at an SSH host is no secret, and part of where the repository is.
  if ((url.username !== '' && scheme !== 'ssh') || url.password !== '') {
    throw new ButlerfsError('usage', {
      what: `source on ${url.host}`,
      why: 'a URL with a password shows it to every user of this host',
      advice: `put the credentials into ${scheme === 'ssh' ? '' : '~/.netrc or '}the configuration file`,
    });
  }
  url.hash = '';
  return { repository: withoutConfigurationName(url.href.replace(/\/+$/, '')), isDirectory: false };
}

/** The reference software takes the path of butler.yaml for its repository, so this does as well. */
function withoutConfigurationName(location: string): string {
  return location.replace(/\/butler\.yaml$/, '') || '/';
}
