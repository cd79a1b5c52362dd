/** Expressions, what is missing, and calibrations, on a real mount (docs/queries.md). */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../registry/sqlite/driver.js';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { sharedData } from './shared.js';
import { mountRepository, type TestMount } from './support/mounted.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { butlerAttributes, errorCode, filesBelow, sha256 } from './support/tree.js';

const shared = sharedData();
const where = (expression: string): string => join('@where', encodeURIComponent(expression));

describe.skipIf(shared === undefined)('a mount of the shared repository', () => {
  const repository = join(shared ?? '/missing', 'gen3-hsc');
  let mount: TestMount;
  beforeAll(async () => {
    mount = await mountRepository(repository, { args: ['--collections', 'HSC/defaults', '--calibs', 'bias=HSC/calib/2024B'] });
  });
  afterAll(() => mount?.dispose());

  it('has the same files below an expression as the query finds, with their bytes', async () => {
    const expression = "tract=9813 AND band IN ('g','r')";
    const view = join(mount.path, where(expression), 'deepCoadd_calexp');
    const files = await filesBelow(view);
    const found = await mount.cli(['query', 'deepCoadd_calexp', '--where', expression, '--paths', mount.path]);
    const plain = found.stdout.trimEnd().split('\n');
    expect(files.map((file) => file.slice(view.length)).sort()).toEqual(
      plain.map((file) => file.slice(join(mount.path, 'deepCoadd_calexp').length)).sort(),
    );
    expect(files.length).toBeGreaterThan(3);
    expect(await sha256(files[0]!)).toBe(await sha256(plain.find((file) => file.endsWith(files[0]!.slice(view.length)))!));
    const attributes = await butlerAttributes(files);
    expect([...attributes.values()].map(({ type }) => type)).toEqual(files.map(() => 'deepCoadd_calexp'));
  });

  it('goes to the visits of a patch, and to the patches of a visit', async () => {
    const visits = await readdir(join(mount.path, where('tract = 9813 and patch = 49'), 'calexp'));
    expect(visits).toEqual(['visit=1230', 'visit=1238', 'visit=1250']);
    expect(await readdir(join(mount.path, where('visit = 1228'), 'deepCoadd_calexp'))).toEqual(['tract=8766']);
  });

  it('is EINVAL for a broken expression, with the reason in @explain, the status and the log', async () => {
    const broken = where('visits = 1228');
    expect(await errorCode(readdir(join(mount.path, broken)))).toBe('EINVAL');
    const reason = "unknown dimension 'visits' at column 1; did you mean 'visit'?";
    expect(await readFile(join(mount.path, '@explain', broken), 'utf8')).toContain(reason);
    expect((await mount.cli(['explain', join(mount.path, broken)])).stdout).toContain(reason);
    const { errors, logFile } = await mount.status();
    expect(errors.some(({ message }) => message.includes(reason))).toBe(true);
    expect(await readFile(logFile!, 'utf8')).toContain('visits');
    expect(await errorCode(readdir(join(mount.path, where('visit = 1228'), 'skyMap')))).toBe('ENOENT');
  });

  it('lists what is missing, as the query does', async () => {
    const leaves = await filesBelow(join(mount.path, where('tract = 8766 and patch < 31'), '@missing/deepCoadd_calexp'));
    const arguments_ = ['query', '--missing', 'deepCoadd_calexp', '--where', 'tract = 8766 and patch < 31', '--json', mount.path];
    const lines = (await mount.cli(arguments_)).stdout.trimEnd().split('\n');
    const dataIds = lines.map((line) => (JSON.parse(line) as { dataId: Record<string, unknown> }).dataId);
    expect(leaves.length).toBe(lines.length);
    expect(dataIds).toContainEqual({ skymap: 'hsc_rings_v1', tract: 8766, patch: 30, band: 'z' });
    expect(await readFile(leaves[0]!, 'utf8')).toMatch(/^missing: deepCoadd_calexp skymap=hsc_rings_v1 tract=8766/);
  });

  it('has dimension records as JSON, whether there are data or not', async () => {
    const file = join(mount.path, '@dimensions/patch/tract=9812/patch=5/record.json');
    const text = await readFile(file, 'utf8');
    expect(JSON.parse(text)).toMatchObject({ skymap: 'hsc_rings_v1', tract: 9812, patch: 5, cell_x: 5, cell_y: 0 });
    expect((await stat(file)).size).toBe(Buffer.byteLength(text));
    const listed = await mount.cli(['query', '--dimensions', 'patch', '--id', 'tract=9812', mount.path]);
    expect(listed.stdout.trimEnd().split('\n').length).toBe(81);
  });

  it('has the valid calibrations, of the collections that were chosen', async () => {
    const directory = join(mount.path, 'raw/exposure=1228/detector=13/@calibs');
    expect(await readdir(directory)).toEqual(['bias', 'camera', 'dark', 'defects', 'flat']);
    const files = ['bias/bias_13.fits', 'dark/dark_13.fits'].map((name) => join(directory, name));
    const attributes = await butlerAttributes(files);
    expect(files.map((file) => attributes.get(file)!.collection)).toEqual(['HSC/calib/2024B', 'HSC/calib/2024A']);
    expect((await readFile(files[0]!)).subarray(0, 6).toString()).toBe('SIMPLE');
    // Listings do not show operators, so nothing is found twice.
    expect(await readdir(join(mount.path, 'raw/exposure=1228/detector=13'))).toEqual(['raw_1228_13.fits']);
    const paths = await mount.cli(['query', 'bias', '--id', 'detector=13', '--json', mount.path]);
    expect(paths.stdout).toContain('"collection":"HSC/calib/2024B"');
    expect(paths.stdout).not.toContain('"collection":"HSC/calib/2024A"');
    const explained = await mount.cli(['explain', join(mount.path, 'raw/exposure=1228/detector=13/@calibs/bia')]);
    expect(explained.stdout).toContain("did you mean 'bias'?");
  });

  it('refuses a choice of calibrations that names what is not there', async () => {
    const place = temporaryDirectory('calibs');
    const result = await mount.cli(['mount', repository, place, '--calibs', 'bia=HSC/calib/2024B']);
    removeDirectory(place);
    expect([result.status === 0, result.stderr]).toEqual([false, expect.stringContaining("did you mean 'bias'?")]);
  });

  it('says on the command line what is wrong, where, and what there is', async () => {
    for (const [words, message] of [
      [['query', 'raw', '--where', 'visit = 1 and', mount.path], 'the expression ends at column 14'],
      [
        ['query', 'raw', '--where', 'exposure.region overlaps POINT(1,2)', mount.path],
        "the unknown field 'region' of 'exposure' at column 1",
      ],
      [['query', '--missing', 'ps1_pv3_3pi_20170110', mount.path], 'no dimension records of htm7'],
      [['query', '--dimensions', 'visit', '--missing', 'calexp', mount.path], 'cannot be used with'],
    ] as const) {
      const result = await mount.cli(words);
      expect([words.slice(0, 3), result.status === 0, result.stderr.trimEnd().split('\n').length]).toEqual([words.slice(0, 3), false, 1]);
      expect(result.stderr).toContain(message);
    }
  });

  it('takes names that are odd, long or of another form for what they are', async () => {
    const decomposed = 'e\u0301';
    const composed = decomposed.normalize('NFC');
    for (const name of ["' OR 1=1 --", decomposed, composed, '%zz', 'x'.repeat(300)]) {
      expect(await errorCode(stat(join(mount.path, `raw/exposure=${name}`)))).toMatch(/ENOENT|ENAMETOOLONG/);
      expect(await errorCode(stat(join(mount.path, '@where', name)))).toMatch(/EINVAL|ENAMETOOLONG/);
    }
    expect(await errorCode(stat(join(mount.path, '@where', 'x'.repeat(4096))))).toBe('ENAMETOOLONG');
    expect(await readdir(join(mount.path, where("visit.target_name = '\u00e9'")))).toEqual([]);
    expect((await mount.status()).state).toBe('ok');
  });
});

