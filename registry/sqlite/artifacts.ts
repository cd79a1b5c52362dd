/** Stores locations of files as directories and names, so that the repository's own layout can be listed. */

import { LRUCache } from 'lru-cache';
import type { Database } from './driver.js';
import { absoluteDirectory, rootDirectory } from './schema.js';
import { builder, Prepared, Slot, slots } from './statements.js';

export interface ArtifactFacts {
  readonly size: number | null;
  readonly checksum: string | null;
}

export class ArtifactWriter {
  readonly #directories = new LRUCache<string, number>({ max: 20_000 });
  readonly #insertDirectory: Prepared;
  readonly #findDirectory: Prepared;
  readonly #insertArtifact: Prepared;
  #nextDirectory = rootDirectory + 1;

  constructor(database: Database) {
    const [first, second, third, fourth] = slots(4);
    const directory = builder.insertInto('directory').values({ id: first, parent: second, name: third, path: fourth });
    this.#insertDirectory = new Prepared(database, directory);
    const found = builder.selectFrom('directory').select('id').where('parent', '=', first).where('name', '=', second);
    this.#findDirectory = new Prepared(database, found);
    this.#insertArtifact = new Prepared(
      database,
      builder
        .insertInto('artifact')
        .values({ directory: new Slot(0), name: new Slot(1), size: new Slot(2), checksum: new Slot(3) })
        .onConflict((conflict) =>
          conflict.columns(['directory', 'name']).doUpdateSet(({ fn, ref }) => ({
            size: fn.coalesce(ref('artifact.size'), ref('excluded.size')),
            checksum: fn.coalesce(ref('artifact.checksum'), ref('excluded.checksum')),
          })),
        )
        .returning('id'),
    );
    this.#insertDirectory.run([absoluteDirectory, -1, '', '']);
    this.#insertDirectory.run([rootDirectory, -1, '/', '']);
  }

  /** The key of the file at `location`; what is known of it is kept, what was unknown is filled in. */
  add(location: string, { size, checksum }: ArtifactFacts): number {
    const absolute = location.includes('://');
    const slash = absolute ? -1 : location.lastIndexOf('/');
    const directory = absolute ? absoluteDirectory : slash < 0 ? rootDirectory : this.#directory(location.slice(0, slash));
    const row = this.#insertArtifact.get([
      directory,
      location.slice(slash + 1),
      size,
      checksum === null ? null : Buffer.from(checksum, 'hex'),
    ]);
    return row![0] as number;
  }

  #directory(path: string): number {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? rootDirectory : this.#directory(path.slice(0, slash));
    const name = path.slice(slash + 1);
    let id = this.#findDirectory.get([parent, name])?.[0] as number | undefined;
    if (id === undefined) {
      id = this.#nextDirectory++;
      this.#insertDirectory.run([id, parent, name, path]);
    }
    this.#directories.set(path, id);
    return id;
  }
}
