/** docs/paths.md, rule by rule, on a small repository, without a kernel. */

import type { DirectorySink } from '../fs/contract.js';
import { Database } from '../registry/sqlite/driver.js';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ButlerfsError } from '../common/errors.js';
import type { Catalogue } from '../registry/contract.js';
import { CHAIN, RERUN, SURVEY_RUN, writeSmallRepository } from '../scripts/repository/repository.js';
import { sharedData } from './shared.js';
import { catalogueOf, treeOf, type TreeOf } from './support/tree-of.js';

let scratch: string;
let repository: string;
let catalogue: Catalogue;
let here: TreeOf;
let patch: number;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-paths-'));
  repository = join(scratch, 'repository');
  const written = writeSmallRepository(repository, {
    tracts: [8766, 9813],
    patches: 3,
    bands: ['g', 'i'],
    visits: 2,
    detectors: 2,
    pixels: 8,
  });
  patch = Number(written.find(({ run }) => run === RERUN)!.dataId['patch']);
  catalogue = catalogueOf(repository, scratch);
  here = treeOf(catalogue, scratch, { collections: [CHAIN] });
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof ButlerfsError ? error.code : String(error);
  }
}

describe('paths are data IDs', () => {
  it('rule 1: the root lists dataset types that hold data', () => {
    expect(here.names('/')).toEqual(['calexp', 'deepCoadd_calexp']);
    expect(codeOf(() => here.follow('deepCoad_calexp'))).toBe('unknown-dataset-type');
  });

  it('rule 2: each level lists the values of the next key, integers by size', () => {
    expect(here.names('deepCoadd_calexp')).toEqual(['tract=8766', 'tract=9813']);
    const patches = here.names('deepCoadd_calexp/tract=8766').map((name) => Number(name.replace('patch=', '')));
    expect(patches).toEqual([...patches].sort((a, b) => a - b));
    expect(here.names(`deepCoadd_calexp/tract=8766/patch=${patch}`)).toEqual(['band=g', 'band=i']);
    expect(here.names('calexp')[0]).toMatch(/^visit=\d+$/);
  });

  it('rule 3: any order is the same inode; the file is the same node', () => {
    const orders = [`tract=8766/patch=${patch}/band=i`, `band=i/tract=8766/patch=${patch}`, `patch=${patch}/band=i/tract=8766`];
    const leaves = orders.map((order) => here.follow(`deepCoadd_calexp/${order}`).attributes.ino);
    expect(new Set(leaves).size).toBe(1);
    const file = `deepCoadd_calexp_8766_${patch}_i.fits`;
    const nodes = orders.map((order) => here.follow(`deepCoadd_calexp/${order}/${file}`).node);
    expect(new Set(nodes).size).toBe(1);
    expect(here.names('@by/band,tract/deepCoadd_calexp')).toEqual(['band=g', 'band=i']);
    expect(here.names('@by/band,tract/deepCoadd_calexp/band=g')).toEqual(['tract=8766', 'tract=9813']);
    expect(codeOf(() => here.follow('@by/bands'))).toBe('unknown-dimension');
    expect(codeOf(() => here.follow('@by/band,band'))).toBe('unknown-dimension');
  });

  it('inodes of siblings ascend with their values, and are all different', () => {
    const { node } = here.follow('deepCoadd_calexp/tract=8766');
    const inodes: number[] = [];
    const add: DirectorySink['add'] = (_name, _next, _type, _ino, entry) => void (entry && inodes.push(entry.attributes.ino));
    here.tree.list(node, { low: 0, high: 0 }, { plus: true, fits: () => true, add });
    expect(inodes.length).toBeGreaterThan(2);
    expect(inodes).toEqual([...new Set(inodes)].sort((a, b) => a - b));
  });

  it('rule 4: governors with one value are left out of listings and resolve', () => {
    expect(here.follow('calexp').attributes.ino).toBe(here.follow('calexp/instrument=DemoCam').attributes.ino);
    expect(codeOf(() => here.follow('calexp/instrument=HSC'))).toBe('unknown-value');
  });

  it('rule 5: aliases, x,y patches and implied keys that agree', () => {
    const visit = here.names('calexp')[0]!;
    const canonical = here.follow(`calexp/${visit}/detector=1`).attributes.ino;
    for (const alias of ['ccd', 'ccdnum', 'sensor']) expect(here.follow(`calexp/${visit}/${alias}=1`).attributes.ino).toBe(canonical);
    const band = ['g', 'i'].filter((one) => here.entry(`calexp/${visit}/detector=1/band=${one}`) !== undefined);
    expect(band).toHaveLength(1);
    expect(here.follow(`calexp/${visit}/detector=1/band=${band[0]}`).attributes.ino).toBe(canonical);
    expect(here.names(`calexp/band=${band[0]}`)).toContain(visit);
    const xy = `${patch % 9},${Math.floor(patch / 9)}`;
    expect(here.follow(`deepCoadd_calexp/tract=8766/patch=${xy}`).attributes.ino).toBe(
      here.follow(`deepCoadd_calexp/tract=8766/patch=${patch}`).attributes.ino,
    );
  });

  it('unknown names do not resolve: type, key, value, value of the wrong type, a key given twice', () => {
    const wrong: [string, string][] = [
      ['nothing', 'unknown-dataset-type'],
      ['calexp/tract=1', 'unknown-dimension'],
      ['calexp/visit=1', 'unknown-value'],
      ['calexp/visit=one', 'invalid-value'],
      ['calexp/visit', 'unknown-path'],
      ['deepCoadd_calexp/tract=08766', 'invalid-value'],
      ['deepCoadd_calexp/tract=8766/tract=8766', 'unknown-value'],
      [`deepCoadd_calexp/tract=8766/patch=${patch}/band=i/other.fits`, 'unknown-path'],
      ['@nothing', 'unknown-path'],
      ['@collections/nothing', 'unknown-collection'],
    ];
    for (const [path, code] of wrong) expect([path, codeOf(() => here.follow(path))]).toEqual([path, code]);
  });

  it('rule 7: the leaf holds the file under its long name; the short one resolves unlisted', () => {
    const leaf = `deepCoadd_calexp/tract=8766/patch=${patch}/band=i`;
    expect(here.names(leaf)).toEqual([`deepCoadd_calexp_8766_${patch}_i.fits`]);
    expect(here.follow(`${leaf}/deepCoadd_calexp.fits`).node).toBe(here.follow(`${leaf}/${here.names(leaf)[0]}`).node);
    expect(here.names(leaf)).toHaveLength(1);
  });

  it('find-first: the rerun overrides the survey, and each collection shows its own', () => {
    const leaf = `deepCoadd_calexp/tract=8766/patch=${patch}/band=g/deepCoadd_calexp.fits`;
    const runOf = (path: string) => here.tree.attribute(here.follow(path).node, 'user.butler.run')?.toString();
    expect(runOf(leaf)).toBe(RERUN);
    expect(runOf(`@collections/${encodeURIComponent(SURVEY_RUN)}/${leaf}`)).toBe(SURVEY_RUN);
    expect(here.names('@collections')).toEqual([SURVEY_RUN, CHAIN, RERUN].map((name) => name.replaceAll('/', '%2F')).sort());
    expect(here.names(`@collections/${encodeURIComponent(RERUN)}`)).toEqual(['deepCoadd_calexp']);
  });

  it('rule 8: operators are listed nowhere; @explain says why a path fails and names the nearest', () => {
    expect(here.names('/').filter((name) => name.startsWith('@'))).toEqual([]);
    expect(here.text('@explain/deepCoadd_calex')).toContain("did you mean 'deepCoadd_calexp'?");
    expect(here.text('@explain/deepCoadd_calexp/tract=8767')).toContain('tract=8766');
    expect(here.text('@explain/deepCoadd_calexp%2Ftracts=8766')).toContain("did you mean 'tract'?");
    expect(here.text('@explain/deepCoadd_calexp/tract=north')).toContain('values here are tract=8766, tract=9813');
    expect(here.text('@explain/@repo/demo/runs/w_0')).toContain("did you mean 'w_01'?");
    expect(here.text('@explain/@by/bands')).toContain("did you mean 'band'");
    expect(here.text('@explain/@collections/u%2Fmee')).toContain("did you mean 'u/me/");
    expect(here.text('@explain/deepCoadd_calexp/tract=8766/explanation.txt')).toContain('its entries give patch');
    expect(here.text(`@explain/deepCoadd_calexp/tract=8766/patch=${patch}/band=i/deepCoadd_calexp.fits`)).toContain(
      `origin: https://archive.example/hsc/demo/runs/w_01/deepCoadd_calexp/8766/${patch}/i/`,
    );
  });

  it("rule 8: @repo is the repository's own layout", () => {
    expect(here.names('@repo')).toEqual(['butler.yaml', 'demo', 'gen3.sqlite3', 'u']);
    expect(here.entry('@repo/demo/runs/w_01/nothing')).toBeUndefined();
  });

  it('rule 9: extended attributes', () => {
    const visit = here.names('calexp')[0]!;
    const { node } = here.follow(`calexp/${visit}/detector=1/calexp.fits`);
    const get = (name: string) => here.tree.attribute(node, `user.butler.${name}`)?.toString();
    const names = here.tree.attributeNames(node).toString().split('\0');
    expect(names.map((name) => name.replace('user.butler.', ''))).toEqual(
      expect.arrayContaining(['type', 'dataid', 'uuid', 'run', 'collection', 'digest', 'origin', 'cached', 'packed', 'handle']),
    );
    expect(JSON.parse(get('dataid')!)).toMatchObject({ instrument: 'DemoCam', detector: 1, visit: Number(visit.slice(6)) });
    expect(JSON.parse(get('handle')!)).toMatchObject({ type: 'calexp', uuid: get('uuid') });
    expect(get('cached')).toBe('no');
    expect(get('digest')).toMatch(/^blake2b512:[0-9a-f]{128}$/);
    expect(Number(get('packed'))).toBeGreaterThan(0);
    expect(get('nothing')).toBeUndefined();
    expect(here.tree.attributeNames(1)).toHaveLength(0);
  });
});

