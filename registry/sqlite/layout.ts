/** The repository's own files as directories. */

import type { Database } from './driver.js';
import { sql } from 'kysely';
import type { RepositoryEntry } from '../contract.js';
import { rootDirectory } from './schema.js';
import { builder, Prepared, slots } from './statements.js';

export class Layout {
  readonly #child: Prepared;
  readonly #directories: Prepared;
  readonly #files: Prepared;
  readonly #file: Prepared;

  constructor(database: Database) {
    const [first, second] = slots(2);
    const directory = builder.selectFrom('directory').where('parent', '=', first);
    this.#child = new Prepared(database, directory.where('name', '=', second).select('id'));
    this.#directories = new Prepared(database, directory.select('name'));
    const checksum = sql`iif(checksum is null, null, lower(hex(checksum)))`.as('checksum');
    const artifact = builder.selectFrom('artifact').where('directory', '=', first).select(['name', 'size', checksum]);
    this.#files = new Prepared(database, artifact);
    this.#file = new Prepared(database, artifact.where('name', '=', second));
  }

  /** The key of the directory at `path`, or undefined. */
  #find(path: string): number | undefined {
    let id = rootDirectory;
    for (const name of path === '' ? [] : path.split('/')) {
      const row = this.#child.get([id, name]);
      if (row === undefined) return undefined;
      id = row[0] as number;
    }
    return id;
  }

  list(path: string): RepositoryEntry[] | undefined {
    const id = this.#find(path);
    if (id === undefined) return undefined;
    const entries = new Map<string, RepositoryEntry>();
    for (const row of this.#files.all([id])) entries.set(row[0] as string, entryOf(path, row));
    // Where a repository claims a file and a directory of one name, what lies below stays reachable.
    for (const [name] of this.#directories.all([id])) entries.set(name as string, { name: name as string });
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  *all(database: Database): IterableIterator<NonNullable<RepositoryEntry['file']>> {
    const query = builder
      .selectFrom('artifact')
      .innerJoin('directory', 'directory.id', 'artifact.directory')
      .select(['directory.path', 'artifact.name', 'size', sql`iif(checksum is null, null, lower(hex(checksum)))`.as('checksum')])
      .orderBy('artifact.directory')
      .orderBy('artifact.name');
    for (const [path, ...row] of new Prepared(database, query).iterate()) yield entryOf(path as string, row).file!;
  }

  file(path: string): RepositoryEntry['file'] {
    const slash = path.lastIndexOf('/');
    const id = this.#find(slash < 0 ? '' : path.slice(0, slash));
    const row = id === undefined ? undefined : this.#file.get([id, path.slice(slash + 1)]);
    return row === undefined ? undefined : entryOf(slash < 0 ? '' : path.slice(0, slash), row).file;
  }
}

function entryOf(directory: string, [name, size, checksum]: readonly unknown[]): RepositoryEntry {
  const location = directory === '' ? String(name) : `${directory}/${String(name)}`;
  return { name: String(name), file: { location, size: size as number | null, checksum: checksum as string | null } };
}
