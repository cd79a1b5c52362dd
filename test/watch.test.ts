/** `butlerfs watch`: what appears is said once, as soon as it can be opened, whatever happens to the source meanwhile. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseMoment } from '../registry/moment.js';
import { makeRepository } from '../registry/testing/gen3.js';
import type { SmallRepository } from '../registry/testing/gen3.js';
import { uuidOf } from '../registry/testing/repositories.js';
import { endChild } from './support/end-child.js';
import { builtCommand, mountRepository, temporaryHome } from './support/mounted.js';
import type { Home, TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { hasPostgresql, PostgresqlServer } from './support/postgresql.js';
import { calexps, createServerRegistry, serverConfiguration } from './support/server-registry.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

interface Line {
  readonly event: string;
  readonly type: string;
  readonly dataId: Readonly<Record<string, unknown>>;
  readonly uuid: string;
  readonly run: string;
  readonly path?: string | null;
  readonly ingested: string | null;
}

/** A watch that runs. */
class Watch {
  stderr = '';
  #stdout = '';
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(home: Home, args: readonly string[]) {
    this.#child = spawn(process.execPath, [builtCommand(), 'watch', ...args], {
      env: { ...process.env, ...home.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout!.on('data', (text) => (this.#stdout += String(text)));
    this.#child.stderr!.on('data', (text) => (this.stderr += String(text)));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  get lines(): Line[] {
    return this.#stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  }

  get said(): string[] {
    return this.lines.map(({ event, uuid }) => `${event} ${Number(`0x${uuid}`)}`);
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async dispose(): Promise<void> {
    await endChild(this.#child, 'SIGKILL');
  }
}

let place: string;
let small: SmallRepository;
let home: Home;
const watches: Watch[] = [];

beforeEach(() => {
  place = temporaryDirectory('watch');
  small = makeRepository(join(place, 'repository'));
  mkdirSync(join(small.root, 'run'));
  small.sql(`insert into collection values (2, 'rerun', 1, null), (3, 'all', 3, null); insert into collection_chain values (3, 0, 1)`);
  home = temporaryHome();
});
afterEach(async () => {
  for (const watch of watches.splice(0)) await watch.dispose();
  small.close();
  home.remove();
  removeDirectory(place);
});

function watching(...args: readonly string[]): Watch {
  const watch = new Watch(home, args);
  watches.push(watch);
  return watch;
}

/** Adds a calexp whose file is there. */
function add(number: number, visit: number, detector: number, ingested = '2026-11-24'): void {
  writeFileSync(join(small.root, `run/${number}.fits`), `${number}`.padEnd(100));
  small.add(number, visit, detector, `run/${number}.fits`);
  small.sql(`update dataset set ingest_date = ${parseMoment(ingested)} where id = '${uuidOf(number)}'`);
}

function remove(number: number): void {
  for (const table of ['dataset_tags_00000001', 'file_datastore_records'])
    small.sql(`delete from ${table} where dataset_id = '${uuidOf(number)}'`);
  small.sql(`delete from dataset where id = '${uuidOf(number)}'`);
}

describe('butlerfs watch', () => {
  it('of a mount says what appears and what disappears, with paths that can be opened', { timeout: 60_000 }, async () => {
    add(1, 10, 1, '2026-11-23');
    add(2, 10, 2, '2026-11-24T12:00:00.25Z');
    let mount: TestMount | undefined;
    try {
      mount = await mountRepository(small.root, { home, keepHome: true, args: ['-o', 'poll=1', '--collections', 'all'] });
      const all = watching(mount.path, 'calexp', '--removed', '--since', '2026-11-24');
      const some = watching(mount.path, 'calexp', '--where', 'detector = 3', '--count', '1', '--timeout', '50s');
      const other = watching(mount.path, 'calexp', '--collections', 'rerun', '--poll', '1s', '--count', '1');
      await eventually('what is there already', () => all.lines.length === 1, 20_000);
      expect(all.lines[0]).toMatchObject({
        event: 'added',
        type: 'calexp',
        dataId: { instrument: 'HSC', visit: 10, detector: 2 },
        uuid: uuidOf(2),
        run: 'run',
        path: join(mount.path, 'calexp/visit=10/detector=2/calexp_10_2.fits'),
        ingested: '2026-11-24T12:00:00.25Z',
      });
      // Those beside it have begun to wait.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      add(3, 10, 3);
      await eventually('what came', () => all.lines.length === 2, 20_000);
      expect(await readFile(all.lines[1]!.path!, 'utf8')).toBe('3'.padEnd(100));
      expect(await some.ended).toBe(0);
      expect(some.said).toEqual(['added 3']);
      // A dataset of another RUN that comes first takes the place of one.
      add(4, 11, 1);
      small.sql(`update dataset set run_id = 2 where id = '${uuidOf(4)}';
        update dataset_tags_00000001 set collection_id = 2, visit = 10 where dataset_id = '${uuidOf(4)}';
        update collection_chain set position = 1; insert into collection_chain values (3, 0, 2)`);
      remove(2);
      const said = ['added 2', 'added 3', 'added 4', 'removed 1', 'removed 2'];
      await eventually('the new RUN', () => [...new Set(all.said)].sort().join() === said.join(), 20_000);
      expect(all.lines).toHaveLength(said.length);
      expect(await other.ended).toBe(0);
      expect(other.lines[0]!.path).toBe(join(mount.path, '@collections/rerun/calexp/visit=10/detector=1/calexp_10_1.fits'));
      expect(await readFile(other.lines[0]!.path!, 'utf8')).toBe('4'.padEnd(100));
      expect(await readFile(join(mount.path, '@at/2026-11-23/calexp/visit=10/detector=1/calexp_10_1.fits'), 'utf8')).toBe('1'.padEnd(100));

      await mount.cli(['umount', mount.path]);
      await eventually('the end of the mount being said', () => all.stderr.includes('nothing is mounted'), 20_000);
      all.interrupt();
      expect(await all.ended).toBe(0);
      expect(all.stderr.trimEnd().split('\n')).toHaveLength(1);
    } finally {
      await mount?.dispose();
    }
  });

  it('of a source goes on where that was away', { timeout: 60_000 }, async () => {
    add(1, 10, 1);
    const nginx = await Nginx.start(small.root);
    try {
      const watch = watching(nginx.url, 'calexp', '--poll', '1s', '--removed');
      await eventually('the catalogue', async () => (await home.cli(['types', nginx.url])).stdout.includes('calexp'), 20_000);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      add(2, 10, 2);
      await eventually('what came', () => watch.said.join() === 'added 2', 20_000);
      expect(watch.lines[0]).not.toHaveProperty('path');
      await nginx.kill();
      await eventually('the loss being said', () => watch.stderr.includes('butlerfs: '), 20_000);
      add(3, 10, 3);
      remove(1);
      await nginx.restart();
      await eventually('what came meanwhile', () => [...watch.said].sort().join() === 'added 2,added 3,removed 1', 30_000);
      expect(watch.stderr).toContain('new data are seen again');
      watch.interrupt();
      expect(await watch.ended).toBe(0);
    } finally {
      await nginx.stop();
    }
  });

  it.runIf(hasPostgresql())(
    'of a mount whose registry PostgreSQL keeps says what came, without a whole reading',
    { timeout: 90_000 },
    async () => {
      const server = await PostgresqlServer.start();
      let mount: TestMount | undefined;
      try {
        const repository = join(place, 'server');
        mkdirSync(repository);
        await createServerRegistry(server, 'registry');
        await server.query('registry', calexps(1, 10, 3));
        writeFileSync(join(repository, 'butler.yaml'), serverConfiguration(server, 'registry'));
        const own: Home = { ...home, cli: (args, options) => home.cli(args, { ...options, env: server.environment }) };
        mount = await mountRepository(repository, { home: own, keepHome: true, args: ['-o', 'poll=1'] });
        const watch = watching(mount.path, 'calexp', '--removed');
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await server.query('registry', calexps(100, 11, 2));
        await eventually('what came', () => watch.said.join() === 'added 100,added 101', 30_000);
        expect(existsSync(watch.lines[0]!.path!)).toBe(true);
        await server.query('registry', `delete from hsc.dataset_tags_00000001 where visit = 10 and detector = 0`);
        await eventually('what went', () => watch.said.at(-1) === 'removed 1', 30_000);
        expect(watch.lines).toHaveLength(3);
        // The catalogue is the one that was made first.
        const sources = join(home.env['XDG_CACHE_HOME']!, 'butlerfs/sources');
        const [source] = readdirSync(sources);
        expect(readdirSync(join(sources, source!)).filter((name) => name.endsWith('.sqlite3'))).toEqual(['catalogue-1.sqlite3']);
      } finally {
        await mount?.dispose();
        await server.stop();
      }
    },
  );

  it('says in one line what is wrong, and that its time is up', { timeout: 60_000 }, async () => {
    add(1, 10, 1);
    const { root } = small;
    for (const [args, message, status] of [
      [[root, 'calex'], "did you mean 'calexp'?", 1],
      [[root, 'calexp', '--where', 'visits = 1'], "did you mean 'visit'?", 1],
      [[root, 'calexp', '--since', 'yesterday'], "--since 'yesterday': it is no time; write 2h or 1d (ago), 2026-11-24,", 2],
      [[root, 'calexp', '--count', '0'], "--count '0'", 2],
      [[root, 'calexp', '--count', '2', '--since', '2026-11-01', '--timeout', '1s'], '1 of 2 appeared within 1s', 1],
    ] as const) {
      const result = await home.cli(['watch', ...args]);
      expect([args, result.status, result.stderr.trimEnd().split('\n').length]).toEqual([args, status, 1]);
      expect(result.stderr).toContain(message);
    }
    expect(await home.cli(['watch', root, 'calexp', '--timeout', '1s'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});
