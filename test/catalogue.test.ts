/** Mounts that follow a catalogue on a database server, and those who write into it. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { builtCommand, isMounted, mountRepository, temporaryHome } from './support/mounted.js';
import type { Home, TestMount } from './support/mounted.js';
import { hasMariadb, MariadbServer } from './support/mariadb.js';
import { hasPostgresql, PostgresqlServer } from './support/postgresql.js';
import type { RunResult } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

const TYPE = { kind: 'dataset-type', name: 'note', dimensions: ['instrument', 'visit'], storageClass: 'Text' };

/** One entry of each visit, whose file is there. */
function entry(repository: string, visit: number, text = `visit ${visit}`): object {
  const path = `notes/${visit}.txt`;
  mkdirSync(join(repository, 'notes'), { recursive: true });
  writeFileSync(join(repository, path), text);
  return { type: 'note', dataId: { instrument: 'DemoCam', visit }, run: 'notes', path, size: text.length };
}

/** Runs `butlerfs` with lines on its standard input. */
function withInput(
  home: Home,
  args: readonly string[],
  lines: readonly (object | string)[],
  env: Record<string, string>,
): Promise<RunResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [builtCommand(), ...args], { env: { ...process.env, ...home.env, ...env }, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += String(text)));
  child.stderr.on('data', (text) => (stderr += String(text)));
  child.stdin.end(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout, stderr, elapsed: performance.now() - started, timedOut: false });
    });
  });
}

describe.runIf(hasPostgresql())('a catalogue in PostgreSQL', () => {
  let server: PostgresqlServer;
  let place: string;
  let repository: string;
  let home: Home;
  let env: Record<string, string>;
  let url: string;
  const mounts: TestMount[] = [];

  const cli = (args: readonly string[]): Promise<RunResult> => home.cli(args, { env });
  const add = (...lines: readonly (object | string)[]): Promise<RunResult> => withInput(home, ['catalogue', 'add', url], lines, env);
  async function succeeding(result: Promise<RunResult>): Promise<string> {
    const { status, stderr, stdout } = await result;
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout;
  }
  async function mounted(...args: readonly string[]): Promise<TestMount> {
    const own = temporaryHome();
    const mount = await mountRepository(url, { home: { ...own, cli: (words, options) => own.cli(words, { ...options, env }) }, args });
    mounts.push(mount);
    return mount;
  }

  beforeAll(async () => {
    server = await PostgresqlServer.start({
      settings: [`shared_preload_libraries = 'pg_stat_statements'`, `pg_stat_statements.track = 'all'`],
    });
    place = temporaryDirectory('catalogue');
    repository = join(place, 'repository');
    writeSmallRepository(repository, { tracts: [8766], patches: 2, bands: ['g', 'i'], visits: 2, detectors: 2, pixels: 8 });
    home = temporaryHome();
    env = { ...server.environment };
    await server.createDatabase('data');
    url = server.url('data');
    await succeeding(cli(['catalogue', 'create', url, '--root', repository]));
    expect(await succeeding(cli(['catalogue', 'import', url, repository]))).toMatch(/^[1-9]\d* added, .* change 1\n$/);
  });
  afterAll(async () => {
    for (const mount of mounts) await mount.dispose();
    await server?.stop();
    home?.remove();
    if (place !== undefined) removeDirectory(place);
  });

  it('shows what was imported, as the repository itself does', async () => {
    expect(await succeeding(cli(['catalogue', 'import', url, repository, '--prune']))).toMatch(
      /^0 added, 0 changed, 0 removed, .* change 1\n$/,
    );
    const [ours, theirs] = [
      await mounted('--collections', 'demo/runs/w_01'),
      await mountRepository(repository, { args: ['--collections', 'demo/runs/w_01'] }),
    ];
    mounts.push(theirs);
    const listing = async (path: string): Promise<string[]> => (await readdir(path, { recursive: true })).sort();
    for (const type of ['calexp', 'deepCoadd_calexp']) {
      expect(await listing(join(ours.path, type))).toEqual(await listing(join(theirs.path, type)));
    }
    const file =
      'calexp/detector=1/visit=' + (await readdir(join(ours.path, 'calexp'))).find((name) => name.startsWith('visit='))!.slice(6);
    const [name] = await readdir(join(ours.path, file));
    expect((await readFile(join(ours.path, file, name!))).equals(await readFile(join(theirs.path, file, name!)))).toBe(true);
    expect((await ours.status()).catalogue).toMatchObject({ format: 'native', repository: url });
  });

  it('shows what a third process adds in every mount within a second, and asks nothing for a listing', async () => {
    const [first, second] = [await mounted('-o', 'poll=60'), await mounted('-o', 'poll=60')];
    await succeeding(add(TYPE, entry(repository, 1)));
    for (const { path } of [first, second]) await eventually('the first note', () => readdirSync(path).includes('note'));
    const times: number[] = [];
    for (const visit of [2, 3, 4]) {
      await succeeding(add(entry(repository, visit)));
      const began = performance.now();
      const shown = ({ path }: TestMount) =>
        eventually(`visit ${visit}`, async () => (await readdir(join(path, 'note'))).includes(`visit=${visit}`), 5_000);
      await Promise.all([first, second].map(shown));
      times.push(performance.now() - began);
    }
    // Both mounts and the tests share two cores with others: the quickest is what the way costs.
    expect(Math.min(...times)).toBeLessThan(1000);
    const [file] = await readdir(join(first.path, 'note/visit=3'));
    expect(await readFile(join(first.path, 'note/visit=3', file!), 'utf8')).toBe('visit 3');

    await server.query('data', 'create extension if not exists pg_stat_statements');
    await readdir(first.path, { recursive: true });
    const calls = async (): Promise<number> => {
      const [row] = await server.query(
        'data',
        `select coalesce(sum(calls), 0)::int as calls from pg_stat_statements where query like '%"butlerfs"%' and query not like '%pg_stat_statements%'`,
      );
      return Number(row!['calls']);
    };
    const before = await calls();
    expect((await readdir(join(first.path, 'deepCoadd_calexp'), { recursive: true })).length).toBeGreaterThan(4);
    await stat(join(first.path, 'calexp'));
    expect(await calls()).toBe(before);
    expect(before).toBeGreaterThan(0);
  });

  it('shows what is removed, and what is replaced', async () => {
    const mount = await mounted('-o', 'poll=60');
    const [five, six] = [entry(repository, 5), entry(repository, 6)];
    await succeeding(add(TYPE, five, six));
    await eventually('the notes', async () => (await readdir(join(mount.path, 'note'))).includes('visit=6'));
    await succeeding(
      withInput(
        home,
        ['catalogue', 'remove', url, '--stdin'],
        [{ type: 'note', collection: 'notes', dataId: { instrument: 'DemoCam', visit: 5 } }],
        env,
      ),
    );
    await eventually('the note going', async () => !(await readdir(join(mount.path, 'note'))).includes('visit=5'));
    expect(await succeeding(add(six))).toMatch(/^0 added, 0 changed/);
  });

  it('goes on without the server, says so, and follows it again when it is back', async () => {
    const mount = await mounted('-o', 'poll=1');
    const problem = async (): Promise<string> => (await mount.status()).state;
    await succeeding(add(TYPE, entry(repository, 7)));
    await eventually('visit 7', async () => (await readdir(join(mount.path, 'note'))).includes('visit=7'));
    await server.kill();
    await eventually('the loss being noticed', async () => (await problem()) === 'origin-unreachable', 15_000);
    expect((await mount.status()).problem).toMatch(/127\.0\.0\.1.*nothing takes connections/);
    expect(await readdir(join(mount.path, 'note'))).toContain('visit=7');
    const remounted = await mounted('-o', 'poll=1').catch((error: unknown) => error);
    expect(String(remounted)).toMatch(/nothing takes connections/);
    await server.restart();
    await eventually('the problem being over', async () => (await problem()) === 'ok', 15_000);
    await succeeding(add(entry(repository, 8)));
    await eventually('visit 8', async () => (await readdir(join(mount.path, 'note'))).includes('visit=8'));
    expect((await mount.status()).pid).toBe(mount.pid);
    const log = await readFile((await mount.status()).logFile!, 'utf8');
    expect(log).not.toContain(PostgresqlServer.password);
  });

  it('says in one line, without secrets, what it cannot do', async () => {
    const mountPoint = join(place, 'mount-point');
    mkdirSync(mountPoint);
    const lines = [
      await home.cli(['mount', url, mountPoint, '--cache', join(place, 'unused')], { env: { PGPASSWORD: 'wr0ng-secret' } }),
      await home.cli(['mount', url.replace('butler@', 'butler:wr0ng-secret@'), mountPoint], { env }),
      await add({ ...TYPE, name: 'stray' }, '{"type": "note"'),
      await cli(['catalogue', 'remove', url, '--collection', 'nots']),
      await cli(['catalogue', 'create', url, '--root', place]),
    ];
    const words = [/refuses the user or the password/, /password shows it/, /line 2.*not JSON/, /'nots'.*'notes'/, /its files are below/];
    for (const [index, { stderr, status }] of lines.entries()) {
      expect(stderr).toMatch(words[index]!);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(stderr).not.toContain('wr0ng-secret');
      expect([1, 2]).toContain(status);
    }
    expect((await cli(['types', url])).stdout).not.toContain('stray');
    expect(isMounted(mountPoint)).toBe(false);
  });
});

