/** What the command says when it is given what it cannot mount: one line, exit status 1 or 2, nothing left mounted. */

import { Database } from '../registry/sqlite/driver.js';
import { cpSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { builtCommand, isMounted, mountRepository, temporaryHome } from './support/mounted.js';
import type { Home } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { isSuperuser } from './support/privileges.js';
import { run } from './support/run.js';
import type { RunResult } from './support/run.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';

let place: string;
let good: string;
let home: Home;
let nginx: Nginx;

/** A copy of the good registry, changed. */
function spoilt(name: string, change: (registry: string) => void): string {
  const directory = join(place, name);
  mkdirSync(directory);
  cpSync(join(good, 'butler.yaml'), join(directory, 'butler.yaml'));
  cpSync(join(good, 'gen3.sqlite3'), join(directory, 'gen3.sqlite3'));
  change(join(directory, 'gen3.sqlite3'));
  return directory;
}

function setUniverse(registry: string, json: string): void {
  const database = new Database(registry);
  database.prepare("UPDATE butler_attributes SET value = ? WHERE name = 'config:dimensions.json'").run(json);
  database.close();
}

beforeAll(async () => {
  place = temporaryDirectory('bad-input');
  good = join(place, 'good');
  writeSmallRepository(good, { tracts: [8766], patches: 2, bands: ['i'], visits: 1, detectors: 1, pixels: 16 });
  home = temporaryHome();
  nginx = await Nginx.start(place);
});
afterAll(async () => {
  await nginx.stop();
  home.remove();
  removeDirectory(place);
});

/** Checks that the command failed with `status` and one line that matches, and that nothing is mounted. */
function expectRefusal(result: RunResult, status: number, message: RegExp, mountPoint: string): void {
  expect(result.stderr).toMatch(message);
  expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.stdout).toBe('');
  expect(result.status).toBe(status);
  expect(isMounted(mountPoint)).toBe(false);
}

async function refuses(source: string, message: RegExp, args: readonly string[] = []): Promise<void> {
  const mountPoint = join(place, 'mount-point');
  mkdirSync(mountPoint, { recursive: true });
  const result = await home.cli(['mount', source, mountPoint, '-o', 'deadline=5', ...args], { timeout: 40_000 });
  expectRefusal(result, 1, message, mountPoint);
}

describe('a source that cannot be mounted', () => {
  it('no such host', () => refuses('http://no-such-host.invalid/repository', /no-such-host\.invalid/));
  it('a port where nothing listens', () => refuses('http://127.0.0.1:9/repository', /127\.0\.0\.1:9/));
  it('404', () => refuses(`${nginx.url}/nowhere`, /butler\.yaml/));
  it('401', async () => {
    await nginx.restart({ user: { name: 'alice', password: 'right' } });
    try {
      await refuses(`${nginx.url}/good`, /401|password|credential/i);
      const wrong = nginx.url.replace('//', '//alice:wr0ng-s3cret@');
      const mountPoint = join(place, 'mount-point');
      const result = await home.cli(['mount', `${wrong}/good`, mountPoint]);
      expect(result.status).not.toBe(0);
      expect(result.stderr + result.stdout).not.toContain('wr0ng-s3cret');
      expect(isMounted(mountPoint)).toBe(false);
    } finally {
      await nginx.restart({});
    }
  });
  it('no such directory', () => refuses(join(place, 'missing'), /missing/));
  it('a directory that is no repository', () => {
    mkdirSync(join(place, 'plain'));
    writeFileSync(join(place, 'plain', 'notes.txt'), 'x');
    return refuses(join(place, 'plain'), /butler\.yaml/);
  });
  it('the remains of a failed creation: an empty registry', () =>
    refuses(
      spoilt('failed', (registry) => truncateSync(registry, 0)),
      /empty|0 bytes/,
    ));
  it('a registry that is no database', () =>
    refuses(
      spoilt('garbage', (registry) => writeFileSync(registry, Buffer.alloc(20_000, 'garbage'))),
      /gen3\.sqlite3|registry/,
    ));
  it('a registry cut off in the middle', () =>
    refuses(
      spoilt('cut', (registry) => truncateSync(registry, 200_000)),
      /gen3\.sqlite3|registry|corrupt|malformed/,
    ));
  it('a universe of a form not known yet', () =>
    refuses(
      spoilt('future', (registry) => setUniverse(registry, JSON.stringify({ version: 99, namespace: 'daf_butler', elements: ['band'] }))),
      /universe.*99/,
    ));
  it('an unknown collection, with the nearest', () =>
    refuses(join(place, 'good'), /u\/me\/rerun9.*u\/me\/rerun1/, ['--collections', 'u/me/rerun9']));
});

