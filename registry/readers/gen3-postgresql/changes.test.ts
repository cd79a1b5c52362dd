/** What came, changed and went in a registry in a real PostgreSQL is found, brings the catalogue to what a whole reading makes of it, and costs no whole reading. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPostgresql, PostgresqlServer } from '../../../test/support/postgresql.js';
import { calexps, createServerRegistry, serverConfiguration, uuidText } from '../../../test/support/server-registry.js';
import { eventually, removeDirectory, temporaryDirectory } from '../../../test/support/temporary.js';
import { buildCatalogueFrom } from '../../sqlite/build.js';
import { openCatalogue } from '../../sqlite/open.js';
import { updateCatalogue } from '../../sqlite/update.js';
import { answersOf } from '../../testing/answers.js';
import type { CatalogueInfo, RepositoryReader } from '../../contract.js';
import { parseServerConfiguration } from './configuration.js';
import { openServerRegistry } from './reader.js';
import { registryValidator } from './validator.js';

describe.runIf(hasPostgresql())('changes of a registry in PostgreSQL', () => {
  let server: PostgresqlServer;
  let place: string;
  let made = 0;
  let version = 1;

  beforeAll(async () => {
    place = temporaryDirectory('changes');
    server = await PostgresqlServer.start();
  });
  afterAll(async () => {
    await server?.stop();
    if (place !== undefined) removeDirectory(place);
  });

  const access = (database: string) => {
    const { address, namespace } = parseServerConfiguration(serverConfiguration(server, database), 'test')!;
    return { access: { address, user: 'butler', password: PostgresqlServer.password }, namespace };
  };
  async function withReader<Result>(database: string, work: (reader: RepositoryReader) => Promise<Result>): Promise<Result> {
    const datastores = [{ root: '', recordsTable: 'file_datastore_records' }];
    const reader = await openServerRegistry({ ...access(database), datastores, repository: 'test' });
    try {
      return await work(reader);
    } finally {
      await reader.close();
    }
  }
  async function build(database: string): Promise<string> {
    const target = join(place, `${made++}.sqlite3`);
    await withReader(database, (reader) =>
      buildCatalogueFrom({ reader, target, repository: 'test', validator: null, version: 1, updatable: true }),
    );
    return target;
  }
  const update = (database: string, target: string): Promise<CatalogueInfo | undefined> =>
    withReader(database, (reader) => updateCatalogue({ reader, target, repository: 'test', validator: null, version: ++version }));
  const answers = (target: string): unknown => {
    const catalogue = openCatalogue(target)!;
    try {
      return answersOf(catalogue);
    } finally {
      catalogue.close();
    }
  };
  const validator = (database: string): Promise<string> => registryValidator(access(database).access, 'hsc');
  /** Changes the registry, and waits until the server has counted it. */
  async function change(database: string, statements: string): Promise<void> {
    const before = await validator(database);
    await server.query(database, statements);
    await eventually('the write being counted', async () => (await validator(database)) !== before, 15_000);
  }

  it('are followed: what came, what went, and what was changed in place', { timeout: 60_000 }, async () => {
    const database = 'followed';
    await createServerRegistry(server, database);
    await server.query(database, calexps(1, 1000, 100));
    await server.query(database, calexps(101, 1001, 100));
    const target = await build(database);
    const remove = (where: string): string =>
      ['dataset_tags_00000001', 'file_datastore_records']
        .map((table) => `delete from hsc.${table} where dataset_id in (${where});`)
        .join('') + `delete from hsc.dataset where id in (${where});`;
    const bias = (number: number, detector: number, span: string): string => `
      insert into hsc.dataset values (${uuidText(number)}, 2, 5, 1);
      insert into hsc.dataset_tags_00000002 values (2, ${uuidText(number)}, 1, 'HSC', ${number});
      insert into hsc.file_datastore_records values (${uuidText(number)}, 'b/${number}.fits', 'f', 's', '__NULL_STRING__', null, 7);
      insert into hsc.dataset_calibs_00000002 (dataset_type_id, dataset_id, collection_id, instrument, detector, timespan)
        values (2, ${uuidText(number)}, 3, 'HSC', ${detector}, ${span});`;
    const steps: Readonly<Record<string, string>> = {
      'datasets came, in a savepoint': `begin; savepoint one; ${calexps(1000, 7, 3)} release savepoint one; commit`,
      'datasets went': remove(`${uuidText(5)}, ${uuidText(17)}`),
      'a file went, and its dataset stays': `delete from hsc.file_datastore_records where dataset_id = ${uuidText(30)}`,
      'it came again': `insert into hsc.file_datastore_records values (${uuidText(30)}, 'run/again.fits', 'f', 's', '__NULL_STRING__', null, 9)`,
      'a file was changed in place, alone': `update hsc.file_datastore_records set file_size = 1 where dataset_id = ${uuidText(3)}`,
      'datasets were tagged': `insert into hsc.dataset_tags_00000001 select 1, dataset_id, 2, instrument, visit, detector from hsc.dataset_tags_00000001
        where visit = 1001`,
      'some were untagged': 'delete from hsc.dataset_tags_00000001 where collection_id = 2 and detector % 3 = 0',
      'a tag was given to another dataset': `update hsc.dataset_tags_00000001 set dataset_id = ${uuidText(2)} where collection_id = 2 and detector = 1`,
      'two tags were exchanged': `update hsc.dataset_tags_00000001 set detector = case detector when 4 then 500 else 4 end
        where collection_id = 2 and detector in (4, 5)`,
      'one came and one went': `${remove(uuidText(40))} ${calexps(2000, 8, 1)}`,
      'one went and came again, elsewhere': `${remove(uuidText(41))} ${calexps(41, 9, 1)}`,
      'a RUN and a chain came': `insert into hsc.collection values (4, 'run2', 1, 'doc'), (5, 'chain', 3, null);
        insert into hsc.collection_chain values (5, -1, 4), (5, 0, 1);
        insert into hsc.dataset values (${uuidText(3000)}, 1, 0, 4);
        insert into hsc.dataset_tags_00000001 values (1, ${uuidText(3000)}, 4, 'HSC', 7, 8)`,
      'the RUN went, and the chain has another name': `${remove(uuidText(3000))} delete from hsc.collection_chain where child = 4;
        delete from hsc.collection where collection_id = 4; update hsc.collection set name = 'renamed' where collection_id = 5`,
      'calibrations were certified': bias(4000, 1, `'[1000,2000)'`) + bias(4001, 1, `'[2000,)'`) + bias(4002, 2, `'empty'`),
      'a certification was cut short, as by decertifying its end': `delete from hsc.dataset_calibs_00000002 where dataset_id = ${uuidText(4000)};
        insert into hsc.dataset_calibs_00000002 (dataset_type_id, dataset_id, collection_id, instrument, detector, timespan)
          values (2, ${uuidText(4000)}, 3, 'HSC', 1, '[1000,1500)')`,
      'all were decertified': 'delete from hsc.dataset_calibs_00000002',
      'dimension records came': `insert into hsc.visit values ('HSC', 1000, 'HSC-I', 20261124, 30)`,
      'one was changed': `update hsc.visit set exposure_time = 31`,
    };
    for (const [index, [name, statements]] of Object.entries(steps).entries()) {
      await change(database, statements);
      expect([name, (await update(database, target))?.version]).toEqual([name, version]);
      // What is wrong stays wrong: a whole reading after every other step shows it.
      if (index % 2 === 1) expect(answers(target), name).toEqual(answers(await build(database)));
    }
  });

  it('are told where there are none, and the version stays', async () => {
    const database = 'unchanged';
    await createServerRegistry(server, database);
    await server.query(database, calexps(1, 1000, 10));
    const target = await build(database);
    const before = answers(target);
    await change(database, `update hsc.dataset set ingest_date = ingest_date where id = ${uuidText(1)}`);
    const info = (await update(database, target))!;
    expect(info.version).toBe(1);
    expect(answers(target)).toEqual(before);
  });

  it(
    'leave unread what was not written: no row where nothing was, and of what came little more than itself',
    { timeout: 60_000 },
    async () => {
      const database = 'counted';
      await createServerRegistry(server, database);
      for (let visit = 0; visit < 5; visit++) await server.query(database, calexps(1 + visit * 400, visit, 400));
      await server.query(database, 'analyze');
      const target = await build(database);
      const validated = await validator(database);

      const read = async (): Promise<Record<string, number>> => {
        // What a connection read is counted when it ends.
        const count = async (): Promise<string> =>
          JSON.stringify(
            await server.query(
              database,
              `select relname as name, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as rows from pg_stat_user_tables where schemaname = 'hsc'`,
            ),
          );
        let before = await count();
        await eventually('the counts standing still', async () => {
          await new Promise((resolve) => setTimeout(resolve, 300));
          const now = await count();
          const same = now === before;
          before = now;
          return same;
        });
        return Object.fromEntries((JSON.parse(before) as { name: string; rows: number }[]).map(({ name, rows }) => [name, rows]));
      };
      const start = await read();
      for (let look = 0; look < 3; look++) expect(await validator(database)).toBe(validated);
      expect(await read()).toEqual(start);

      await change(
        database,
        `insert into hsc.dataset_tags_00000001 select 1, id, 2, 'HSC', 0, 0 from hsc.dataset where id = ${uuidText(1)}`,
      );
      expect((await update(database, target))!.version).toBe(version);
      const after = await read();
      const rows = (table: string): number => after[table]! - start[table]!;
      for (const table of ['dataset', 'file_datastore_records', 'dataset_calibs_00000002', 'visit'])
        expect([table, rows(table)]).toEqual([table, table === 'dataset' ? 1 : 0]);
      // One pass over the table that was written.
      expect(rows('dataset_tags_00000001')).toBeLessThanOrEqual(2001);
      expect(answers(target)).toEqual(answers(await build(database)));
    },
  );

  it('are not told of another server, nor where records went: all is read again', async () => {
    const database = 'others';
    await createServerRegistry(server, database);
    await server.query(database, `${calexps(1, 1000, 10)} insert into hsc.visit values ('HSC', 1000, 'HSC-I', 20261124, 30)`);
    const target = await build(database);
    await server.query('postgres', `create database copied template others`);
    expect(await update('copied', target)).toBeUndefined();
    await change(database, 'delete from hsc.visit');
    expect(await update(database, target)).toBeUndefined();
  });

  it('are found where the server does not count, and after it was started again', { timeout: 60_000 }, async () => {
    const database = 'uncounted';
    await createServerRegistry(server, database);
    await server.query(database, calexps(1, 1000, 10));
    await server.query('postgres', `alter database ${database} set track_counts = off`);
    const target = await build(database);
    const before = await validator(database);
    await server.query(database, `delete from hsc.dataset_tags_00000001 where detector = 3; ${calexps(100, 1001, 2)}`);
    expect(await validator(database)).not.toBe(before);
    expect((await update(database, target))!.version).toBe(version);
    expect(answers(target)).toEqual(answers(await build(database)));
    await server.query('postgres', `alter database ${database} reset track_counts`);
    await server.query(database, calexps(200, 1002, 2));
    await server.restart();
    expect((await update(database, target))!.version).toBe(version);
    expect(answers(target)).toEqual(answers(await build(database)));
  });
});