describe('an update of the catalogue', () => {
  it('tells the kernel exactly what changed', () => {
    const changed = join(scratch, 'changed');
    cpSync(repository, changed, { recursive: true });
    const before = catalogueOf(changed, scratch, 10);
    const mount = treeOf(before, scratch, { collections: [SURVEY_RUN] });
    const tract = mount.follow('deepCoadd_calexp/tract=8766').node;
    const [gone, stays] = mount.names('deepCoadd_calexp/tract=8766') as [string, string];
    const goneNode = mount.follow(`deepCoadd_calexp/tract=8766/${gone}`).node;
    mount.names(`deepCoadd_calexp/tract=8766/${gone}`);
    mount.names(`deepCoadd_calexp/tract=8766/${stays}`);
    mount.names('calexp');
    const registry = new Database(join(changed, 'gen3.sqlite3'));
    const tags = (
      registry.prepare("select tag_association_table as name from dataset_type where name = 'deepCoadd_calexp'").get() as { name: string }
    ).name;
    registry.exec(`delete from ${tags} where tract = 8766 and patch = ${gone.slice(6)}`);
    registry.close();
    const after = catalogueOf(changed, scratch, 11);
    const invalidations = mount.tree.replaceCatalogue(after);
    before.close();
    expect(invalidations).toContainEqual({ kind: 'node', node: tract });
    expect(invalidations).toContainEqual({ kind: 'entry', parent: tract, name: gone });
    expect(invalidations.filter((one) => one.kind === 'entry' && one.name === stays)).toEqual([]);
    const calexp = mount.follow('calexp').node;
    expect(invalidations).not.toContainEqual({ kind: 'node', node: calexp });
    expect(mount.names('deepCoadd_calexp/tract=8766')).not.toContain(gone);
    expect(mount.entry(`deepCoadd_calexp/tract=8766/${gone}`)).toBeUndefined();
    mount.tree.forget(goneNode, 1000);
    after.close();
  });
});

