/** What the mount shows against what the real butler answered for the same repository. */

import { existsSync, readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedData } from './shared.js';
import { mountRepository } from './support/mounted.js';
import type { TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { python, sharedTools } from './support/python.js';
import { runSuccessfully } from './support/run.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';
import { butlerAttributes, dataIdPath, encodeValue, errorCode, filesBelow, sha256 } from './support/tree.js';

type GoldenDataset = [
  type: string,
  dataId: Record<string, string | number>,
  uuid: string,
  run: string,
  path: string,
  checksum: string | null,
  size: number,
];

/** Numbers are indexes into `datasets`. */
interface Golden {
  readonly collections: Record<string, [type: string, children?: string[]]>;
  readonly dataset_types: Record<string, { required: string[]; calibration: boolean }>;
  readonly datasets: GoldenDataset[];
  readonly members: Record<string, Record<string, number[]>>;
  readonly first: Record<string, Record<string, number[] | string>>;
  /** Datasets whose file has another size than the registry says: index and true size. */
  readonly wrong_size: Record<string, number>;
}

function uuidOf(dataset: GoldenDataset): string {
  return dataset[2].replaceAll('-', '');
}

/** Directory of one dataset in the tree of its run, every required key given. */
function leafOf(mount: TestMount, golden: Golden, [type, dataId, , run]: GoldenDataset): string {
  const required = Object.fromEntries(golden.dataset_types[type]!.required.map((key) => [key, dataId[key]!]));
  return join(mount.path, '@collections', encodeValue(run), type, ...dataIdPath(required));
}

/** UUIDs of the files below a directory, sorted; an empty list where it does not exist. */
async function uuidsBelow(directory: string): Promise<string[]> {
  if ((await errorCode(stat(directory))) === 'ENOENT') return [];
  const attributes = await butlerAttributes(await filesBelow(directory));
  return [...attributes.values()].map(({ uuid }) => uuid!.replaceAll('-', '')).sort();
}

/** The tests of one repository: `locate` gives its directory and golden answers. */
function agreesWithButler(locate: () => { repository: string; golden: Golden }): void {
  let nginx: Nginx;
  let mount: TestMount;
  let golden: Golden;
  let repository: string;

  beforeAll(async () => {
    ({ repository, golden } = locate());
    nginx = await Nginx.start(repository);
    mount = await mountRepository(nginx.url);
  });
  afterAll(async () => {
    await mount?.dispose();
    await nginx?.stop();
  });

  it('has every dataset at its data ID: one file, of the right size and bytes', async () => {
    for (const [index, dataset] of golden.datasets.entries()) {
      const [, , , , path, , size] = dataset;
      const leaf = leafOf(mount, golden, dataset);
      const names = await readdir(leaf);
      expect(names, leaf).toHaveLength(1);
      const file = join(leaf, names[0]!);
      expect((await stat(file)).size, file).toBe(size);
      if (String(index) in golden.wrong_size) expect(await errorCode(sha256(file)), file).toBe('EIO');
      else expect(await sha256(file), file).toBe(await sha256(join(repository, path)));
    }
  });

  it('says in extended attributes what each file is', async () => {
    const files = await Promise.all(
      golden.datasets.map(async (dataset) => {
        const leaf = leafOf(mount, golden, dataset);
        return join(leaf, (await readdir(leaf))[0]!);
      }),
    );
    const attributes = await butlerAttributes(files);
    for (const [index, dataset] of golden.datasets.entries()) {
      const [type, dataId, , run, path, checksum] = dataset;
      const found = attributes.get(files[index]!)!;
      expect(found).toMatchObject({ type, run });
      expect(found['uuid']!.replaceAll('-', '')).toBe(uuidOf(dataset));
      expect(JSON.parse(found['dataid']!)).toMatchObject(
        Object.fromEntries(golden.dataset_types[type]!.required.map((key) => [key, dataId[key]])),
      );
      if (checksum !== null) expect(found['digest']).toContain(checksum);
      expect(decodeURIComponent(found['origin']!)).toContain(path);
    }
  });

  it('lists in each collection exactly what the collection has', async () => {
    for (const [collection, [kind]] of Object.entries(golden.collections)) {
      if (kind === 'CHAINED') continue;
      const tree = join(mount.path, '@collections', encodeValue(collection));
      const expected = Object.keys(golden.members).filter((type) => (golden.members[type]![collection] ?? []).length > 0);
      expect((await readdir(tree)).sort(), collection).toEqual(expected.sort());
      for (const type of expected) {
        const members = golden.members[type]![collection]!.map((index) => uuidOf(golden.datasets[index]!));
        expect(await uuidsBelow(join(tree, type)), `${type} in ${collection}`).toEqual([...new Set(members)].sort());
      }
    }
  });

  it('finds first through each chain what the real butler finds first', async () => {
    const chains = new Set(Object.values(golden.first).flatMap((byChain) => Object.keys(byChain)));
    for (const chain of chains) {
      const chained = await mountRepository(nginx.url, { args: ['--collections', chain] });
      try {
        const listed = new Set(await readdir(chained.path));
        for (const [type, byChain] of Object.entries(golden.first)) {
          const answer = byChain[chain];
          // Several calibrations are valid at different times: the real butler cannot answer without one.
          if (answer === undefined || typeof answer === 'string') continue;
          expect(listed.has(type), `${type} through ${chain}`).toBe(answer.length > 0);
          const found = await uuidsBelow(join(chained.path, type));
          expect(found, `${type} through ${chain}`).toEqual(answer.map((index) => uuidOf(golden.datasets[index]!)).sort());
        }
        await chained.unmount();
      } finally {
        await chained.dispose();
      }
    }
  });

  it('is unmounted with the command and leaves nothing', async () => {
    await mount.unmount();
  });
}

function readGolden(file: string): Golden {
  return JSON.parse(readFileSync(file, 'utf8')) as Golden;
}

const data = sharedData();

if (data === undefined) {
  it.skipIf(data === undefined)('the shared repositories are whole', () => {
    expect(existsSync(join(data!, 'gen3-hsc.golden.json'))).toBe(true);
  });
} else {
  describe.each(['gen3-hsc', 'gen3-dc2'])('%s', (name) => {
    agreesWithButler(() => ({ repository: join(data, name), golden: readGolden(join(data, `${name}.golden.json`)) }));
  });
}

const tools = sharedTools();
const interpreter = tools === undefined ? undefined : python();

if (tools !== undefined && interpreter !== undefined) {
  describe('a repository made on the spot by the real butler', () => {
    let place: string;

    beforeAll(async () => {
      place = temporaryDirectory('golden');
      const sizes = ['--patches', '3', '--visits', '4', '--detectors', '2', '--pixels', '24', '--seed', '7'];
      await runSuccessfully(interpreter, [join(tools, 'make_gen3_repo.py'), '--root', join(place, 'repository'), ...sizes], {
        timeout: 120_000,
      });
      await runSuccessfully(interpreter, [join(tools, 'make_gen3_golden.py'), join(place, 'repository'), join(place, 'golden.json')], {
        timeout: 120_000,
      });
    });
    afterAll(() => removeDirectory(place));

    agreesWithButler(() => ({ repository: join(place, 'repository'), golden: readGolden(join(place, 'golden.json')) }));
  });
}
