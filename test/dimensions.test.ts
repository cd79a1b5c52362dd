/** Aliases, several instruments and flavors of coadds (docs/paths.md), on a repository with two instruments, without a kernel. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import type { Catalogue, RepositoryNames } from '../registry/contract.js';
import { sharedData } from './shared.js';
import { indexGen2 } from './support/gen2.js';
import { catalogueOf, treeOf, type TreeOf } from './support/tree-of.js';
import { ALL, HSC_RUN, writeTwoInstruments } from './support/two-instruments.js';

let scratch: string;
let catalogue: Catalogue;
let here: TreeOf;

const names: RepositoryNames = {
  aliases: {
    chip: [
      { means: 'detector', instrument: 'DECam', values: { south: 1, north: 'N4' } },
      { means: 'detector', instrument: 'HSC', values: { middle: 2 } },
    ],
    ccdname: { means: 'detector', field: 'full_name', instrument: 'DECam' },
    shot: { means: 'visit', field: 'name' },
    camera: 'instrument',
  },
  flavors: { coadd_calexp: { best: 'bestOfAll' } },
};

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-dimensions-'));
  writeTwoInstruments(join(scratch, 'repository'));
  catalogue = catalogueOf(join(scratch, 'repository'), scratch);
  here = treeOf(catalogue, scratch, { collections: [ALL], names });
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

const inode = (path: string, tree = here): number => tree.follow(path).attributes.ino;

function errorOf(work: () => unknown): ButlerfsError {
  try {
    work();
  } catch (error) {
    if (error instanceof ButlerfsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('two instruments', () => {
  it('are a level of their own, with the data of each, and no default is inferred', () => {
    expect(here.names('calexp')).toEqual(['instrument=DECam', 'instrument=HSC']);
    expect(here.names('calexp/instrument=DECam')).toEqual(['visit=1228', 'visit=4000']);
    expect(here.names('calexp/instrument=HSC/visit=1228')).toEqual(['detector=1', 'detector=2']);
    expect(here.names('calexp/instrument=HSC/visit=1228/detector=1')).toEqual(['calexp_HSC_1228_1.txt']);
    expect(here.names('calexp/visit=1228/detector=1')).toEqual(['instrument=DECam', 'instrument=HSC']);
    expect(inode('calexp/instrument=HSC/visit=1228')).not.toBe(inode('calexp/instrument=DECam/visit=1228'));
    expect(here.entry('calexp/visit=4000/instrument=HSC')).toBeUndefined();
  });

  it('need not be given where the mount has a default, or the collections hold one only', () => {
    const ofDecam = treeOf(catalogue, scratch, { collections: [ALL], defaults: { instrument: 'DECam' } });
    expect(ofDecam.names('calexp')).toEqual(['visit=1228', 'visit=4000']);
    expect(ofDecam.names('calexp/visit=1228/detector=1')).toEqual(['calexp_1228_1.txt']);
    expect(ofDecam.names('calexp/instrument=HSC/visit=1228')).toEqual(['detector=1', 'detector=2']);
    expect(here.names(`@collections/${encodeURIComponent(HSC_RUN)}/calexp`)).toEqual(['visit=1228']);
  });
});

describe('aliases', () => {
  const hsc = 'calexp/instrument=HSC/visit=1228';
  const decam = 'calexp/instrument=DECam/visit=1228';

  it.each([
    [`${decam}/ccd=31`, `${decam}/detector=31`],
    [`${decam}/detector=N4`, `${decam}/detector=31`],
    [`${decam}/ccd=S29`, `${decam}/detector=1`],
    [`${hsc}/ccd=1_54`, `${hsc}/detector=2`],
    [`${decam}/chip=south`, `${decam}/detector=1`],
    [`${decam}/chip=north`, `${decam}/detector=31`],
    [`${decam}/chip=2`, `${decam}/detector=2`],
    [`${hsc}/chip=middle`, `${hsc}/detector=2`],
    [`${decam}/ccdname=S30`, `${decam}/detector=2`],
    ['calexp/instrument=HSC/pointing=1228', hsc],
    ['calexp/camera=HSC/shot=HSC1228', hsc],
    ['flat/instrument=HSC/detector=1/filter=HSC-I', 'flat/instrument=HSC/detector=1/physical_filter=HSC-I'],
    ['flat/instrument=HSC/detector=1/filter=r', 'flat/instrument=HSC/detector=1/band=r'],
    ['flat/instrument=DECam/detector=1/filter=r', 'flat/instrument=DECam/detector=1/physical_filter=r'],
    ['deepCoadd_calexp/tract=8766/patch=4,5/filter=HSC-I', 'deepCoadd_calexp/tract=8766/patch=49/band=i'],
    ['deepCoadd_calexp/tract=8766/patch=49/filter=i DECam', 'deepCoadd_calexp/tract=8766/patch=49/band=i'],
    ['deepCoadd_calexp/tract=8766/patch=49/filter=r', 'deepCoadd_calexp/tract=8766/patch=49/band=r'],
    ['@by/ccd,visit/calexp', '@by/detector,visit/calexp'],
    [`@by/chip,filter/${hsc}`, `@by/detector,physical_filter/${hsc}`],
  ])('%s is %s', (alias, canonical) => {
    expect(inode(alias)).toBe(inode(canonical));
  });

  it.each([
    [`${hsc}/ccdname=1_53`, 'unknown-dimension', 'it means detector for instrument DECam only; write detector=...'],
    ['calexp/visit=1228/ccdname=S29', 'unknown-dimension', 'put instrument=DECam before it'],
    ['calexp/visit=1228/detector=S29', 'ambiguous', 'put instrument=DECam before it'],
    [`${hsc}/chip=south`, 'invalid-value', "'south' of detector"],
    [`${hsc}/detector=S29`, 'invalid-value', "'S29' of detector"],
    [`${decam}/ccdname=S99`, 'unknown-value', 'no detector has it as its full_name'],
    [`${decam}/chop=1`, 'unknown-dimension', "did you mean 'chip'"],
    ['deepCoadd_calexp/filter=wide', 'ambiguous', 'another band in another instrument: i, r'],
    ['deepCoadd_calexp/physical_filter=HSC-I', 'unknown-dimension', "did you mean 'band=i'?"],
    ['@by/chop', 'unknown-dimension', "did you mean 'chip'"],
  ])('%s: %s', (path, code, message) => {
    const error = errorOf(() => here.follow(path));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(here.text(`@explain/${path.replaceAll('/', '%2F')}`)).toContain(message);
  });

  it('are listed nowhere', () => {
    expect(here.names(decam)).toEqual(['detector=1', 'detector=2', 'detector=31']);
  });

  it('of the repository come after those of the user and before the common ones', () => {
    const repository = catalogueOf(join(scratch, 'repository'), scratch, 2, { aliases: { ccd: 'visit', chip: 'visit', shutter: 'visit' } });
    try {
      const user = treeOf(repository, scratch, { collections: [ALL], names, defaults: { instrument: 'HSC' } });
      expect(user.names('calexp/ccd=1228')).toEqual(['detector=1', 'detector=2']);
      expect(user.names('calexp/shutter=1228')).toEqual(['detector=1', 'detector=2']);
      expect(user.names('calexp/chip=middle')).toEqual(['visit=1228', 'visit=1230']);
      expect(repository.info.names).toEqual({ aliases: { ccd: 'visit', chip: 'visit', shutter: 'visit' } });
    } finally {
      repository.close();
    }
  });

  const select = (where: string, type: string): string[] =>
    [
      ...catalogue.query({
        where,
        ...names,
        type: catalogue.datasetType(type)!,
        searchPath: catalogue.searchPath([ALL]),
        constraint: new Map(),
      }),
    ].map(({ values }) => values.join(' '));

  it.each([
    ['ccd = 31', ['DECam 1228 31', 'DECam 4000 31']],
    ["ccd = 'N4' OR detector = '1_54'", ['DECam 1228 31', 'DECam 4000 31', 'HSC 1228 2', 'HSC 1230 2']],
    ["pointing = 1228 AND ccd IN ('S29', '1_53', 31)", ['DECam 1228 1', 'DECam 1228 31', 'HSC 1228 1']],
    ["detector != 'S29' AND visit = 1228 AND detector = 1", ['HSC 1228 1']],
    ["chip = 'middle'", ['HSC 1228 2', 'HSC 1230 2']],
    ["chip IN ('south', 31)", ['DECam 1228 1', 'DECam 1228 31', 'DECam 4000 1', 'DECam 4000 31']],
    ["NOT chip = 'middle' AND visit = 1228", ['DECam 1228 1', 'DECam 1228 2', 'DECam 1228 31', 'HSC 1228 1']],
    ["ccdname = 'S29' AND visit = 1228", ['DECam 1228 1']],
    ["NOT (ccdname = 'S29') AND visit = 1228", ['DECam 1228 2', 'DECam 1228 31']],
    ["ccdname GLOB 'S*' AND visit = 1228", ['DECam 1228 1', 'DECam 1228 2']],
    ["shot = 'HSC1228'", ['HSC 1228 1', 'HSC 1228 2']],
    ["ccd.full_name = 'N4' AND visit = 1228", ['DECam 1228 31']],
    ["filter = 'HSC-I'", ['HSC 1228 1', 'HSC 1228 2']],
    ["filter IN ('i') AND detector = 1", ['DECam 4000 1', 'HSC 1228 1']],
  ])('%s', (where, expected) => {
    expect(select(where, 'calexp')).toEqual(expected);
  });

  it('make a filter of a coadd its band in expressions', () => {
    expect(select("filter = 'HSC-I'", 'deepCoadd_calexp')).toEqual(['rings 8766 49 i']);
    expect(select("filter != 'HSC-I'", 'deepCoadd_calexp')).toEqual(['rings 8766 49 r']);
    expect(select("filter IN ('HSC-R', 'i DECam') AND patch = '4,5'", 'deepCoadd_calexp')).toEqual(['rings 8766 49 i', 'rings 8766 49 r']);
    expect(here.names("@where/filter='HSC-R'/deepCoadd_calexp/tract=8766/patch=49")).toEqual(['band=r']);
    expect(errorOf(() => select('chop = 1', 'calexp')).message).toContain("did you mean 'chip'");
  });
});

describe('flavors of coadds', () => {
  const deep = 'deepCoadd_calexp/tract=8766/patch=49/band=i';

  it('are a level that is listed in no root', () => {
    expect(here.names('/').filter((name) => name.startsWith('coadd'))).toEqual([]);
    expect(here.names('coadd_calexp')).toEqual(['flavor=best', 'flavor=deep', 'flavor=goodSeeing']);
    expect(here.names('coadd')).toEqual(['flavor=deep', 'flavor=template']);
    expect(here.names('coadd_predetection')).toEqual(['flavor=deep']);
    expect(here.entry('coadd_metadata')).toBeUndefined();
    expect(here.names('coadd_calexp/flavor=deep')).toEqual(['tract=8766']);
    expect(here.names('coadd_calexp/flavor=deep/tract=8766/patch=49/band=i')).toEqual(['deepCoadd_calexp_8766_49_i.txt']);
  });

  it.each([
    ['coadd_calexp/flavor=deep', 'deepCoadd_calexp'],
    ['coadd_calexp/flavor=deep/tract=8766/patch=49/band=i', deep],
    ['coadd_calexp/flavour=deep/tract=8766/patch=49/band=i', deep],
    ['coadd_calexp/tract=8766/flavor=deep/patch=49/band=i', deep],
    ['coadd_calexp/band=i/patch=4,5/tract=8766/flavor=deep', deep],
    ['coadd_calexp/flavor=deep/filter=HSC-I/patch=4,5/tract=8766', deep],
    ['coadd_calexp/flavor=best/tract=8766', 'bestOfAll/tract=8766'],
    ['coadd/flavor=template/tract=8766', 'template_coadd/tract=8766'],
    ['coadd_predetection/flavor=deep', 'deep_coadd_predetection'],
    ['@by/band/coadd_calexp/flavor=deep/band=i', '@by/band/deepCoadd_calexp/band=i'],
    ["@where/band='r'/coadd_calexp/flavor=deep", "@where/band='r'/deepCoadd_calexp"],
    ["@where/flavor='deep'/deepCoadd_calexp", "@where/flavor='deep'/deepCoadd_calexp"],
    [`@collections/${encodeURIComponent(ALL)}/coadd_calexp/flavor=deep`, `@collections/${encodeURIComponent(ALL)}/deepCoadd_calexp`],
  ])('%s is %s', (path, canonical) => {
    expect(inode(path)).toBe(inode(canonical));
  });

  it('lead to the same file', () => {
    const file = 'deepCoadd_calexp_8766_49_i.txt';
    expect(here.follow(`coadd_calexp/flavor=deep/tract=8766/patch=49/band=i/${file}`).node).toBe(here.follow(`${deep}/${file}`).node);
  });

  it('list only what holds data of the keys given before, and of the view', () => {
    expect(here.names('coadd_calexp/band=r')).toEqual(['flavor=deep']);
    expect(here.names("@where/band='r'/coadd_calexp")).toEqual(['flavor=deep']);
    expect(here.entry("@where/band='z'/coadd_calexp")).toBeUndefined();
    expect(here.entry(`@collections/${encodeURIComponent(HSC_RUN)}/coadd_calexp`)).toBeUndefined();
  });

  it('can be selected by an expression', () => {
    expect(here.names("@where/flavor='deep'")).toEqual(['deepCoadd', 'deepCoadd_calexp', 'deep_coadd_predetection']);
    expect(here.names("@where/flavor GLOB '[bt]e*' OR flavor = 'goodSeeing'")).toEqual(['goodSeeingCoadd_calexp']);
    expect(here.names("@where/flavor IN ('best', 'template')")).toEqual(['bestOfAll', 'template_coadd']);
    expect(here.names('@where/flavor IS NULL')).toEqual(['assembleCoadd_metadata', 'calexp', 'flat']);
    expect(here.names("@where/NOT flavor = 'deep'")).toEqual([
      'bestOfAll',
      'goodSeeingCoadd_calexp',
      'nightlyCoadd',
      'nightly_coadd',
      'template_coadd',
    ]);
  });

  it.each([
    ['coadd_calexp/flavor=dep', 'unknown-value', "did you mean 'flavor=deep'?"],
    ['coadd_calexp/flavor=dep/tract=8766', 'unknown-value', "did you mean 'flavor=deep'?"],
    ['coadd_calexp/flavor=zzz', 'unknown-value', 'flavors here: best, deep, goodSeeing'],
    ['coadd_calex', 'unknown-dataset-type', "'coadd_calexp'"],
    ['coadd_calexp/tracts=8766', 'unknown-dimension', "did you mean 'tract'?"],
    ['coadd_calexp/flavor=deep/tract=8767', 'unknown-value', 'tract=8767'],
  ])('%s: %s', (path, code, message) => {
    const error = errorOf(() => here.follow(path));
    expect(error.code).toBe(code);
    expect(here.text(`@explain/${path.replaceAll('/', '%2F')}`)).toContain(message);
  });

  it('are explained', () => {
    expect(here.text('@explain/coadd_calexp/explanation.txt')).toContain('coadds: coadd_calexp; flavors: best, deep, goodSeeing');
    const text = here.text('@explain/coadd_calexp/tract=8766/flavor=deep/patch=49/band=i/deepCoadd_calexp.txt');
    expect(text).toContain('dataset type: deepCoadd_calexp');
    expect(text).toContain('result: a dataset file');
  });

  it('that are written in both ways are refused by name, not listed, and settled by a configuration', () => {
    const error = errorOf(() => here.follow('coadd/flavor=nightly'));
    expect(error.errno).toBe('ENOTUNIQ');
    expect(error.message).toContain("'nightlyCoadd' and 'nightly_coadd' are both of this flavor");
    const settled = treeOf(catalogue, scratch, { names: { flavors: { coadd: { nightly: 'nightly_coadd' } } } });
    expect(settled.names('coadd')).toEqual(['flavor=deep', 'flavor=nightly', 'flavor=template']);
    expect(settled.names('coadd/flavor=nightly/tract=8766/patch=49')).toEqual(['band=r']);
  });
});

const shared = sharedData();

describe.skipIf(shared === undefined)('pointings of a Gen2 repository', () => {
  it('are their own numbers, and name a visit where it is the only one', async () => {
    const { catalogue: gen2 } = await indexGen2(join(shared!, 'gen2-hsc'), scratch, { version: 30 });
    try {
      const tree = treeOf(gen2, scratch);
      expect(tree.names('@where/pointing=1052/calexp')).toEqual(['visit=1228', 'visit=1230']);
      const error = errorOf(() => tree.follow('calexp/pointing=1052'));
      expect([error.errno, error.message]).toEqual(['ENOTUNIQ', expect.stringContaining('give one of visit=1228, visit=1230')]);
      expect(errorOf(() => tree.follow('calexp/pointing=1')).code).toBe('unknown-value');
    } finally {
      gen2.close();
    }
  });
});
