/** What there is to be read of a repository, as plain data that travels to a thread, and the reader of each kind. */

import type { RepositoryReader } from './contract.js';
import { openGen3 } from './readers/gen3/reader.js';
import type { Gen3ReaderOptions } from './readers/gen3/reader.js';

/** One kind of repository, and where what is read of it is. */
export type Reading = { readonly format: 'gen3' } & Pick<Gen3ReaderOptions, 'configuration' | 'registryFile' | 'sizes'>;

/**
 * Opens a repository. `repository` names it in messages; `onWarning` is told of each record that is left out, and why.
 * Throws as the reader of its kind does: `not-a-repository`, `corrupt-repository`, `unsupported-repository`.
 */
export function openRepository(
  reading: Reading,
  { repository, onWarning }: { readonly repository: string; readonly onWarning?: (message: string) => void },
): RepositoryReader {
  return openGen3({ ...reading, repository, onWarning });
}