describe('a mount point that cannot be used', () => {
  it('missing', async () => {
    const mountPoint = join(place, 'no', 'such');
    expectRefusal(await home.cli(['mount', good, mountPoint]), 1, /mkdir/, mountPoint);
  });
  it('a file', async () => {
    const mountPoint = join(place, 'file');
    writeFileSync(mountPoint, '');
    expectRefusal(await home.cli(['mount', good, mountPoint]), 1, /not a directory/, mountPoint);
  });
  it('not empty', async () => {
    expectRefusal(await home.cli(['mount', good, place]), 1, /not empty/, place);
  });
  it('already mounted', async () => {
    const mount = await mountRepository(good);
    try {
      const result = await mount.cli(['mount', good, mount.path]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/already/);
      expect((await mount.status()).pid).toBe(mount.pid);
      await mount.unmount();
    } finally {
      await mount.dispose();
    }
  });
  it('unmounting what is not mounted', async () => {
    const mountPoint = join(place, 'mount-point');
    expectRefusal(await home.cli(['umount', mountPoint]), 1, /not mounted|no butlerfs/i, mountPoint);
  });
});

describe('wrong usage', () => {
  it.each([
    [['mount']],
    [['mount', '/only-a-source']],
    [['mount', 'a', 'b', 'c']],
    [['mount', 'a', '/b', '--no-such-option']],
    [['mount', 'a', '/b', '-o', 'no-such-option']],
    [['mount', '/', '/b', '-o', 'deadline=soon']],
    [['no-such-verb']],
  ])('%j ends with 2', async (args) => {
    const result = await home.cli(args);
    expect(result.status).toBe(2);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('without /dev/fuse', () => {
  /** Runs a mount in a mount namespace of its own, after `prepare`, and says what is mounted there afterwards. */
  async function mountWhere(prepare: string, wrapper = ''): Promise<RunResult> {
    const mountPoint = join(place, 'hidden');
    mkdirSync(mountPoint, { recursive: true });
    const script = `set -e
${prepare}
status=0
${wrapper} "$@" || status=$?
if grep -q " ${mountPoint} " /proc/self/mountinfo; then echo left mounted; fi
exit $status`;
    const words = [
      '-m',
      '--propagation',
      'private',
      'bash',
      '-c',
      script,
      'bash',
      process.execPath,
      builtCommand(),
      'mount',
      good,
      mountPoint,
    ];
    return run('unshare', words, { env: home.env, timeout: 40_000 });
  }

  it('absent', async () => {
    if (!isSuperuser()) return;
    const devices = ['null c 1 3', 'zero c 1 5', 'random c 1 8', 'urandom c 1 9'].map((device) => `mknod -m 666 /dev/${device}`);
    const result = await mountWhere(['mount -t tmpfs none /dev', ...devices].join('\n'));
    expectRefusal(result, 1, /\/dev\/fuse/, join(place, 'hidden'));
  });

  it('not a FUSE device', async () => {
    if (!isSuperuser()) return;
    expectRefusal(await mountWhere('mount --bind /dev/null /dev/fuse'), 1, /mounting|fuse/i, join(place, 'hidden'));
  });

  it('forbidden', async () => {
    if (!isSuperuser()) return;
    const other = temporaryHome();
    try {
      const open = `chmod 755 ${place}; chown -R 65534 ${other.directory} ${place}/hidden; touch /tmp/.fuse-$$; rm /tmp/.fuse-$$
mount -t tmpfs -o mode=755 none /mnt; mknod -m 600 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse`;
      const names = Object.entries(other.env).map(([name, value]) => `${name}=${value}`);
      const result = await mountWhere(open, `setpriv --reuid=65534 --regid=65534 --clear-groups env ${names.join(' ')}`);
      expectRefusal(result, 1, /fuse/i, join(place, 'hidden'));
    } finally {
      other.remove();
      rmSync(join(place, 'hidden'), { recursive: true });
    }
  });
});
