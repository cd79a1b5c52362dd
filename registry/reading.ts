/** What there is to be read of a repository, as plain data that travels to a thread, and the reader of each kind. */

import type { RepositoryReader } from './contract.js';
import type { DefinedReading } from './definitions/contract.js';
import { withDefinedTypes } from './definitions/reader.js';
import type { Gen2Reading } from './readers/gen2/contract.js';
import { openGen2 } from './readers/gen2/reader.js';
import { openGen3 } from './readers/gen3/reader.js';
import type { Gen3ReaderOptions } from './readers/gen3/reader.js';
import type { ServerRegistryOptions } from './readers/gen3-postgresql/reader.js';
import type { DatabaseAccess } from './shared/contract.js';
import { openSharedCatalogue } from './shared/open.js';

/** One kind of repository, and where what is read of it is. */
export type Reading = RegistryReading & {
  /** Dataset types that users define beside the registry; of a Gen3 repository alone. */
  readonly defined?: DefinedReading | undefined;
};

type RegistryReading =
  | ({ readonly format: 'gen3' } & Pick<Gen3ReaderOptions, 'configuration' | 'registryFile' | 'sizes' | 'countLaterAbove'>)
  | ({ readonly format: 'gen2' } & Gen2Reading)
  | ({ readonly format: 'gen3-postgresql' } & Omit<ServerRegistryOptions, 'repository' | 'onWarning'>)
  /** It holds the password: it goes to no log. */
  | { readonly format: 'native'; readonly access: DatabaseAccess };

interface OpenOptions {
  /** In messages. */
  readonly repository: string;
  /** Told of each record that is left out, and why. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Opens a repository. Throws or rejects as the reader of its kind does: `not-a-repository`, `corrupt-repository`, `unsupported-repository`, and `remote-*` where a
 * server keeps it.
 */
export function openRepository(reading: Reading, options: OpenOptions): RepositoryReader | Promise<RepositoryReader> {
  const { defined } = reading;
  if (defined === undefined) return openRegistry(reading, options);
  return Promise.resolve(openRegistry(reading, options)).then((reader) => withDefinedTypes(reader, defined, options));
}

function openRegistry(reading: RegistryReading, options: OpenOptions): RepositoryReader | Promise<RepositoryReader> {
  switch (reading.format) {
    case 'gen3':
      return openGen3({ ...reading, ...options });
    case 'gen2':
      return openGen2({ ...reading, ...options });
    case 'gen3-postgresql':
      return import('./readers/gen3-postgresql/reader.js').then(({ openServerRegistry }) => openServerRegistry({ ...reading, ...options }));
    case 'native':
      return openShared(reading.access);
  }
}

async function openShared(access: DatabaseAccess): Promise<RepositoryReader> {
  const catalogue = await openSharedCatalogue(access);
  try {
    const reader = await catalogue.reader();
    return {
      format: reader.format,
      records: () => reader.records(),
      cursor: () => reader.cursor(),
      changes: (cursor, known) => reader.changes(cursor, known),
      close: async () => {
        await reader.close();
        await catalogue.close();
      },
    };
  } catch (error) {
    await catalogue.close();
    throw error;
  }
}
