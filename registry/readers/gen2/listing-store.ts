/**
 * What was listed of a repository: an SQLite file that outlives catalogues, so that a walk that was interrupted goes on, and the next one lists only what
 * may have changed.
 *
 *     walk         one row: the number of the walk, what it walks, and whether it is at its end
 *     directory    path, the walk that saw it last, when it was listed, and what its parent's listing said of it then
 *     entry        directory, name, kind, size, time
 *
 * What a walk has listed stays if the process dies: every directory is stored in one transaction.
 */

import { Database, type Statement } from '../../sqlite/driver.js';

/** An entry of a directory. */
export interface ListedEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory';
  /** Bytes; null where the listing does not say exactly. */
  readonly size: number | null;
  /** Milliseconds since 1970; null where the listing does not say. */
  readonly modified: number | null;
}

export interface ListedFile {
  /** Directory below the root; '' is the root. */
  readonly directory: string;
  readonly name: string;
  readonly size: number | null;
}

/** Facts of one listing. */
export interface ListedDirectory {
  /** Milliseconds since 1970 at which it was listed. */
  readonly listed: number;
  /** Its time as the listing of its parent said then. */
  readonly modified: number | null;
  /** Whether the walk that goes on has listed it, not long ago. */
  readonly isSeen: boolean;
}

type DirectoryRow = [listed: number, modified: number | null, walk: number];
type EntryRow = [name: string, kind: number, size: number | null, modified: number | null];

const schemaVersion = 1;
/** Milliseconds for which a walk that was interrupted trusts what it has listed. */
const trusted = 86_400_000;

const schema = `
  create table walk (number integer not null, complete integer not null, digest text not null);
  insert into walk values (0, 1, '');
  create table directory (
    id integer primary key, path text not null unique, walk integer not null, listed integer not null, modified integer
  );
  create table entry (
    directory integer not null, name text not null, kind integer not null, size integer, modified integer, primary key (directory, name)
  ) without rowid;
  pragma user_version = ${schemaVersion};
`;

const joined = 'entry e join directory d on d.id = e.directory';

/** One process writes at a time; readers see whole walks where they are read after their end. */
export class ListingStore {
  readonly #database: Database;
  readonly #directory: Statement<[string], DirectoryRow>;
  readonly #entries: Statement<[string], EntryRow>;
  readonly #fileSize: Statement<[string, string], [number | null]>;
  readonly #touch: Statement<[number, string], unknown>;
  readonly #putDirectory: Statement<[string, number, number, number | null], [number]>;
  readonly #clear: Statement<[number], unknown>;
  readonly #putEntry: Statement<[number, string, number, number | null, number | null], unknown>;
  #walk: number;

  /** Opens the file, or makes it: also anew where it was made by another version of this program. */
  constructor(file: string, { readonly = false }: { readonly readonly?: boolean } = {}) {
    this.#database = new Database(file, { readonly, timeout: 10_000 });
    try {
      if (!readonly) this.#prepareFile();
      this.#directory = this.#database.prepare<[string], DirectoryRow>('select listed, modified, walk from directory where path = ?').raw();
      this.#entries = this.#database
        .prepare<[string], EntryRow>(`select name, kind, size, e.modified from ${joined} where d.path = ? order by name`)
        .raw();
      this.#fileSize = this.#database
        .prepare<[string, string], [number | null]>(`select size from ${joined} where d.path = ? and name = ? and kind = 0`)
        .raw();
      this.#touch = this.#database.prepare('update directory set walk = ? where path = ?');
      this.#putDirectory = this.#database
        .prepare<[string, number, number, number | null], [number]>(
          `insert into directory (path, walk, listed, modified) values (?, ?, ?, ?)
           on conflict (path) do update set walk = excluded.walk, listed = excluded.listed, modified = excluded.modified returning id`,
        )
        .raw();
      this.#clear = this.#database.prepare('delete from entry where directory = ?');
      this.#putEntry = this.#database.prepare('insert or replace into entry values (?, ?, ?, ?, ?)');
      this.#walk = this.#database.prepare('select number from walk').pluck().get() as number;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #prepareFile(): void {
    this.#database.pragma('journal_mode = wal');
    this.#database.pragma('synchronous = normal');
    if (this.#database.pragma('user_version', { simple: true }) === schemaVersion) return;
    this.#database.exec('drop table if exists walk; drop table if exists directory; drop table if exists entry;');
    this.#database.exec(schema);
  }

  /** Begins a walk, or goes on with one that was interrupted. `digest` names what is walked: of another one nothing is kept. */
  begin(digest: string): void {
    const [complete, known] = this.#database.prepare<[], [number, string]>('select complete, digest from walk').raw().get()!;
    if (known !== digest) this.#database.exec('delete from entry; delete from directory;');
    if (complete === 1 || known !== digest) this.#walk++;
    this.#database.prepare('update walk set number = ?, complete = 0, digest = ?').run(this.#walk, digest);
  }

  /** What is known of a directory; undefined where it was never listed. */
  directory(path: string): ListedDirectory | undefined {
    const row = this.#directory.get(path);
    if (row === undefined) return undefined;
    const [listed, modified, walk] = row;
    return { listed, modified, isSeen: walk === this.#walk && Date.now() - listed < trusted };
  }

  /** Sorted by name. */
  entries(path: string): ListedEntry[] {
    return this.#entries
      .all(path)
      .map(([name, kind, size, modified]) => ({ name, kind: kind === 1 ? ('directory' as const) : ('file' as const), size, modified }));
  }

  /** A file that was listed; undefined where there was none. */
  file(directory: string, name: string): ListedFile | undefined {
    const row = this.#fileSize.get(directory, name);
    return row === undefined ? undefined : { directory, name, size: row[0] };
  }

  /** Stores a listing. `modified`: the directory's time as its parent's listing says. */
  put(path: string, entries: readonly ListedEntry[], { listed, modified }: Pick<ListedDirectory, 'listed' | 'modified'>): void {
    this.#database.transaction(() => {
      const [id] = this.#putDirectory.get(path, this.#walk, listed, modified)!;
      this.#clear.run(id);
      for (const entry of entries) this.#putEntry.run(id, entry.name, entry.kind === 'directory' ? 1 : 0, entry.size, entry.modified);
    })();
  }

  /** What was listed before still holds. */
  keep(path: string): void {
    this.#touch.run(this.#walk, path);
  }

  /** Ends the walk: what it has not seen is gone. */
  finish(): void {
    this.#database.transaction(() => {
      this.#database.prepare('delete from entry where directory in (select id from directory where walk <> ?)').run(this.#walk);
      this.#database.prepare('delete from directory where walk <> ?').run(this.#walk);
      this.#database.prepare('update walk set complete = 1').run();
    })();
  }

  /** Every file, directory by directory, as one instant has them. */
  *files(): IterableIterator<ListedFile> {
    const statement = this.#database.prepare(
      `select d.path, name, size from directory d cross join entry e on e.directory = d.id where kind = 0 order by d.path, name`,
    );
    for (const [directory, name, size] of statement.raw().iterate() as IterableIterator<[string, string, number | null]>) {
      yield { directory, name, size };
    }
  }

  close(): void {
    this.#database.close();
  }
}
