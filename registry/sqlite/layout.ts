/** The repository's own files as directories: found by ranges of locations, jumping over what lies below a directory that was seen. */

import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { RepositoryEntry } from '../contract.js';
import type { Database } from './driver.js';
import { builder, Prepared, Slot } from './statements.js';

type FileFacts = NonNullable<RepositoryEntry['file']>;
type FactRow = readonly [location: string, size: number | null, checksum: string | null];

/** Rows that are read at a time. */
const batch = 512;
/** The character after the slash: behind all that lies below a directory. */
const afterSlash = '0';

/** What every source of locations says; a member tells nothing of the archive around it. */
const sources: readonly RawBuilder<unknown>[] = [
  sql`select location, size, checksum from dataset`,
  sql`select location, iif(member is null, size, null) as size, iif(member is null, checksum, null) as checksum from dataset_file`,
  sql`select location, size, checksum from own_file`,
];
const hexadecimal = sql`nullif(lower(hex(checksum)), '') as checksum`;

export class Layout {
  readonly #database: Database;
  readonly #ranges: readonly Prepared[];
  readonly #file: Prepared;

  constructor(database: Database) {
    this.#database = database;
    const prepare = (query: RawBuilder<unknown>): Prepared => new Prepared(database, { compile: () => query.compile(builder) });
    this.#ranges = sources.map((source) =>
      prepare(
        sql`select location, size, ${hexadecimal} from (${source} where location >= ${new Slot(0)} and location < ${new Slot(1)} order by location limit ${sql.lit(batch)})`,
      ),
    );
    const all = sql.join(
      sources.map((source) => sql`${source} where location = ${new Slot(0)}`),
      sql` union all `,
    );
    this.#file = prepare(sql`select count(*), max(size), nullif(lower(hex(max(checksum))), '') from (${all})`);
  }

  list(path: string): RepositoryEntry[] | undefined {
    const entries = new Map<string, RepositoryEntry>();
    for (const range of this.#ranges) listRange(range, path, entries);
    if (entries.size === 0 && path !== '') return undefined;
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  *all(): IterableIterator<FileFacts> {
    const parts = sources.map((source) => sql`${source} where location is not null`);
    const query = sql`${sql.join(parts, sql` union all `)} order by location`;
    const rows = new Prepared(this.#database, { compile: () => query.compile(builder) }).iterate();
    let file: FileFacts | undefined;
    for (const [stored, size, checksum] of rows as IterableIterator<[string, number | null, Buffer | null]>) {
      const location = stored.startsWith('/') ? stored.slice(1) : stored;
      const facts = { location, size, checksum: checksum?.toString('hex') ?? null };
      if (file?.location === location) {
        file = merged(file, facts);
        continue;
      }
      if (file !== undefined) yield file;
      file = facts;
    }
    if (file !== undefined) yield file;
  }

  file(path: string): FileFacts | undefined {
    if (path.startsWith('/')) return undefined;
    const [count, size, checksum] = this.#file.get([path]) as [number, number | null, string | null];
    return count === 0 ? undefined : { location: path, size, checksum };
  }
}

/** Adds the entries of one source. */
function listRange(range: Prepared, path: string, entries: Map<string, RepositoryEntry>): void {
  const prefix = path === '' ? '' : `${path}/`;
  const end = path === '' ? '\u{10ffff}' : path + afterSlash;
  let next = prefix;
  for (;;) {
    const rows = range.all([next, end]) as unknown as FactRow[];
    let skipped: string | undefined;
    for (const [location, size, checksum] of rows) {
      // Texts in the order of SQLite, which is not that of JavaScript: a skipped directory is told by its name.
      if (skipped !== undefined && location.startsWith(skipped)) continue;
      const slash = location.indexOf('/', prefix.length);
      const name = location.slice(prefix.length, slash < 0 ? undefined : slash);
      skipped = slash < 0 ? undefined : location.slice(0, slash + 1);
      if (name === '') continue;
      // Where a repository claims a file and a directory of one name, what lies below stays reachable.
      if (slash >= 0) entries.set(name, { name });
      else addFile(entries, name, { location, size, checksum });
    }
    if (rows.length < batch) return;
    next = skipped === undefined ? `${rows.at(-1)![0]}\0` : skipped.slice(0, -1) + afterSlash;
  }
}

function addFile(entries: Map<string, RepositoryEntry>, name: string, facts: FileFacts): void {
  const known = entries.get(name);
  if (known === undefined) entries.set(name, { name, file: facts });
  else if (known.file !== undefined) entries.set(name, { name, file: merged(known.file, facts) });
}

/** One file of which several datasets tell: the greatest of what they say. */
function merged(a: FileFacts, b: FileFacts): FileFacts {
  const greatest = <Value extends number | string>(one: Value | null, other: Value | null): Value | null =>
    one === null || (other !== null && other > one) ? other : one;
  return { location: a.location, size: greatest(a.size, b.size), checksum: greatest(a.checksum, b.checksum) };
}
