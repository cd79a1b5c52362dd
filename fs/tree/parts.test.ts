/** Components that no catalogue knows, and cut-outs, in the tree: what resolves, what is asked for, and what an update takes back. */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openReader } from '../../cache/reader.js';
import type { ObjectRequest } from '../../cache/contract.js';
import { ButlerfsError } from '../../common/errors.js';
import type { Catalogue } from '../../registry/contract.js';
import { Database } from '../../registry/sqlite/driver.js';
import { writeSmallRepository } from '../../scripts/repository/repository.js';
import { catalogueOf } from '../../test/support/tree-of.js';
import { type Entry, isWaiting, type NodeId, ROOT, type Waiting } from '../contract.js';
import { readFully } from '../read-fully.js';
import { Tree } from './tree.js';

const LEAF = 'detector=1';
let scratch: string;
let repository: string;
let catalogue: Catalogue;
let visit: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'butlerfs-parts-'));
  repository = join(scratch, 'repository');
  const written = writeSmallRepository(repository, { tracts: [8766], patches: 1, bands: ['g'], visits: 1, detectors: 3, pixels: 8 });
  visit = `visit=${Number(written.find(({ type }) => type === 'calexp')!.dataId['visit'])}`;
  // Of detector 2 the image is stored apart, and there is no file of the whole.
  const registry = new Database(join(repository, 'gen3.sqlite3'));
  const { path } = written.find(({ type, dataId }) => type === 'calexp' && dataId['detector'] === 2)!;
  registry.prepare("UPDATE file_datastore_records SET component = 'image' WHERE path = ?").run(path);
  registry.close();
  catalogue = catalogueOf(repository, scratch);
});

afterAll(() => {
  catalogue.close();
  rmSync(scratch, { recursive: true });
});

/** A tree whose files all turn out to have 5760 bytes, and what it asked for. */
function treeOver(served: Catalogue) {
  const directory = join(scratch, 'cache');
  mkdirSync(directory, { recursive: true });
  const asked: ObjectRequest[] = [];
  const never = <T>(): Waiting<T> => ({ begin: () => undefined, abort: () => undefined });
  const tree = new Tree({
    catalogue: served,
    content: {
      reader: openReader({ directory, verify: 'fetch' }),
      request: ({ location, size, checksum }, identity) => ({
        origin: `https://archive.example/${location}`,
        identity,
        ...(size === null ? {} : { size }),
        ...(checksum === null ? {} : { digest: { algorithm: 'blake2b512', hex: checksum } }),
      }),
      size: (request) => {
        asked.push(request);
        return { begin: (settle) => settle({ value: { size: 5760 } }), abort: () => undefined };
      },
      onHit: () => undefined,
      open: never,
      readPartial: never,
      advance: () => undefined,
      closePartial: () => undefined,
      expect: () => undefined,
      status: never,
      read: readFully,
    },
    view: { collections: [], order: [] },
    defaults: new Map(),
    names: {},
    owner: { uid: 0, gid: 0 },
  });
  const lookup = (parent: NodeId, name: string): Entry => {
    const answer = tree.lookup(parent, name);
    let entry: Entry | undefined;
    if (!isWaiting<Entry>(answer)) entry = answer;
    else answer.begin((outcome) => (entry = 'value' in outcome ? outcome.value : undefined));
    return { node: entry!.node, attributes: { ...entry!.attributes } };
  };
  const follow = (path: string): Entry => path.split('/').reduce((entry, name) => lookup(entry.node, name), { node: ROOT } as Entry);
  const names = (path: string): string[] => {
    const found: string[] = [];
    tree.list(follow(path).node, { low: 0, high: 0 }, { plus: false, fits: () => true, add: (name) => void found.push(name) });
    return found.filter((name) => !name.startsWith('.'));
  };
  const codeOf = (path: string): string => {
    try {
      follow(path);
      return 'none';
    } catch (error) {
      return error instanceof ButlerfsError ? error.code : String(error);
    }
  };
  const attribute = (path: string, name: string) => tree.attribute(follow(path).node, `user.butler.${name}`)?.toString();
  return { tree, asked, follow, names, codeOf, attribute };
}

