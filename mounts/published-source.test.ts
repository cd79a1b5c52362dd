/** A published source, opened as a mount opens it: from a real web server, with a publication that is wrong, away, or replaced. */

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { Nginx } from '../test/support/nginx.js';
import { removeDirectory, temporaryDirectory } from '../test/support/temporary.js';
import type { Configuration } from './configuration.js';
import { generateKey, readPrivateKey } from './publication/keys.js';
import type { SigningKey } from './publication/keys.js';
import { publish } from './publication/publish.js';
import type { PublishReport } from './publication/publish.js';
import { openSource } from './source.js';
import type { OpenedSource } from './source.js';

const never = new AbortController().signal;
let place: string;
let repository: string;
let nginx: Nginx;
let key: SigningKey;
let opened: OpenedSource[];

beforeEach(async () => {
  place = temporaryDirectory('published');
  repository = join(place, 'repository');
  writeSmallRepository(repository, { tracts: [8766], patches: 1, bands: ['i'], visits: 1, detectors: 1, pixels: 8 });
  key = readPrivateKey((await generateKey(join(place, 'key'))).privateFile);
  nginx = await Nginx.start(repository);
  opened = [];
});
afterEach(async () => {
  for (const source of opened) await source.close();
  await nginx?.stop();
  removeDirectory(place);
});

async function publishAgain(by = key): Promise<PublishReport> {
  const nobody = (): void => undefined;
  const settings = { jobs: 2, all: false, keepGoing: false, allowMissing: false, onProgress: nobody, onRemark: nobody, signal: never };
  return await publish(repository, { ...settings, key: by });
}

async function open(publicKey: string | undefined, named?: Configuration['sources']): Promise<OpenedSource> {
  const configuration = { sources: named ?? {}, credentials: {}, defaults: {}, aliases: {} };
  const settings = { configuration, cacheDirectory: join(place, 'cache'), publicKey };
  const source = await openSource(named === undefined ? nginx.url : 'survey', settings, { signal: never });
  opened.push(source);
  return source;
}

/** Requests for files of the publication that are named by their content. */
function fetches(): number {
  return nginx.requests().filter((line) => /\.butlerfs\/(catalogue|digests)-/.test(line)).length;
}

it('is fetched once, kept, and opened without its origin; the configuration can give the key', async () => {
  await publishAgain();
  const first = await open(undefined, { survey: { repository: nginx.url, 'public-key': key.publicKey } });
  expect(first).toMatchObject({ publication: { serial: 1 }, copies: new Map(), repository: nginx.url });
  expect(first.info.repository).toBe(nginx.url);
  expect(fetches()).toBe(2);
  expect(await first.refresh({ signal: never })).toMatchObject({ changed: false });
  const again = await open(key.publicKey);
  expect(again.catalogueFile).toBe(first.catalogueFile);
  expect(fetches()).toBe(2);
  await nginx.kill();
  const offline = await open(key.publicKey);
  expect(offline.problem?.code).toMatch(/^remote-/);
  expect(offline.publication?.serial).toBe(1);
}, 60_000);

it('with and without a key, and with another one, are apart', async () => {
  await publishAgain();
  const signed = await open(key.publicKey);
  const plain = await open(undefined);
  expect(plain.catalogueDirectory).not.toBe(signed.catalogueDirectory);
  expect(plain).toMatchObject({ publication: undefined, digestsFile: undefined });
  const other = readPrivateKey((await generateKey(join(place, 'other'))).privateFile);
  await publishAgain(other);
  await expect(signed.refresh({ signal: never })).rejects.toMatchObject({ code: 'untrusted', message: /another key/ });
  expect(signed.publication?.serial).toBe(1);
  // Numbers go on, so that a reader who trusts both is not shown the older.
  expect((await open(other.publicKey)).publication?.serial).toBe(2);
}, 60_000);

it('that is wrong is not fetched again and again', async () => {
  await publishAgain();
  const source = await open(key.publicKey);
  writeFileSync(join(repository, 'butler.yaml'), `${readFileSync(join(repository, 'butler.yaml'), 'utf8')}# changed\n`);
  await publishAgain();
  const directory = join(repository, '.butlerfs');
  const { catalogue } = (JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as { signed: { catalogue: { name: string } } })
    .signed;
  const content = readFileSync(join(directory, catalogue.name));
  writeFileSync(join(directory, catalogue.name), Buffer.alloc(content.length));
  await expect(source.refresh({ signal: never })).rejects.toMatchObject({ code: 'wrong-digest' });
  const after = fetches();
  await expect(source.refresh({ signal: never })).rejects.toMatchObject({ code: 'wrong-digest' });
  expect(fetches()).toBe(after);
  // Whoever begins anew looks again.
  writeFileSync(join(directory, catalogue.name), content);
  expect((await open(key.publicKey)).publication?.serial).toBe(2);
}, 60_000);

it('whose configuration changed after it was published says to publish again', async () => {
  await publishAgain();
  writeFileSync(join(repository, 'butler.yaml'), `${readFileSync(join(repository, 'butler.yaml'), 'utf8')}#\n`);
  await expect(open(key.publicKey)).rejects.toMatchObject({ code: 'wrong-size', message: /butler\.yaml.*publish it again/ });
  await publishAgain();
  expect((await open(key.publicKey)).publication?.serial).toBe(2);
}, 60_000);

it('a number is not given twice, also where the manifest or the memory of the publisher is lost', async () => {
  await publishAgain();
  const directory = join(repository, '.butlerfs');
  const { published } = await publishAgain();
  rmSync(join(directory, 'manifest.json'));
  const next = await publishAgain();
  expect(next.published).toMatchObject({ serial: 2, repository: published!.repository });
  rmSync(join(directory, 'state.sqlite3'));
  writeFileSync(join(directory, 'state.sqlite3'), 'no database');
  writeFileSync(join(repository, 'butler.yaml'), `${readFileSync(join(repository, 'butler.yaml'), 'utf8')}#\n`);
  const third = await publishAgain();
  expect(third).toMatchObject({ hashed: third.files, published: { serial: 3, repository: published!.repository } });
  expect(readdirSync(directory).filter((name) => /building|\.part$|\.tmp$/.test(name))).toEqual([]);
}, 60_000);
