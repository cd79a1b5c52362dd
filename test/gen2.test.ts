/** A Gen2 repository as its users see it: every file under its data ID, with the registry and without, over HTTP and from a directory. */

import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Catalogue, DataIdValue } from '../registry/contract.js';
import { lookUpCalibration } from '../registry/readers/gen2/calibrations.js';
import { readCamera } from '../registry/readers/gen2/camera.js';
import { patchText, sequentialPatch } from '../registry/readers/gen2/fields.js';
import { compileTemplates } from '../registry/readers/gen2/matcher.js';
import { Gen2Registry } from '../registry/readers/gen2/registries.js';
import { sharedData } from './shared.js';
import { indexGen2, writeFiles } from './support/gen2.js';
import { mountRepository, type TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';

type Gen2DataId = Readonly<Record<string, DataIdValue>>;

/** What `shared/data/gen2-hsc.expected.json` holds. */
interface Expected {
  /** Repository ('' is the root), type, data ID, path below the repository. */
  readonly datasets: readonly (readonly [string, string, Gen2DataId, string])[];
  /** Type, visit, ccd, path of what is valid. */
  readonly calib_lookups: readonly (readonly [string, number, number, string | null])[];
  /** By rerun: what differs from the root, by path there. */
  readonly resolved: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const shared = sharedData();
const hsc = readCamera('HSC', [], 'a test');
const calibrationTypes = ['bias', 'dark', 'flat', 'sky', 'defects'];
const byFilter = ['flat', 'sky'];

describe.runIf(shared !== undefined)('a Gen2 repository', () => {
  const repository = join(shared ?? '', 'gen2-hsc');
  let expected: Expected;
  let scratch: string;

  beforeAll(() => {
    expected = JSON.parse(readFileSync(join(shared!, 'gen2-hsc.expected.json'), 'utf8')) as Expected;
    scratch = temporaryDirectory('gen2');
  });
  afterAll(() => removeDirectory(scratch));

  describe('as a catalogue', () => {
    let catalogue: Catalogue;
    beforeAll(async () => {
      ({ catalogue } = await indexGen2(repository, scratch));
    });
    afterAll(() => catalogue.close());

    /** `type location` of all that the collections hold. */
    function contents(collections?: readonly string[]): string[] {
      const searchPath = catalogue.searchPath(collections);
      return catalogue
        .typesOn(searchPath)
        .flatMap((type) =>
          [...catalogue.query({ type, searchPath, constraint: new Map() })].map((row) => `${type.name} ${row.files[0]!.location}`),
        )
        .sort();
    }

    const ofRoot = (): Expected['datasets'] => expected.datasets.filter(([where]) => where === '');

    test('has every file of the root where no collection is named, with its data ID and size, and no other', () => {
      expect(contents()).toEqual(
        ofRoot()
          .map(([, type, , path]) => `${type} ${path}`)
          .sort(),
      );
      const searchPath = catalogue.searchPath();
      for (const [, typeName, dataId, path] of ofRoot()) {
        const type = catalogue.datasetType(typeName)!;
        const constraint = new Map<string, DataIdValue>();
        for (const [key, value] of Object.entries(dataId)) {
          if (key === 'ccd') constraint.set('detector', value);
          else if (key === 'visit') constraint.set(type.dimensions.required.includes('exposure') ? 'exposure' : 'visit', value);
          else if (key === 'tract') constraint.set('tract', value);
          else if (key === 'patch') constraint.set('patch', sequentialPatch(hsc.skymap, value)!);
          // In a path of a warp, and of a calibration without filters, it is none of the dataset's own.
          else if (key === 'filter' && !['NONE', null].includes(value as string) && typeName !== 'defects')
            constraint.set('physical_filter', value);
        }
        const found = [...catalogue.query({ type, searchPath, constraint })].flatMap(({ files }) => files);
        const file = found.find(({ location }) => location === path);
        expect(file?.size, `${typeName} ${JSON.stringify(dataId)}`).toBe(statSync(join(repository, path)).size);
        if (!calibrationTypes.includes(typeName)) expect(found).toHaveLength(1);
      }
    });

    test.each(['rerun/me', 'rerun/colleague', 'rerun/visitor'])('%s finds what the real butler finds', (name) => {
      const matcher = compileTemplates(hsc);
      const resolved = new Map(ofRoot().map(([, type, , path]) => [path, `${type} ${path}`]));
      for (const [path, location] of Object.entries(expected.resolved[name]!)) {
        resolved.set(path, `${matcher.match('repository', path)!.template.type} ${location}`);
      }
      expect(contents([name])).toEqual([...resolved.values()].sort());
    });

    test('a backup that the real butler left behind is a file of the repository, and no dataset', () => {
      const backup = 'rerun/me/deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-I-9813-4,4.fits~1';
      expect(catalogue.repositoryFile(backup)?.size).toBe(statSync(join(repository, backup)).size);
      expect(
        catalogue
          .collections()
          .flatMap(({ name }) => contents([name]))
          .join('\n'),
      ).not.toContain('~');
    });

    test('finds for every exposure the calibration that the real butler finds, by text and by range', () => {
      const registry = new Gen2Registry(join(repository, 'CALIB/calibRegistry.sqlite3'), 'calibRegistry');
      const matcher = compileTemplates(hsc);
      const listed = new Set(ofRoot().map(([, , , path]) => path));
      const searchPath = catalogue.searchPath(['CALIB']);
      let stored = 0;
      try {
        const rows = new Map(calibrationTypes.map((type) => [type, [...registry.calibrations(type, () => {})]]));
        for (const [typeName, visit, ccd, path] of expected.calib_lookups) {
          const { taiObs, physical_filter: filter, timespan_begin: begin } = catalogue.record('visit', { instrument: 'HSC', visit })!;
          const asked = byFilter.includes(typeName) ? String(filter) : undefined;
          const answer = lookUpCalibration(rows.get(typeName)!, { ccd, filter: asked, taiObs: String(taiObs) });
          const { calibDate, filter: named } = answer.kind === 'found' ? answer.row : { calibDate: undefined, filter: undefined };
          const { format } = matcher.template(typeName)!;
          const formatted =
            calibDate === undefined ? null : `CALIB/${format({ ccd, calibDate, ...(named == null ? {} : { filter: named }) })}`;
          expect(formatted, `${typeName} ${visit} ${ccd}`).toBe(path);
          const constraint = new Map<string, DataIdValue>([
            ['detector', ccd],
            ...(asked === undefined ? [] : [['physical_filter', asked] as const]),
          ]);
          const at = BigInt(begin!);
          const valid = [...catalogue.query({ type: catalogue.datasetType(typeName)!, searchPath, constraint })].filter(
            ({ validity }) => validity!.begin! <= at && at < validity!.end!,
          );
          const there = path !== null && listed.has(path) ? [path] : [];
          expect(
            valid.map(({ files }) => files[0]!.location),
            `${typeName} ${visit} ${ccd}`,
          ).toEqual(there);
          stored += there.length;
        }
      } finally {
        registry.close();
      }
      expect(stored).toBeGreaterThan(50);
    });

    test('knows what a registry has without a file', () => {
      const type = catalogue.datasetType('raw')!;
      const query = { type, searchPath: catalogue.searchPath() };
      expect(
        catalogue.isRegisteredOnly({
          ...query,
          constraint: new Map([
            ['exposure', 903334],
            ['detector', 25],
          ]),
        }),
      ).toBe(true);
      expect(
        catalogue.isRegisteredOnly({
          ...query,
          constraint: new Map([
            ['exposure', 903334],
            ['detector', 22],
          ]),
        }),
      ).toBe(false);
      expect(
        catalogue.isRegisteredOnly({
          ...query,
          constraint: new Map([
            ['exposure', 903334],
            ['detector', 7],
          ]),
        }),
      ).toBe(false);
    });
  });

  test('new data come into a mount', async () => {
    const copy = join(scratch, 'growing');
    cpSync(repository, copy, { recursive: true });
    const mount = await mountRepository(copy, { args: ['-o', 'poll=1'] });
    try {
      const tract = join(mount.path, 'deepCoadd_calexp/tract=9813');
      expect(readdirSync(tract)).not.toContain('patch=70');
      const content = readFileSync(join(repository, 'deepCoadd-results/HSC-I/9813/4,4/calexp-HSC-I-9813-4,4.fits'));
      writeFiles(copy, { 'deepCoadd-results/HSC-G/9813/7,7/calexp-HSC-G-9813-7,7.fits': content, 'rerun/new/_parent': '../..' });
      await eventually('the new patch', () => readdirSync(tract).includes('patch=70'));
      expect(readFileSync(join(tract, 'patch=7,7/filter=HSC-G/deepCoadd_calexp.fits')).equals(content)).toBe(true);
      // What changes deeper only tells nobody: whoever knows has it looked for.
      writeFiles(copy, { 'deepCoadd-results/HSC-G/9813/7,6/calexp-HSC-G-9813-7,6.fits': content });
      expect((await mount.home.cli(['index', copy])).status).toBe(0);
      await eventually('the deeper patch', () => readdirSync(tract).includes('patch=61'));
    } finally {
      await mount.dispose();
    }
  });

  describe('mounted over HTTP', () => {
    let nginx: Nginx;
    let mounts: readonly TestMount[] = [];
    let withRegistry: TestMount;
    let withoutRegistry: TestMount;

    beforeAll(async () => {
      const served = join(scratch, 'served');
      cpSync(repository, join(served, 'with'), { recursive: true });
      cpSync(repository, join(served, 'without'), { recursive: true });
      rmSync(join(served, 'without/registry.sqlite3'));
      nginx = await Nginx.start(served);
      mounts = await Promise.all([mountRepository(`${nginx.url}/with`), mountRepository(`${nginx.url}/without`)]);
      [withRegistry, withoutRegistry] = mounts as [TestMount, TestMount];
      for (const mount of mounts) await eventually('the end of the walk', async () => (await mount.status()).walk === undefined, 30_000);
    });
    afterAll(async () => {
      await Promise.all(mounts.map((mount) => mount.dispose()));
      await nginx.stop();
    });

    /** Files below a directory, with their content. */
    function filesBelow(directory: string): Map<string, Buffer> {
      const found = readdirSync(directory, { recursive: true, withFileTypes: true });
      const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return new Map(paths.sort().map((path) => [path.slice(directory.length + 1), readFileSync(path)]));
    }

    test('is the same tree with the registry and without, file by file', () => {
      const [one, other] = [filesBelow(withRegistry.path), filesBelow(withoutRegistry.path)];
      expect(one.size).toBe(expected.datasets.filter(([where]) => where === '').length);
      expect([...other.keys()]).toEqual([...one.keys()]);
      for (const [path, content] of one) expect(other.get(path)!.equals(content), path).toBe(true);
    });

    test('has under the keys of Gen2 the bytes of each file', () => {
      for (const [where, type, dataId, path] of expected.datasets) {
        if (calibrationTypes.includes(type)) continue;
        const keys = Object.entries(dataId).filter(
          ([key]) => ['visit', 'ccd', 'tract', 'patch'].includes(key) || (key === 'filter' && type !== 'deepCoadd_directWarp'),
        );
        const view = where === '' ? [] : ['@collections', where.replaceAll('/', '%2F')];
        const directory = join(withRegistry.path, ...view, type, ...keys.map(([key, value]) => `${key}=${value}`));
        const [name, ...others] = readdirSync(directory);
        expect(others, directory).toEqual([]);
        expect(readFileSync(join(directory, name!)).equals(readFileSync(join(repository, where, path))), directory).toBe(true);
      }
    });

    test('has coadds under the paths that Gen3 has, and either name of a filter', () => {
      const at = (path: string) => readdirSync(join(withRegistry.path, path));
      const patch = 'deepCoadd_calexp/tract=9813/patch=40';
      expect(at(patch)).toEqual(['band=i', 'band=r']);
      for (const key of ['band=i', 'filter=i', 'filter=HSC-I', 'physical_filter=HSC-I', 'band=i/filter=HSC-I'])
        expect(at(`${patch}/${key}`), key).toEqual(['deepCoadd_calexp_9813_40_i.fits']);
      for (const key of ['filter=HSC-I2', 'filter=HSC-G', 'band=i/filter=HSC-R', 'band=HSC-I'])
        expect(() => at(`${patch}/${key}`), key).toThrow('ENOENT');
      expect(at('raw/visit=903334/ccd=22/filter=HSC-R')).toEqual(['raw_903334_22.fits']);
      expect(at('calexp/visit=1228/detector=22/band=i')).toEqual(['calexp_1228_22.fits']);
      expect(at('flat/ccd=22/filter=HSC-R')).toEqual(['flat_22_HSC-R.fits']);
      expect(patchText(hsc.skymap, 40)).toBe('4,4');
    });

    test('shows its own layout in @repo', () => {
      const own = filesBelow(repository);
      const shown = filesBelow(join(withRegistry.path, '@repo'));
      expect([...shown.keys()]).toEqual([...own.keys()]);
      for (const [path, content] of own) expect(shown.get(path)!.equals(content), path).toBe(true);
    });

    test('answers the verbs of the command', async () => {
      const { cli, path } = withRegistry;
      const words = async (...args: string[]): Promise<string> => {
        const { status, stdout, stderr } = await cli(args);
        return `${status ?? '?'} ${stdout}${stderr}`;
      };
      expect(await words('types', path)).toMatch(/^0 [\s\S]*deepCoadd_calexp +skymap,tract,patch,band/);
      expect(await words('collections', path)).toMatch(/rerun\/visitor +CHAINED +rerun\/visitor\/run rerun\/me\/run root\/run CALIB/);
      expect(await words('query', 'deepCoadd_calexp', path, '--paths', '--id', 'patch=8,8', '--collections', 'rerun/visitor')).toContain(
        'deepCoadd_calexp/tract=9813/patch=80/band=i/deepCoadd_calexp_9813_80_i.fits',
      );
      expect(await words('query', 'calexp', path, '--where', "physical_filter = 'HSC-R' AND visit > 903334")).toMatch(
        /^0 (.*903336.*\n){2}/,
      );
      expect(await words('explain', join(path, 'deepCoadd_calexp/tract=9813/patch=8,8/band=i'))).toMatch(/does not resolve[\s\S]*nearest/);
      expect(await words('explain', join(path, 'raw/exposure=903334/detector=25'))).toMatch(/registry|without (any )?file|no file/i);
    });
  });
});
