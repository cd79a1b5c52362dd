/** What a mount does about names that do not exist, a dead daemon, users without privileges, and writers. Servers that fail: test/faults/. */

import { mkdirSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHAIN, writeSmallRepository } from '../scripts/repository/repository.js';
import type { WrittenDataset } from '../scripts/repository/repository.js';
import { builtCommand, isMounted, isRunning, mountRepository, temporaryHome } from './support/mounted.js';
import type { TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { isSuperuser } from './support/privileges.js';
import { run, runSuccessfully } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { errorCode, fileOf } from './support/tree.js';

let place: string;
let repository: string;
let written: WrittenDataset[];
let nginx: Nginx;
let mount: TestMount | undefined;

beforeAll(async () => {
  place = temporaryDirectory('faults');
  repository = join(place, 'repository');
  // Images of 1 MiB, so that a slow server is still sending when it dies.
  written = writeSmallRepository(repository, { tracts: [8766], patches: 4, bands: ['i'], visits: 1, detectors: 2, pixels: 512 });
  nginx = await Nginx.start(repository);
});
afterEach(async () => {
  await mount?.dispose();
  mount = undefined;
});
afterAll(async () => {
  await nginx.stop();
  removeDirectory(place);
});

/** The coadds that no rerun overrides. */
function coadds(): WrittenDataset[] {
  const overridden = new Set(written.filter(({ run: name }) => name.startsWith('u/')).map(({ dataId }) => dataId['patch']));
  return written.filter(({ type, dataId }) => type === 'deepCoadd_calexp' && !overridden.has(dataId['patch']));
}

/** Milliseconds that a piece of work takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

describe('a name that does not exist', () => {
  let chained: TestMount;
  beforeAll(async () => {
    chained = await mountRepository(nginx.url, { args: ['--collections', CHAIN] });
  });
  afterAll(() => chained?.dispose());

  it.each([
    ['deepCoadd_calex', /deepCoadd_calexp/],
    ['deepCoadd_calexp/track=8766', /tract/],
    ['deepCoadd_calexp/tract=8767', /tract=8766/],
    ['deepCoadd_calexp/tract=north', /integer/],
    ['deepCoadd_calexp/tract=8766/patch=4000', /patch=\d/],
    ['deepCoadd_calexp/tract=8766/patch=40/band=g', /band=i/],
    ['calexp/visit=1229', /visit=1228/],
    ['calexp/visit=1228/detector=0/band=r', /agree/],
  ])('%s: ENOENT at once, and the nearest is named', async (path, nearest) => {
    const whole = join(chained.path, path);
    expect(await timed(async () => expect(await errorCode(stat(whole))).toBe('ENOENT'))).toBeLessThan(500);
    const { stdout, stderr } = await chained.cli(['explain', whole]);
    expect(stdout + stderr).toMatch(nearest);
    expect(await readFile(join(chained.path, '@explain', path), 'utf8')).toMatch(nearest);
  });
});

describe('a collection that does not exist', () => {
  it('is ENOENT, and the nearest is named', async () => {
    mount = await mountRepository(nginx.url);
    const whole = join(mount.path, '@collections', 'u%2Fme%2Frerun2');
    expect(await errorCode(stat(whole))).toBe('ENOENT');
    const { stdout, stderr } = await mount.cli(['explain', whole]);
    expect(stdout + stderr).toContain('u/me/rerun1');
  });
});

describe('a daemon that dies', () => {
  it('promise 10: kill -9: ENOTCONN, and the same mount point can be mounted again at once', async () => {
    mount = await mountRepository(nginx.url);
    const { path, pid, home } = mount;
    process.kill(pid, 'SIGKILL');
    await eventually('ENOTCONN', async () => (await errorCode(readdir(path))) === 'ENOTCONN');
    const again = await home.cli(['mount', nginx.url, path]);
    expect(again.stderr + again.stdout).toMatch(/stale|dead|gone/);
    expect(again.status).toBe(0);
    expect(await readdir(path)).toContain('calexp');
    const { pid: newPid } = await mount.status();
    expect(newPid).not.toBe(pid);
    await runSuccessfully(process.execPath, [builtCommand(), 'umount', path], { env: home.env });
    expect(isMounted(path)).toBe(false);
  });
});

describe('without privileges', () => {
  it('another user mounts through fusermount3, reads and unmounts', async () => {
    if (!isSuperuser()) return;
    const home = temporaryHome();
    const mountPoint = join(home.directory, 'mount');
    mkdirSync(mountPoint);
    const script = `set -e
chown -R 65534:65534 "${home.directory}"
mount -t tmpfs -o mode=755 none /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
exec setpriv --reuid=65534 --regid=65534 --clear-groups bash -ec '
  butlerfs() { "${process.execPath}" "${builtCommand()}" "$@"; }
  butlerfs mount "${nginx.url}" "${mountPoint}"
  ls "${mountPoint}"
  cat "${mountPoint}"/calexp/visit=1228/detector=0/*.fits | sha256sum
  butlerfs umount "${mountPoint}"
  grep -c " ${mountPoint} " /proc/self/mountinfo || true
'`;
    try {
      const result = await run('unshare', ['-m', '--propagation', 'private', 'bash', '-c', script], { env: home.env, timeout: 50_000 });
      expect(result.stderr).toBe('');
      expect(result.status).toBe(0);
      const lines = result.stdout.trim().split('\n');
      expect(lines).toContain('deepCoadd_calexp');
      const image = written.find(({ type, dataId }) => type === 'calexp' && dataId['detector'] === 0)!;
      const [digest] = (await runSuccessfully('sha256sum', [join(repository, image.path)])).split(' ');
      expect(lines.at(-2)).toContain(digest);
      expect(lines.at(-1)).toBe('0');
    } finally {
      home.remove();
    }
  });
});

describe('butlerfs umount', () => {
  it('with a file open on it: says so soon, and the file stays readable until it is closed', async () => {
    const mounted = await mountRepository(nginx.url);
    mount = mounted;
    const [first] = coadds();
    const file = await open(await fileOf(mounted, first!));
    try {
      let said = '';
      const milliseconds = await timed(async () => {
        const { status, stderr } = await mounted.cli(['umount', mounted.path]);
        expect(status).toBe(0);
        said = stderr;
      });
      expect(said).toMatch(/files that are open on it/);
      expect(milliseconds).toBeLessThan(12_000);
      expect(isMounted(mounted.path)).toBe(false);
      expect((await file.readFile()).equals(readFileSync(join(repository, first!.path)))).toBe(true);
    } finally {
      await file.close();
    }
    await eventually('the daemon ending', () => !isRunning(mounted.pid));
  });
});

describe('writing', () => {
  it('promise 8: is EROFS, whatever way it is tried', async () => {
    mount = await mountRepository(nginx.url);
    const [image] = coadds();
    const file = await fileOf(mount, image!);
    expect(await errorCode(open(file, 'r+'))).toBe('EROFS');
    expect(await errorCode(writeFile(join(mount.path, 'new'), 'x'))).toBe('EROFS');
    expect(await errorCode(mkdir(join(mount.path, 'deepCoadd_calexp/tract=1')))).toBe('EROFS');
    expect(await errorCode(unlink(file))).toBe('EROFS');
    expect(await errorCode(rename(file, `${file}.moved`))).toBe('EROFS');
    expect(await errorCode(truncate(file, 0))).toBe('EROFS');
  });
});
