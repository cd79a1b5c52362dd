/** A repository that is published, served by a plain web server, and mounted with the public key: every byte is what was signed, or is not shown. */

import { Database } from '../registry/sqlite/driver.js';
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHAIN, writeSmallRepository } from '../scripts/repository/repository.js';
import type { WrittenDataset } from '../scripts/repository/repository.js';
import { mountRepository, temporaryHome } from './support/mounted.js';
import type { Home, TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { runSuccessfully } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { dataIdPath, encodeValue, errorCode, fileOf, filesBelow, sha256 } from './support/tree.js';

let place: string;
/** Written once; each test has a copy. */
let pristine: string;
let written: WrittenDataset[];
let repository: string;
let home: Home;
let nginx: Nginx;
let mount: TestMount | undefined;

const key = (): string => join(place, 'key.pem');
const publicKey = (): string => join(place, 'key.pub');
const manifest = (): string => join(repository, '.butlerfs/manifest.json');

beforeAll(async () => {
  place = temporaryDirectory('publish');
  pristine = join(place, 'pristine');
  written = writeSmallRepository(pristine, { tracts: [8766], patches: 3, bands: ['i'], visits: 1, detectors: 2, pixels: 768 });
  home = temporaryHome();
  await succeed(['publish', '--generate-key', join(place, 'key')]);
  await succeed(['publish', '--generate-key', join(place, 'other')]);
  await succeed(['publish', pristine, '--key', key()]);
  repository = join(place, 'served');
  mkdirSync(repository);
  nginx = await Nginx.start(repository);
});
beforeEach(() => {
  rmSync(repository, { recursive: true });
  cpSync(pristine, repository, { recursive: true, preserveTimestamps: true });
});
afterEach(async () => {
  await mount?.dispose();
  mount = undefined;
  rmSync(join(home.directory, 'cache'), { recursive: true, force: true });
});
afterAll(async () => {
  await nginx?.stop();
  home?.remove();
  removeDirectory(place);
});

async function succeed(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await home.cli(args);
  expect(stderr + stdout, args.join(' ')).not.toMatch(/internal/);
  expect(status, stderr).toBe(0);
  return stdout;
}

async function publish(...args: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await succeed(['publish', repository, '--key', key(), '--json', ...args])) as Record<string, unknown>;
}

async function mountSigned(url = nginx.url, ...args: readonly string[]): Promise<TestMount> {
  mount = await mountRepository(url, { home, keepHome: true, args: ['--public-key', publicKey(), ...args] });
  return mount;
}

/** What a mount with the public key says where it refuses. */
async function refusal(url = nginx.url, trusted = publicKey()): Promise<string> {
  return await mountRepository(url, { home, keepHome: true, args: ['--public-key', trusted] }).then(
    async (unexpected) => {
      await unexpected.dispose();
      return 'it was mounted';
    },
    (error: unknown) => String(error),
  );
}

function flip(file: string, at: number): void {
  const content = readFileSync(file);
  content[at]! ^= 1;
  writeFileSync(file, content);
}

/** Datasets that nothing on the search path overrides. */
function visible(): WrittenDataset[] {
  const overridden = new Set(written.filter(({ run }) => run.startsWith('u/')).map(({ dataId }) => dataId['patch']));
  return written.filter(({ run, dataId }) => !run.startsWith('u/') && !overridden.has(dataId['patch']));
}

function addCollection(name: string): void {
  const database = new Database(join(repository, 'gen3.sqlite3'));
  database.prepare('insert into collection (name, type) values (?, 1)').run(name);
  database.close();
}

/** Files that large ones are read by chunk from on, in this file's mounts: every image has two chunks and a bit. */
const BY_CHUNK = ['-o', 'whole-size=1M'];