describe.runIf(hasMariadb())('a catalogue in MariaDB', () => {
  it('is mounted, and followed within the poll interval', async () => {
    const server = await MariadbServer.start();
    const place = temporaryDirectory('catalogue');
    const home = temporaryHome();
    const env = { ...server.environment };
    let mount: TestMount | undefined;
    try {
      const repository = join(place, 'repository');
      writeSmallRepository(repository, { tracts: [8766], patches: 2, bands: ['i'], visits: 1, detectors: 1, pixels: 8 });
      await server.createDatabase('data');
      const url = server.url('data');
      expect((await home.cli(['catalogue', 'create', url, '--root', repository], { env })).stderr).toBe('');
      expect((await home.cli(['catalogue', 'import', url, repository], { env })).stderr).toBe('');
      mount = await mountRepository(url, {
        home: { ...home, cli: (words, options) => home.cli(words, { ...options, env }) },
        args: ['-o', 'poll=1'],
      });
      expect(await readdir(mount.path)).toContain('deepCoadd_calexp');
      expect((await withInput(home, ['catalogue', 'add', url], [TYPE, entry(repository, 1)], env)).stderr).toBe('');
      await eventually('the note', () => readdirSync(mount!.path).includes('note'), 8_000);
      const wrong = await home.cli(['index', server.url('nothing')], { env });
      expect(wrong.stderr).toMatch(/no such database/);
      const refused = await home.cli(['index', url], { env: { MYSQL_PWD: 'wr0ng' } });
      expect(refused.stderr).toMatch(/refuses the user or the password/);
    } finally {
      await mount?.dispose();
      home.remove();
      await server.stop();
      removeDirectory(place);
    }
  });
});
