/** Whether a Gen3 registry in PostgreSQL was written to, without reading it. */

import type { DatabaseAccess } from '../../shared/contract.js';
import { validatorOf } from './marks.js';
import { ServerRegistry } from './server-registry.js';

/**
 * Another text where anything was written into the tables since: the server's own counts of rows that were written, changed and deleted in each table, which cost
 * nothing to ask. They may lag behind by seconds, so a validator that is asked for before the registry is read misses nothing: what was not counted yet makes
 * another one later. Where the server does not count, as a standby, the number of the last transaction of the whole server stands for them.
 *
 * Rejects as {@link ServerRegistry.open}.
 */
export async function registryValidator(access: DatabaseAccess, namespace: string | undefined): Promise<string> {
  const marks = await ServerRegistry.marksOf(access, namespace);
  // Opening it says what is missing.
  if (!marks.tables.has('dataset')) await (await ServerRegistry.open(access, namespace)).close();
  return validatorOf(marks);
}
