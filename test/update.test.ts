/** What changes at the source appears in a mount without a remount, though the kernel keeps what it was told. */

import { Database } from '../registry/sqlite/driver.js';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { mountRepository, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { errorCode } from './support/tree.js';

let place: string;
let repository: string;
let nginx: Nginx;
let mount: TestMount;

beforeEach(async () => {
  place = temporaryDirectory('update');
  repository = join(place, 'repository');
  writeSmallRepository(repository, { tracts: [8766], patches: 2, bands: ['g', 'i'], visits: 1, detectors: 1, pixels: 8 });
  nginx = await Nginx.start(repository);
  mount = await mountRepository(nginx.url, { args: ['-o', 'poll=1', '--collections', 'demo/runs/w_01'] });
});

afterEach(async () => {
  await mount?.dispose();
  await nginx?.stop();
  removeDirectory(place);
});

/** Changes the registry in one transaction, as a butler would. */
function change(statements: (database: Database, tags: string) => void): void {
  const database = new Database(join(repository, 'gen3.sqlite3'));
  const { name } = database.prepare("select tag_association_table as name from dataset_type where name = 'deepCoadd_calexp'").get() as {
    name: string;
  };
  database.transaction(() => statements(database, name))();
  database.close();
}

it('promise 9: shows new, removed and replaced datasets within the poll interval, in directories that were listed and files that were read', async () => {
  const tract = join(mount.path, 'deepCoadd_calexp/tract=8766');
  const [first, second] = (await readdir(tract)) as [string, string];
  const replacedFile = join(tract, first, 'band=i', (await readdir(join(tract, first, 'band=i')))[0]!);
  const before = await readFile(replacedFile);
  await readdir(join(tract, second, 'band=g'));
  const unchanged = await stat(join(mount.path, 'calexp'));
  expect(await errorCode(stat(join(tract, 'patch=80')))).toBe('ENOENT');

  const content = Buffer.concat([before.subarray(0, 2880), Buffer.alloc(2880, 7)]);
  const path = 'demo/runs/w_01/replaced.fits';
  writeFileSync(join(repository, path), content);
  const uuid = 'f'.repeat(32);
  change((database, tags) => {
    const where = `tract = 8766 and patch = ${first.slice(6)} and band = 'i'`;
    const old = database.prepare(`select dataset_id as id from ${tags} where ${where}`).get() as { id: string };
    database.pragma('foreign_keys = off');
    database.prepare(`insert into dataset select ?, dataset_type_id, ingest_date, run_id from dataset where id = ?`).run(uuid, old.id);
    database
      .prepare(
        `insert into file_datastore_records select ?, ?, formatter, storage_class, component, ?, ? from file_datastore_records where dataset_id = ?`,
      )
      .run(uuid, path, createHash('blake2b512').update(content).digest('hex'), content.length, old.id);
    database.prepare(`update ${tags} set dataset_id = ? where ${where}`).run(uuid);
    // The second patch goes in g; patch 80 comes in i with the dataset that the first one lost.
    database.exec(`delete from ${tags} where tract = 8766 and patch = ${second.slice(6)} and band = 'g'`);
    const columns = (database.pragma(`table_info(${tags})`) as { name: string }[]).map(({ name }) => name);
    const values = columns.map((column) => (column === 'patch' ? '80' : column === 'dataset_id' ? '?' : column));
    database.prepare(`insert into ${tags} (${columns.join(', ')}) select ${values.join(', ')} from ${tags} where ${where}`).run(old.id);
  });

  await eventually('the new patch appearing', async () => (await readdir(tract)).includes('patch=80'), 15_000);
  expect(await readdir(join(tract, 'patch=80'))).toEqual(['band=i']);
  expect(await readdir(join(tract, second))).toEqual(['band=i']);
  expect(await errorCode(stat(join(tract, second, 'band=g')))).toBe('ENOENT');
  expect((await readFile(replacedFile)).equals(content)).toBe(true);
  expect((await stat(replacedFile)).size).toBe(content.length);
  expect((await stat(join(mount.path, 'calexp'))).ino).toBe(unchanged.ino);
  const { catalogue } = await mount.status();
  expect(catalogue.version).toBe(2);
});

it('promise 3: goes on with what it knows while the source is away, and says so', async () => {
  await nginx.kill();
  await eventually('the problem being noticed', async () => (await mount.status()).state === 'origin-unreachable', 30_000);
  expect(await readdir(join(mount.path, 'deepCoadd_calexp'))).toEqual(['tract=8766']);
  const began = performance.now();
  expect((await stat(join(mount.path, '@repo/gen3.sqlite3'))).size).toBe((await stat(join(repository, 'gen3.sqlite3'))).size);
  expect((await stat(join(mount.path, '@repo/butler.yaml'))).size).toBe((await stat(join(repository, 'butler.yaml'))).size);
  expect(performance.now() - began).toBeLessThan(1000);
  await nginx.restart();
  await eventually('the problem being over', async () => (await mount.status()).state === 'ok', 30_000);
});
