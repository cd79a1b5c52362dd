/** What a mount does when something breaks: names that do not exist, wrong bytes, a dead server, a dead daemon, a full disk. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, stat, statfs, truncate, unlink, writeFile } from 'node:fs/promises';
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
import { dataIdPath, errorCode } from './support/tree.js';

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

async function fileOf(on: TestMount, { type, dataId }: WrittenDataset): Promise<string> {
  const leaf = join(on.path, type, ...dataIdPath(dataId));
  const [name] = await readdir(leaf);
  return join(leaf, name!);
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

describe('wrong bytes at the origin', () => {
  it('promises 1 and 4: one byte flipped: EIO, the log has both digests, the status counts it, and other files are well', async () => {
    const [victim, other] = coadds();
    const origin = join(repository, victim!.path);
    const content = readFileSync(origin);
    const flipped = Buffer.from(content);
    flipped[100_000]! ^= 1;
    writeFileSync(origin, flipped);
    try {
      mount = await mountRepository(nginx.url);
      const file = await fileOf(mount, victim!);
      expect((await stat(file)).size).toBe(content.length);
      expect(await errorCode(readFile(file))).toBe('EIO');
      const status = await mount.status();
      expect(status.cache.wrongDigest).toBeGreaterThanOrEqual(1);
      const log = readFileSync(status.logFile!, 'utf8');
      expect(log).toContain(victim!.checksum);
      expect(log.match(/[0-9a-f]{128}/g)?.some((digest) => digest !== victim!.checksum)).toBe(true);
      expect((await readFile(await fileOf(mount, other!))).length).toBe(other!.size);
    } finally {
      writeFileSync(origin, content);
    }
    // Mended at the origin, the same open mount reads it.
    expect((await readFile(await fileOf(mount, victim!))).equals(content)).toBe(true);
  });
});

describe('a server that dies in the middle of a read', () => {
  it('promises 3 and 4: the reader gets an error within the deadline; all that needs no server answers meanwhile; all is well when it is back', async () => {
    const [cached, slow] = coadds();
    mount = await mountRepository(nginx.url, { args: ['-o', 'deadline=4'] });
    const { path } = mount;
    const cachedFile = await fileOf(mount, cached!);
    const slowFile = await fileOf(mount, slow!);
    await readFile(cachedFile);
    await nginx.restart({ rate: '64k' });
    const reading = run('cat', [slowFile], { timeout: 30_000 });
    await eventually('the fetch beginning', async () => (await mount!.status()).cache.inFlight > 0);
    await nginx.kill();
    const answering = [
      () => runSuccessfully('ls', ['-lR', join(path, 'calexp')]),
      () => runSuccessfully('stat', [slowFile]),
      () => runSuccessfully('df', [path]),
      () => runSuccessfully('cat', [cachedFile]),
    ];
    for (const work of answering) expect(await timed(work)).toBeLessThan(1_000);
    const read = await reading;
    expect(read.status).not.toBe(0);
    expect(read.timedOut).toBe(false);
    expect(read.stdout).toBe('');
    expect(read.elapsed).toBeLessThan(9_000);
    await nginx.restart({});
    expect((await readFile(slowFile)).equals(readFileSync(join(repository, slow!.path)))).toBe(true);
  });

  it('promise 3: a reader that is interrupted goes at once', async () => {
    const [, , slow] = coadds();
    mount = await mountRepository(nginx.url);
    const file = await fileOf(mount, slow!);
    await nginx.restart({ rate: '16k' });
    try {
      const result = await run('timeout', ['-s', 'INT', '1', 'cat', file], { timeout: 20_000 });
      expect(result.elapsed).toBeLessThan(3_000);
      expect(result.stdout).toBe('');
    } finally {
      await nginx.restart({});
    }
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

describe('a cache disk that is full', () => {
  it('no wrong byte, no hang: the whole file or ENOSPC, and listings answer', async () => {
    if (!isSuperuser()) return;
    const disk = join(place, 'disk');
    mkdirSync(disk);
    await runSuccessfully('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]);
    try {
      mount = await mountRepository(nginx.url, { args: ['--cache', disk] });
      const [wanted] = coadds();
      const file = await fileOf(mount, wanted!);
      // What is left takes no image of 1 MiB.
      const { bavail, bsize } = await statfs(disk);
      writeFileSync(join(disk, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - 300_000)));
      const code = await errorCode(
        (async () => {
          expect((await readFile(file)).equals(readFileSync(join(repository, wanted!.path)))).toBe(true);
        })(),
      );
      expect(['none', 'ENOSPC']).toContain(code);
      expect((await readdir(join(mount.path, 'calexp'))).length).toBeGreaterThan(0);
      await mount.unmount();
    } finally {
      await mount?.dispose();
      await runSuccessfully('umount', ['-l', disk]);
      rmSync(disk, { recursive: true });
    }
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

describe('one open file', () => {
  it('promise 2: is one version from open to close, also when the origin goes', async () => {
    const [, , third] = coadds();
    mount = await mountRepository(nginx.url);
    const file = await open(await fileOf(mount, third!));
    try {
      await nginx.kill();
      expect((await file.readFile()).equals(readFileSync(join(repository, third!.path)))).toBe(true);
    } finally {
      await file.close();
      await nginx.restart({});
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
