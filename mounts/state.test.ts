import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensurePrivateDirectory, findDirectories, mountName } from './directories.js';
import { canonicalMountPoint, parseMountInfo, readMountInfo } from './mountinfo.js';
import { probeMount } from './probe.js';
import { prepareMountPoint } from './stale.js';
import { isAlive, mountHolding, readMountState, readMountStates, removeMountState, startTimeOf, writeMountState } from './state.js';
import type { MountState } from './state.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'butlerfs-state-'));
});
afterEach(async () => await rm(directory, { recursive: true }));

function stateOf(mountPoint: string, pid = process.pid): MountState {
  return {
    mountPoint,
    repository: 'https://data.example.org/repo',
    pid,
    startTime: startTimeOf(pid) ?? 'none',
    mountedAt: 1,
    socket: '/run/s.sock',
    logFile: null,
    catalogueDirectory: '/cache',
    collections: [],
    defaults: {},
    aliases: {},
  };
}

describe('mountinfo', () => {
  test('parses lines with any number of optional fields and decodes octal escapes', () => {
    const content = [
      '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
      '37 35 0:51 / /mnt/with\\040space\\134and\\303\\251 ro - fuse.butlerfs https://host/a\\040b rw,user_id=0',
      '38 35 0:52 / /plain/é ro - tmpfs none rw',
      'nonsense',
      '',
    ].join('\n');
    expect(parseMountInfo(Buffer.from(content))).toEqual([
      { mountPoint: '/mnt2', type: 'ext3', source: '/dev/root', minor: 0 },
      { mountPoint: '/mnt/with space\\andé', type: 'fuse.butlerfs', source: 'https://host/a b', minor: 51 },
      { mountPoint: '/plain/é', type: 'tmpfs', source: 'none', minor: 52 },
    ]);
  });

  test('reads what this system has mounted', async () => {
    expect((await readMountInfo()).map(({ mountPoint }) => mountPoint)).toContain('/proc');
  });

  test('resolves symbolic links of a mount point', async () => {
    await mkdir(join(directory, 'real'));
    await symlink('real', join(directory, 'link'));
    expect(await canonicalMountPoint(join(directory, 'link'))).toBe(join(directory, 'real'));
    expect(await canonicalMountPoint(join(directory, 'missing'))).toBe(join(directory, 'missing'));
  });
});

describe('states', () => {
  test('are written, found, and removed by their own daemon only', async () => {
    const [a, b] = [stateOf('/mnt/a'), stateOf('/mnt/b')];
    await writeMountState(directory, b);
    await writeMountState(directory, a);
    await writeFile(join(directory, '0123456789abcdef.json'), '{"half": ');
    expect(await readMountStates(directory)).toEqual([a, b]);
    await removeMountState(directory, { mountPoint: '/mnt/a', pid: a.pid + 1 });
    expect(await readMountState(directory, '/mnt/a')).toEqual(a);
    await removeMountState(directory, a);
    expect(await readMountState(directory, '/mnt/a')).toBeUndefined();
    expect(await readMountStates(join(directory, 'missing'))).toEqual([]);
  });

  test('tell a living daemon from a process that got its number later', async () => {
    expect(isAlive(stateOf('/m'))).toBe(true);
    expect(isAlive({ ...stateOf('/m'), startTime: 'boot/1' })).toBe(false);
    const child = spawn('true');
    const dead = stateOf('/m', child.pid);
    await once(child, 'exit');
    expect(isAlive(dead)).toBe(false);
  });

  test('the innermost mount holds a path', () => {
    const mounts = ['/mnt', '/mnt/a/b', '/mnt/a'].map((mountPoint) => ({ mountPoint }));
    expect(mountHolding(mounts, '/mnt/a/b/c')?.mountPoint).toBe('/mnt/a/b');
    expect(mountHolding(mounts, '/mnt/ab')?.mountPoint).toBe('/mnt');
    expect(mountHolding(mounts, '/mntx')).toBeUndefined();
  });
});

describe('directories', () => {
  test('follow XDG, ignore relative values, and fall back', () => {
    const given = findDirectories({ HOME: '/home/me', XDG_CACHE_HOME: '/c', XDG_STATE_HOME: 'relative', XDG_RUNTIME_DIR: '/run/user/1' });
    expect(given).toEqual({
      configurationFiles: ['/home/me/.config/butlerfs/config.yaml', '/etc/butlerfs/config.yaml'],
      cache: '/c/butlerfs',
      mountStates: '/home/me/.local/state/butlerfs/mounts',
      runtime: '/run/user/1/butlerfs',
    });
    expect(findDirectories({ HOME: '/home/me' }).runtime).toBe(`/tmp/butlerfs-${process.getuid!()}`);
    // A control socket's path has room for 107 bytes.
    expect(findDirectories({ HOME: '/h', XDG_RUNTIME_DIR: `/${'x'.repeat(100)}` }).runtime).toMatch(/^\/tmp/);
    expect(mountName('/mnt/hsc')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('a private directory is made, and one that others may enter is refused', async () => {
    const path = join(directory, 'run');
    await ensurePrivateDirectory(path);
    await ensurePrivateDirectory(path);
    await chmod(path, 0o755);
    await expect(ensurePrivateDirectory(path)).rejects.toThrow(`chmod 700 ${path}`);
    await symlink(path, join(directory, 'link'));
    await expect(ensurePrivateDirectory(join(directory, 'link'))).rejects.toThrow('is not a directory');
  });
});

describe('prepareMountPoint', () => {
  const settings = () => ({ mountStates: directory, unmount: () => Promise.resolve(), say: () => undefined });

  test('takes an empty directory', async () => {
    await mkdir(join(directory, 'empty'));
    await prepareMountPoint(join(directory, 'empty'), settings());
  });

  test.each([
    ['does not exist; create it: mkdir -p', 'missing'],
    ['neither it nor its parent exists', 'missing/below'],
    ['is not a directory', 'file'],
    ["is not empty (it holds 'x')", 'full'],
  ])('says %s', async (message, name) => {
    await writeFile(join(directory, 'file'), '');
    await mkdir(join(directory, 'full'));
    await writeFile(join(directory, 'full/x'), '');
    await expect(prepareMountPoint(join(directory, name), settings())).rejects.toMatchObject({
      code: 'mount-point',
      message: containing(message),
    });
  });
});

test('a probe answers for a directory, and gives up in time', async () => {
  expect(await probeMount(directory, 10_000)).toBe('answers');
  expect(await probeMount(join(directory, 'missing'), 10_000)).toEqual({ errno: 'ENOENT' });
  // No process starts within a millisecond.
  expect(await probeMount(directory, 1)).toBe('silent');
});
