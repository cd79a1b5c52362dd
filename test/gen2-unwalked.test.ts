/** Gen2 repositories that nobody has walked, over HTTP: mounted at once, and read where they are looked at. */

import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lockSource } from '../mounts/source-lock.js';
import { SourceStore } from '../mounts/source-store.js';
import { sharedData } from './shared.js';
import { writeFiles } from './support/gen2.js';
import { mountRepository, temporaryHome, type Home, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

const shared = sharedData();
const TIMEOUT = 60_000;

describe.runIf(shared !== undefined)('a Gen2 repository that nobody has walked', { timeout: TIMEOUT }, () => {
  const repository = join(shared ?? '', 'gen2-hsc');
  const calexp = 'deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-I-9813-4,4.fits';
  const leaf = 'deepCoadd_calexp/tract=9813/patch=40/band=i';
  let served: string;
  let nginx: Nginx;
  let home: Home;
  let mount: TestMount | undefined;
  let walk: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    served = temporaryDirectory('unwalked');
    cpSync(repository, served, { recursive: true });
    for (const registry of ['registry.sqlite3', 'CALIB/calibRegistry.sqlite3']) rmSync(join(served, registry), { force: true });
    nginx = await Nginx.start(served);
  });
  afterEach(async () => {
    await mount?.dispose();
    await walk?.();
    home.remove();
    [mount, walk] = [undefined, undefined];
    await nginx.restart({});
  });
  afterAll(async () => {
    await nginx.stop();
    removeDirectory(served);
  });

  /** Mounted while another process keeps the walk from going on, until `walk` is called. */
  async function mounted(options = 'poll=2', url = nginx.url): Promise<string> {
    home = temporaryHome();
    const store = new SourceStore(join(home.env['XDG_CACHE_HOME']!, 'butlerfs'), url);
    await store.create();
    walk = await lockSource(store.walkFile, { signal: AbortSignal.timeout(TIMEOUT), onWait: () => undefined });
    mount = await mountRepository(url, { args: ['-o', options], home, keepHome: true });
    return mount.path;
  }

  async function walked(): Promise<void> {
    await walk!();
    walk = undefined;
    await eventually('the end of the walk', async () => (await mount!.status()).walk === undefined);
  }

  /** What is asked of the server while `work` is done, without looks for another configuration. */
  async function asked(work: () => unknown): Promise<string[]> {
    const from = (await nginx.logged()).length;
    await work();
    return (await nginx.logged()).slice(from).map((line) => decodeURIComponent(line.split(' ').slice(0, 2).join(' ')));
  }

  /** Paths below a directory with their inodes. */
  function treeOf(directory: string): Map<string, number> {
    const found = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
    return new Map(found.map((path) => [path, lstatSync(join(directory, path)).ino]));
  }

  test('one request finds a file whose keys are all given, one more reads it', async () => {
    const path = await mounted();
    const file = join(path, leaf, 'deepCoadd_calexp.fits');
    expect(await asked(() => statSync(file))).toEqual([`HEAD /${calexp}`]);
    expect(await asked(() => readFileSync(file))).toEqual([`GET /${calexp}`]);
    expect(readFileSync(file).equals(readFileSync(join(repository, calexp)))).toBe(true);
    // Keys as Gen2 has them, in any order.
    const other = 'deepCoadd-results/HSC-R/9813/5,4/meas-HSC-R-9813-5,4.fits';
    expect(await asked(() => statSync(join(path, 'deepCoadd_meas/filter=HSC-R/tract=9813/patch=5,4/deepCoadd_meas.fits')))).toEqual([
      `HEAD /${other}`,
    ]);
    expect(await asked(() => existsSync(join(path, 'deepCoadd_calexp/tract=9813/patch=3/band=g')))).toHaveLength(1);
    expect(existsSync(join(path, 'deepCoadd_calexp/tract=9813/patch=3/band=g'))).toBe(false);
  });

  test('a listing reads the directories that it needs, once, and what it has read is not asked for again', async () => {
    const path = await mounted('poll=60');
    const requests = await asked(() => readdirSync(join(path, 'deepCoadd_calexp/tract=9813')));
    expect(requests.every((request) => request.startsWith('GET /deepCoadd-results/'))).toBe(true);
    expect(new Set(requests).size).toBe(requests.length);
    // The directories of one type hold files of others.
    expect(await asked(() => statSync(join(path, leaf, 'deepCoadd_calexp.fits')))).toEqual([]);
    expect(await asked(() => readdirSync(join(path, 'deepCoadd_meas/tract=9813')))).toEqual([]);
    expect(existsSync(join(path, 'deepCoadd_calexp/tract=1'))).toBe(true);
    expect(readdirSync(join(path, 'deepCoadd_calexp/tract=1'))).toEqual([]);
    expect(existsSync(join(path, 'deepCoadd_calexp/tract=1'))).toBe(false);
    expect(readdirSync(join(path, 'deepCoadd_calexp'))).toEqual(['tract=9813']);
    expect(existsSync(join(path, 'deepCoadd_calexp/tract=2'))).toBe(false);
  });

  test('has the same names and inodes before the walk and after it', async () => {
    const path = await mounted('poll=60');
    // Types of which the directory is there, and no file.
    const empty = (name: string, _: number, names: readonly string[]): boolean => !names.some((other) => other.startsWith(`${name}/`));
    const before = treeOf(path);
    const names = [...before.keys()];
    for (const name of names.filter(empty)) if (!name.includes('/')) before.delete(name);
    expect(before.size).toBeGreaterThan(300);
    expect(readFileSync(join(path, 'calexp/visit=903334/ccd=22/calexp.fits')).length).toBeGreaterThan(0);
    expect(existsSync(join(path, 'raw/visit=903334/ccd=22/raw.fits'))).toBe(true);
    await walked();
    const after = treeOf(path);
    expect([...before]).toEqual([...after]);
    expect(await asked(() => existsSync(join(path, 'deepCoadd_calexp/tract=9813/patch=3/band=g')))).toEqual([]);
    const status = await mount!.status();
    expect(status.state).toBe('ok');
  });

  /** What a call on the mount fails with. */
  function failure(call: () => unknown): string | undefined {
    try {
      call();
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  }

  test('a server that is away, slow, or shows other things than listings is one error; what is known answers, and the walk goes on', async () => {
    const path = await mounted('poll=1,deadline=2s,idle-timeout=1s');
    const known = join(path, leaf, 'deepCoadd_calexp.fits');
    const { ino } = statSync(known);
    const answers = (): void => expect(statSync(known).ino).toBe(ino);
    const at = (patch: number): string => join(path, `deepCoadd_calexp/tract=9813/patch=${patch}/band=i`);

    await nginx.kill();
    expect(failure(() => statSync(at(49)))).toMatch(/^(EIO|ETIMEDOUT)$/);
    answers();
    // The walk that begins now fails, and is taken up again.
    await walk!();
    walk = undefined;
    await eventually('the walk telling that it stopped', async () => (await mount!.status()).walk?.problem !== undefined);
    expect(await mount!.cli(['status', path]).then(({ stdout }) => stdout)).toMatch(/reading: .*; stopped: /);

    await nginx.restart({ directives: ['location / { return 404; }'] });
    expect(failure(() => statSync(at(50)))).toBe('ENOENT');
    answers();

    await nginx.restart({ directives: ['location / { default_type text/html; return 200 "<html><form>log in</form></html>"; }'] });
    expect(failure(() => statSync(at(48)))).toBe('EACCES');
    expect(failure(() => readdirSync(join(path, 'src')))).toBe('EACCES');
    answers();

    await nginx.restart({ directives: ['location /deepCoadd/ { limit_rate 1; }'] });
    expect(failure(() => readdirSync(join(path, 'deepCoadd')))).toBe('ETIMEDOUT');
    answers();

    await nginx.restart({});
    await eventually('the end of the walk', async () => (await mount!.status()).walk === undefined, 30_000);
    answers();
    expect(readdirSync(join(path, 'deepCoadd')).length).toBeGreaterThan(0);
    expect(statSync(at(49)).isDirectory()).toBe(true);
    expect((await mount!.status()).catalogue.datasets).toBeGreaterThan(100);
  });

  test('new files come, and what was left out is told', async () => {
    const path = await mounted('poll=1');
    const tract = join(path, 'deepCoadd_calexp/tract=9813');
    expect(readdirSync(tract)).not.toContain('patch=70');
    expect(existsSync(join(tract, 'patch=79/band=i'))).toBe(false);
    const added = ['7,7', '7,8', '9,9'].map((patch) => `deepCoadd-results/HSC-I/9813/${patch}/calexp-HSC-I-9813-${patch}.fits`);
    writeFiles(served, Object.fromEntries(added.map((file) => [file, readFileSync(join(repository, calexp))])));
    await eventually('the new patch in a listing', () => readdirSync(tract).includes('patch=70'));
    await eventually('the new patch by its name', () => existsSync(join(tract, 'patch=79/band=i/deepCoadd_calexp.fits')));
    await walked();
    const { warnings } = await mount!.status();
    expect(warnings.first).toContainEqual(expect.stringMatching(/9,9\.fits is left out: sky map hsc_rings_v1 has 9 by 9 patches/));
    expect(warnings.first).toContainEqual(expect.stringMatching(/1 file matches no template, .*fits~1/));
    const { stdout } = await mount!.cli(['status', path]);
    expect(stdout).toMatch(/^warning: .*9,9\.fits is left out/m);
    expect(readFileSync((await mount!.status()).logFile!, 'utf8')).toContain('9,9.fits is left out');
    const { stderr, status } = await mount!.cli(['index', nginx.url]);
    expect([status, stderr]).toEqual([0, expect.stringMatching(/^butlerfs: warning: .*9,9\.fits is left out/m)]);
    for (const file of added) rmSync(join(served, file));
  });
});
