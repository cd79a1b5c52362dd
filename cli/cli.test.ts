/** The built command, run as a user runs it. */

import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { chmodSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sharedData } from '../test/shared.js';
import { builtCommand, temporaryHome } from '../test/support/mounted.js';
import { run } from '../test/support/run.js';
import type { Home } from '../test/support/mounted.js';
import type { RunResult } from '../test/support/run.js';

/** Typed, where the matcher itself is `any`. */
const containing = (text: string): unknown => expect.stringContaining(text);

const shared = sharedData();
const repository = join(shared ?? '/missing', 'gen3-hsc');

let home: Home;
beforeEach(() => {
  home = temporaryHome();
});
afterEach(() => home.remove());

const helper = (...args: readonly string[]): Promise<RunResult> =>
  run(process.execPath, [join(builtCommand(), '../mount-helper.js'), ...args], { env: home.env });

describe('wrong usage is one line on standard error and exit status 2', () => {
  test.each([
    ['no verb is given; butlerfs --help shows them', []],
    ["unknown verb 'mont'; did you mean 'mount'?", ['mont']],
    ["unknown verb '__proto__'", ['__proto__']],
    ["missing required argument 'source'; butlerfs mount --help shows how", ['mount']],
    ["unknown option '--cach'; did you mean --cache?", ['mount', '--cach', 'x', 'a', 'b']],
    ["unknown option '--frobnicate'; butlerfs status --help shows how", ['status', '--frobnicate']],
    ['too many arguments', ['umount', 'a', 'b']],
    ["unknown mount option 'cahce-size'; did you mean 'cache-size'?", ['mount', '-o', 'cahce-size=1G', '/', '/']],
    ["cache-size: '0' is not a size", ['mount', '--cache-size', '0', '/', '/']],
    ["option '--json' cannot be used with option '--paths'", ['query', '--json', '--paths', 'calexp', '/']],
  ])('%s', async (message, args) => {
    const { status, stdout, stderr } = await home.cli(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^butlerfs: [^\n]*\n$/);
    expect(stderr).toContain(message);
  });
});

test('--version and --help answer on standard output', async () => {
  expect((await home.cli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const args of [['--help'], ['help'], ['mount', '--help'], ['help', 'query']]) {
    const { status, stdout, stderr } = await home.cli(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Usage: butlerfs');
  }
});

test('failures are one line and exit status 1, with a trace only under --debug', async () => {
  const mountPoint = join(home.directory, 'mnt');
  await mkdir(mountPoint);
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['writable mounts are not in this version', ['mount', '--rerun', 'x', '/', mountPoint]],
    ['s3:// sources are not in this version', ['mount', 's3://bucket/repo', mountPoint]],
    ['does not exist; create it: mkdir -p', ['mount', home.directory, join(home.directory, 'missing')]],
    ['looked for butler.yaml', ['mount', home.directory, mountPoint]],
    ['no butlerfs mount at', ['umount', mountPoint]],
    ['no butlerfs mount at', ['status', mountPoint]],
    ['is not on a mount of yours', ['explain', mountPoint]],
  ];
  for (const [message, args] of cases) {
    const { status, stderr } = await home.cli(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^butlerfs: [^\n]*\n$/);
    expect(stderr).toContain(message);
  }
  expect((await home.cli(['--debug', 'umount', mountPoint])).stderr).toMatch(/\n\s+at /);
  expect((await home.cli(['umount', mountPoint, '--debug'])).stderr).toMatch(/\n\s+at /);
});

test('a broken configuration names file, line and key', async () => {
  const file = join(home.env['XDG_CONFIG_HOME']!, 'butlerfs/config.yaml');
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, 'sources:\n  hsc: {repositori: /x}\n');
  expect(await home.cli(['index', 'hsc'])).toMatchObject({ status: 1, stderr: containing(`${file}:2: unknown key`) });
});

test('nothing mounted is no failure', async () => {
  expect((await home.cli(['status', '--json'])).status).toBe(0);
});

