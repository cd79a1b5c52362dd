/** Awkward but legal repositories: what the real butler allows, mounted. */

import { Database } from '../registry/sqlite/driver.js';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { sharedData } from './shared.js';
import { mountRepository } from './support/mounted.js';
import type { TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';
import { butlerAttributes, dataIdPath, encodeValue, errorCode } from './support/tree.js';

interface Case {
  readonly datasets: [type: string, dataId: Record<string, string | number>, uuid: string, run: string][];
  readonly records: [component: string | null, location: string, size: number, hasChecksum: boolean][];
  readonly get: string[];
  readonly uris: string[];
}

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  metrics: ['instrument', 'detector'],
  packages: [],
  composite: ['instrument', 'detector'],
  raw: ['instrument', 'exposure', 'detector'],
  frame: ['instrument', 'detector'],
  oddity: ['instrument', 'physical_filter'],
  grouped: ['instrument', 'group'],
  bias: ['instrument', 'detector'],
};

const data = sharedData();

if (data === undefined) {
  it.skipIf(data === undefined)('the shared repositories are whole', () => {
    expect(existsSync(join(data!, 'gen3-edge.golden.json'))).toBe(true);
  });
} else {
  describe('gen3-edge', () => {
    const repository = join(data, 'gen3-edge');
    const cases = (JSON.parse(readFileSync(join(data, 'gen3-edge.golden.json'), 'utf8')) as { cases: Record<string, Case> }).cases;
    let nginx: Nginx;
    let mount: TestMount;
    let checksums: Map<string, string | null>;

    beforeAll(async () => {
      const database = new Database(join(repository, 'gen3.sqlite3'), { readonly: true });
      const rows = database.prepare('SELECT dataset_id, component, checksum FROM file_datastore_records').all();
      database.close();
      checksums = new Map(
        (rows as { dataset_id: string; component: string; checksum: string | null }[]).map((row) => [
          `${row.dataset_id} ${row.component}`,
          row.checksum,
        ]),
      );
      nginx = await Nginx.start(repository);
      mount = await mountRepository(nginx.url, { args: ['-o', 'deadline=3'] });
    });
    afterAll(async () => {
      await mount?.dispose();
      await nginx?.stop();
    });

    function leafOf([type, dataId, , run]: Case['datasets'][number]): string {
      const required = Object.fromEntries(REQUIRED[type]!.map((key) => [key, dataId[key]!]));
      return join(mount.path, '@collections', encodeValue(run), type, ...dataIdPath(required));
    }

    const readable = [
      'plain',
      'no-dimensions',
      'several-in-one-file',
      'size-and-checksum-unknown',
      'inside-a-zip',
      'odd-names',
      'odd-exposure',
      'odd-group',
      'certified-twice',
    ];

    it.each(readable)('%s: one file, with the right bytes', async (name) => {
      const { datasets, records } = cases[name]!;
      for (const [index, dataset] of datasets.entries()) {
        const leaf = leafOf(dataset);
        const names = await readdir(leaf);
        expect(names, leaf).toHaveLength(1);
        const bytes = await readFile(join(leaf, names[0]!));
        const [, location, size] = records[index]!;
        const checksum = checksums.get(`${dataset[2].replaceAll('-', '')} __NULL_STRING__`);
        if (checksum != null) expect(createHash('blake2b512').update(bytes).digest('hex'), leaf).toBe(checksum);
        if (size >= 0) expect(bytes.length, leaf).toBe(size);
        if (!location.includes('#zip-path=')) expect(bytes.equals(readFileSync(join(repository, location))), leaf).toBe(true);
      }
    });

    it('disassembled: one file to a component, and the component as a type of its own', async () => {
      const { datasets, records } = cases['disassembled']!;
      const leaf = leafOf(datasets[0]!);
      const names = await readdir(leaf);
      expect(names).toHaveLength(records.length);
      const contents = await Promise.all(names.map((name) => readFile(join(leaf, name), 'utf8')));
      expect(contents.sort()).toEqual(records.map(([, location]) => readFileSync(join(repository, location), 'utf8')).sort());
      const component = leaf.replace('/composite/', '/composite.summary/');
      const [only, ...others] = await readdir(component);
      expect(others).toEqual([]);
      const summary = records.find(([part]) => part === 'summary')![1];
      expect(await readFile(join(component, only!), 'utf8')).toBe(readFileSync(join(repository, summary), 'utf8'));
    });

    it.each([
      ['file-missing', 'ENOENT'],
      ['file-truncated', 'EIO'],
      // The real butler returns these bytes without a word.
      ['content-changed-same-size', 'EIO'],
      // A web server's repository cannot name files of this machine.
      ['absolute-file', 'EACCES'],
    ])('%s: reading is %s', async (name, code) => {
      const leaf = leafOf(cases[name]!.datasets[0]!);
      const [file] = await readdir(leaf);
      expect(await errorCode(readFile(join(leaf, file!)))).toBe(code);
    });

    it('absolute-https: the dataset is there, and says where its file is', async () => {
      const leaf = leafOf(cases['absolute-https']!.datasets[0]!);
      const [file] = await readdir(leaf);
      expect((await stat(join(leaf, file!))).size).toBe(5760);
      const path = join(leaf, file!);
      expect((await butlerAttributes([path])).get(path)!['origin']).toBe('https://example.org/raw/HSC%20first/a.fits');
    });

    it('trashed-not-emptied: reads, as with the real butler', async () => {
      const { datasets, uris } = cases['trashed-not-emptied']!;
      const leaf = leafOf(datasets[0]!);
      const [file] = await readdir(leaf);
      expect((await readFile(join(leaf, file!))).equals(readFileSync(join(repository, uris[0]!)))).toBe(true);
    });

    it('registered-but-not-stored: not there, and the explanation says why', async () => {
      const leaf = leafOf(cases['registered-but-not-stored']!.datasets[0]!);
      expect(await errorCode(stat(leaf))).toBe('ENOENT');
      const { stdout } = await mount.cli(['explain', leaf]);
      expect(stdout).toMatch(/stored|file/);
    });
  });
}

describe('a file on another web server', () => {
  it('is fetched from there, and checked', async () => {
    const place = temporaryDirectory('elsewhere');
    const [repository, elsewhere] = [join(place, 'repository'), join(place, 'elsewhere')];
    mkdirSync(elsewhere);
    const [image] = writeSmallRepository(repository, { tracts: [8766], patches: 1, bands: ['i'], visits: 0, detectors: 0, pixels: 8 });
    renameSync(join(repository, image!.path), join(elsewhere, 'an image.fits'));
    const origin = await Nginx.start(elsewhere);
    const nginx = await Nginx.start(repository);
    const database = new Database(join(repository, 'gen3.sqlite3'));
    database.prepare('UPDATE file_datastore_records SET path = ? WHERE path = ?').run(`${origin.url}/an%20image.fits`, image!.path);
    database.close();
    let mount: TestMount | undefined;
    try {
      mount = await mountRepository(nginx.url);
      const leaf = join(mount.path, '@collections', encodeValue(image!.run), image!.type, ...dataIdPath(image!.dataId));
      const [file] = await readdir(leaf);
      const bytes = await readFile(join(leaf, file!));
      expect(createHash('blake2b512').update(bytes).digest('hex')).toBe(image!.checksum);
    } finally {
      await mount?.dispose();
      await nginx.stop();
      await origin.stop();
      removeDirectory(place);
    }
  });
});
