/** A repository at several URLs: what a mount of it does when one of them dies, or sends something else. */

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import type { WrittenDataset } from '../scripts/repository/repository.js';
import { mountRepository } from './support/mounted.js';
import type { TestMount } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { removeDirectory, temporaryDirectory } from './support/temporary.js';
import { fileOf } from './support/tree.js';

let place: string;
let written: WrittenDataset[];
let first: Nginx;
let second: Nginx;
let mount: TestMount | undefined;

beforeAll(async () => {
  place = temporaryDirectory('mirrors');
  written = writeSmallRepository(join(place, 'one'), { tracts: [8766], patches: 4, bands: ['i'], visits: 1, detectors: 2, pixels: 64 });
  cpSync(join(place, 'one'), join(place, 'two'), { recursive: true, preserveTimestamps: true });
  first = await Nginx.start(join(place, 'one'));
  second = await Nginx.start(join(place, 'two'));
}, 60_000);
afterEach(async () => {
  await mount?.dispose();
  mount = undefined;
  await first.restart();
});
afterAll(async () => {
  await first?.stop();
  await second?.stop();
  removeDirectory(place);
});

/** What a dataset holds, read through the mount, and as it was written. */
async function readBoth(on: TestMount, dataset: WrittenDataset): Promise<readonly [Buffer, Buffer]> {
  return [await readFile(await fileOf(on, dataset)), readFileSync(join(place, 'one', dataset.path))];
}

function calexps(): readonly WrittenDataset[] {
  return written.filter(({ type }) => type === 'calexp');
}

describe('a repository at two URLs', () => {
  it('promise 5: reads go on, and status says why, when the first dies', async () => {
    mount = await mountRepository(first.url, { args: ['--mirror', second.url] });
    const [one, two] = calexps();
    const [before, asWritten] = await readBoth(mount, one!);
    expect(before.equals(asWritten)).toBe(true);
    await first.kill();
    const [after, asWrittenToo] = await readBoth(mount, two!);
    expect(after.equals(asWrittenToo)).toBe(true);
    const { stdout } = await mount.cli(['status', mount.path]);
    expect(stdout).toMatch(new RegExp(`^repository: +${first.url}$`, 'm'));
    // A connection that was kept may be found closed before a new one is refused.
    expect(stdout).toMatch(new RegExp(`^mirror: +${first.url}: failed.*connection (refused|was closed by the other side)$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^mirror: +${second.url}: ok, answers in \\d+ ms`, 'm'));
  }, 60_000);

  it('promise 5: wrong bytes of one are fetched again from the other', async () => {
    const [one] = calexps();
    mount = await mountRepository(first.url, { args: ['--mirror', second.url, '--rate-limit', '100M'] });
    const file = join(place, 'one', one!.path);
    const good = readFileSync(file);
    writeFileSync(file, Buffer.alloc(good.length, 1));
    try {
      expect((await readFile(await fileOf(mount, one!))).equals(good)).toBe(true);
      const asked = async (server: Nginx): Promise<boolean> => (await server.logged()).some((line) => line.includes(encodeURI(one!.path)));
      expect([await asked(first), await asked(second)]).toEqual([true, true]);
    } finally {
      writeFileSync(file, good);
    }
  }, 60_000);

  it('is mounted from the second where the first does not answer', async () => {
    await first.kill();
    mount = await mountRepository(first.url, { args: ['--mirror', second.url] });
    const [read, asWritten] = await readBoth(mount, calexps()[0]!);
    expect(read.equals(asWritten)).toBe(true);
  }, 60_000);
});
