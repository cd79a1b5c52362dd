/** Software that knows nothing of butlerfs, on a mount. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedData } from './shared.js';
import { mountRepository } from './support/mounted.js';
import type { TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { python, pythonJson } from './support/python.js';
import { runSuccessfully } from './support/run.js';
import { errorCode } from './support/tree.js';

const data = sharedData();

const READ_HEADERS = `
import glob, json, os, re, sys
from astropy.io import fits
out = []
for pattern, keys in (('deepCoadd_calexp/tract=*/patch=*/band=*/*.fits', {'tract': 'TRACT', 'patch': 'PATCH', 'band': 'BAND'}),
                      ('calexp/visit=*/detector=*/*.fits', {'visit': 'VISIT', 'detector': 'DETECTOR'}),
                      ('@by/detector/calexp/detector=*/visit=*/*.fits', {'visit': 'VISIT', 'detector': 'DETECTOR'})):
    for path in glob.glob(os.path.join(sys.argv[1], pattern)):
        said = dict(part.split('=') for part in path.split('/') if '=' in part)
        with fits.open(path) as hdus:
            found = {key: str(hdus[1].header[card]) for key, card in keys.items()}
            hdus[1].data.sum()
        out.append([{key: said[key] for key in keys}, found])
print(json.dumps(out))
`;

const READ_PARQUET = `
import json, sys
import pyarrow.dataset as ds
table = ds.dataset(sys.argv[1], format='parquet', partitioning='hive').to_table(columns=['id', 'tract'])
print(json.dumps([sorted(set(table['tract'].to_pylist())), table.num_rows]))
`;

const READ_BUTLER = `
import hashlib, json, sys
import fits_formatter
from lsst.daf.butler import Butler
butler = Butler.from_config(sys.argv[1])
out = []
for name, where in (('deepCoadd_calexp', "skymap='hsc_rings_v1' and tract=8766 and band='i'"), ('calexp', "instrument='HSC' and visit=1228")):
    for ref in butler.query_datasets(name, collections='u/me/all', find_first=True, where=where):
        image = butler.get(ref)
        uri = butler.getURI(ref)
        out.append([name, ref.id.hex, image[0].header.get('TRACT', image[0].header.get('VISIT')), uri.ospath, hashlib.sha256(uri.read()).hexdigest()])
print(json.dumps(out))
`;

if (data === undefined) {
  it.skipIf(data === undefined)('the shared repositories are whole', () => {
    expect(existsSync(join(data!, 'gen3-hsc/butler.yaml'))).toBe(true);
  });
} else {
  describe('on a mount', () => {
    const repository = join(data, 'gen3-hsc');
    let nginx: Nginx;
    let mount: TestMount;

    beforeAll(async () => {
      nginx = await Nginx.start(repository);
      mount = await mountRepository(nginx.url, { args: ['--collections', 'u/me/all'] });
    });
    afterAll(async () => {
      await mount?.dispose();
      await nginx?.stop();
    });

    it('the shell globs over patches', async () => {
      const listed = await runSuccessfully('bash', ['-c', 'ls deepCoadd_calexp/tract=8766/patch=*/band=i/*.fits'], { cwd: mount.path });
      const lines = listed.trim().split('\n');
      expect(lines).toHaveLength(6);
      for (const line of lines) {
        const patch = /patch=(\d+)/.exec(line)![1]!;
        expect(line).toBe(`deepCoadd_calexp/tract=8766/patch=${patch}/band=i/deepCoadd_calexp_8766_${patch}_i.fits`);
      }
    });

    it('any order of keys, and any name of a key, leads to the same inode', async () => {
      const same = async (paths: readonly string[]): Promise<void> => {
        const inodes = await Promise.all(paths.map(async (path) => (await stat(join(mount.path, path), { bigint: true })).ino));
        expect(new Set(inodes).size, paths[0]).toBe(1);
      };
      await same([
        'deepCoadd_calexp/tract=8766/patch=40/band=i',
        'deepCoadd_calexp/band=i/patch=40/tract=8766',
        'deepCoadd_calexp/patch=40/band=i/tract=8766',
        'deepCoadd_calexp/skymap=hsc_rings_v1/tract=8766/patch=40/band=i',
        'deepCoadd_calexp/tract=8766/patch=4,4/band=i',
      ]);
      await same([
        'deepCoadd_calexp/tract=8766/patch=40/band=i/deepCoadd_calexp_8766_40_i.fits',
        'deepCoadd_calexp/band=i/tract=8766/patch=40/deepCoadd_calexp.fits',
      ]);
      await same([
        'calexp/visit=1228/detector=13',
        'calexp/detector=13/visit=1228',
        'calexp/visit=1228/ccd=13',
        'calexp/visit=1228/sensor=13',
        'calexp/instrument=HSC/visit=1228/detector=13',
        'calexp/visit=1228/detector=13/band=g',
      ]);
      expect(await errorCode(stat(join(mount.path, 'calexp/visit=1228/detector=13/band=r')))).toBe('ENOENT');
    });

    it('find, grep and cp see each dataset once', async () => {
      const count = await runSuccessfully(
        'bash',
        ['-c', "find deepCoadd_calexp -type f | wc -l; grep -rlc 'AUTHOR  = .me' deepCoadd_calexp | wc -l"],
        {
          cwd: mount.path,
        },
      );
      expect(count.trim().split(/\s+/)).toEqual(['32', '3']);
    });

    it('every file is what its path says: astropy', async () => {
      if (python() === undefined) return;
      const answers = (await pythonJson(READ_HEADERS, [mount.path])) as [said: object, found: object][];
      expect(answers.length).toBe(32 + 72 + 72);
      for (const [said, found] of answers) expect(found).toEqual(said);
    });

    it('hive partitioning is the path rule: pyarrow', async () => {
      if (python() === undefined) return;
      expect(await pythonJson(READ_PARQUET, [join(mount.path, 'objectTable_tract')])).toEqual([[8766, 9813], 800]);
    });

    it('the real butler runs on @repo', async () => {
      if (python() === undefined) return;
      const root = join(mount.path, '@repo');
      const answers = (await pythonJson(READ_BUTLER, [root])) as [string, string, number, string, string][];
      expect(answers).toHaveLength(6 + 4);
      for (const [type, , value, path, digest] of answers) {
        expect(value).toBe(type === 'calexp' ? 1228 : 8766);
        expect(path.startsWith(`${root}/`)).toBe(true);
        const original = readFileSync(join(repository, path.slice(root.length + 1)));
        expect(digest).toBe(createHash('sha256').update(original).digest('hex'));
      }
    });
  });
}
