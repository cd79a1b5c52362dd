/** What came, changed and went in a Gen3 registry is found, and brings the catalogue to what a whole reading makes of it. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sharedData } from '../../../test/shared.js';
import type { LocalReader } from '../../contract.js';
import { buildCatalogue } from '../../sqlite/build.js';
import { Database } from '../../sqlite/driver.js';
import { openCatalogue } from '../../sqlite/open.js';
import { updateCatalogue } from '../../sqlite/update.js';
import { answersOf } from '../../testing/answers.js';
import { makeRepository, plainConfiguration } from '../../testing/gen3.js';
import { parseButlerConfiguration } from './configuration.js';
import { openGen3 } from './reader.js';
import type { SmallRepository } from '../../testing/gen3.js';
import { openRepository, temporaryDirectory, uuidOf } from '../../testing/repositories.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

let made = 0;
const place = (name: string): string => join(directory.path, `${made++}-${name}`);

function withReader<Result>(root: string, work: (reader: LocalReader) => Result): Result {
  const reader = openRepository(root);
  try {
    return work(reader);
  } finally {
    reader.close();
  }
}

function build(root: string, asRecords = false): string {
  const target = place('catalogue.sqlite3');
  withReader(root, (reader) => {
    const { format } = reader;
    const plain: LocalReader = {
      format,
      records: () => reader.records(),
      cursor: () => reader.cursor(),
      changes: () => undefined,
      close: () => undefined,
    };
    buildCatalogue({ reader: asRecords ? plain : reader, target, repository: 'test', validator: null, version: 1, updatable: true });
  });
  return target;
}

async function update(root: string, target: string): Promise<boolean> {
  const reader = openRepository(root);
  try {
    return (await updateCatalogue({ reader, target, repository: 'test', validator: null, version: 2 })) !== undefined;
  } finally {
    reader.close();
  }
}

function answers(target: string): unknown {
  const catalogue = openCatalogue(target)!;
  try {
    return answersOf(catalogue);
  } finally {
    catalogue.close();
  }
}

/** Changes a repository step by step; after each the catalogue must be what a whole reading makes. */
async function follow(root: string, steps: readonly ((database: Database) => void)[]): Promise<void> {
  const target = build(root);
  const file = join(root, 'gen3.sqlite3');
  for (const [index, step] of steps.entries()) {
    const database = new Database(file);
    database.pragma('foreign_keys = off');
    step(database);
    database.close();
    expect([index, await update(root, target)]).toEqual([index, true]);
    expect(answers(target), `after step ${index}`).toEqual(answers(build(root)));
  }
}

const shared = sharedData();

describe('the catalogue of a repository', () => {
  it.runIf(shared !== undefined).each(['gen3-hsc', 'gen3-dc2', 'gen3-edge'])('is the same by SQL and by records: %s', (name) => {
    const root = join(shared!, name);
    expect(answers(build(root))).toEqual(answers(build(root, true)));
  });

  const awkward: Readonly<Record<string, (small: SmallRepository) => void>> = {
    'awkward paths': (small) =>
      [
        '../x.fits',
        'a/%2E%2E/y',
        '',
        'a%00b',
        '/abs/file.fits',
        'https://h.org/a%20b.fits',
        'a//b.fits',
        './c.fits',
        '.hidden/d',
        'e#f.fits',
        'ä.FITS.gz',
        'z.zip#zip-path=m.yaml',
        'file:///q.fits',
        'dir/',
      ].forEach((path, index) => small.add(index + 1, 1, index, path)),
    'sizes and digests of all kinds': (small) => {
      for (let number = 1; number <= 6; number++) small.add(number, 1, number, `a/${number}.fits`);
      const set = (number: number, text: string) =>
        small.sql(`update file_datastore_records set ${text} where dataset_id = '${uuidOf(number)}'`);
      set(1, `checksum = '${'AB'.repeat(64)}'`);
      set(2, `checksum = '${'ab'.repeat(64)}', file_size = 1.5`);
      set(3, `checksum = '${'zz'.repeat(64)}', file_size = -1`);
      set(4, `component = 'image'`);
      set(5, `component = ''`);
      set(6, `path = 'a/1.fits', file_size = null`);
    },
    'rows without counterparts': (small) => {
      small.add(1, 1, 1, 'a.fits');
      small.add(2, 1, 2, 'b.fits');
      small.add(3, 1, 3, 'c.fits');
      small.sql(`delete from file_datastore_records where dataset_id = '${uuidOf(1)}'`);
      small.sql(`delete from dataset where id = '${uuidOf(2)}'`);
      small.sql(`delete from dataset_tags_00000001 where dataset_id = '${uuidOf(3)}'`);
    },
    'values of unusual types': (small) => {
      small.add(1, 1, 1, 'a.fits');
      small.sql(`update dataset_tags_00000001 set visit = 'text', instrument = x'0102'`);
    },
    'numbers that are not those of the others': (small) => {
      for (let number = 1; number <= 50; number++) small.add(number, 1, number, `a/${number}.fits`);
      small.sql(`create table other as select * from file_datastore_records order by dataset_id desc;
        delete from file_datastore_records; insert into file_datastore_records select * from other; drop table other`);
    },
    'a RUN that is not its own': (small) => {
      small.add(1, 1, 1, 'a.fits');
      small.sql(
        `insert into collection values (2, 'other', 1, null); insert into dataset_tags_00000001 values (1, '${uuidOf(1)}', 2, 'HSC', 1, 1)`,
      );
    },
  };
  it.each(Object.keys(awkward))('is the same by SQL and by records: %s', (name) => {
    const small = makeRepository(place('repository'));
    awkward[name]!(small);
    small.close();
    expect(answers(build(small.root))).toEqual(answers(build(small.root, true)));
  });

  it('is the same by SQL and by records where the datastore has a root of its own', () => {
    const configuration = plainConfiguration.replace('root: <butlerRoot>\n', "root: <butlerRoot>/it's\n");
    const small = makeRepository(place('repository'), { configuration });
    small.fill(20);
    small.close();
    expect(answers(build(small.root))).toEqual(answers(build(small.root, true)));
  });
});

