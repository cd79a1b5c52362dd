/** The catalogue of a directory is answered at once exactly where `openSource` would give the same one. */

import { appendFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Database } from '../registry/sqlite/driver.js';
import { makeRepository } from '../registry/testing/gen3.js';
import { removeDirectory, temporaryDirectory } from '../test/support/temporary.js';
import { parseSource } from './repository.js';
import { openSource } from './source.js';
import { unchangedCatalogue } from './unchanged.js';
import type { Configuration } from './configuration.js';

const configuration: Configuration = { sources: {}, credentials: {}, defaults: {}, aliases: {} };
const never = new AbortController().signal;

let directory: string;
let root: string;
let registry: string;

beforeEach(() => {
  directory = temporaryDirectory('unchanged');
  root = join(directory, 'repository');
  registry = join(root, 'gen3.sqlite3');
  const repository = makeRepository(root);
  repository.fill(10);
  repository.close();
});
afterEach(() => removeDirectory(directory));

const cacheDirectory = (): string => join(directory, 'cache');
const unchanged = (): Promise<string | undefined> =>
  unchangedCatalogue(parseSource(root, configuration, '/'), configuration, cacheDirectory(), never);

/** Reads the repository as a mount does, and tells the file of its catalogue. */
async function index(): Promise<string> {
  const opened = await openSource(root, { configuration, cacheDirectory: cacheDirectory() }, { signal: never });
  const { catalogueFile } = opened;
  await opened.close();
  return catalogueFile;
}

function write(): void {
  const database = new Database(registry);
  database.exec("insert into collection (name, type) values ('another', 2)");
  database.close();
}

test('where nothing was read yet, nothing is known', async () => {
  expect(await unchanged()).toBeUndefined();
}, 10_000);

test('what a repository says of itself, or a user of it, is for openSource to read', async () => {
  const first = await index();
  writeFileSync(join(root, 'butlerfs.yaml'), 'aliases: {chip: detector}\n');
  expect(await unchanged()).toBeUndefined();
  rmSync(join(root, 'butlerfs.yaml'));
  expect(await unchanged()).toBe(first);
  const defining: Configuration = {
    ...configuration,
    definitions: [],
    locations: [{ name: 'mine', path: 'my', where: 'a test', repository: undefined }],
  };
  expect(await unchangedCatalogue(parseSource(root, defining, '/'), defining, cacheDirectory(), never)).toBeUndefined();
}, 30_000);

test('what was read is known until the registry is written, and after it is read again', async () => {
  const first = await index();
  expect(await unchanged()).toBe(first);
  write();
  expect(await unchanged()).toBeUndefined();
  const second = await index();
  expect(await unchanged()).toBe(second);
}, 30_000);

test('a write that only the write-ahead log holds is seen', async () => {
  const database = new Database(registry);
  try {
    database.pragma('journal_mode = wal');
    await index();
    expect(await unchanged()).toBeDefined();
    database.exec("insert into collection (name, type) values ('another', 2)");
    expect(await unchanged()).toBeUndefined();
  } finally {
    database.close();
  }
}, 30_000);

test('another configuration, a registry that is gone, empty or outside, and a catalogue that is gone are in doubt', async () => {
  const file = await index();
  const configurationFile = join(root, 'butler.yaml');
  const moved = join(directory, 'moved.sqlite3');
  appendFileSync(configurationFile, '# more\n');
  expect(await unchanged()).toBeUndefined();
  await index();
  expect(await unchanged()).toBeDefined();
  renameSync(registry, moved);
  expect(await unchanged()).toBeUndefined();
  symlinkSync(moved, registry);
  expect(await unchanged()).toBeUndefined();
  rmSync(registry);
  writeFileSync(registry, '');
  expect(await unchanged()).toBeUndefined();
  rmSync(registry);
  renameSync(moved, registry);
  expect(await unchanged()).toBeDefined();
  rmSync(file, { force: true });
  rmSync((await unchanged()) ?? file, { force: true });
  expect(await unchanged()).toBeUndefined();
}, 30_000);

test('of a source that is trusted by its key nothing is known here', async () => {
  await index();
  const named = { ...parseSource(root, configuration, '/'), named: { repository: root, 'public-key': `ed25519:${'A'.repeat(43)}=` } };
  expect(await unchangedCatalogue(named, configuration, cacheDirectory(), never)).toBeUndefined();
}, 30_000);
