/** Caches whose daemons are killed, that many share, and that have little room. The long forms: scripts/suites/cache-kill and cache-share. */

import { randomFillSync } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountRepository, type TestMount } from '../support/mounted.js';
import { Nginx } from '../support/nginx.js';
import { isSuperuser } from '../support/privileges.js';
import { runSuccessfully } from '../support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { fileOf } from '../support/tree.js';
import { contentBytes } from './cache-directory.js';
import { killDaemons } from './kill.js';
import { newSeed } from './random.js';
import { readingOf } from './reading.js';
import { FaultRepository } from './repository.js';
import { shareCache } from './share.js';

describe('promise 7: a cache', () => {
  it('whose daemons are killed has nothing wrong in it, nothing left over, and keeps its limit', { timeout: 180_000 }, async () => {
    const seed = newSeed();
    const report = await killDaemons(6, seed);
    expect(report.violations, `seed ${seed}`).toEqual([]);
    expect(report.kills).toBe(6);
    // Some were killed while they fetched.
    expect(report.failed, `seed ${seed}`).toBeGreaterThan(0);
  });

  it('that two mounts and sixteen processes share gives right bytes, and keeps its limit', { timeout: 180_000 }, async () => {
    const seed = newSeed();
    const report = await shareCache(Number(process.env['CACHE_SHARE_SECONDS'] ?? 6), seed);
    expect(report.violations, `seed ${seed}`).toEqual([]);
    // On a machine that does much else, too.
    expect(report.reads).toBeGreaterThan(100);
  });
});

/** MiB of a disk for a cache. With CACHE_DISK=64 and CACHE_DATA=1024 the tests below are what they stand for; here they are smaller. */
const DISK = Number(process.env['CACHE_DISK'] ?? 24);
const DATA = Number(process.env['CACHE_DATA'] ?? 64);

describe('promise 7: a cache on a small disk', () => {
  let place: string;
  let disk: string;
  let repository: FaultRepository;
  let nginx: Nginx | undefined;
  let mount: TestMount | undefined;
  beforeAll(async () => {
    if (!isSuperuser()) return;
    place = temporaryDirectory('faults-disk');
    disk = join(place, 'disk');
    mkdirSync(disk);
    await runSuccessfully('mount', ['-t', 'tmpfs', '-o', `size=${DISK}m`, 'none', disk]);
    // Files of 1 MiB.
    repository = new FaultRepository(join(place, 'repository'), DATA, 512);
    nginx = await Nginx.start(repository.directory);
  });
  afterAll(async () => {
    if (nginx === undefined) return;
    await mount?.dispose();
    await nginx.stop();
    await runSuccessfully('umount', ['-l', disk]);
    removeDirectory(place);
  });

  it.each([
    ['of its own limit', `cache-size=${DISK / 2}M,cache-free=0`, DISK / 2],
    ['no smaller than the disk', 'cache-free=0', DISK],
  ])('%s: many files, more than fit, are read right', { timeout: 120_000 }, async (_, options, limit) => {
    if (nginx === undefined) return;
    const cache = join(disk, options);
    mount = await mountRepository(nginx.url, { args: ['--cache', cache, '-o', options] });
    for (const dataset of repository.datasets.slice(0, DATA)) {
      const content = repository.contentOf(dataset);
      expect((await readingOf(await fileOf(mount, dataset), content)).outcome).toBe('right');
    }
    await eventually('the limit', () => contentBytes(cache) <= limit * 2 ** 20, 15_000);
    expect((await mount.status()).errors).toEqual([]);
    await mount.unmount();
    mount = undefined;
    rmSync(cache, { recursive: true });
  });

  it('that is full: the whole file or ENOSPC, and listings answer', async () => {
    if (nginx === undefined) return;
    mount = await mountRepository(nginx.url, { args: ['--cache', join(disk, 'full')] });
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    const { bavail, bsize } = await statfs(disk);
    const filler = join(disk, 'filler');
    writeFileSync(filler, randomFillSync(Buffer.alloc(Math.max(0, bavail * bsize - 300_000))));
    expect(['right', 'ENOSPC']).toContain((await readingOf(file, victim.content)).outcome);
    expect((await readdir(join(mount.path, 'calexp'))).length).toBeGreaterThan(0);
    rmSync(filler);
    expect((await readingOf(file, victim.content)).outcome).toBe('right');
    await mount.unmount();
    mount = undefined;
  });
});