describe('inodes', () => {
  it('are dropped when the kernel has forgotten them, and the same again when it asks anew', () => {
    const { tree, follow } = treeOf(catalogue, scratch);
    const first = follow('calexp');
    const size = tree.size;
    tree.forget(first.node, 1);
    expect(tree.size).toBe(size - 1);
    const again = follow('calexp');
    expect(again.node).not.toBe(first.node);
    expect(again.attributes.ino).toBe(first.attributes.ino);
  });
});

const shared = sharedData();

describe.skipIf(shared === undefined)('several calibrations for one data ID', () => {
  it('are a file each, which says when it is valid; the plain name is ENOTUNIQ and is explained', () => {
    const calibrated = catalogueOf(join(shared!, 'gen3-hsc'), scratch, 20);
    try {
      const { names, follow, text } = treeOf(calibrated, scratch, { collections: ['HSC/calib/2024A'] });
      const all = [
        'bias_13_from-20150101T000000_until-20160601T000000.fits',
        'bias_13_from-20160601T000000.fits',
        'bias_13_until-20150101T000000.fits',
      ];
      expect(names('bias/detector=13').sort()).toEqual(all);
      for (const plain of ['bias.fits', 'bias_13.fits']) {
        expect(() => follow(`bias/detector=13/${plain}`)).toThrow(expect.objectContaining({ code: 'ambiguous', errno: 'ENOTUNIQ' }));
        for (const name of all) expect(text(`@explain/bias/detector=13/${plain}`)).toContain(name);
      }
    } finally {
      calibrated.close();
    }
  });
});
