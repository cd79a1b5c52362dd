/** The files of datasets, as the records of a Gen3 repository's datastores tell them. */

import type { StoredFile } from '../../contract.js';
import type { Gen3Configuration } from './configuration.js';
import { parseLocation } from './locations.js';
import type { RegistrySource } from './source.js';

/** Component of the file of a dataset that is stored whole. */
export const noComponent = '__NULL_STRING__';

/** A datastore whose table of records is there. */
export interface FoundDatastore {
  readonly root: string;
  readonly table: string;
}

export class StoredFiles {
  readonly stores: readonly FoundDatastore[];
  readonly #finds: readonly { readonly root: string; readonly find: (uuid: unknown) => unknown[][] }[];
  readonly #warn: (message: string) => void;

  /** `warn` is told of each record that is left out, and why. */
  constructor(source: RegistrySource, { datastores }: Gen3Configuration, warn: (message: string) => void) {
    this.#warn = warn;
    this.stores = datastores.flatMap(({ root, recordsTable }) => {
      if (source.hasTable(recordsTable)) return [{ root, table: recordsTable }];
      warn(`datastore table '${recordsTable}' is missing: its files are left out`);
      return [];
    });
    this.#finds = this.stores.map(({ root, table }) => {
      const query = `select path, component, checksum, file_size from ${source.table(table)} where dataset_id = ? order by component`;
      return { root, find: source.lookup(query) };
    });
  }

  /** Files of a dataset, by its UUID: those of the first datastore that has any. */
  of(uuid: string): StoredFile[] {
    for (const { root, find } of this.#finds) {
      const files = find(uuid).flatMap((row) => storedFiles(row, { root, dataset: uuid, warn: this.#warn }));
      if (files.length > 0) return files;
    }
    return [];
  }
}

/** A row of a datastore as a file of a dataset; none where its path is refused, which `warn` hears. */
export function storedFiles(
  [path, component, checksum, size]: readonly unknown[],
  { root, dataset, warn }: { readonly root: string; readonly dataset: string; readonly warn: (line: string) => void },
): StoredFile[] {
  const parsed = parseLocation(String(path), root);
  if ('refused' in parsed) {
    warn(`dataset ${dataset}: its path ${JSON.stringify(path)} is refused: ${parsed.refused}`);
    return [];
  }
  return [
    {
      component: typeof component === 'string' && component !== noComponent && component !== '' ? component : null,
      ...parsed,
      size: typeof size === 'bigint' && size >= 0n ? Number(size) : null,
      checksum: typeof checksum === 'string' && /^[0-9a-f]{128}$/.test(checksum) ? checksum : null,
    },
  ];
}
