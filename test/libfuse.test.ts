/** Real mounts through libfuse: a plain directory, and repositories. */

import { constants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  appendFile,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type WrittenDataset, writeSmallRepository } from '../scripts/repository/repository.js';
import { sharedData } from './shared.js';
import { canUseLibfuse, type LibfuseDirectory, mountDirectoryThroughLibfuse } from './support/libfuse.js';
import { isMounted, isRunning, mountRepository, temporaryHome, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { run, runSuccessfully } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { dataIdPath, encodeValue, errorCode, filesBelow, sha256 } from './support/tree.js';

const THROUGH_LIBFUSE = ['-o', 'transport=libfuse'];
const TIMEOUT = 60_000;

describe.runIf(canUseLibfuse())('a plain directory', { timeout: TIMEOUT }, () => {
  let directory: LibfuseDirectory;
  const at = (name: string): string => join(directory.mount, name);
  const behind = (name: string): string => join(directory.behind, name);

  beforeAll(async () => {
    directory = await mountDirectoryThroughLibfuse();
  });
  afterAll(() => directory?.dispose());

  it('keeps what is written, appended and cut', async () => {
    const content = Buffer.alloc(1_000_003, 'abcdefg');
    await writeFile(at('file'), content);
    expect((await readFile(at('file'))).equals(content)).toBe(true);
    await appendFile(at('file'), 'end');
    await truncate(at('file'), 1_000_004);
    expect(readFileSync(behind('file')).equals(Buffer.concat([content, Buffer.from('e')]))).toBe(true);
    const file = await open(at('file'), 'r+');
    await file.write('middle', 500_000);
    await file.sync();
    await file.truncate(500_003);
    await file.close();
    expect((await stat(at('file'))).size).toBe(500_003);
    expect(readFileSync(behind('file')).subarray(500_000).toString()).toBe('mid');
  });

  it('renames, links and makes what directories are made of', async () => {
    await mkdir(at('d/e'), { recursive: true });
    await writeFile(at('d/e/one'), '1');
    await link(at('d/e/one'), at('d/two'));
    await symlink('../d/two', at('d/three'));
    await rename(at('d/e'), at('f'));
    await rename(at('f/one'), at('d/ümlaut ☃'));
    expect(await readFile(at('d/three'), 'utf8')).toBe('1');
    expect(readdirSync(behind('d')).sort()).toEqual(['three', 'two', 'ümlaut ☃']);
    const [one, two] = await Promise.all([stat(at('d/ümlaut ☃')), stat(at('d/two'))]);
    expect([one.ino, one.nlink]).toEqual([two.ino, 2]);
    await appendFile(at('d/two'), '2');
    expect((await stat(at('d/ümlaut ☃'))).size).toBe(2);
    expect(await errorCode(rmdir(at('d')))).toBe('ENOTEMPTY');
    await rm(at('d'), { recursive: true });
    await rmdir(at('f'));
  });

  it('keeps both times, in milliseconds', async () => {
    await writeFile(at('times'), '');
    await utimes(at('times'), 1_000.25, 2_000.125);
    for (const path of [at('times'), behind('times')]) {
      const { atimeMs, mtimeMs } = await stat(path);
      expect([atimeMs, mtimeMs]).toEqual([1_000_250, 2_000_125]);
    }
  });

  it('keeps extended attributes', async () => {
    await writeFile(at('attributes'), '');
    await runSuccessfully('setfattr', ['-n', 'user.name', '-v', 'a longer value', at('attributes')]);
    await runSuccessfully('setfattr', ['-n', 'user.empty', at('attributes')]);
    const all = await runSuccessfully('getfattr', ['-d', '--absolute-names', at('attributes')]);
    expect(all).toContain('user.name="a longer value"\n');
    expect(all).toContain('user.empty');
    expect(await runSuccessfully('getfattr', ['-n', 'user.name', '--only-values', behind('attributes')])).toBe('a longer value');
    await runSuccessfully('setfattr', ['-x', 'user.name', at('attributes')]);
    expect((await run('getfattr', ['-n', 'user.name', at('attributes')])).stderr).toMatch(/No such attribute/);
    expect((await run('getfattr', ['-n', 'system.posix_acl_access', at('attributes')])).stderr).toMatch(/not supported/);
  });

  it('a file that is removed while it is open is there until it is closed, and nowhere else', async () => {
    await mkdir(at('u'));
    const file = await open(at('u/file'), 'w+');
    await file.write('before ');
    await unlink(at('u/file'));
    await file.write('after');
    await writeFile(at('u/file'), 'another');
    expect(Buffer.from((await file.read(Buffer.alloc(100), 0, 100, 0)).buffer.subarray(0, 12)).toString()).toBe('before after');
    expect(await file.stat()).toMatchObject({ nlink: 0, size: 12 });
    expect([...readdirSync(behind('u')), ...(await readdir(at('u')))]).toEqual(['file', 'file']);
    await unlink(at('u/file'));
    expect(await errorCode(rmdir(at('u')))).toBe('EBUSY');
    await file.close();
    await eventually('the file going', async () => (await errorCode(rmdir(at('u')))) === 'none');
  });

  it('a file that is replaced while it is open is always there for others', async () => {
    await writeFile(at('replaced'), '0');
    let looks = 0;
    let misses = 0;
    let isOver = false;
    const watching = (async () => {
      for (; !isOver; looks++) {
        if (!existsSync(behind('replaced'))) misses++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let i = 1; i <= 100; i++) {
      const file = await open(at('replaced'));
      await writeFile(at('new'), `${i}`);
      await rename(at('new'), at('replaced'));
      expect((await file.readFile()).toString()).toBe(`${i - 1}`);
      await file.close();
    }
    isOver = true;
    await watching;
    expect(looks).toBeGreaterThan(100);
    expect(misses).toBe(0);
  });

  it('names that are no UTF-8 are refused, never confused with others', async () => {
    const bytes = Buffer.from([0xff, 0xfe]);
    const name = Buffer.concat([Buffer.from(`${directory.mount}/`), bytes]);
    expect(await errorCode(writeFile(name, ''))).toBe('EILSEQ');
    writeFileSync(Buffer.concat([Buffer.from(`${directory.behind}/`), bytes]), '');
    expect(await readdir(directory.mount)).toContain('\ufffd\ufffd');
    await rm(Buffer.concat([Buffer.from(`${directory.behind}/`), bytes]));
  });

  it('ls -lR says the same through the mount and behind it', async () => {
    await mkdir(at('many'));
    for (let i = 0; i < 300; i++) await writeFile(at(`many/${i}`), 'x'.repeat(i));
    await copyFile('/bin/ls', at('program'));
    await runSuccessfully('chmod', ['751', at('program')]);
    await runSuccessfully('mkfifo', [at('fifo')]);
    await symlink('nowhere', at('link'));
    const list = (cwd: string): Promise<string> =>
      runSuccessfully('ls', ['-liR', '--time-style=+%s'], { cwd, env: { LC_ALL: 'C' }, timeout: TIMEOUT });
    expect(await list(directory.mount)).toBe(await list(directory.behind));
    expect(await runSuccessfully(at('program'), ['-d', '/'])).toBe('/\n');
  });

  it('is shown as what it is', async () => {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const line = mounts.split('\n').find((text) => text.includes(` ${directory.mount} `));
    expect(line).toMatch(/ rw,nosuid,nodev,noatime - fuse\.butlerfs .*default_permissions/);
    expect(line).toContain(` ${directory.behind} `);
  });

  it('ends with the last file that is open on it, and its process with it', async () => {
    const file = await open(at('file'), constants.O_RDWR);
    directory.daemon.kill('SIGTERM');
    await eventually('the mount going', () => !isMounted(directory.mount));
    expect((await file.read(Buffer.alloc(3), 0, 3, 500_000)).bytesRead).toBe(3);
    await file.write('still', 0);
    expect(directory.hasEnded()).toBe(false);
    await file.close();
    await eventually('the daemon ending', () => directory.hasEnded());
    expect([directory.daemon.exitCode, readFileSync(behind('file')).subarray(0, 5).toString()]).toEqual([0, 'still']);
  });
});

describe.runIf(canUseLibfuse())('a repository', { timeout: TIMEOUT }, () => {
  let place: string;
  let repository: string;
  let written: WrittenDataset[];
  let nginx: Nginx;
  let mount: TestMount | undefined;

  beforeAll(async () => {
    place = temporaryDirectory('libfuse');
    repository = join(place, 'repository');
    written = writeSmallRepository(repository, { tracts: [8766], patches: 4, bands: ['i'], visits: 1, detectors: 2, pixels: 512 });
    nginx = await Nginx.start(repository);
  });
  afterEach(async () => {
    await mount?.dispose();
    mount = undefined;
  });
  afterAll(async () => {
    await nginx?.stop();
    removeDirectory(place);
  });

  /** The files of two datasets that no rerun overrides. */
  async function twoFiles(on: TestMount): Promise<[string, WrittenDataset][]> {
    const overridden = new Set(written.filter(({ run: name }) => name.startsWith('u/')).map(({ dataId }) => dataId['patch']));
    const chosen = written.filter(({ type, dataId }) => type === 'deepCoadd_calexp' && !overridden.has(dataId['patch'])).slice(0, 2);
    return await Promise.all(
      chosen.map(async (dataset): Promise<[string, WrittenDataset]> => {
        const leaf = join(on.path, dataset.type, ...dataIdPath(dataset.dataId));
        return [join(leaf, (await readdir(leaf))[0]!), dataset];
      }),
    );
  }

  it('is read, and says how it is mounted', async () => {
    mount = await mountRepository(nginx.url, { args: THROUGH_LIBFUSE });
    const [[file, dataset]] = (await twoFiles(mount)) as [[string, WrittenDataset]];
    expect((await readFile(file)).equals(readFileSync(join(repository, dataset.path)))).toBe(true);
    expect(await runSuccessfully('getfattr', ['-n', 'user.butler.type', '--only-values', file])).toBe(dataset.type);
    const status = await mount.status();
    expect(status).toMatchObject({ transport: 'libfuse', kernel: { protocol: 'libfuse', passthrough: false } });
    expect(status.errors).toEqual([]);
    // Its size is known only when it is made.
    for (let i = 0; i < 3; i++) {
      const text = await readFile(join(mount.path, '@status'), 'utf8');
      expect(JSON.parse(text)).toMatchObject({ transport: 'libfuse', pid: mount.pid });
    }
    expect(await errorCode(writeFile(join(mount.path, 'new'), ''))).toBe('EROFS');
    expect(await errorCode(writeFile(file, ''))).toBe('EROFS');
    await mount.unmount();
    await eventually('the daemon ending', () => !isRunning(mount!.pid));
  });

  it('answers one while another waits for a slow remote', async () => {
    mount = await mountRepository(nginx.url, { args: THROUGH_LIBFUSE });
    const [[cached], [slow, dataset]] = (await twoFiles(mount)) as [[string, WrittenDataset], [string, WrittenDataset]];
    await readFile(cached);
    await nginx.restart({ rate: '256k' });
    try {
      const reading = readFile(slow);
      await eventually('the fetch beginning', async () => (await mount!.status()).cache.inFlight > 0);
      const started = performance.now();
      await Promise.all([readFile(cached), readdir(join(mount.path, 'calexp')), stat(slow)]);
      expect(performance.now() - started).toBeLessThan(1_000);
      expect((await mount.status()).cache.inFlight).toBeGreaterThan(0);
      expect((await reading).equals(readFileSync(join(repository, dataset.path)))).toBe(true);
    } finally {
      await nginx.restart({});
    }
  });

  it('a remote that gives nothing is given up, and the caller hears of it', async () => {
    mount = await mountRepository(nginx.url, { args: [...THROUGH_LIBFUSE, '-o', 'deadline=2,idle-timeout=1'] });
    const [[file]] = (await twoFiles(mount)) as [[string, WrittenDataset]];
    await nginx.kill();
    try {
      expect(['EIO', 'ETIMEDOUT']).toContain(await errorCode(readFile(file)));
      expect((await mount.status()).errors.at(-1)?.path).toMatch(/^\/deepCoadd_calexp\//);
    } finally {
      await nginx.restart({});
    }
  });

  it('is unmounted while a file is open: the file stays whole, and the daemon ends when it is closed', async () => {
    mount = await mountRepository(nginx.url, { args: THROUGH_LIBFUSE });
    const [[path, dataset]] = (await twoFiles(mount)) as [[string, WrittenDataset]];
    const file = await open(path);
    const ending = mount.cli(['umount', mount.path]);
    await eventually('the mount going', () => !isMounted(mount!.path));
    expect((await file.readFile()).equals(readFileSync(join(repository, dataset.path)))).toBe(true);
    expect(isRunning(mount.pid)).toBe(true);
    await file.close();
    expect((await ending).status).toBe(0);
    await eventually('the daemon ending', () => !isRunning(mount!.pid));
  });

  it('ends when somebody else unmounts it, and when its daemon gets a signal', async () => {
    for (const end of [() => run('umount', [mount!.path]), () => process.kill(mount!.pid, 'SIGTERM')]) {
      mount = await mountRepository(nginx.url, { args: THROUGH_LIBFUSE });
      await readdir(mount.path);
      await end();
      await eventually('the daemon ending', () => !isRunning(mount!.pid));
      expect(isMounted(mount.path)).toBe(false);
      await mount.dispose();
    }
  });

  describe('where koffi cannot be loaded', () => {
    const home = temporaryHome();
    const hook = join(home.directory, 'no-koffi.mjs');
    const env = { NODE_OPTIONS: `--import ${hook}` };
    beforeAll(() => {
      // Both ways in which modules are found.
      const resolving = `export const resolve = (name, context, next) => { if (name === 'koffi') throw new Error('no koffi'); return next(name, context); };`;
      writeFileSync(
        hook,
        `import Module, { register } from 'node:module';
         const find = Module._resolveFilename;
         Module._resolveFilename = function (name, ...more) { if (name === 'koffi') throw new Error('no koffi'); return find.call(this, name, ...more); };
         register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(resolving)}));`,
      );
    });
    afterAll(() => home.remove());

    it('a mount goes over to libfuse, and says so in one line', async () => {
      const path = join(home.directory, 'mount');
      await mkdir(path);
      try {
        const result = await home.cli(['mount', nginx.url, path], { env, timeout: TIMEOUT });
        expect(result.status).toBe(0);
        expect(result.stderr.match(/through libfuse/g)).toHaveLength(1);
        expect(result.stderr).toContain('no koffi');
        const status = await home.cli(['status', path], { env });
        expect(status.stdout).toContain('through libfuse');
        const [file] = await filesBelow(join(path, 'calexp'));
        const dataset = written.find(
          ({ type, path: location }) => type === 'calexp' && readFileSync(join(repository, location)).length > 0,
        )!;
        expect((await readFile(file!)).length).toBe(dataset.size);
        expect((await home.cli(['umount', path], { env, timeout: TIMEOUT })).status).toBe(0);
      } finally {
        if (isMounted(path)) await run('umount', ['-l', path]);
      }
    });

    it('transport=kernel does not', async () => {
      const path = join(home.directory, 'kernel');
      await mkdir(path);
      const result = await home.cli(['mount', '-o', 'transport=kernel', nginx.url, path], { env, timeout: TIMEOUT });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/transport 'kernel'.*no koffi.*transport=libfuse/);
      expect(isMounted(path)).toBe(false);
    });
  });
});

const data = sharedData();

describe.runIf(canUseLibfuse() && data !== undefined)('a golden repository', { timeout: TIMEOUT }, () => {
  it('has the bytes that the real butler read', async () => {
    type GoldenDataset = [type: string, dataId: Record<string, string | number>, uuid: string, run: string, path: string, checksum: string];
    const golden = JSON.parse(readFileSync(join(data!, 'gen3-hsc.golden.json'), 'utf8')) as {
      readonly dataset_types: Record<string, { readonly required: readonly string[] }>;
      readonly datasets: readonly GoldenDataset[];
      readonly wrong_size: Record<string, number>;
    };
    const mount = await mountRepository(join(data!, 'gen3-hsc'), { args: THROUGH_LIBFUSE });
    try {
      const step = Math.ceil(golden.datasets.length / 20);
      const chosen = golden.datasets.filter((_, index) => index % step === 0 && !(String(index) in golden.wrong_size));
      for (const [type, dataId, , collection, path] of chosen) {
        const required = Object.fromEntries(golden.dataset_types[type]!.required.map((key) => [key, dataId[key]!]));
        const leaf = join(mount.path, '@collections', encodeValue(collection), type, ...dataIdPath(required));
        const [name] = await readdir(leaf);
        expect(await sha256(join(leaf, name!)), leaf).toBe(await sha256(join(data!, 'gen3-hsc', path)));
      }
      await mount.unmount();
    } finally {
      await mount.dispose();
    }
  });
});
