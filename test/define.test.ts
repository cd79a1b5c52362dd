/** Dataset types that users define, as they see them: the command, and a mount that follows. */

import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { hscMapper, writeFiles } from './support/gen2.js';
import { builtCommand, mountRepository, temporaryHome, type Home, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

const timeout = 60_000;
const template = ['--template', 'rerun/{rerun}/my/{visit:07d}-{detector:03d}.fits'];

let place: string;
let repository: string;
let home: Home;
let mount: TestMount | undefined;
let nginx: Nginx | undefined;

beforeEach(() => {
  place = temporaryDirectory('define');
  repository = join(place, 'repository');
  home = temporaryHome();
});

afterEach(async () => {
  await mount?.dispose();
  await nginx?.stop();
  [mount, nginx] = [undefined, undefined];
  home.remove();
  removeDirectory(place);
});

/** What the command printed; throws where it failed. */
async function succeeding(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await home.cli(args);
  if (status !== 0) throw new Error(`butlerfs ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The one line of an error. */
async function failing(args: readonly string[], expected = 1): Promise<string> {
  const { status, stderr } = await home.cli(args);
  expect(status, stderr).toBe(expected);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  return stderr;
}

describe('a Gen2 repository', () => {
  beforeEach(() => {
    writeFiles(repository, {
      _mapper: hscMapper,
      '00533/HSC-R/corr/CORR-0903334-022.fits': 'calexp',
      'rerun/me/_parent': '../..',
      'rerun/me/my/0903334-022.fits': 'mine',
      'deepCoadd-results/HSC-I/9813/4,4/mine-HSC-I-9813-4,4.parq': 'coadd',
    });
  });

  test(
    'shows files of a defined type by data ID on a mount that was there before, until the definition goes',
    async () => {
      mount = await mountRepository(repository, { home, keepHome: true, args: ['-o', 'poll=1', '--collections', 'rerun/me'] });
      const { path } = mount;
      expect(await readdir(path)).toEqual(['calexp']);
      writeFileSync(join(repository, 'butlerfs.yaml'), '# ours\nlocations: {mine: "rerun/{rerun}/my"} # below each rerun\n');
      const define = ['define', repository, 'myTable', '--dimensions', 'visit,detector', ...template, '--format', 'fits'];
      expect(await succeeding(define)).toBe(`myTable is defined in ${repository}/butlerfs.yaml\n`);
      await eventually('the type appearing', async () => (await readdir(path)).includes('myTable'), 20_000);
      const leaf = join(path, 'myTable/visit=903334/detector=22');
      expect(await readdir(leaf)).toEqual(['myTable_903334_22.fits']);
      expect(await readFile(join(leaf, 'myTable_903334_22.fits'), 'utf8')).toBe('mine');

      const before = readFileSync(join(repository, 'butlerfs.yaml'), 'utf8');
      expect(before).toMatch(/^# ours\nlocations: .* # below each rerun\n/);
      expect(await succeeding(define)).toContain('nothing changed');
      const same = ['--location', 'mine', '--template', '{visit:07d}-{detector:03d}', '--format', 'fits'];
      expect(await succeeding(['define', repository, 'myTable', '--dimensions', 'detector,visit', ...same])).toContain('nothing changed');
      expect(readFileSync(join(repository, 'butlerfs.yaml'), 'utf8')).toBe(before);

      rmSync(join(repository, 'butlerfs.yaml'));
      await eventually('the type going', async () => !(await readdir(path)).includes('myTable'), 20_000);
    },
    timeout,
  );

  test(
    'inherits the locations of its camera, and refuses what clashes with both definitions',
    async () => {
      const coadd = ['--dimensions', 'tract,patch,band', '--location', 'coadd'];
      await succeeding(['define', repository, 'myCoadd', ...coadd, '--name', 'mine-{band}-{tract}-{patch}', '--format', 'parquet']);
      const found = await succeeding(['query', 'myCoadd', repository, '--json']);
      expect(JSON.parse(found)).toMatchObject({ dataId: { tract: 9813, patch: 40, band: 'i' } });
      const clash = await failing(['define', repository, 'myCoadd', '--dimensions', 'tract', '--template', 'x/{tract}.parq']);
      expect(clash).toMatch(/'myCoadd' is defined twice: .*mine-.*butlerfs\.yaml:2\] and .*'x\/\{tract\}\.parq' \[the new definition\]/);
      const shared = await failing(['define', repository, 'other', ...coadd, '--name', 'calexp-{band}-{tract}-{patch}.fits']);
      expect(shared).toMatch(/'deepCoadd_calexp' and 'other' have paths in common: .*camera HSC.*the new definition/);
      expect(await failing(['define', repository, 'x', '--template', 'a/{visit}'], 2)).toContain('--dimensions is missing');
      const listed = (await succeeding(['define', repository, '--list', '--json']))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
      expect(listed).toContainEqual(expect.objectContaining({ type: 'calexp', where: 'camera HSC' }));
      expect(listed).toContainEqual(expect.objectContaining({ type: 'myCoadd', where: `${repository}/butlerfs.yaml:2` }));
      expect(listed).toContainEqual(expect.objectContaining({ location: 'rerun', path: 'rerun/{rerun}' }));
    },
    timeout,
  );

  test(
    'a definition of the user is for the repository that it names, also behind HTTP, and is followed',
    async () => {
      nginx = await Nginx.start(repository);
      expect(await failing(['define', nginx.url, 'mine', '--dimensions', 'visit,detector', ...template], 2)).toContain('--user');
      mount = await mountRepository(nginx.url, { home, keepHome: true, args: ['-o', 'poll=1', '--collections', 'rerun/me'] });
      const { path } = mount;
      expect(await readdir(path)).not.toContain('mine');
      await succeeding(['define', nginx.url, 'mine', '--dimensions', 'visit,detector', ...template, '--user']);
      await eventually('the type appearing', async () => (await readdir(path)).includes('mine'), 20_000);
      expect(await readFile(join(path, 'mine/visit=903334/detector=22/mine_903334_22.fits'), 'utf8')).toBe('mine');
      expect(await succeeding(['types', repository, '--collections', 'rerun/me'])).not.toContain('mine');

      // What is wrong in it leaves the mount as it is, and is named.
      appendFileSync(join(home.env['XDG_CONFIG_HOME']!, 'butlerfs/config.yaml'), '  other: {dimension: [visit]}\n');
      expect(await failing(['types', nginx.url])).toMatch(
        /config\.yaml:\d+: unknown key 'datasetTypes\.other\.dimension'; did you mean 'dimensions'/,
      );
      expect(await readdir(path)).toContain('mine');
    },
    timeout,
  );
});

describe('a Gen3 repository', () => {
  beforeEach(() => {
    writeSmallRepository(repository, { tracts: [8766], patches: 1, bands: ['i'], visits: 1, detectors: 1, pixels: 8 });
  });

  test(
    'shows files that a definition finds below its root, beside what its registry has',
    async () => {
      writeFiles(repository, {
        'u/me/notes/tract-8766.txt': 'notes',
        'u/me/notes/tract-87x.txt': 'no tract',
        'elsewhere/tract-8766.txt': 'more',
      });
      mount = await mountRepository(repository, { home, keepHome: true, args: ['-o', 'poll=1'] });
      const { path } = mount;
      const before = await readdir(path);
      await succeeding([
        'define',
        repository,
        'notes',
        '--dimensions',
        'tract',
        '--location',
        'run',
        '--template',
        'notes/tract-{tract}.txt',
      ]);
      await eventually('the type appearing', async () => (await readdir(path)).includes('notes'), 20_000);
      expect((await readdir(path)).filter((name) => name !== 'notes')).toEqual(before);
      expect(await readFile(join(path, 'notes/tract=8766/notes_8766.txt'), 'utf8')).toBe('notes');
      expect(await readdir(join(path, '@collections/u%2Fme'))).toEqual(['notes']);
    },
    timeout,
  );

  test(
    'a definition in a shared catalogue lets datasets of the type be added, whose paths it tells',
    async () => {
      const url = `sqlite://${join(place, 'catalogue.sqlite3')}`;
      await succeeding(['catalogue', 'create', url, '--root', repository]);
      await succeeding(['catalogue', 'import', url, repository]);
      const define = ['define', url, 'notes', '--dimensions', 'visit', '--storage-class', 'Text'];
      expect(await succeeding([...define, '--template', '{run}/{visit:05d}.txt'])).toContain('notes is defined in');
      writeFiles(repository, { 'u/me/01228.txt': 'seen' });
      await add(url, { type: 'notes', dataId: { instrument: 'DemoCam', visit: 1228 }, run: 'u/me', size: 4 });
      mount = await mountRepository(url, { home, keepHome: true, args: ['--collections', 'u/me'] });
      expect(await readFile(join(mount.path, 'notes/visit=1228/notes_1228.txt'), 'utf8')).toBe('seen');
    },
    timeout,
  );
});

/** Adds an entry to a catalogue. */
async function add(url: string, entry: object): Promise<void> {
  const child = spawn(process.execPath, [builtCommand(), 'catalogue', 'add', url], {
    env: { ...process.env, ...home.env },
    timeout: 30_000,
  });
  let text = '';
  child.stderr.on('data', (part) => (text += String(part)));
  child.stdin.end(JSON.stringify(entry));
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect(status, text).toBe(0);
}
