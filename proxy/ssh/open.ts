/** From an ssh: URL and the credentials there are to a remote. */

import { createHash } from 'node:crypto';
import type { Remote } from '../contract.js';
import { takeUserinfo, type CredentialLookup } from '../credentials.js';
import type { SshFiles } from './config.js';
import type { LinkSettings } from './link.js';
import { parseSshUrl, sshRemote } from './remote.js';

const DEFAULT_PORT = 22;

export interface SshOpenSettings {
  readonly credentials: CredentialLookup;
  /** Milliseconds without progress after which an attempt is given up. */
  readonly idleTimeout: number;
  readonly files?: SshFiles | undefined;
}

/** The remote at `ssh://[user[:password]@]host[:port]/path`. Throws `unsupported` for URLs of another form. Nothing is contacted yet. */
export function openSshRemote(source: URL, { credentials, idleTimeout, files }: SshOpenSettings): Remote {
  const { credential } = takeUserinfo(source);
  const root = parseSshUrl(source);
  const own = credential?.kind === 'basic' && credential.password !== '' ? credential.password : undefined;
  const password: LinkSettings['password'] = (to) => {
    if (own !== undefined && to.host === root.host && to.user === root.user) return own;
    return configuredPassword(credentials, to);
  };
  // Only to tell links apart: whoever logs in otherwise does not share one.
  const digest = own === undefined ? undefined : createHash('sha256').update(own).digest('hex');
  const hasPassword = own !== undefined || configured(credentials, root.host, root.port ?? DEFAULT_PORT) !== undefined;
  return sshRemote(root, { idleTimeout, password, hasPassword, files, credential: digest });
}

/** The configuration's password for this user at this host. Others, as netrc's, were given for other protocols. */
function configuredPassword(
  credentials: CredentialLookup,
  { host, port, user }: Parameters<LinkSettings['password']>[0],
): string | undefined {
  const found = configured(credentials, host, port);
  return found?.username === user ? found.password : undefined;
}

/** Who the configuration says to be at a host. */
function configured(
  credentials: CredentialLookup,
  host: string,
  port: number,
): { readonly username: string; readonly password: string } | undefined {
  const url = `ssh://${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url)) return undefined;
  const found = credentials(new URL(url));
  return found?.kind === 'basic' && found.source === 'configuration' && found.scheme === undefined ? found : undefined;
}