describe('a published repository', () => {
  it('has every byte right, whole or by chunk, its own layout included', async () => {
    const on = await mountSigned(nginx.url, '--collections', CHAIN, ...BY_CHUNK);
    const dataset = visible().find(({ size }) => size > 2 ** 20)!;
    const handle = await readFile(await fileOf(on, dataset));
    expect(handle.equals(readFileSync(join(repository, dataset.path)))).toBe(true);
    const below = join(on.path, '@repo');
    const files = await filesBelow(below);
    expect(files.length).toBe(written.length + 2);
    for (const file of files) expect(await sha256(file), file).toBe(await sha256(join(repository, file.slice(below.length))));
    const { publication, state } = await on.status();
    expect({ state, serial: publication?.serial }).toEqual({ state: 'ok', serial: 1 });
    // The catalogue is the published one: the registry was not fetched to make it.
    const requests = await nginx.logged();
    expect(requests.filter((line) => line.includes('/.butlerfs/catalogue-')).length).toBeGreaterThan(0);
  });

  it('one wrong bit is EIO for that file only, also where the registry has no digest of it', async () => {
    const [victim, other] = visible();
    flip(join(repository, victim!.path), victim!.size - 5);
    const on = await mountSigned(nginx.url, ...BY_CHUNK);
    expect(await errorCode(readFile(await fileOf(on, victim!)))).toBe('EIO');
    expect((await readFile(await fileOf(on, other!))).equals(readFileSync(join(repository, other!.path)))).toBe(true);

    addCollection('changed/afterwards');
    expect(await errorCode(readFile(join(on.path, '@repo/gen3.sqlite3')))).toBe('EIO');
    const { errors } = await on.status();
    expect(errors.at(-1)!.message).toMatch(/gen3\.sqlite3.*publishes again/);
    expect((await readFile(join(on.path, '@repo/butler.yaml'))).equals(readFileSync(join(repository, 'butler.yaml')))).toBe(true);
  });

  it('what an unsigned mount took for right is not shown', async () => {
    addCollection('changed/afterwards');
    const plain = await mountRepository(nginx.url, { home, keepHome: true });
    expect((await readFile(join(plain.path, '@repo/gen3.sqlite3'))).length).toBeGreaterThan(0);
    await plain.dispose();
    const on = await mountSigned();
    expect(await errorCode(readFile(join(on.path, '@repo/gen3.sqlite3')))).toBe('EIO');
    expect(await readdir(join(on.path, '@collections'))).not.toContain('changed%2Fafterwards');
  });

  it('checks parts of files, too, before they are shown', async () => {
    const [victim, other] = visible().filter(({ type }) => type === 'calexp');
    flip(join(repository, victim!.path), victim!.size - 3000);
    const on = await mountSigned();
    const part = async ({ dataId }: WrittenDataset): Promise<Buffer> => {
      const leaf = join(on.path, 'calexp.image', ...dataIdPath(dataId));
      return await readFile(join(leaf, (await readdir(leaf))[0]!));
    };
    const content = await part(other!);
    expect(content.subarray(2880).equals(readFileSync(join(repository, other!.path)).subarray(-(content.length - 2880)))).toBe(true);
    expect((await nginx.logged()).some((line) => line.includes(`/${other!.path} 206 `))).toBe(true);
    expect(await errorCode(part(victim!))).toBe('EIO');
  });

  it('covers members by their archive, and files elsewhere; what it does not cover is EACCES', async () => {
    const [member, elsewhere, remote, unsigned] = written;
    const archive = join(repository, 'archive.zip');
    await runSuccessfully('python3', [
      '-c',
      `import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').write(sys.argv[2], 'member.fits')`,
      archive,
      join(repository, member!.path),
    ]);
    const outside = join(place, 'outside.fits');
    writeFileSync(outside, readFileSync(join(repository, elsewhere!.path)));
    const database = new Database(join(repository, 'gen3.sqlite3'));
    const move = database.prepare('update file_datastore_records set path = ?, checksum = null where path = ?');
    move.run('archive.zip#zip-path=member.fits', member!.path);
    move.run(`file://${outside}`, elsewhere!.path);
    move.run(`${nginx.url}/${remote!.path}`, remote!.path);
    // Known by its digest alone.
    database.prepare('update file_datastore_records set path = ? where path = ?').run(`${nginx.url}/${unsigned!.path}`, unsigned!.path);
    database.close();
    const { files, remote: left } = await publish();
    // Instead of four files an archive and the file elsewhere.
    expect({ files, left }).toEqual({ files: written.length + 2 - 2, left: 2 });
    expect(await succeed(['publish', '--verify', repository, '--public-key', publicKey()])).toMatch(/2 more without chunk digests/);

    const read = async (on: TestMount, dataset: WrittenDataset): Promise<Buffer> => {
      const view = join(on.path, '@collections', encodeValue(dataset.run), dataset.type, ...dataIdPath(dataset.dataId));
      return await readFile(join(view, (await readdir(view))[0]!));
    };
    const original = (dataset: WrittenDataset): Buffer => readFileSync(join(pristine, dataset.path));
    const on = await mountSigned();
    expect((await read(on, member!)).equals(original(member!))).toBe(true);
    expect((await read(on, unsigned!)).equals(original(unsigned!))).toBe(true);
    expect(await errorCode(read(on, remote!))).toBe('EACCES');
    expect((await on.status()).errors.at(-1)!.message).toMatch(/the signed manifest does not cover it/);
    await on.dispose();

    // On this host files elsewhere are shown as well, and checked; the damaged archive is not taken from a cache of before.
    flip(outside, 77);
    flip(archive, 1000);
    rmSync(join(home.directory, 'cache'), { recursive: true });
    const local = await mountSigned(repository);
    expect(await errorCode(read(local, elsewhere!))).toBe('EIO');
    expect(await errorCode(read(local, member!))).toBe('EIO');
    flip(outside, 77);
    // A neighbour that cannot be fetched ahead does not matter.
    expect((await read(local, elsewhere!)).equals(original(elsewhere!))).toBe(true);
  });

  it('shows what is published again while it is mounted, and nothing before', async () => {
    const on = await mountSigned(nginx.url, '-o', 'poll=1');
    // The copies are new files, and so are hashed again: to the same digests.
    expect(await publish()).toMatchObject({ changed: false, hashed: written.length + 2, published: { serial: 1 } });
    addCollection('new/run');
    expect(await publish()).toMatchObject({ changed: true, hashed: 1, published: { serial: 2 } });
    await eventually('serial 2', async () => (await on.status()).publication?.serial === 2, 20_000);
    expect(await readdir(join(on.path, '@collections'))).toContain('new%2Frun');
    expect((await readFile(join(on.path, '@repo/gen3.sqlite3'))).equals(readFileSync(join(repository, 'gen3.sqlite3')))).toBe(true);
    expect(await publish()).toMatchObject({ changed: false, hashed: 0, published: { serial: 2 } });
    addCollection('newer/run');
    await publish();
    // Those of the last two publications.
    expect(readdirSync(join(repository, '.butlerfs')).filter((name) => /^(catalogue|digests)-/.test(name)).length).toBe(4);
  });

  it('is read through a caching proxy that holds wrong bytes and an old manifest', async () => {
    const cache = join(place, 'proxy-cache');
    const proxy = await Nginx.start(place, {
      directives: [
        `location / { proxy_pass ${nginx.url}; proxy_cache there; proxy_cache_valid 200 1h; proxy_cache_bypass $http_cache_control; proxy_set_header Range $http_range; }`,
      ],
      http: [`proxy_cache_path ${cache} keys_zone=there:1m;`],
    });
    try {
      const [victim] = visible();
      const content = readFileSync(join(repository, victim!.path));
      flip(join(repository, victim!.path), 100);
      await fetch(`${proxy.url}/${victim!.path}`).then((response) => response.arrayBuffer());
      writeFileSync(join(repository, victim!.path), content);
      const on = await mountSigned(proxy.url);
      expect((await readFile(await fileOf(on, victim!))).equals(content)).toBe(true);
      expect((await on.status()).cache.wrongDigest).toBe(1);
    } finally {
      await mount?.dispose();
      mount = undefined;
      await proxy.stop();
    }
  });
});

