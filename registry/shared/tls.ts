/** TLS options of a connection, from what the address asks for. */

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { ButlerfsError } from '../../common/errors.js';
import { databaseUrl } from './address.js';
import type { DatabaseAddress } from './contract.js';

/**
 * Undefined for a connection without TLS. As libpq has it, `prefer` and `require` take any certificate, but for `require` with authorities, and only `verify-full`
 * looks at the name. Throws `configuration` where the authorities cannot be read.
 */
export function tlsOptions(address: DatabaseAddress): ConnectionOptions | undefined {
  const { tls, authorities, host } = address;
  if (tls === 'disable' || host.startsWith('/')) return undefined;
  const isChecked = tls === 'verify-ca' || tls === 'verify-full' || (tls === 'require' && authorities !== undefined);
  if (!isChecked) return { rejectUnauthorized: false };
  const options: ConnectionOptions = { rejectUnauthorized: true, ...(authorities === undefined ? {} : { ca: read(authorities, address) }) };
  return tls === 'verify-full' ? options : { ...options, checkServerIdentity: () => undefined };
}

function read(file: string, address: DatabaseAddress): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ButlerfsError('configuration', {
      what: `sslrootcert ${file}`,
      where: databaseUrl(address),
      why: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
