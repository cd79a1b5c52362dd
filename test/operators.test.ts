/** Operators of paths (docs/paths.md, rule 8) that ask the catalogue, on the tree of the shared repository without a kernel. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import type { Catalogue } from '../registry/contract.js';
import { sharedData } from './shared.js';
import { catalogueOf, treeOf, type TreeOf } from './support/tree-of.js';

const shared = sharedData();

const where = (expression: string): string => `@where/${encodeURIComponent(expression)}`;

function errorOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof ButlerfsError ? `${error.code} ${error.errno} ${error.message}` : String(error);
  }
}

describe.skipIf(shared === undefined)('operators', () => {
  let scratch: string;
  let catalogue: Catalogue;
  let here: TreeOf;

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'butlerfs-operators-'));
    catalogue = catalogueOf(join(shared!, 'gen3-hsc'), scratch);
    here = treeOf(catalogue, scratch, { collections: ['HSC/defaults'] });
  });
  afterAll(() => {
    catalogue.close();
    rmSync(scratch, { recursive: true });
  });

  /** Every data ID below a directory, leaf by leaf. */
  const leaves = (path: string): string[] =>
    here.names(path).flatMap((name) => (name.includes('=') ? leaves(`${path}/${name}`) : [`${path}/${name}`]));

  describe('@where', () => {
    it('shows the types, the levels and the leaves that satisfy it, as the query does', () => {
      const view = where("tract=9813 and band in ('g', 'r')");
      expect(here.names(view)).toEqual(['calexp', 'deepCoadd_calexp', 'deepCoadd_meas']);
      expect(here.names(`${view}/deepCoadd_calexp`)).toEqual(['tract=9813']);
      const found = leaves(`${view}/deepCoadd_calexp`);
      const type = catalogue.datasetType('deepCoadd_calexp')!;
      const query = {
        type,
        searchPath: catalogue.searchPath(['HSC/defaults']),
        constraint: new Map(),
        where: "tract=9813 and band in ('g','r')",
      };
      expect(found.length).toBe([...catalogue.query(query)].length);
      expect(found.length).toBeGreaterThan(3);
      expect(here.entry(`${view}/deepCoadd_calexp/tract=8766`)).toBeUndefined();
      expect(here.entry(`${view}/deepCoadd_calexp/band=i`)).toBeUndefined();
      // Another way to the same file, below another directory.
      const path = found[0]!.slice(view.length + 1);
      expect(here.follow(found[0]!).attributes.ino).toBe(here.follow(path).attributes.ino);
      expect(here.follow(`${view}/deepCoadd_calexp`).attributes.ino).not.toBe(here.follow('deepCoadd_calexp').attributes.ino);
    });

    it('goes with @by, @collections and another @where, in any order', () => {
      const deep = 'deepCoadd_calexp';
      expect(here.names(`@by/band/${where('tract=8766')}/${deep}`)).toEqual(['band=g', 'band=i', 'band=r']);
      expect(here.names(`${where('tract=8766')}/@by/band/${deep}`)).toEqual(['band=g', 'band=i', 'band=r']);
      const both = here.names(`${where('tract=8766')}/${where("band='i' or band='r'")}/@by/band/${deep}`);
      expect(both).toEqual(['band=i', 'band=r']);
      const tagged = `@collections/HSC%2Ftagged%2Fbest/${where("band='r'")}/${deep}`;
      expect(leaves(tagged).length).toBe(5);
      expect(leaves(`${where("band='r'")}/@collections/HSC%2Ftagged%2Fbest/${deep}`).length).toBe(5);
    });

    it('takes keys that only records or the sky relate to the type', () => {
      expect(here.names(`${where('visit = 1228')}/deepCoadd_calexp`)).toEqual(['tract=8766']);
      expect(here.names(`${where('visit = 1228')}/raw`)).toEqual(['exposure=1228']);
      expect(here.names(`${where("visit.timespan OVERLAPS (T'2014-03-26', T'2014-03-27')")}/calexp`)).toEqual(['visit=1228']);
      expect(here.names(`${where('visit = 1228')}/calexp`)).toEqual(['visit=1228']);
      expect(here.names(`${where("visit = 1230 and band = 'g'")}/objectTable_tract`)).toEqual(['tract=9813']);
      expect(here.entry(`${where("visit = 1230 and band = 'r'")}/objectTable_tract`)).toBeUndefined();
      // On the sky, but of another visit.
      expect(here.entry(`${where('visit = 1228 and tract = 9813')}/calexp`)).toBeUndefined();
    });

    it('of a broken expression says what is wrong, as EINVAL and in @explain', () => {
      for (const [expression, reason] of [
        ['visit =', 'the expression ends at column 8'],
        ['visits = 1', "unknown dimension 'visits' at column 1; did you mean 'visit'?"],
        ["visit = '1'", 'visit is an integer'],
        ['visit.exposure_tim > 3', "did you mean 'exposure_time'?"],
        ['patch.region OVERLAPS POINT(1, 2)', 'expressions cannot compare regions yet'],
        ['(', 'the expression ends at column 2'],
      ] as const) {
        const message = errorOf(() => here.follow(where(expression)));
        expect(message).toContain('usage EINVAL');
        expect(message).toContain(reason);
        expect(here.text(`@explain/${where(expression)}`)).toContain(reason);
      }
    });

    it('ends where it would hold up everybody else', () => {
      const type = catalogue.datasetType('calexp')!;
      const question = {
        type,
        searchPath: catalogue.searchPath(['HSC/defaults']),
        constraint: new Map(),
        keys: ['instrument', 'visit', 'detector'],
      };
      const ask = (patience?: number) => catalogue.directory({ ...question, rowLimit: 1000, where: 'patch < 20', patience });
      expect(errorOf(() => ask(0))).toContain('timed-out ETIMEDOUT');
      expect(ask().kind).toBe('rows');
      const pairs = { dimensions: ['visit', 'patch'], keys: ['visit', 'patch'], constraint: new Map() };
      expect(errorOf(() => [...catalogue.dataIds({ ...pairs, patience: 0 })])).toContain('timed-out');
      expect([...catalogue.dataIds(pairs)].length).toBeGreaterThan(18);
    });

    it('is ENOENT for a type that the expression says nothing of, and explained', () => {
      const path = `${where('tract = 8766')}/camera`;
      expect(errorOf(() => here.follow(path))).toContain('unknown-dimension ENOENT');
      expect(here.text(`@explain/${path}`)).toContain("dataset type 'camera' has no such key");
      const empty = `${where('tract = 1')}/deepCoadd_calexp`;
      expect(errorOf(() => here.follow(empty))).toContain('unknown-dataset-type ENOENT');
      expect(here.text(`@explain/${empty}`)).toContain('no dataset of it satisfies the expression');
    });

    it('explains what is below it', () => {
      const view = where("band = 'g'");
      const text = here.text(`@explain/${view}/deepCoadd_calexp/tract=8766/patch=30/explanation.txt`);
      expect(text).toContain("expression: band = 'g'");
      expect(text).toContain('its entries give band');
      expect(here.text(`@explain/${view}/deepCoadd_calexp/tract=8767`)).toContain('the nearest of 2 are tract=8766');
    });
  });

  describe('@dimensions', () => {
    it('lists data IDs whether they have data or not', () => {
      expect(here.names('@dimensions')).toEqual(
        ['band', 'day_obs', 'detector', 'exposure', 'group', 'instrument', 'patch', 'physical_filter', 'skymap', 'tract', 'visit'].concat([
          'visit_definition',
          'visit_detector_region',
          'visit_system',
          'visit_system_membership',
        ]),
      );
      expect(here.names('@dimensions/tract')).toEqual(['tract=8766', 'tract=9812', 'tract=9813', 'tract=9814']);
      expect(here.names('@dimensions/patch/tract=9812').length).toBe(81);
      expect(here.names('@dimensions/band')).toEqual(['band=g', 'band=i', 'band=r', 'band=y', 'band=z']);
      expect(here.names('@dimensions/visit/visit=1228')).toEqual(['record.json']);
      expect(here.names(`${where("band = 'g'")}/@dimensions/visit`)).toEqual([
        'visit=1228',
        'visit=1230',
        'visit=1240',
        'visit=1242',
        'visit=1252',
        'visit=1254',
      ]);
      expect(here.names(`${where('visit = 1228')}/@dimensions/patch`)).toEqual(['tract=8766']);
      expect(here.names('@by/detector/@dimensions/visit_detector_region')[0]).toBe('detector=13');
    });

    it('has each record as JSON, the key first', () => {
      const text = here.text('@dimensions/visit/visit=1228/record.json');
      const record = JSON.parse(text) as Record<string, unknown>;
      expect(Object.keys(record).slice(0, 2)).toEqual(['instrument', 'visit']);
      expect(record).toMatchObject({ instrument: 'HSC', visit: 1228, physical_filter: 'HSC-G', timespan_begin: '1395813600000000000' });
      expect(here.text('@dimensions/visit/visit=1228/record.json')).toBe(text);
      expect(JSON.parse(here.text('@dimensions/band/band=g/record.json'))).toEqual({ band: 'g' });
    });

    it('refuses what no record defines, and says so', () => {
      expect(errorOf(() => here.follow('@dimensions/vist'))).toContain("did you mean 'visit'?");
      expect(errorOf(() => here.follow('@dimensions/htm7'))).toContain('unknown-dimension ENOENT');
      expect(here.entry('@dimensions/visit/visit=1229')).toBeUndefined();
      expect(here.entry('@dimensions/visit/visit=1228/visit=1228')).toBeUndefined();
      expect(here.entry('@dimensions/visit/record.json')).toBeUndefined();
      expect(here.entry('@dimensions/visit/visit=1228/other.json')).toBeUndefined();
      expect(here.text('@explain/@dimensions/visit/visit=1229')).toContain('the nearest of 18 are visit=1228, visit=1230');
      expect(here.text('@explain/@dimensions/visit/visit=1228/explanation.txt')).toContain('a data ID that a dimension record defines');
    });
  });

  describe('@missing', () => {
    it('is what records define less what the search path has', () => {
      const missing = leaves('@missing/deepCoadd_calexp');
      const present = leaves('deepCoadd_calexp');
      const { dataIds } = catalogue;
      const query = { dimensions: ['patch', 'band'], keys: ['tract', 'patch', 'band'], constraint: new Map() };
      expect(missing.length + present.length).toBe([...dataIds.call(catalogue, query)].length);
      const dataId = /tract=\d+\/patch=\d+\/band=\w+/;
      const found = new Set(present.map((path) => dataId.exec(path)![0]));
      expect(missing.filter((path) => found.has(dataId.exec(path)![0]))).toEqual([]);
    });

    it('joins visits and detectors where a region relates them', () => {
      expect(here.names('@missing/calexp')).toEqual([]);
      const other = '@collections/u%2Fme%2Frerun1/@missing/calexp';
      expect(leaves(other).length).toBe(72);
      // Four detectors of 112 have regions in each of 18 visits.
      expect(catalogueCount(['visit', 'detector'])).toBe(72);
    });

    const catalogueCount = (dimensions: string[]): number =>
      [...catalogue.dataIds({ dimensions, keys: dimensions, constraint: new Map() })].length;

    it('goes with @by, @where and keys in any order, and explains each', () => {
      const view = `@by/band/${where('visit = 1228')}/@missing/deepCoadd_calexp`;
      expect(here.names(view)[0]).toBe('band=g');
      const leaf = '@missing/deepCoadd_calexp/band=y/patch=30/tract=8766';
      expect(here.names(leaf)).toEqual(['explanation.txt']);
      expect(here.text(`${leaf}/explanation.txt`)).toContain('missing: deepCoadd_calexp skymap=hsc_rings_v1 tract=8766 patch=30 band=y\n');
      const present = '@missing/deepCoadd_calexp/tract=8766/patch=30/band=g';
      expect(here.entry(present)).toBeUndefined();
      expect(here.text(`@explain/${present}`)).toContain('nothing is missing');
      expect(here.text('@explain/@missing/deepCoadd_calexp/tract=7')).toContain('no dimension record defines it');
      expect(here.text(`@explain/${leaf}/explanation.txt`)).toContain('a data ID that is missing');
    });

    it('refuses what records cannot say', () => {
      expect(here.names('@missing')).not.toContain('ps1_pv3_3pi_20170110');
      expect(errorOf(() => here.names('@missing/ps1_pv3_3pi_20170110'))).toContain('no dimension records of htm7');
      expect(errorOf(() => here.follow('@missing/deepCoad'))).toContain('unknown-dataset-type ENOENT');
    });
  });

  describe('@calibs', () => {
    it('has the calibrations of every exposure that the real butler finds', () => {
      const golden = JSON.parse(readFileSync(join(shared!, 'gen3-hsc.golden.json'), 'utf8')) as {
        datasets: [type: string, dataId: unknown, uuid: string][];
        lookups: [type: string, exposure: number | null, detector: number, collections: string[], answer: number | null][];
      };
      let checked = 0;
      for (const [type, exposure, detector, collections, answer] of golden.lookups) {
        if (exposure === null || collections.length > 1 || checked > 60) continue;
        const { names, entry } = treeOf(catalogue, scratch, { collections: ['HSC/raw/all', collections[0]!] });
        const directory = `raw/exposure=${exposure}/detector=${detector}/@calibs`;
        expect([type, exposure, detector, names(directory).includes(type)]).toEqual([type, exposure, detector, answer !== null]);
        expect(entry(`${directory}/${type}`) !== undefined).toBe(answer !== null);
        if (answer !== null) {
          const [file] = names(`${directory}/${type}`);
          const uuid = golden.datasets[answer]![2].replaceAll('-', '');
          const node = entry(`${directory}/${type}/${file}`)!;
          expect(node.attributes.ino).toBe(entryOf(uuid, type, collections[0]!));
        }
        checked++;
      }
      expect(checked).toBeGreaterThan(60);
    });

    /** The inode of a dataset in its own run. */
    const entryOf = (uuid: string, type: string, _collection: string): number => {
      const record = catalogue.datasetByUuid(uuid)!;
      const { required } = record.type.dimensions;
      const keys = required.map((name, index) => `${name}=${record.values[index]}`).join('/');
      const run = record.run.replaceAll('/', '%2F');
      const directory = `@collections/${run}/${type}/${keys}`;
      return here.follow(`${directory}/${here.names(directory)[0]}`).attributes.ino;
    };

    it('stands in visits as in exposures, and nowhere else', () => {
      expect(here.names('raw/exposure=1228/detector=13/@calibs')).toEqual(['bias', 'camera', 'dark', 'defects', 'flat']);
      expect(here.names('calexp/visit=1228/detector=13/@calibs')).toEqual(['bias', 'camera', 'dark', 'defects', 'flat']);
      expect(here.names('raw/exposure=1228/@calibs')).toEqual(['camera']);
      expect(here.names('calexp/visit=1228/detector=13/@calibs/flat')).toEqual(['flat_13_HSC-G.fits']);
      expect(here.entry('calexp/visit=1228/detector=13/@calibs/flat/flat.fits')).toBeDefined();
      expect(here.entry('deepCoadd_calexp/tract=8766/@calibs')).toBeUndefined();
      expect(here.names('raw/exposure=1228/detector=13')).not.toContain('@calibs');
    });

    it('says which ranges there are, where none or several are valid', () => {
      const only = treeOf(catalogue, scratch, { collections: ['HSC/raw/all', 'HSC/calib/2024B'] });
      const gap = 'raw/exposure=1240/detector=13';
      const outside = only.names('raw').find((name) => !only.names(`raw/${name}/detector=13/@calibs`).includes('bias'))!;
      const path = `raw/${outside}/detector=13/@calibs/bias`;
      expect(errorOf(() => only.follow(path))).toContain('unknown-value ENOENT');
      const text = only.text(`@explain/${path}`);
      expect(text).toContain('none is certified for it; the nearest of 2 are');
      expect(text).toContain("[2014-01-01T00:00:00, 2015-07-01T00:00:00) TAI in 'HSC/calib/2024B'");
      expect(only.text(`@explain/${gap}/@calibs/explanation.txt`)).toContain("camera: found in 'HSC/calib/2024B'");
      expect(only.text(`@explain/${gap}/@calibs/bia`)).toContain("did you mean 'bias'?");
      expect(only.text(`@explain/${gap}/@calibs/raw`)).toContain('datasets of this type are not calibrations');
      expect(only.text('@explain/raw/exposure=1240/@calibs/bias')).toContain('it also depends on detector; give detector=...');
    });

    it('looks where --calibs says, in the plain tree as well', () => {
      const chosen = treeOf(catalogue, scratch, { collections: ['HSC/defaults'], calibrations: { bias: ['HSC/calib/2024B'] } });
      expect(chosen.names('bias/detector=13').sort()).not.toEqual(here.names('bias/detector=13').sort());
      expect(chosen.names('dark/detector=13').sort()).toEqual(here.names('dark/detector=13').sort());
      const bias = 'raw/exposure=1228/detector=13/@calibs/bias/bias_13.fits';
      expect(chosen.follow(bias).attributes.ino).not.toBe(here.follow(bias).attributes.ino);
      expect(chosen.text('@explain/bias/explanation.txt')).toContain('searched for bias in place of these: HSC/calib/2024B');
      // One collection is that collection, whatever was chosen.
      expect(chosen.names('@collections/HSC%2Fcalib%2F2024A/bias/detector=13').length).toBe(3);
      const choose = (calibrations: Record<string, string[]>) => () => treeOf(catalogue, scratch, { calibrations });
      expect(errorOf(choose({ bia: ['HSC/calib/2024B'] }))).toContain("did you mean 'bias'?");
      expect(errorOf(choose({ bias: ['HSC/calib/2025'] }))).toContain('unknown-collection');
    });
  });

  it('are listed nowhere', () => {
    for (const path of ['/', where('visit=1228'), 'raw', 'raw/exposure=1228', '@where', '@by']) {
      expect(here.names(path).filter((name) => name.startsWith('@'))).toEqual([]);
    }
  });

  it('answer every odd name with an error of the table, and change nothing', () => {
    const before = catalogue.info.datasets;
    const odd = [
      "' OR 1=1 --",
      '"; drop table dataset; --',
      'x'.repeat(4096),
      '\u00e9',
      'e\u0301',
      '\0',
      '..',
      '%',
      '%zz',
      '%00',
      '%ff',
      '\ud800',
      '9007199254740993',
      '-1',
      '1e3',
      '',
      '('.repeat(4000),
      '@where',
    ];
    const places = ['', '@where', '@missing', '@dimensions', '@calibs', '@collections', '@by', '@explain'];
    const keys = [
      'raw/exposure=1228/detector=13/@calibs',
      '@missing/raw',
      '@dimensions/visit',
      '@missing/calexp/visit=1228',
      where('visit=1228'),
    ];
    for (const text of odd) {
      for (const place of [...places, ...keys]) {
        for (const name of [text, `visit=${text}`, `physical_filter=${text}`]) {
          const path = place.split('/').filter((part) => part !== '');
          const message = errorOf(() => {
            let { node } = here.follow(path.join('/'));
            node = (here.tree.lookup(node, name) as { node: number }).node;
            return node;
          });
          expect([place, name.slice(0, 40), message.slice(0, 80)]).toEqual([
            place,
            name.slice(0, 40),
            expect.not.stringMatching(/^(internal|Error|TypeError|RangeError|SqliteError)/),
          ]);
        }
      }
    }
    expect(catalogue.info.datasets).toBe(before);
    expect(here.names('/').length).toBe(12);
  });
});
