/** Repositories behind SSH: what a reader gets while a real sshd is cut off, ended or standing still, and a mount of one. */

import { randomBytes } from 'node:crypto';
import { appendFileSync, cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { retryRemote } from '../proxy/retry.js';
import { parseRemotePath } from '../proxy/paths.js';
import { openSshRemote } from '../proxy/ssh/open.js';
import { Database } from '../registry/sqlite/driver.js';
import { writeSmallRepository, type WrittenDataset } from '../scripts/repository/repository.js';
import type { Remote, RemoteBody } from '../proxy/contract.js';
import { mountRepository, temporaryHome, type Home, type TestMount } from './support/mounted.js';
import { makeKey, Sshd } from './support/sshd.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { errorCode } from './support/tree.js';

let place: string;
let sshd: Sshd;

beforeAll(async () => {
  place = temporaryDirectory('ssh');
  sshd = await Sshd.start();
  sshd.welcome(place);
}, 30_000);

afterAll(async () => {
  await sshd?.stop();
  removeDirectory(place);
});

describe('a reader', { timeout: 40_000 }, () => {
  const content = randomBytes(40_000_000);
  const retries: string[] = [];
  let remote: Remote | undefined;

  beforeAll(() => writeFileSync(join(place, 'large'), content));
  afterEach(async () => {
    sshd.thaw();
    await remote?.close();
    remote = undefined;
    retries.length = 0;
  });

  const open = ({ idleTimeout = 2_000, deadline = 20_000 } = {}): Remote => {
    const files = { home: place, systemDirectory: place, environment: {} };
    const inner = openSshRemote(new URL(sshd.urlOf(place)), { credentials: () => undefined, idleTimeout, files });
    return (remote = retryRemote(inner, { deadline, baseDelay: 50, onRetry: (message) => retries.push(message) }));
  };

  /** Reads to the end; `during` happens after the first bytes. */
  const read = async ({ bytes }: RemoteBody, during: () => void | Promise<void>): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) {
      chunks.push(Buffer.from(chunk));
      if (chunks.length === 1) await during();
    }
    return Buffer.concat(chunks);
  };

  it('whose connection is cut goes on where it was', async () => {
    const body = await open().open(parseRemotePath('large'));
    expect((await read(body, () => sshd.drop())).equals(content)).toBe(true);
    expect(retries.length).toBeGreaterThan(0);
  });

  it('whose server is started again goes on where it was, unless the file is another by then', async () => {
    const body = await open().open(parseRemotePath('large'));
    expect((await read(body, () => sshd.restart())).equals(content)).toBe(true);
    const again = await open().open(parseRemotePath('large'));
    const changing = read(again, async () => {
      await sshd.kill();
      appendFileSync(join(place, 'large'), 'more');
      await sshd.restart();
    });
    await expect(changing).rejects.toMatchObject({ code: 'remote-changed' });
    writeFileSync(join(place, 'large'), content);
  });

  it('promise 3: whose server is gone gets an error within the deadline, and all there is once it is back', async () => {
    const body = await open({ deadline: 2_000 }).open(parseRemotePath('large'));
    let began = 0;
    const reading = read(body, async () => {
      await sshd.kill();
      began = performance.now();
    });
    await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/^remote-(unreachable|failed)$/) as string });
    expect(performance.now() - began).toBeLessThan(3_500);
    await expect(open({ deadline: 500 }).stat(parseRemotePath('large'))).rejects.toMatchObject({ code: 'remote-unreachable' });
    await sshd.restart();
    expect((await read(await open().open(parseRemotePath('large')), () => undefined)).equals(content)).toBe(true);
  });

  it('promise 3: whose server stands still gets an error within the deadline', async () => {
    const body = await open({ idleTimeout: 700, deadline: 2_500 }).open(parseRemotePath('large'));
    let began = 0;
    const reading = read(body, () => {
      sshd.freeze();
      began = performance.now();
    });
    await expect(reading).rejects.toMatchObject({ code: 'remote-timeout' });
    expect(performance.now() - began).toBeLessThan(4_500);
  });
});