describe('what is refused', () => {
  it('a repository that is not published', async () => {
    rmSync(join(repository, '.butlerfs'), { recursive: true });
    expect(await refusal()).toMatch(/manifest .* it is not there/);
  });

  it('a catalogue, or digests, that are not what was signed', async () => {
    for (const name of readdirSync(join(repository, '.butlerfs')).filter((entry) => /^(catalogue|digests)-/.test(entry))) {
      const file = join(repository, '.butlerfs', name);
      const content = readFileSync(file);
      flip(file, content.length >> 1);
      expect(await refusal()).toMatch(/sha256:\w+ was published, the origin sends/);
      writeFileSync(file, content.subarray(0, content.length - 1));
      expect(await refusal()).toMatch(/bytes were published, the origin sends/);
      writeFileSync(file, content);
    }
  });

  it('a manifest of another key, or a changed one', async () => {
    expect(await refusal(nginx.url, join(place, 'other.pub'))).toMatch(/signed by another key/);
    writeFileSync(manifest(), readFileSync(manifest(), 'utf8').replace('"serial": 1', '"serial": 9'));
    expect(await refusal()).toMatch(/its signature is wrong/);
  });

  it('an older publication, another one under the same number, and another repository with the same key; what was mounted goes on', async () => {
    const first = readFileSync(manifest());
    const twin = join(place, 'twin');
    cpSync(repository, twin, { recursive: true, preserveTimestamps: true });
    addCollection('second');
    await publish();
    const second = readFileSync(manifest());
    const on = await mountSigned(nginx.url, '-o', 'poll=1');
    writeFileSync(manifest(), first);
    await eventually('the older one being refused', async () => (await on.status()).state === 'origin-untrusted', 20_000);
    expect((await on.status()).problem).toMatch(/rolled back/);
    expect((await on.status()).publication?.serial).toBe(2);
    const [dataset] = visible();
    expect((await readFile(await fileOf(on, dataset!))).length).toBe(dataset!.size);
    await on.dispose();
    expect(await refusal()).toMatch(/rolled back/);

    await succeed(['publish', twin, '--key', key(), '--all']);
    const database = new Database(join(twin, 'gen3.sqlite3'));
    database.prepare("insert into collection (name, type) values ('other', 1)").run();
    database.close();
    await succeed(['publish', twin, '--key', key()]);
    cpSync(join(twin, '.butlerfs'), join(repository, '.butlerfs'), { recursive: true });
    expect(await refusal()).toMatch(/another one than was seen under the same serial number 2/);

    rmSync(join(twin, '.butlerfs'), { recursive: true });
    await succeed(['publish', twin, '--key', key()]);
    cpSync(join(twin, '.butlerfs'), join(repository, '.butlerfs'), { recursive: true });
    expect(await refusal()).toMatch(/was there before/);

    writeFileSync(manifest(), second);
    await mountSigned();
    removeDirectory(twin);
  });

  it('a damaged copy here is fetched anew', async () => {
    const on = await mountSigned();
    await on.dispose();
    const sources = join(home.directory, 'cache/butlerfs/sources');
    const directory = join(sources, readdirSync(sources)[0]!);
    flip(join(directory, 'catalogue-1.sqlite3'), 5000);
    const again = await mountSigned();
    expect((await again.status()).state).toBe('ok');
    expect(await sha256(join(directory, 'catalogue-2.sqlite3'))).toBe(
      /catalogue-([0-9a-f]{64})/.exec(readFileSync(manifest(), 'utf8'))![1],
    );
  });
});

