/** Repositories that the real butler would not make, or not on a good day. */

import { closeSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../common/errors.js';
import type { RepositoryRecord } from '../../contract.js';
import { makeRepository, plainConfiguration } from '../../testing/gen3.js';
import type { SmallRepository } from '../../testing/gen3.js';
import { openRepository, smallUniverse, temporaryDirectory, uuidOf } from '../../testing/repositories.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

let made = 0;
function repository(prepare: (small: SmallRepository) => void, options?: Parameters<typeof makeRepository>[1]): string {
  const small = makeRepository(join(directory.path, String(made++)), options);
  prepare(small);
  small.close();
  return small.root;
}

function read(root: string, onWarning?: (message: string) => void): RepositoryRecord[] {
  const reader = openRepository(root, onWarning);
  try {
    return [...reader.records()];
  } finally {
    reader.close();
  }
}

const refused = (code: ErrorCode, message: string): Error =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;
const filesOf = (records: RepositoryRecord[], number: number) => {
  const dataset = records.find((record) => record.kind === 'dataset' && record.uuid === uuidOf(number));
  return dataset?.kind === 'dataset' ? dataset.files : undefined;
};

describe('a Gen3 registry that is none', () => {
  const withRegistry = (content: Buffer | string): string => {
    const root = repository(() => {});
    writeFileSync(join(root, 'gen3.sqlite3'), content);
    return root;
  };

  it('is empty after a failed butler create', () => {
    expect(() => read(withRegistry(''))).toThrow(refused('corrupt-repository', "'butler create' that failed"));
    expect(() => read(withRegistry(''))).toThrow('create the repository again');
  });

  it('is garbage', () => {
    expect(() => read(withRegistry('garbage'.repeat(1000)))).toThrow(refused('corrupt-repository', 'not an SQLite file'));
    expect(() => read(withRegistry('x'))).toThrow(refused('corrupt-repository', 'not an SQLite file'));
    expect(() => read(withRegistry(Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8192, 0xab)])))).toThrow(
      refused('corrupt-repository', 'the registry'),
    );
  });

  it('is damaged further on', () => {
    const root = repository((small) => small.fill(5000));
    const file = join(root, 'gen3.sqlite3');
    // The first pages hold the schema: the registry opens, and the damage shows while it is read.
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(statSync(file).size - 100_000, 0xff), 0, null, 100_000);
    closeSync(descriptor);
    openRepository(root).close();
    expect(() => read(root)).toThrow(refused('corrupt-repository', 'the registry'));
  });

  it('is another SQLite file', () => {
    expect(() => read(repository((small) => small.sql('drop table dataset')))).toThrow(refused('not-a-repository', "table 'dataset'"));
  });

  it('is missing', () => {
    const root = repository(() => {}, { configuration: plainConfiguration.replace('gen3.sqlite3', 'other.sqlite3') });
    expect(() => read(root)).toThrow(refused('not-a-repository', 'cannot be opened'));
  });

  it('is of a future universe, or of old managers', () => {
    const universe = JSON.stringify({ ...(JSON.parse(smallUniverse) as object), version: 20, elements: 'all of them' });
    expect(() => read(repository(() => {}, { universe }))).toThrow(refused('unsupported-repository', 'version 20'));
    const integers = repository((small) => small.sql("insert into dataset values ('17', 1, 0, 1)"));
    expect(() => read(integers)).toThrow(refused('unsupported-repository', 'not named by a UUID'));
    const named = repository((small) => small.sql('alter table collection rename column collection_id to key'));
    expect(() => read(named)).toThrow(refused('unsupported-repository', "no column 'collection_id'"));
  });

  it('has lost a table of memberships', () => {
    expect(() => read(repository((small) => small.sql('drop table dataset_tags_00000001')))).toThrow(
      refused('corrupt-repository', "'dataset_tags_00000001' is missing"),
    );
  });
});

describe('a Gen3 registry with awkward rows', () => {
  it('leaves hostile paths out with a warning, and keeps the rest', () => {
    const warnings: string[] = [];
    const paths = ['../../etc/passwd', 'run/../../x.fits', 'run/%2E%2E/%2E%2E/x.fits', '', 'run/a%00b.fits', 'run/good.fits'];
    const root = repository((small) => paths.forEach((path, index) => small.add(index + 1, 1, index, path)));
    const records = read(root, (message) => warnings.push(message));
    expect(paths.map((_, index) => filesOf(records, index + 1)!.length)).toEqual([0, 0, 0, 0, 0, 1]);
    expect(warnings).toHaveLength(5);
    expect(warnings[0]).toContain(uuidOf(1));
    expect(records.filter(({ kind }) => kind === 'membership')).toHaveLength(6);
  });

  it('takes sizes and checksums only where they are ones', () => {
    const root = repository((small) => {
      small.add(1, 1, 1, 'run/a.fits');
      small.add(2, 1, 2, 'run/b.fits');
      small.sql(`update file_datastore_records set checksum = 'abc', file_size = -1 where dataset_id = '${uuidOf(1)}'`);
      small.sql(`update file_datastore_records set checksum = '${'0a'.repeat(64)}' where dataset_id = '${uuidOf(2)}'`);
    });
    const records = read(root);
    expect(filesOf(records, 1)).toMatchObject([{ size: null, checksum: null, extension: '.fits' }]);
    expect(filesOf(records, 2)).toMatchObject([{ size: 100, checksum: '0a'.repeat(64) }]);
  });

  it('asks chained datastores in turn, each with its own root and table', () => {
    const configuration = `datastore:
  cls: lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore
  datastores:
    - {cls: lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore}
    - {cls: a.FileDatastore, root: <butlerRoot>/one, records: {table: records_one}}
    - {cls: a.FileDatastore, root: 'https://example.org/two/', records: {table: records_two}}
    - {cls: a.FileDatastore, root: <butlerRoot>/three, records: {table: records_three}}
registry: {db: 'sqlite:///<butlerRoot>/gen3.sqlite3'}
`;
    const warnings: string[] = [];
    const root = repository(
      (small) => {
        small.add(1, 1, 1, 'a b.fits');
        small.add(2, 1, 2, 'c d.fits');
        small.sql('alter table file_datastore_records rename to records_two');
        small.sql(`create table records_one as select * from records_two where dataset_id = '${uuidOf(1)}'`);
      },
      { configuration },
    );
    const records = read(root, (message) => warnings.push(message));
    expect(filesOf(records, 1)).toMatchObject([{ location: 'one/a b.fits' }]);
    expect(filesOf(records, 2)).toMatchObject([{ location: 'https://example.org/two/c%20d.fits' }]);
    expect(warnings).toEqual([expect.stringContaining("'records_three'")]);
  });

  it('names the files of the repository itself', () => {
    const files = read(repository(() => {})).flatMap((record) => (record.kind === 'file' ? [record.location] : []));
    expect(files).toEqual(['butler.yaml', 'gen3.sqlite3']);
  });

  it('is read as it was when reading began, whoever writes meanwhile', () => {
    const small = makeRepository(join(directory.path, 'live'));
    small.sql('pragma journal_mode = wal');
    small.fill(10);
    const reader = openRepository(small.root);
    const stream = reader.records();
    stream.next();
    small.add(11, 9999, 1, 'run/late.fits');
    const datasets = [...stream].filter(({ kind }) => kind === 'dataset');
    reader.close();
    small.close();
    expect(datasets).toHaveLength(10);
  });
});