describe('an update', () => {
  let place: string;
  let mount: TestMount | undefined;
  afterEach(async () => {
    await mount?.dispose();
    removeDirectory(place);
  });

  it('shows in what is missing, and below expressions that were listed', async () => {
    place = temporaryDirectory('queries');
    const repository = join(place, 'repository');
    writeSmallRepository(repository, { tracts: [8766], patches: 2, bands: ['g', 'i'], visits: 1, detectors: 1, pixels: 8 });
    const current = await mountRepository(repository, { args: ['-o', 'poll=1', '--collections', 'demo/runs/w_01'] });
    mount = current;
    const coadds = join(current.path, where("band = 'i'"), 'deepCoadd_calexp/tract=8766');
    const [patch] = await readdir(coadds);
    const missing = join(current.path, '@missing/deepCoadd_calexp/tract=8766');
    await readdir(missing);
    expect(await errorCode(stat(join(missing, patch!, 'band=i')))).toBe('ENOENT');
    const database = new Database(join(repository, 'gen3.sqlite3'));
    const { name } = database.prepare("select tag_association_table as name from dataset_type where name = 'deepCoadd_calexp'").get() as {
      name: string;
    };
    database.prepare(`delete from ${name} where patch = ? and band = 'i'`).run(Number(patch!.slice('patch='.length)));
    database.close();
    await eventually('the patch missing', async () => (await errorCode(stat(join(missing, patch!, 'band=i')))) === 'none', 20_000);
    expect(await readdir(missing)).toContain(patch);
    expect(await readdir(coadds)).not.toContain(patch);
  });
});