describe('butlerfs publish', () => {
  it('checks what is published, offline', async () => {
    const check = () => home.cli(['publish', '--verify', repository, '--public-key', publicKey()]);
    expect((await check()).status).toBe(0);
    flip(join(repository, written[0]!.path), 2 ** 20 + 1);
    const wrong = await check();
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/chunk 1, from byte 1048576 on/);
  });

  it('publishes nothing where a file is not what the registry says; --keep-going names them all', async () => {
    const before = readFileSync(manifest());
    flip(join(repository, written[0]!.path), 7);
    renameSync(join(repository, written[1]!.path), join(repository, 'away'));
    writeFileSync(join(repository, written[2]!.path), 'short');
    const { status, stderr } = await home.cli(['publish', repository, '--key', key(), '--keep-going']);
    expect(status).toBe(1);
    for (const { path } of written.slice(0, 3)) expect(stderr).toContain(path);
    expect(readFileSync(manifest()).equals(before)).toBe(true);
    writeFileSync(join(repository, written[0]!.path), readFileSync(join(pristine, written[0]!.path)));
    writeFileSync(join(repository, written[2]!.path), readFileSync(join(pristine, written[2]!.path)));
    const { missing, published } = await publish('--allow-missing');
    expect({ missing, published }).toMatchObject({ missing: 1, published: { serial: 2 } });
    const on = await mountSigned();
    const gone = written[1]!;
    const listed = join(on.path, '@repo', gone.path);
    expect((await stat(listed)).size).toBe(gone.size);
    expect(await errorCode(readFile(listed))).toBe('ENOENT');
  });

  it.each([
    [['publish'], /a key to sign with is missing/],
    [['publish', '/nonexistent', '--key', 'KEY'], /there is no such directory/],
    [['publish', '.', '--key', '/nonexistent'], /no such file/],
    [['publish', '.', '--key', 'PUB'], /no ed25519 private key|everybody on this host/],
    [['publish', '--verify', '.'], /--verify needs a public key/],
    [['publish', '--verify', '.', '--public-key', 'KEY'], /this is the private key/],
    [['publish', '.', '--key', 'KEY', '--jobs', '0'], /jobs/],
    [['mount', '/x', '/y', '--public-key', 'ed25519:AAAA'], /the 32 bytes of the key/],
  ])('%j is refused in one line', async (words, message) => {
    const args = words.map((word) => (word === 'KEY' ? key() : word === 'PUB' ? publicKey() : word));
    const { status, stderr } = await home.cli(args);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
