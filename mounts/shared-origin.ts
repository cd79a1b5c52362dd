/** A catalogue on a database server as the origin of a mount. */

import { abortable, within } from '../common/deadline.js';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';
import { databaseUrl } from '../registry/shared/address.js';
import { databaseAccess } from '../registry/shared/credentials.js';
import { openSharedCatalogue } from '../registry/shared/open.js';
import type { DatabaseAccess, DatabaseAddress, SharedCatalogue, SharedFacts } from '../registry/shared/contract.js';
import type { ResolvedCredentials } from './configuration.js';

export interface SharedOrigin {
  /** Without secrets. */
  readonly url: string;
  readonly access: DatabaseAccess;
  readonly catalogue: SharedCatalogue;
}

/** Milliseconds that a server has to say what its catalogue holds. */
const FACTS_DEADLINE = 10_000;

/** `configured`: credentials of the configuration, by host or host:port. Contacts nothing yet. The caller closes the catalogue. */
export async function openSharedOrigin(
  database: DatabaseAddress,
  configured: Readonly<Record<string, ResolvedCredentials>>,
  warn?: (line: string) => void,
): Promise<SharedOrigin> {
  const access = accessOf(database, configured, warn);
  return { url: databaseUrl(database), access, catalogue: await openSharedCatalogue(access) };
}

/** With the credentials of the configuration, the environment and the user's files. */
export function accessOf(
  database: DatabaseAddress,
  configured: Readonly<Record<string, ResolvedCredentials>>,
  warn?: (line: string) => void,
): DatabaseAccess {
  const entry = configured[`${database.host}:${database.port}`] ?? configured[database.host];
  return databaseAccess(database, { configured: entry !== undefined && 'username' in entry ? entry : undefined, warn });
}

/** What the catalogue says of itself, within a deadline. */
export async function factsOf({ catalogue, url }: SharedOrigin, signal: AbortSignal, deadline = FACTS_DEADLINE): Promise<SharedFacts> {
  const late = (): ButlerfsError =>
    new ButlerfsError('remote-timeout', {
      what: 'the catalogue',
      where: url,
      why: `the server did not answer within ${deadline / 1000} s`,
    });
  return await within(abortable(catalogue.facts(), signal, `asking ${url}`), deadline, late);
}

/**
 * Where the files of the catalogue are. Where the server does not answer, `kept`: what it said earlier.
 *
 * @throws ButlerfsError as {@link factsOf} where nothing is kept; `offline` where nothing may be asked.
 */
export async function rootOf(
  origin: SharedOrigin,
  kept: string | undefined,
  { isOffline, deadline, signal }: { readonly isOffline: boolean; readonly deadline: number; readonly signal: AbortSignal },
): Promise<string> {
  if (isOffline) {
    if (kept !== undefined) return kept;
    throw new ButlerfsError('offline', {
      what: `the catalogue of ${origin.url}`,
      why: 'it is not here, and nothing may be asked for it',
      advice: `once, while online: butlerfs index ${origin.url}`,
    });
  }
  try {
    return (await factsOf(origin, signal, deadline)).root;
  } catch (error) {
    const { code } = asButlerfsError(error);
    if (kept === undefined || !['remote-unreachable', 'remote-timeout', 'remote-failed'].includes(code)) throw error;
    return kept;
  }
}
