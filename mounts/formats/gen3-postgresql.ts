/** Gen3 repositories whose registry PostgreSQL keeps. Their files, and butler.yaml, are where they always are. */

import { createHash } from 'node:crypto';
import { abortable, within } from '../../common/deadline.js';
import { ButlerfsError } from '../../common/errors.js';
import { parseServerConfiguration } from '../../registry/readers/gen3-postgresql/configuration.js';
import { databaseUrl } from '../../registry/shared/address.js';
import { databaseAccess } from '../../registry/shared/credentials.js';
import type { DatabaseAccess } from '../../registry/shared/contract.js';
import { displayName } from './contract.js';
import type { FoundRepository, RepositoryOrigin } from './contract.js';

/** Milliseconds that the server has to say whether anything changed. */
const DEADLINE = 10_000;

/** Undefined where the text of butler.yaml names another kind of registry. Throws as `RepositoryFormat.find`. */
export async function findOnServer(text: string, origin: RepositoryOrigin, signal: AbortSignal): Promise<FoundRepository | undefined> {
  const configuration = parseServerConfiguration(text, displayName(origin));
  if (configuration === undefined) return undefined;
  const { address, namespace, password, datastores } = configuration;
  const known = databaseAccess(address, { environment: environmentFor(origin, address.host) });
  const access: DatabaseAccess = password === undefined ? known : { ...known, password };
  const late = (): ButlerfsError =>
    new ButlerfsError('remote-timeout', {
      what: 'the registry',
      where: databaseUrl(address),
      why: `it did not answer within ${DEADLINE / 1000} s`,
    });
  const { registryValidator } = await import('../../registry/readers/gen3-postgresql/validator.js');
  const answer = within(registryValidator(access, namespace), DEADLINE, late);
  const validator = await abortable(answer, signal, `asking ${databaseUrl(address)}`);
  const sizes = { 'butler.yaml': Buffer.byteLength(text) };
  return {
    configurationDigest: createHash('sha256').update(text).digest('hex'),
    validator,
    // Asked for before the registry is read: what comes meanwhile makes another one.
    prepare: () => Promise.resolve({ reading: { format: 'gen3-postgresql', access, namespace, datastores, sizes }, validator, copies: {} }),
  };
}

/** A password of the environment is for the server that the user means. A butler.yaml from elsewhere may name any: then only the host of `PGHOST` gets it. */
function environmentFor({ directory }: RepositoryOrigin, host: string): Readonly<Record<string, string | undefined>> {
  const { PGPASSWORD: password, ...others } = process.env;
  return directory !== undefined || process.env['PGHOST'] === host ? { ...others, PGPASSWORD: password } : others;
}
