/** Where a Gen3 registry is that PostgreSQL keeps, as `butler.yaml` says. */

import { ButlerfsError } from '../../../common/errors.js';
import { parseDatabaseUrl } from '../../shared/address.js';
import type { DatabaseAddress } from '../../shared/contract.js';
import { parseButlerYaml } from '../gen3/configuration.js';
import type { Gen3Datastore } from '../gen3/configuration.js';

export interface ServerConfiguration {
  readonly address: DatabaseAddress;
  /** The schema of its tables; undefined: that which the server gives to whoever asks for none. */
  readonly namespace: string | undefined;
  /** From the URL of the registry, where somebody wrote it there. */
  readonly password: string | undefined;
  readonly datastores: readonly Gen3Datastore[];
}

/** Parameters of SQLAlchemy's URL that say how to connect. */
const PARAMETERS: readonly string[] = ['sslmode', 'sslrootcert', 'host'];

/** Undefined where the registry is not kept by PostgreSQL. Throws as `parseButlerYaml`, and `unsupported-repository` for a URL that cannot be read. */
export function parseServerConfiguration(text: string, where: string): ServerConfiguration | undefined {
  const { db, namespace, datastores } = parseButlerYaml(text, where);
  const match = /^postgres(?:ql)?(?:\+\w+)?:\/\/(.*)$/s.exec(db);
  if (match === null) return undefined;
  const plain = `postgresql://${match[1]}`;
  if (!URL.canParse(plain)) throw unreadable(where, 'it is no URL');
  const url = new URL(plain);
  const password = url.password === '' ? undefined : decodeURIComponent(url.password);
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (!PARAMETERS.includes(name)) url.searchParams.delete(name);
  try {
    return { address: parseDatabaseUrl(url.href), namespace, password, datastores };
  } catch (cause) {
    throw unreadable(where, cause instanceof ButlerfsError ? (cause.detail.why ?? '') : '');
  }
}

function unreadable(where: string, why: string): ButlerfsError {
  return new ButlerfsError('unsupported-repository', { what: 'the URL of the registry', where, why });
}
