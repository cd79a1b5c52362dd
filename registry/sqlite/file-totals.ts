/** Numbers of files and bytes while files come and go, and marks for those of which several datasets tell. */

import { sql } from 'kysely';
import type { StoredFile } from '../contract.js';
import { extensionOf } from '../readers/gen3/locations.js';
import type { ContentRows } from './content.js';
import type { StoredInformation } from './information.js';
import { storedLocation } from './schema.js';
import { slots } from './statements.js';

type FileRow = readonly [
  component: string,
  location: string,
  member: string | null,
  size: number | null,
  checksum: string | null,
  extension: string | null,
];

export class FileTotals {
  readonly #content: ContentRows;
  #files: number;
  #bytes: number;

  constructor(content: ContentRows, { files, bytes }: StoredInformation['totals']) {
    this.#content = content;
    this.#files = files;
    this.#bytes = bytes;
  }

  get totals(): StoredInformation['totals'] {
    return { files: this.#files, bytes: this.#bytes };
  }

  /** Does something that changes rows of these files. */
  changingAll(files: readonly StoredFile[], work: () => void): void {
    const locations = [...new Set(files.map(({ location }) => storedLocation(location)))];
    for (const location of locations) this.#count(location, -1);
    work();
    for (const location of locations) {
      this.#count(location, 1);
      this.#markShared(location);
    }
  }

  /** As {@link changingAll}, of one stored location. */
  changing(location: string, work: () => void): void {
    this.#count(location, -1);
    work();
    this.#count(location, 1);
    this.#markShared(location);
  }

  /** Files of a dataset as they were given, sorted by component. */
  of(key: number): StoredFile[] {
    const [first] = slots(1);
    const statement = this.#content.statement(
      'files of',
      () => sql`
      select '', location, null, size, nullif(lower(hex(checksum)), ''), extension from dataset where key = ${first} and location is not null
      union all select component, location, member, size, nullif(lower(hex(checksum)), ''), extension from dataset_file where dataset = ${first} order by 1`,
    );
    return (statement.all([key]) as unknown as FileRow[]).map(([component, stored, member, size, checksum, extension]) => {
      const location = stored.startsWith('/') ? stored.slice(1) : stored;
      return {
        component: component === '' ? null : component,
        location,
        member,
        size,
        checksum,
        extension: extension ?? extensionOf(location),
      };
    });
  }

  #count(location: string, sign: 1 | -1): void {
    const [first] = slots(1);
    const statement = this.#content.statement(
      'facts of file',
      () => sql`
      select count(*), max(size) from (
        select size from dataset where location = ${first}
        union all select iif(member is null, size, null) from dataset_file where location = ${first}
        union all select size from own_file where location = ${first})`,
    );
    const [rows, size] = statement.get([location]) as [number, number | null];
    if (rows === 0) return;
    this.#files += sign;
    this.#bytes += sign * (size ?? 0);
  }

  #markShared(location: string): void {
    const [first] = slots(1);
    const rows = sql`(select count(*) from dataset where location = ${first}) + (select count(*) from dataset_file where location = ${first})`;
    const [count] = this.#content.statement('sharers', () => sql`select ${rows}`).get([location]) as [number];
    if (count < 2) return;
    for (const table of ['dataset', 'dataset_file'])
      this.#content
        .statement(`share ${table}`, () => sql`update ${sql.table(table)} set shared = 1 where location = ${first} and shared = 0`)
        .run([location]);
  }
}
