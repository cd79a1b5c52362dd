/** Aliases, several instruments and flavors of coadds as a user meets them, on a mount and with the command. */

import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountRepository, temporaryHome, type Home, type TestMount } from './support/mounted.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { ALL, contentOf, writeTwoInstruments } from './support/two-instruments.js';
import { filesBelow } from './support/tree.js';

let repository: string;
let home: Home;
let mount: TestMount;

const configuration = `
aliases:
  chip: detector
  ccdname: { means: detector, instrument: DECam, field: full_name }
flavors:
  coadd_calexp: { best: bestOfAll }
`;

beforeAll(async () => {
  repository = temporaryDirectory('two-instruments');
  writeTwoInstruments(repository);
  writeFileSync(join(repository, 'butlerfs.yaml'), 'aliases: {exposureNumber: visit, chip: visit}\ndatasetTypes: {}\n');
  home = temporaryHome();
  const directory = join(home.env['XDG_CONFIG_HOME']!, 'butlerfs');
  mkdirSync(directory);
  writeFileSync(join(directory, 'config.yaml'), configuration);
  mount = await mountRepository(repository, { home, args: ['--collections', ALL, '-o', 'poll=200ms'] });
}, 60_000);

afterAll(async () => {
  await mount?.dispose();
  home?.remove();
  removeDirectory(repository);
});

const inode = (path: string): number => statSync(join(mount.path, path)).ino;

describe('a mount', () => {
  it('lists each dataset once, with the instrument', async () => {
    const files = await filesBelow(mount.path);
    expect(files.filter((file) => file.includes('/calexp/'))).toHaveLength(10);
    expect(files.some((file) => file.includes('/coadd'))).toBe(false);
    expect(new Set(files.map((file) => statSync(file).ino)).size).toBe(files.length);
    expect(readdirSync(join(mount.path, 'calexp'))).toEqual(['instrument=DECam', 'instrument=HSC']);
  }, 30_000);

  it('resolves aliases of the user, of the repository and of one instrument to the inode of the canonical path', () => {
    const decam = inode('calexp/instrument=DECam/visit=1228/detector=31');
    for (const key of ['chip=31', 'ccd=N4', 'ccdname=N4', 'sensor=31'])
      expect(inode(`calexp/instrument=DECam/visit=1228/${key}`)).toBe(decam);
    expect(inode('calexp/instrument=DECam/exposureNumber=1228/chip=31')).toBe(decam);
    expect(() => inode('calexp/instrument=HSC/visit=1228/ccdname=1_53')).toThrow('ENOENT');
    expect(inode('deepCoadd_calexp/tract=8766/patch=4,5/filter=HSC-I')).toBe(inode('deepCoadd_calexp/tract=8766/patch=49/band=i'));
  });

  it('shows coadds by their flavor, with the same inodes and bytes', () => {
    const file = 'tract=8766/patch=49/band=i/deepCoadd_calexp_8766_49_i.txt';
    expect(readdirSync(join(mount.path, 'coadd_calexp'))).toEqual(['flavor=best', 'flavor=deep', 'flavor=goodSeeing']);
    expect(inode(`coadd_calexp/flavor=deep/${file}`)).toBe(inode(`deepCoadd_calexp/${file}`));
    expect(inode('coadd_calexp/flavor=deep/tract=8766')).toBe(inode('deepCoadd_calexp/tract=8766'));
    expect(readFileSync(join(mount.path, 'coadd_calexp/flavor=deep', file), 'utf8')).toBe(
      contentOf('deepCoadd_calexp', { band: 'i', skymap: 'rings', tract: 8766, patch: 49 }),
    );
    expect(() => inode('coadd_calexp/flavor=dep')).toThrow('ENOENT');
  });

  it('explains them', async () => {
    const explain = async (path: string): Promise<string> => (await mount.cli(['explain', join(mount.path, path)])).stdout;
    expect(await explain('coadd_calexp/flavor=dep/tract=8766')).toContain("did you mean 'flavor=deep'?");
    expect(await explain('coadd_calexp/flavor=best/tract=8766')).toContain('dataset type: bestOfAll');
    expect(await explain('calexp/instrument=HSC/ccdname=1_53')).toContain('it means detector for instrument DECam only');
    expect(await explain('calexp/instrument=HSC/chipp=1')).toContain("did you mean 'chip'?");
  }, 30_000);

  it('follows a change of what the repository calls its keys, and says what is wrong with one', async () => {
    expect(() => inode('calexp/instrument=HSC/shutter=1228')).toThrow('ENOENT');
    writeFileSync(join(repository, 'butlerfs.yaml'), 'aliases: {shutter: visit}\n');
    const path = join(mount.path, 'calexp/instrument=HSC/shutter=1230');
    await eventually('the alias', () => statSync(path, { throwIfNoEntry: false }) !== undefined, 20_000);
    expect(() => inode('calexp/instrument=HSC/exposureNumber=1230')).toThrow('ENOENT');
    writeFileSync(join(repository, 'butlerfs.yaml'), 'aliases:\n  shutter: visit\n  ccd: {means: detector, instrment: HSC}\n');
    await eventually('the problem', async () => (await mount.status()).problem !== undefined, 20_000);
    expect((await mount.status()).problem).toMatch(
      /butlerfs\.yaml:3.*'aliases\.ccd\.instrment' is an unknown key; did you mean 'instrument'/,
    );
    expect(inode('calexp/instrument=HSC/shutter=1230')).toBe(inode('calexp/instrument=HSC/visit=1230'));
    writeFileSync(join(repository, 'butlerfs.yaml'), 'aliases: {exposureNumber: visit, chip: visit}\n');
    await eventually('the end of the problem', async () => (await mount.status()).problem === undefined, 20_000);
  }, 90_000);
});

describe('butlerfs query', () => {
  const query = async (...args: string[]): Promise<string[]> => {
    const { status, stdout, stderr } = await mount.cli(['query', ...args, mount.path]);
    if (status !== 0) throw new Error(stderr);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/ +\S+$/, ''));
  };

  it('knows aliases, in any order, and in expressions', async () => {
    expect(await query('calexp', 'ccdname=N4', 'instrument=DECam')).toEqual([
      'instrument=DECam visit=1228 detector=31',
      'instrument=DECam visit=4000 detector=31',
    ]);
    expect(await query('calexp', '--where', "ccdname = 'N4' AND exposureNumber = 4000")).toEqual([
      'instrument=DECam visit=4000 detector=31',
    ]);
    await expect(query('calexp', 'ccdname=N4')).rejects.toThrow('put instrument=DECam before it');
    await expect(query('calexp', '--where', 'ccdnam = 3')).rejects.toThrow("did you mean 'ccdname'");
    expect((await mount.cli(['query', '--dimensions', 'exposureNumber', 'instrument=DECam', mount.path])).stdout).toBe(
      'instrument=DECam visit=1228\ninstrument=DECam visit=4000\n',
    );
  }, 60_000);

  it('finds coadds of a flavor, or of each', async () => {
    expect(await query('coadd_calexp', 'flavor=deep', 'filter=HSC-R')).toEqual(['flavor=deep tract=8766 patch=49 band=r']);
    expect(await query('coadd_calexp', 'band=i')).toEqual(
      ['best', 'deep', 'goodSeeing'].map((flavor) => `flavor=${flavor} tract=8766 patch=49 band=i`),
    );
    await expect(query('coadd_calexp', 'flavor=dep')).rejects.toThrow("did you mean 'flavor=deep'?");
  }, 60_000);
});