describe('mount.fuse.butlerfs', () => {
  test('checks what mount(8) hands it', async () => {
    await mkdir(join(home.directory, 'mnt'));
    const arguments_ = [
      home.directory,
      join(home.directory, 'mnt'),
      '-s',
      '-f',
      '-o',
      'rw,nosuid,nodev,_netdev,cache-size=1G',
      '-t',
      'fuse.butlerfs',
    ];
    expect(await helper(...arguments_)).toMatchObject({ status: 0, stderr: '' });
    expect(await helper(home.directory)).toMatchObject({ status: 2, stderr: containing('usage: mount.fuse.butlerfs') });
    expect(await helper(...arguments_, '-o', 'colections=a')).toMatchObject({
      status: 2,
      stderr: containing("did you mean 'collections'?"),
    });
  });
});

describe.runIf(shared !== undefined)('questions to a repository', () => {
  test('index, types and collections', async () => {
    expect((await home.cli(['index', repository])).stdout).toContain('401 datasets');
    expect(JSON.parse((await home.cli(['index', '--json', repository])).stdout)).toMatchObject({
      version: 1,
      datasets: 401,
      format: 'gen3',
    });
    const { stdout: types } = await home.cli(['types', repository]);
    expect(types).toMatch(/^TYPE +KEYS +STORAGE CLASS\n/);
    expect(types).toMatch(/^calexp +instrument,visit,detector +ExposureF$/m);
    const collections = (await home.cli(['collections', '--json', repository])).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(collections).toContainEqual(expect.objectContaining({ name: 'u/me/rerun1', type: 'RUN' }));
  });

  test('query: by data ID, by expression, as JSON and as paths', async () => {
    const query = async (...args: readonly string[]): Promise<string[]> => {
      const { status, stdout, stderr } = await home.cli(['query', ...args, repository]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return stdout.split('\n').slice(0, -1);
    };
    const all = await query('deepCoadd_calexp', '--collections', 'HSC/runs/RC2/w_01');
    const some = await query('deepCoadd_calexp', '--collections', 'HSC/runs/RC2/w_01', '--id', 'tract=8766', 'band=i');
    expect(some.length).toBeGreaterThan(0);
    expect(all).toEqual(expect.arrayContaining(some));
    expect(some[0]).toMatch(/^tract=8766 patch=\d+ band=i {2}HSC\/runs\/RC2\/w_01$/);
    expect(await query('deepCoadd_calexp', '--collections', 'HSC/runs/RC2/w_01', '--where', "tract = 8766 AND band = 'i'")).toEqual(some);
    const [first] = (await query('deepCoadd_calexp', '--id', 'tract=8766', '--json')).map((line) => JSON.parse(line) as object);
    expect(first).toMatchObject({ type: 'deepCoadd_calexp', dataId: { skymap: 'hsc_rings_v1', tract: 8766 } });
    const [path] = await query('deepCoadd_calexp', '--id', 'tract=8766', '--id', 'band=i', '--paths');
    expect(path).toMatch(/^deepCoadd_calexp\/tract=8766\/patch=(\d+)\/band=i\/deepCoadd_calexp_8766_\1_i\.fits$/);
    // Calibrations of one data ID are told apart by when they are valid.
    expect((await query('bias', '--collections', 'HSC/calib/2024A', '--paths')).join('\n')).toContain('_from-');
  });

  test('wrong questions name what was meant', async () => {
    const ask = async (...args: readonly string[]): Promise<string> => (await home.cli(['query', ...args, repository])).stderr;
    expect(await ask('calexpp')).toContain("did you mean 'calexp'?");
    expect(await ask('calexp', '--id', 'visit=abc')).toContain('integer');
    expect(await ask('calexp', '--id', 'visit')).toContain('not KEY=VALUE');
    expect(await ask('calexp', '--where', 'visit = (')).toMatch(/column/);
    expect(await ask('calexp', '--collections', 'u/mee')).toContain("'u/mee'");
  });

  test('a reader that closes the pipe ends the command quietly', async () => {
    const child = spawn(process.execPath, [builtCommand(), 'query', '--json', 'raw', repository], { env: { ...process.env, ...home.env } });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.stdout.destroy();
    const [status] = (await once(child, 'close')) as [number];
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe.runIf(shared !== undefined && process.getuid?.() === 0)('a mount from start to end', () => {
  let mountPoint: string;
  beforeEach(async () => {
    mountPoint = join(home.directory, 'mnt');
    await mkdir(mountPoint);
  });
  afterEach(async () => {
    for (let i = 0; i < 3; i++) await home.cli(['umount', mountPoint]);
  });

  test('by name, asked through a link, explained, refused twice, replaced when stale', async () => {
    const file = join(home.env['XDG_CONFIG_HOME']!, 'butlerfs/config.yaml');
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(
      file,
      `sources: {hsc: {repository: ${repository}, collections: [HSC/runs/RC2/w_01, skymaps]}}\naliases: {chip: detector}\n`,
    );
    chmodSync(file, 0o600);
    expect(await home.cli(['mount', 'hsc', mountPoint])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    await symlink(mountPoint, join(home.directory, 'link'));

    const status = JSON.parse((await home.cli(['status', '--json', join(home.directory, 'link')])).stdout) as { pid: number };
    expect(status).toMatchObject({ mountPoint, state: 'ok', catalogue: { datasets: 401 } });
    expect((await home.cli(['status'])).stdout).toContain(mountPoint);
    const { stdout: paths } = await home.cli(['query', '--paths', 'calexp', '--id', 'visit=1228', mountPoint]);
    expect(paths.startsWith(`${mountPoint}/calexp/visit=1228/`)).toBe(true);
    expect((await run('stat', ['-c', '%F', ...paths.trimEnd().split('\n')])).stdout).toMatch(/^(regular file\n)+$/);
    expect((await home.cli(['explain', join(mountPoint, 'calexp/visit=1229')])).stdout).toContain('does not resolve');
    expect((await home.cli(['explain', join(home.directory, 'link/calexp/chip=13')])).stdout).not.toContain('does not resolve');

    const twice = await home.cli(['mount', 'hsc', mountPoint]);
    expect(twice).toMatchObject({ status: 1, stderr: containing(`already serves ${repository} there (pid ${status.pid})`) });

    process.kill(status.pid, 'SIGKILL');
    const again = await home.cli(['mount', 'hsc', mountPoint]);
    expect(again).toMatchObject({ status: 0, stderr: containing('replacing a stale mount') });
    expect((await home.cli(['umount', mountPoint])).status).toBe(0);
    expect((await home.cli(['umount', mountPoint])).status).toBe(1);
    await rm(mountPoint, { recursive: true });
  });

  test('a mount that fails leaves nothing mounted, with the error of its daemon', async () => {
    const result = await home.cli(['mount', '--collections', 'u/mee', repository, mountPoint]);
    expect(result).toMatchObject({ status: 1, stderr: expect.stringMatching(/^butlerfs: collection 'u\/mee'[^\n]*\n$/) as unknown });
    expect(await home.cli(['mount', '--default', 'instrment=HSC', repository, mountPoint])).toMatchObject({
      status: 2,
      stderr: containing("did you mean 'instrument'?"),
    });
    await rm(mountPoint, { recursive: true });
  });

  test('SIGTERM to the daemon unmounts and takes its files away', async () => {
    await home.cli(['mount', repository, mountPoint]);
    const { pid } = JSON.parse((await home.cli(['status', '--json', mountPoint])).stdout) as { pid: number };
    process.kill(pid, 'SIGHUP');
    process.kill(pid, 'SIGTERM');
    while ((await run('mountpoint', ['-q', mountPoint])).status === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await rm(mountPoint, { recursive: true });
    expect((await home.cli(['status', '--json'])).stdout).not.toContain(mountPoint);
  });

  test('the helper of mount(8) mounts as the command does', async () => {
    expect(await helper(repository, mountPoint, '-o', 'rw,noauto,collections=HSC/raw/all')).toMatchObject({ status: 0, stderr: '' });
    expect((await home.cli(['status', mountPoint])).stdout).toMatch(/search path: HSC\/raw\/all$/m);
  });

  test('--foreground stays until SIGINT', async () => {
    const child = spawn(process.execPath, [builtCommand(), 'mount', '-f', repository, mountPoint], {
      env: { ...process.env, ...home.env },
    });
    let stderr = '';
    await new Promise<void>((resolve) => child.stderr.on('data', (chunk) => (stderr += String(chunk)).includes('"mounted"') && resolve()));
    expect((await home.cli(['status', '--json', mountPoint])).status).toBe(0);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
    await rm(mountPoint, { recursive: true });
  });
});