describe('changes of a registry', () => {
  it('are followed: what came, what went, and what was changed in place with it', { timeout: 30_000 }, async () => {
    const small = makeRepository(place('repository'));
    small.fill(300);
    small.sql("insert into collection values (2, 'tag', 2, null)");
    small.close();
    const uuid = (number: number): string => `'${uuidOf(number)}'`;
    const remove = (database: Database, where: string): void => {
      for (const table of ['dataset_tags_00000001', 'file_datastore_records'])
        database.exec(`delete from ${table} where dataset_id in (${where})`);
      database.exec(`delete from dataset where id in (${where})`);
    };
    await follow(small.root, [
      (database) =>
        database.exec(`insert into dataset values (${uuid(1000)}, 1, 0, 1);
          insert into file_datastore_records values (${uuid(1000)}, 'run/new.fits', 'f', 's', '__NULL_STRING__', null, 7);
          insert into dataset_tags_00000001 values (1, ${uuid(1000)}, 1, 'HSC', 7, 7)`),
      (database) => remove(database, `${uuid(5)}, ${uuid(17)}`),
      // Files that go while their datasets stay, and come again.
      (database) => database.exec(`delete from file_datastore_records where dataset_id = ${uuid(30)}`),
      (database) =>
        database.exec(`insert into file_datastore_records values (${uuid(30)}, 'run/again.fits', 'f', 's', '__NULL_STRING__', null, 9)`),
      (database) =>
        database.exec(`insert into dataset_tags_00000001 select dataset_type_id, dataset_id, 2, instrument, visit, detector
          from dataset_tags_00000001 where visit = 1001 and collection_id = 1`),
      (database) => database.exec('delete from dataset_tags_00000001 where collection_id = 2 and detector % 3 = 0'),
      // One comes, one goes, and one is changed in place: the numbers are as before.
      (database) =>
        database.exec(`delete from dataset_tags_00000001 where dataset_id = ${uuid(40)} and collection_id = 1;
          update dataset_tags_00000001 set detector = 5000 where dataset_id = ${uuid(41)} and collection_id = 1;
          insert into dataset values (${uuid(1001)}, 1, 0, 1);
          insert into dataset_tags_00000001 values (1, ${uuid(1001)}, 1, 'HSC', 7, 8)`),
      (database) =>
        database.exec(`insert into collection values (3, 'run2', 1, 'doc'), (4, 'chain', 3, null);
          insert into collection_chain values (4, -1, 3), (4, 0, 1);
          insert into dataset values (${uuid(1002)}, 1, 0, 3);
          insert into dataset_tags_00000001 values (1, ${uuid(1002)}, 3, 'HSC', 7, 8)`),
      (database) => {
        remove(database, uuid(1002));
        database.exec(
          "delete from collection_chain; delete from collection where collection_id = 3; update collection set name = 'renamed' where collection_id = 4",
        );
      },
    ]);
  });

  it.runIf(shared !== undefined)('are followed in a real repository, with calibrations', { timeout: 30_000 }, async () => {
    const root = place('hsc');
    for (const name of ['butler.yaml', 'gen3.sqlite3']) cpSync(join(shared!, 'gen3-hsc', name), join(root, name));
    const tables = (database: Database): { tags: string; calibs: string } =>
      database
        .prepare("select tag_association_table as tags, calibration_association_table as calibs from dataset_type where name = 'bias'")
        .get() as {
        tags: string;
        calibs: string;
      };
    await follow(root, [
      // A certification is cut in two, as by decertifying its middle.
      (database) => {
        const { calibs } = tables(database);
        const columns = (database.pragma(`table_info(${calibs})`) as { name: string }[])
          .map(({ name }) => name)
          .filter((name) => name !== 'id');
        const first = `select min(id) from ${calibs}`;
        const selected = columns.map((name) => (name === 'timespan_begin' ? '1700000000000000000' : name));
        database.exec(`insert into ${calibs} (${columns.join(', ')}) select ${selected.join(', ')} from ${calibs} where id = (${first});
          insert into ${calibs} (${columns.join(', ')}) select ${columns.map((name) => (name === 'timespan_end' ? '1' : name)).join(', ')} from ${calibs} where id = (${first});
          delete from ${calibs} where id = (${first})`);
      },
      (database) => database.exec("insert into physical_filter (instrument, name, band) values ('HSC', 'NEW', 'x')"),
      (database) => database.exec(`delete from ${tables(database).calibs}`),
    ]);
  });

  it('are told before the rows of a large registry are counted, which the next reading does', async () => {
    const small = makeRepository(place('repository'));
    small.fill(300);
    const target = build(small.root);
    const look = async (): Promise<{ readonly version: number | undefined; readonly isUnfinished: boolean }> => {
      const configuration = parseButlerConfiguration(plainConfiguration, 'test');
      const registryFile = join(small.root, configuration.registry);
      const reader = openGen3({ configuration, registryFile, repository: 'test', countLaterAbove: 100 });
      try {
        const info = await updateCatalogue({ reader, target, repository: 'test', validator: null, version: 2 });
        return { version: info?.version, isUnfinished: reader.isUnfinished === true };
      } finally {
        reader.close();
      }
    };
    const remove = (number: number): void =>
      ['dataset_tags_00000001', 'file_datastore_records']
        .map((table) => `delete from ${table} where dataset_id = '${uuidOf(number)}'`)
        .concat(`delete from dataset where id = '${uuidOf(number)}'`)
        .forEach((statement) => small.sql(statement));
    const shown = (number: number): boolean => {
      const catalogue = openCatalogue(target)!;
      const found = catalogue.datasetByUuid(uuidOf(number)) !== undefined;
      catalogue.close();
      return found;
    };
    // What came is there first, then what went is found missing.
    small.add(1000, 7, 7, 'new.fits');
    remove(5);
    expect(await look()).toEqual({ version: 2, isUnfinished: true });
    expect([shown(1000), shown(5)]).toEqual([true, true]);
    expect(await look()).toEqual({ version: 3, isUnfinished: false });
    expect(answers(target)).toEqual(answers(build(small.root)));
    // Where nothing went the version stays.
    small.add(1001, 7, 8, 'newer.fits');
    expect(await look()).toEqual({ version: 4, isUnfinished: true });
    expect(await look()).toEqual({ version: 4, isUnfinished: false });
    expect(answers(target)).toEqual(answers(build(small.root)));
    // What comes between the two hides nothing, and where nothing came what went is looked for at once.
    small.add(1002, 7, 9, 'newest.fits');
    expect((await look()).isUnfinished).toBe(true);
    small.add(1003, 7, 10, 'last.fits');
    remove(17);
    expect((await look()).isUnfinished).toBe(false);
    expect(answers(target)).toEqual(answers(build(small.root)));
    remove(18);
    expect((await look()).isUnfinished).toBe(false);
    expect(answers(target)).toEqual(answers(build(small.root)));
    // The last rows went: their numbers are given again.
    remove(1003);
    small.add(1004, 7, 11, 'again.fits');
    expect((await look()).isUnfinished).toBe(false);
    expect(answers(target)).toEqual(answers(build(small.root)));
    small.close();
  });

  it('are not told where that might miss one: all is read again', async () => {
    const small = makeRepository(place('repository'));
    small.fill(50);
    const target = build(small.root);
    const before = answers(target);
    // Changed in place, alone.
    small.sql(`update file_datastore_records set file_size = 1 where dataset_id = '${uuidOf(3)}'`);
    expect(await update(small.root, target)).toBe(false);
    expect(answers(target)).toEqual(before);
    small.close();
  });

  it('are all there is where rows are numbered anew', async () => {
    const small = makeRepository(place('repository'));
    small.fill(50);
    const target = build(small.root);
    small.sql(`create table other as select * from dataset where id <> '${uuidOf(7)}' order by id desc;
      delete from dataset; insert into dataset select * from other; drop table other`);
    expect(await update(small.root, target)).toBe(true);
    expect(answers(target)).toEqual(answers(build(small.root)));
    small.close();
  });
});
