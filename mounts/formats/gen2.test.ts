import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { asButlerfsError } from '../../common/errors.js';
import type { Remote } from '../../proxy/contract.js';
import { openSshRemote } from '../../proxy/ssh/open.js';
import { hasApache, startApache } from '../../proxy/testing/apache.js';
import { Database } from '../../registry/sqlite/driver.js';
import type { Catalogue, DatasetRecord } from '../../registry/contract.js';
import { hscMapper, indexGen2, writeFiles, type Indexed } from '../../test/support/gen2.js';
import { Nginx } from '../../test/support/nginx.js';
import { Sshd } from '../../test/support/sshd.js';
import { removeDirectory, temporaryDirectory } from '../../test/support/temporary.js';
import { usable } from './gen2-listing.js';

const calexp = '00533/HSC-R/corr/CORR-0903334-022.fits';
const coadd = (patch: string, filter = 'HSC-I'): string => `deepCoadd-results/${filter}/9813/${patch}/calexp-${filter}-9813-${patch}.fits`;

let root: string;
let place: string;
const opened: Catalogue[] = [];

beforeEach(() => {
  root = temporaryDirectory('gen2');
  place = temporaryDirectory('gen2-place');
});

afterEach(() => {
  for (const catalogue of opened.splice(0)) catalogue.close();
  removeDirectory(root);
  removeDirectory(place);
});

async function index(options: Parameters<typeof indexGen2>[2] = {}, source: string | Remote = root): Promise<Indexed> {
  const indexed = await indexGen2(source, place, options);
  opened.push(indexed.catalogue);
  return indexed;
}

function datasets(catalogue: Catalogue, typeName: string, collections?: readonly string[]): DatasetRecord[] {
  const type = catalogue.datasetType(typeName)!;
  return [...catalogue.query({ type, searchPath: catalogue.searchPath(collections), constraint: new Map() })];
}

function locations(catalogue: Catalogue, typeName: string, collections?: readonly string[]): string[] {
  return datasets(catalogue, typeName, collections).map(({ files }) => files[0]!.location);
}

/** Makes files and directories look as if nobody had touched them for an hour. */
function settle(...paths: string[]): void {
  const then = Date.now() / 1000 - 3_600;
  for (const path of paths) utimesSync(join(root, path), then, then);
}