it('an HDU is asked for by name, with what is published of the whole file', () => {
  const { asked, follow, attribute } = treeOver(catalogue);
  const path = `calexp.image/${visit}/${LEAF}/calexp.image.fits`;
  expect(follow(path).attributes.size).toBe(5760);
  expect(asked).toHaveLength(1);
  const [request] = asked;
  expect(request).toMatchObject({ part: { kind: 'hdu', name: 'IMAGE' }, whole: { digest: { algorithm: 'blake2b512' } } });
  expect(request!.digest).toBeUndefined();
  expect(request!.size).toBeUndefined();
  expect(request!.whole!.size).toBeGreaterThan(0);
  expect(attribute(path, 'component')).toBe('image');
  expect(attribute(path, 'digest')).toBeUndefined();
  expect(attribute(`calexp/${visit}/${LEAF}/calexp.fits`, 'component')).toBeUndefined();
  expect(attribute(`calexp/${visit}/${LEAF}/calexp.fits`, 'digest')).toBeDefined();
});

it('the whole, each HDU and each box are inodes of their own, whatever way leads to them', () => {
  const { follow } = treeOver(catalogue);
  const inode = (path: string): number => follow(path).attributes.ino;
  const of = (type: string, below = ''): string => `${type}/${visit}/${LEAF}${below}/${type.toLowerCase()}.fits`;
  const different = [
    of('calexp'),
    of('calexp.image'),
    of('calexp.mask'),
    of('calexp.image', '/@cutout/0:1,0:1'),
    of('calexp.image', '/@cutout/0:1,0:2'),
  ];
  expect(new Set(different.map(inode)).size).toBe(different.length);
  expect(inode(of('calexp.IMAGE'))).toBe(inode(of('calexp.image')));
  expect(inode(`calexp.image/${LEAF}/${visit}/@cutout/00:1,0:1/calexp.image.fits`)).toBe(inode(of('calexp.image', '/@cutout/0:1,0:1')));
});

it('a component that is stored comes first, and is cut by its only image', () => {
  const { asked, follow, names } = treeOver(catalogue);
  const leaf = `calexp.image/${visit}/detector=2`;
  const [name] = names(leaf);
  expect(follow(`${leaf}/${name}`).attributes.size).toBeGreaterThan(0);
  expect(asked).toEqual([]);
  follow(`${leaf}/@cutout/1:2,3:4/${name}`);
  expect(asked[0]!.part).toEqual({ kind: 'cutout', name: null, box: { x0: 1, x1: 2, y0: 3, y1: 4 } });
  // No whole file, no other HDU of it.
  expect(names(`calexp.image/${visit}`)).toEqual(['detector=0', 'detector=1', 'detector=2']);
  expect(names(`calexp.mask/${visit}`)).toEqual(['detector=0', 'detector=1']);
});

it('operators and components are listed nowhere; what is none does not resolve', () => {
  const { names, codeOf } = treeOver(catalogue);
  const leaf = `calexp.image/${visit}/${LEAF}`;
  expect(names(leaf)).toEqual([`calexp.image_${visit.slice(6)}_1.fits`]);
  expect(names(`${leaf}/@cutout`)).toEqual([]);
  expect(names(`${leaf}/@cutout/0:1,0:1`)).toEqual(names(leaf));
  const wrong: [string, string][] = [
    ['calexp.', 'invalid-value'],
    ['nothing.image', 'unknown-dataset-type'],
    [`calexp.image/@cutout`, 'unknown-path'],
    [`calexp.image/${visit}/@cutout`, 'unknown-path'],
    [`calexp/${visit}/${LEAF}/@cutout`, 'unknown-path'],
    [`${leaf}/@cutout/all`, 'invalid-value'],
    [`${leaf}/@cutout/0:1,0:1/other.fits`, 'unknown-path'],
  ];
  expect(wrong.map(([path]) => [path, codeOf(path)])).toEqual(wrong);
});

it('an update takes back parts and boxes of what was replaced', () => {
  const changed = join(scratch, 'changed');
  cpSync(repository, changed, { recursive: true });
  const before = catalogueOf(changed, scratch, 10);
  const { tree, follow } = treeOver(before);
  const leaf = `calexp.image/${visit}/${LEAF}`;
  const name = `calexp.image_${visit.slice(6)}_1.fits`;
  const box = follow(`${leaf}/@cutout/0:1,0:1`).node;
  const parent = follow(leaf).node;
  follow(`${leaf}/@cutout/0:1,0:1/${name}`);
  follow(`${leaf}/${name}`);
  const registry = new Database(join(changed, 'gen3.sqlite3'));
  const { tags } = registry.prepare("select tag_association_table as tags from dataset_type where name = 'calexp'").get() as {
    tags: string;
  };
  registry.exec(`delete from ${tags} where detector = 1`);
  registry.close();
  const after = catalogueOf(changed, scratch, 11);
  const invalidations = tree.replaceCatalogue(after);
  before.close();
  expect(invalidations).toContainEqual({ kind: 'entry', parent: box, name });
  expect(invalidations).toContainEqual({ kind: 'entry', parent, name });
  after.close();
});