describe('a mount', { timeout: 60_000 }, () => {
  let repository: string;
  let datasets: readonly WrittenDataset[];
  let home: Home;
  let mount: TestMount | undefined;

  beforeAll(() => {
    repository = join(place, 'repository');
    datasets = writeSmallRepository(repository, { tracts: [8766], patches: 2, bands: ['g', 'i'], visits: 1, detectors: 1, pixels: 64 });
    home = temporaryHome();
    sshd.welcome(home.directory);
  });
  afterEach(async () => {
    await mount?.dispose();
    mount = undefined;
  });
  afterAll(() => home?.remove());

  const mountIt = async (source = sshd.urlOf(repository)): Promise<TestMount> =>
    (mount = await mountRepository(source, {
      home,
      keepHome: true,
      args: ['-o', 'poll=1,deadline=5,idle-timeout=2', '--collections', 'demo/runs/w_01'],
    }));

  it('reads datasets, follows changes, and goes on when the server was away', async () => {
    const { path, status } = await mountIt(sshd.urlOf(repository).replace('ssh://', `ssh://${sshd.user}@`));
    const { repository: shown } = (await status()).catalogue;
    expect(shown).toBe(sshd.urlOf(repository));
    const tract = join(path, 'deepCoadd_calexp/tract=8766');
    const [patch] = (await readdir(tract)) as [string];
    const bands = await readdir(join(tract, patch));
    expect(bands).toEqual(['band=g', 'band=i']);
    const fileOf = async (band: string): Promise<string> => {
      const directory = join(tract, patch, band);
      return join(directory, (await readdir(directory))[0]!);
    };
    const originOf = (band: string): WrittenDataset =>
      datasets.find(
        (dataset) =>
          dataset.dataId['patch'] === Number(patch.slice(6)) && dataset.dataId['band'] === band && dataset.run === 'demo/runs/w_01',
      )!;
    expect((await readFile(await fileOf('band=g'))).equals(await readFile(join(repository, originOf('g').path)))).toBe(true);

    await sshd.kill();
    expect(await errorCode(readFile(await fileOf('band=i')))).toMatch(/^(EIO|ETIMEDOUT)$/);
    expect((await readFile(await fileOf('band=g'))).length).toBe(originOf('g').size);
    await eventually('the problem being noticed', async () => (await status()).state === 'origin-unreachable', 30_000);
    await sshd.restart();
    expect((await readFile(await fileOf('band=i'))).length).toBe(originOf('i').size);
    await eventually('the problem being over', async () => (await status()).state === 'ok', 30_000);

    const database = new Database(join(repository, 'gen3.sqlite3'));
    const { name } = database.prepare("select tag_association_table as name from dataset_type where name = 'deepCoadd_calexp'").get() as {
      name: string;
    };
    database.exec(`delete from ${name} where band = 'i'`);
    database.close();
    await eventually('what changed', async () => (await readdir(join(tract, patch))).join() === 'band=g', 30_000);
  });

  it('promise 12: a location of the registry may be a file: URI below the repository, and no other; a link does not lead out', async () => {
    const copy = join(place, 'copy of it');
    cpSync(repository, copy, { recursive: true });
    writeFileSync(join(place, 'outside.fits'), 'outside');
    const database = new Database(join(copy, 'gen3.sqlite3'));
    const records = database
      .prepare("select path from file_datastore_records where path like 'demo/runs/w_01/deepCoadd_calexp/%/g/%' order by path")
      .all() as {
      path: string;
    }[];
    const [first, second] = records.map(({ path }) => path) as [string, string];
    const move = database.prepare('update file_datastore_records set path = ? where path = ?');
    move.run(`file://${encodeURI(join(copy, first))}`, first);
    move.run(`file://${encodeURI(join(place, 'outside.fits'))}`, second);
    database.close();
    const calexp = datasets.find(({ type }) => type === 'calexp')!.path;
    rmSync(join(copy, calexp));
    symlinkSync(join(place, 'outside.fits'), join(copy, calexp));

    // A cache of its own: what it holds already is not asked for again.
    const fresh = temporaryHome();
    sshd.welcome(fresh.directory);
    mount = await mountRepository(sshd.urlOf(encodeURI(copy)), { home: fresh, args: ['--collections', 'demo/runs/w_01'] });
    const { path } = mount;
    const outcomes: string[] = [];
    for (const patch of await readdir(join(path, 'deepCoadd_calexp/tract=8766'))) {
      const directory = join(path, 'deepCoadd_calexp/tract=8766', patch, 'band=g');
      for (const file of await readdir(directory)) {
        const size = await readFile(join(directory, file)).then(
          (bytes) => String(bytes.length),
          (error: unknown) => (error as NodeJS.ErrnoException).code!,
        );
        outcomes.push(size);
      }
    }
    expect(outcomes.sort()).toEqual([String(datasets.find((dataset) => dataset.path === first)!.size), 'EACCES']);
    const [visit] = (await readdir(join(path, 'calexp'))) as [string];
    const detectors = await readdir(join(path, 'calexp', visit));
    const directory = join(path, 'calexp', visit, detectors[0]!);
    const file = (await stat(directory)).isDirectory() ? join(directory, (await readdir(directory))[0]!) : directory;
    expect(await errorCode(readFile(file))).toBe('EACCES');
  });

  it('verbs take the URL as well', async () => {
    const url = sshd.urlOf(join(place, 'repository/'));
    const index = await home.cli(['index', url, '--json']);
    expect(index).toMatchObject({ status: 0, stderr: expect.not.stringContaining('butlerfs:') as string });
    expect(JSON.parse(index.stdout)).toMatchObject({ repository: sshd.urlOf(repository) });
    expect((await home.cli(['types', url])).stdout).toContain('deepCoadd_calexp');
    expect((await home.cli(['query', 'calexp', url])).status).toBe(0);
  });

  it('says in one line what cannot be mounted', async () => {
    const stranger = temporaryHome();
    try {
      const mountPoint = temporaryDirectory('mount');
      const unknown = await stranger.cli(['mount', sshd.urlOf(repository), mountPoint]);
      expect(unknown.status).toBe(1);
      expect(unknown.stderr).toMatch(
        /^butlerfs: the host key of 127\.0\.0\.1:\d+: it is not known \(it shows ssh-ed25519 SHA256:\S+\); [^\n]*\n$/,
      );
      sshd.welcome(stranger.directory);
      rmSync(join(stranger.directory, '.ssh/id_ed25519'));
      rmSync(join(stranger.directory, '.ssh/id_ed25519.pub'));
      await makeKey(join(stranger.directory, '.ssh/id_ed25519'));
      const refused = await stranger.cli(['mount', sshd.urlOf(repository), mountPoint], { env: { SSH_AUTH_SOCK: undefined } });
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/^butlerfs: logging in to [^\n]*\n$/) as string });
      const password = await home.cli(['mount', 'ssh://me:secret@127.0.0.1/x', mountPoint]);
      expect(password.status).toBe(2);
      expect(password.stderr).not.toContain('secret');
      const none = await home.cli(['mount', sshd.urlOf(place), mountPoint]);
      expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('looked for butler.yaml') as string });
      removeDirectory(mountPoint);
    } finally {
      stranger.remove();
    }
  });
});