describe('parents', () => {
  beforeEach(() => writeFiles(root, { _mapper: hscMapper, [calexp]: 'root', [coadd('4,4')]: 'root' }));

  test('of links, texts in place of links, and configurations', async () => {
    writeFiles(root, {
      [`rerun/a/${coadd('4,4')}`]: 'a',
      'rerun/b/_parent': '../a\n',
      [`rerun/b/${coadd('5,5')}`]: 'b',
      'rerun/user/c/repositoryCfg.yaml': '!RepositoryCfg_v1\n_mapper: lsst.obs.hsc.hscMapper.HscMapper\n_parents: [../../b]\n',
    });
    symlinkSync('../..', join(root, 'rerun/a/_parent'));
    const { catalogue } = await index();
    const chain = (name: string) => catalogue.collections().find((collection) => collection.name === name)?.children;
    expect(chain('rerun/user/c')).toEqual(['rerun/user/c/run', 'rerun/b/run', 'rerun/a/run', 'root/run']);
    expect(locations(catalogue, 'deepCoadd_calexp', ['rerun/user/c'])).toEqual([`rerun/a/${coadd('4,4')}`, `rerun/b/${coadd('5,5')}`]);
    expect(locations(catalogue, 'deepCoadd_calexp')).toEqual([coadd('4,4')]);
    expect(locations(catalogue, 'calexp', ['rerun/b'])).toEqual([calexp]);
  });

  test('that come back to where they began leave a rerun without a chain, not the others', async () => {
    writeFiles(root, { 'rerun/a/_parent': '../b', 'rerun/b/_parent': '../c', 'rerun/c/_parent': '../a', 'rerun/d/_parent': '../..' });
    const { catalogue } = await index();
    const names = catalogue.collections().map(({ name }) => name);
    expect(names).toContain('rerun/d');
    expect(names).not.toContain('rerun/a');
    const doc = catalogue.collections().find(({ name }) => name === 'rerun/a/run')?.doc;
    expect(doc).toContain('come back to where they began: rerun/a > rerun/b > rerun/c > rerun/a');
  });

  test.each([
    ['../mee', /its parent \.\.\/mee is not there; did you mean 'rerun\/me'\?/],
    ['../../..', /outside of what is mounted/],
    ['/etc', /outside of what is mounted/],
    ['a\0b', /is no path/],
    ['', /is no path/],
  ])('that are not there: %j', async (parent, message) => {
    writeFiles(root, { 'rerun/me/_parent': '../..', 'rerun/x/_parent': parent });
    const { catalogue } = await index();
    expect(catalogue.collections().find(({ name }) => name === 'rerun/x/run')?.doc).toMatch(message);
    expect(catalogue.collections().map(({ name }) => name)).not.toContain('rerun/x');
  });

  test.each([
    ['_parent', '../gone', 'unsupported-repository', /outside of what is mounted.*--collections rerun\/NAME/],
    ['_parent', 'gone', 'corrupt-repository', /its parent gone is not there/],
    ['_parent', '.', 'corrupt-repository', /come back to where they began: the root > the root/],
    ['repositoryCfg.yaml', '_parents: 7', 'corrupt-repository', /_parents must be a list of paths/],
    ['repositoryCfg.yaml', 'a: [', 'corrupt-repository', /repositoryCfg\.yaml is not YAML/],
  ])('of the root itself are an error: %s %j', async (name, text, code, message) => {
    writeFiles(root, { [name]: text });
    const error: unknown = await index().catch((thrown: unknown) => thrown);
    expect(asButlerfsError(error)).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  test('a link in a circle is one, and one that leads nowhere', async () => {
    mkdirSync(join(root, 'rerun/a'), { recursive: true });
    mkdirSync(join(root, 'rerun/b'));
    writeFiles(root, { 'rerun/a/_mapper': hscMapper, 'rerun/b/_mapper': hscMapper });
    symlinkSync('.', join(root, 'rerun/a/_parent'));
    symlinkSync('../gone', join(root, 'rerun/b/_parent'));
    const { catalogue } = await index();
    const doc = (name: string) => catalogue.collections().find((collection) => collection.name === name)?.doc;
    expect(doc('rerun/a/run')).toContain('rerun/a > rerun/a');
    expect(doc('rerun/b/run')).toContain('leads to ../gone, which is not there');
  });

  test('that a link outside of the mount leads to are named, of the root and of a rerun', async () => {
    writeFiles(root, { [`rerun/a/${coadd('5,5')}`]: 'a', [`rerun/b/${coadd('5,5')}`]: 'b' });
    symlinkSync('../..', join(root, 'rerun/a/_parent'));
    symlinkSync(place, join(root, 'rerun/b/_parent'));
    await expect(index({}, join(root, 'rerun/a'))).rejects.toMatchObject({
      code: 'unsupported-repository',
      message: expect.stringMatching(/_parent leads to \.\.\/\.\., outside.*mount the directory that holds both/) as string,
    });
    const { catalogue } = await index({ version: 2 });
    expect(catalogue.collections().find(({ name }) => name === 'rerun/b/run')?.doc).toContain('outside of what is mounted');
  });

  test('that a server shows as directories are the repositories that they lead to', async () => {
    writeFiles(root, { [`rerun/a/${coadd('4,4')}`]: 'a', [`rerun/b/${coadd('5,5')}`]: 'b' });
    symlinkSync('../..', join(root, 'rerun/a/_parent'));
    symlinkSync('../a', join(root, 'rerun/b/_parent'));
    const nginx = await Nginx.start(root);
    try {
      const { catalogue } = await index({}, nginx.url);
      const children = catalogue.collections().find(({ name }) => name === 'rerun/b')?.children;
      expect(children).toEqual(['rerun/b/run', 'rerun/a/run', 'root/run']);
      expect(locations(catalogue, 'deepCoadd_calexp', ['rerun/b'])).toEqual([`rerun/a/${coadd('4,4')}`, `rerun/b/${coadd('5,5')}`]);
    } finally {
      await nginx.stop();
    }
  });

  test('of a rerun that is mounted by itself are reached through its link', async () => {
    writeFiles(root, { [`rerun/a/${coadd('5,5')}`]: 'a' });
    symlinkSync('../..', join(root, 'rerun/a/_parent'));
    const nginx = await Nginx.start(root);
    try {
      const { catalogue } = await index({}, `${nginx.url}/rerun/a`);
      expect(locations(catalogue, 'deepCoadd_calexp')).toEqual([`_parent/${coadd('4,4')}`, coadd('5,5')]);
    } finally {
      await nginx.stop();
    }
  });
});

describe('the walk', () => {
  let nginx: Nginx;
  beforeEach(async () => {
    writeFiles(root, { _mapper: hscMapper, [coadd('4,4')]: '1', [coadd('4,5')]: '22', [calexp]: '333', 'notes/today/private.txt': 'x' });
    nginx = await Nginx.start(root);
  });
  afterEach(async () => nginx.stop());

  const listed = (from: number): string[] =>
    nginx
      .requests()
      .slice(from)
      .filter((line) => /^GET \S*\/ 200 /.test(line))
      .map((line) => decodeURIComponent(line.split(' ')[1]!));

  test('lists only directories that templates reach', async () => {
    const { catalogue } = await index({}, nginx.url);
    expect(listed(0)).not.toContain('/notes/today/');
    expect(locations(catalogue, 'deepCoadd_calexp')).toEqual([coadd('4,4'), coadd('4,5')]);
    expect(datasets(catalogue, 'deepCoadd_calexp').map(({ files }) => files[0]!.size)).toEqual([1, 2]);
  });

  test('lists again only what may have changed, and sees what did', async () => {
    const tract = 'deepCoadd-results/HSC-I/9813';
    settle(`${tract}/4,4`, `${tract}/4,5`, '00533/HSC-R/corr');
    await index({}, nginx.url);
    const before = nginx.requests().length;
    writeFiles(root, { [`${tract}/4,5/meas-HSC-I-9813-4,5.fits`]: '4444', [coadd('5,5')]: '5' });
    rmSync(join(root, coadd('4,5')));
    const { catalogue, progress } = await index({ version: 2 }, nginx.url);
    expect(listed(before)).toContain(`/${tract}/4,5/`);
    expect(listed(before)).toContain(`/${tract}/5,5/`);
    expect(listed(before)).not.toContain(`/${tract}/4,4/`);
    expect(listed(before)).not.toContain('/00533/HSC-R/corr/');
    expect(locations(catalogue, 'deepCoadd_calexp')).toEqual([coadd('4,4'), coadd('5,5')]);
    expect(locations(catalogue, 'deepCoadd_meas')).toHaveLength(1);
    expect(locations(catalogue, 'calexp')).toEqual([calexp]);
    expect(progress.at(-1)).toMatch(/^listing http\S+: \d+ directories, \d+ files, \d+ directories a second$/);
  });

  test('lists a directory again that was touched too lately to tell', async () => {
    await index({}, nginx.url);
    const before = nginx.requests().length;
    await index({ version: 2 }, nginx.url);
    expect(listed(before)).toContain('/deepCoadd-results/HSC-I/9813/4,4/');
  });

  test('goes on where it was interrupted', async () => {
    const patches = Array.from({ length: 81 }, (_, patch) => `${patch % 9},${Math.floor(patch / 9)}`);
    writeFiles(root, Object.fromEntries(patches.map((patch) => [coadd(patch, 'HSC-G'), patch])));
    const interrupting = new AbortController();
    await nginx.restart({ directives: ['location ~ "HSC-G/9813/[^/]*/$" { limit_rate 2000; }'] });
    const walking = index({ signal: interrupting.signal }, nginx.url);
    while (listed(0).filter((path) => path.includes('HSC-G/9813/')).length < 20) await new Promise((resolve) => setTimeout(resolve, 20));
    interrupting.abort();
    await expect(walking).rejects.toMatchObject({ code: 'interrupted' });
    await nginx.restart({});
    const before = nginx.requests().length;
    const { catalogue } = await index({ version: 2 }, nginx.url);
    const again = listed(before).filter((path) => path.includes('HSC-G/9813/'));
    expect(again.length).toBeLessThan(81 - 10);
    expect(locations(catalogue, 'deepCoadd_calexp')).toHaveLength(83);
  });

  test('begins again where what was kept is damaged', async () => {
    writeFileSync(join(place, 'listing.sqlite3'), 'no database at all'.repeat(1_000));
    const { catalogue } = await index({}, nginx.url);
    expect(locations(catalogue, 'deepCoadd_calexp')).toHaveLength(2);
  });

  test('passes by what it may not read, and says so', async () => {
    await nginx.restart({ directives: ['location /00533/HSC-R/corr/ { return 403; }'] });
    const { catalogue, progress } = await index({}, nginx.url);
    expect(progress.at(-1)).toContain('1 cannot be read: 00533/HSC-R/corr');
    expect(locations(catalogue, 'calexp')).toEqual([]);
    expect(locations(catalogue, 'deepCoadd_calexp')).toHaveLength(2);
  });

  test('without listings there is nothing to go by', async () => {
    await nginx.restart({ directives: ['location ~ /$ { return 403; }'] });
    await expect(index({}, nginx.url)).rejects.toMatchObject({
      code: 'unsupported-repository',
      message: expect.stringMatching(/is a Gen2 repository.*the server lists none.*autoindex/) as string,
    });
  });

  /** Location and size of every dataset. */
  const shown = (catalogue: Catalogue): string[] =>
    catalogue
      .typesOn(catalogue.searchPath())
      .flatMap(({ name }) => datasets(catalogue, name).map(({ files: [file] }) => `${file!.location} ${file!.size}`));

  test('finds the same behind SSH', async () => {
    const sshd = await Sshd.start();
    try {
      sshd.welcome(place);
      const files = { home: place, systemDirectory: place, environment: {} };
      const remote = openSshRemote(new URL(sshd.urlOf(root)), { credentials: () => undefined, idleTimeout: 5_000, files });
      expect(shown((await index({}, remote)).catalogue)).toEqual(shown((await index({ version: 2 })).catalogue));
    } finally {
      await sshd.stop();
    }
  });

  test.runIf(hasApache())('takes no size that Apache rounds', async () => {
    const names = ['4,4', '4,5'].map((patch) => coadd(patch, 'HSC-G'));
    writeFiles(root, { [names[0]!]: 'x'.repeat(5_000), [names[1]!]: 'x'.repeat(900) });
    chmodSync(root, 0o755);
    const apache = await startApache(root, 'IndexOptions FancyIndexing');
    try {
      const { catalogue } = await index({}, apache.url);
      expect(shown(catalogue).filter((line) => line.includes('HSC-G'))).toEqual([`${names[0]} null`, `${names[1]} 900`]);
    } finally {
      await apache.close();
    }
  });

  test('takes no name that is more than one component', () => {
    const names = ['a', '..', '.', '', 'a/b', '/etc', 'a\0', 'x'.repeat(256), 'ä'.repeat(128), '\ud800', 'y'.repeat(255)];
    const entries = names.map((name) => ({ name, kind: 'file' as const, size: 1, modified: null }));
    expect(usable(entries).map(({ name }) => name)).toEqual(['a', 'y'.repeat(255)]);
  });

  test('a listing that leads outside leads nowhere', async () => {
    const page =
      '<h1>Index of /</h1><a href=\\"../\\">../</a><a href=\\"/etc/passwd\\">x</a><a href=\\"..%2f..%2fetc/\\">y</a><a href=\\"4,4/\\">4,4/</a>';
    await nginx.restart({ directives: [`location = /deepCoadd-results/HSC-I/9813/ { default_type text/html; return 200 "${page}"; }`] });
    const { catalogue } = await index({}, nginx.url);
    expect(locations(catalogue, 'deepCoadd_calexp')).toEqual([coadd('4,4')]);
    expect(nginx.requests().join('\n')).not.toMatch(/passwd|%2f|\.\./i);
  });
});

describe('what a repository may hold', () => {
  beforeEach(() => writeFiles(root, { _mapper: hscMapper }));

  function registry(statements: string, name = 'registry.sqlite3'): void {
    mkdirSync(join(root, name, '..'), { recursive: true });
    const database = new Database(join(root, name));
    database.exec(statements);
    database.close();
  }

  const rawColumns = 'visit, ccd, filter, field, pointing, dateObs, taiObs, expTime';

  test('hostile values stay values', async () => {
    const long = 'x'.repeat(4_096);
    const fields = ["'; drop table raw; --", '../../etc', 'a/b', '..', '', long, 'ok'];
    registry(`create table raw (${rawColumns}); create table raw_visit (visit, field, filter, dateObs, taiObs);`);
    const database = new Database(join(root, 'registry.sqlite3'));
    const insert = database.prepare("insert into raw values (?, 22, 'HSC-R', ?, 533, '2013-06-17', '2013-06-17', 30)");
    fields.forEach((field, visit) => insert.run(visit, field));
    insert.run('text', 'x');
    insert.run(Buffer.from('blob'), 'x');
    insert.run(9_007_199_254_740_993n, 'x');
    insert.run(100, 'nul\0nul');
    database.close();
    const { catalogue, warnings } = await index();
    expect(catalogue.dimensionValues('visit', 100)).toEqual([0, 1, 2, 3, 4, 5, 6, 100]);
    expect(catalogue.record('visit', { instrument: 'HSC', visit: 0 })?.['field']).toBe("'; drop table raw; --");
    expect([4, 5, 100].map((visit) => catalogue.record('visit', { instrument: 'HSC', visit })?.['field'])).toEqual([null, null, null]);
    expect(warnings.filter((warning) => warning.includes('a row of raw is left out'))).toHaveLength(3);
    // Of those with a path: neither ones that lead elsewhere nor ones that are unknown.
    expect(catalogue.info.unstored).toBe(2);
  });

  test.each([
    ['create table raw (visit, ccd)', /column 'filter' of table 'raw'/],
    ['create table rav (visit, ccd, filter)', /table 'raw' in .*did you mean 'rav'/],
  ])('a registry without what it must have is named: %s', async (statements, message) => {
    registry(statements);
    await expect(index()).rejects.toMatchObject({ code: 'corrupt-repository', message: expect.stringMatching(message) as string });
  });

  test.each([
    ['', /registry.*: it is empty/],
    ['not a database, but a text', /no SQLite file/],
    [`SQLite format 3\0${'\xff'.repeat(4_000)}`, /registry/],
  ])('a registry that is none is named: %#', async (content, message) => {
    writeFileSync(join(root, 'registry.sqlite3'), content, 'latin1');
    await expect(index()).rejects.toMatchObject({ code: 'corrupt-repository', message: expect.stringMatching(message) as string });
  });

  test('calibrations of wrong types are left out with a word; a table that is not there is no fault', async () => {
    registry(
      `create table bias (filter, ccd, calibDate, validStart, validEnd);
       insert into bias values ('NONE', 22, '2013-11-03', '2013-01-01', '2013-12-31'), ('NONE', 'x', '2013-11-03', '2013-01-01', '2013-12-31'),
         ('NONE', 23, '2013-11-03', 'never', '2013-12-31'), ('NONE', 24, '../../x', '2013-01-01', '2013-12-31'), ('NONE', 25, null, 7, x'00');`,
      'CALIB/calibRegistry.sqlite3',
    );
    const bias = 'CALIB/BIAS/2013-11-03/NONE/BIAS-2013-11-03-022.fits';
    writeFiles(root, { [bias]: 'bias' });
    const { catalogue, warnings } = await index();
    expect(locations(catalogue, 'bias')).toEqual([bias]);
    expect(datasets(catalogue, 'bias')[0]).toMatchObject({ run: 'CALIB/2013-11-03', collection: { name: 'CALIB', type: 'CALIBRATION' } });
    expect(warnings).toHaveLength(4);
  });

  test('patches that the sky map has not, and coadds of two filters of one band', async () => {
    writeFiles(root, { [coadd('9,0')]: '', [coadd('4,4')]: 'I', [coadd('4,4', 'HSC-I2')]: 'I2', [coadd('4,4', 'HSC-X')]: 'X' });
    const { catalogue, warnings } = await index();
    expect(warnings).toEqual([expect.stringContaining('sky map hsc_rings_v1 has 9 by 9 patches in a tract, and none is 9,0')]);
    expect(datasets(catalogue, 'deepCoadd_calexp').map(({ values, implied }) => [values.at(-1), ...implied])).toEqual([
      ['HSC-I2', 'HSC-I2'],
      ['HSC-X', 'HSC-X'],
      ['i', 'HSC-I'],
    ]);
    expect(catalogue.repositoryFile(coadd('9,0'))).toBeDefined();
  });

  test('two files of one visit have one data ID: the one that agrees with the visit is taken', async () => {
    const raw = (field: string) => `${field}/2013-06-17/00533/HSC-R/HSC-0903334-022.fits`;
    writeFiles(root, { [raw('A')]: 'a', [raw('B')]: 'b', '00533/HSC-I/corr/CORR-0903334-022.fits': 'wrong', [calexp]: 'right' });
    const without = await index();
    expect(locations(without.catalogue, 'raw')).toEqual([raw('A')]);
    expect(locations(without.catalogue, 'calexp')).toEqual([calexp]);
    registry(`create table raw (visit int, ccd int, filter, field, pointing int, dateObs, taiObs, expTime);
      insert into raw values (903334, 22, 'HSC-R', 'B', 533, '2013-06-17', '2013-06-17', 30)`);
    const { catalogue, warnings } = await index({ version: 2 });
    expect(locations(catalogue, 'raw')).toEqual([raw('B')]);
    expect(locations(catalogue, 'calexp')).toEqual([calexp]);
    expect(warnings).toEqual([expect.stringContaining('HSC-I/corr'), expect.stringContaining(raw('A'))]);
  });

  test('its own templates, and those of the configuration after them', async () => {
    const skyMap = '{name: small, columns: 3, rows: 3, tracts: 9}';
    writeFiles(root, {
      'butlerfs.yaml': `skymap: ${skyMap}\ntemplates: {mine: {path: "m/%(patch)s-%(tract)d.dat", dimensions: [tract, patch]}}`,
      'm/2,2-5.dat': '',
    });
    const templateFile = join(place, 'more.yaml');
    writeFileSync(templateFile, 'templates: {other: {path: "m/%(tract)d.txt", dimensions: [tract]}}');
    writeFiles(root, { 'm/7.txt': '' });
    const { catalogue } = await index({ templateFile });
    expect(datasets(catalogue, 'mine').map(({ values }) => values)).toEqual([['small', 5, 8]]);
    expect(locations(catalogue, 'other')).toEqual(['m/7.txt']);
    writeFileSync(templateFile, 'templates: {other: {path: "m/%(tact)d.txt", dimensions: [tract]}}');
    await expect(index({ templateFile })).rejects.toThrow(/more\.yaml:1, template 'other': unknown field 'tact'; did you mean 'tract'/);
  });

  test('its validator changes with its registries, its top directory and its reruns', async () => {
    registry(`create table raw (${rawColumns})`);
    writeFiles(root, { 'rerun/a/_parent': '../..' });
    const seen = new Set([(await index()).validator]);
    expect(seen.has((await index()).validator)).toBe(true);
    registry("insert into raw values (1, 2, 'HSC-R', 'x', 533, '2013-06-17', '2013-06-17', 30)");
    seen.add((await index()).validator);
    writeFiles(root, { 'deepCoadd/skyMap.pickle': '' });
    seen.add((await index()).validator);
    writeFiles(root, { 'rerun/b/_parent': '../a' });
    seen.add((await index()).validator);
    expect(seen.size).toBe(4);
  });

  test('its validator is another one each hour, so that what changed deep within is found', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const at = async (time: string): Promise<string | null> => {
        vi.setSystemTime(new Date(`2031-05-06T${time}Z`));
        return (await index()).validator;
      };
      const first = await at('10:05:00');
      expect(await at('10:55:00')).toBe(first);
      expect(await at('11:05:00')).not.toBe(first);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a rerun with calibrations of its own uses those', async () => {
    const bias = (ccd: string) => `BIAS/2013-11-03/NONE/BIAS-2013-11-03-${ccd}.fits`;
    registry(
      "create table bias (filter, ccd, calibDate, validStart, validEnd); insert into bias values ('NONE', 22, '2013-11-03', '2013-01-01', '2013-12-31')",
      'CALIB/calibRegistry.sqlite3',
    );
    writeFiles(root, {
      [`CALIB/${bias('022')}`]: 'root',
      'rerun/a/_parent': '../..',
      [`rerun/a/CALIB/${bias('022')}`]: 'a',
      'rerun/b/_parent': '../a',
    });
    copyFileSync(join(root, 'CALIB/calibRegistry.sqlite3'), join(root, 'rerun/a/CALIB/calibRegistry.sqlite3'));
    const { catalogue } = await index();
    expect(locations(catalogue, 'bias')).toEqual([`CALIB/${bias('022')}`]);
    for (const name of ['rerun/a', 'rerun/b']) expect(locations(catalogue, 'bias', [name])).toEqual([`rerun/a/CALIB/${bias('022')}`]);
  });
});
