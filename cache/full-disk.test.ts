import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pattern } from '../proxy/testing/conformance.js';
import { Layout } from './layout.js';
import { filesBelow, startRig, type Rig } from './testing/rig.js';

/** Whether a file system of 4 MiB could be mounted for the cache. */
function mountTmpfs(directory: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'butlerfs-test', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a full disk', () => {
  let rig: Rig;
  let directory: string;
  let mounted: boolean;
  beforeEach(async () => {
    rig = await startRig();
    directory = join(rig.directory, 'small');
    mkdirSync(directory);
    mounted = mountTmpfs(directory);
    if (!mounted) process.stderr.write('a test of a full disk is left out: mounting a tmpfs needs root\n');
  });
  afterEach(async () => {
    if (mounted) execFileSync('umount', ['-l', directory]);
    await rig.close();
  });

  it('older objects make room; what cannot fit is cache-full with what is needed and free, and the rest works on', async () => {
    if (!mounted) return;
    const cache = rig.open({ directory });
    for (let i = 0; i < 4; i++) rig.objects.set(`o${i}`, pattern(1_500_000 + i));
    for (let i = 0; i < 4; i++) await cache.ensure(rig.request(`o${i}`, { size: 1_500_000 + i }));
    expect(cache.isPresent(rig.request('o3'))).toBe(true);
    expect(cache.isPresent(rig.request('o0'))).toBe(false);
    expect(cache.statistics().evictions).toBeGreaterThan(0);

    rig.objects.set('huge', pattern(6_000_000));
    await expect(cache.ensure(rig.request('huge', { size: 6_000_000 }))).rejects.toMatchObject({
      code: 'cache-full',
      message: /no space left: 6000000 bytes are needed, \d+ bytes are free; free some space/,
    });
    expect(filesBelow(new Layout(directory).temporary)).toEqual([]);
    await cache.ensure(rig.request('o1'));
    expect(cache.isPresent(rig.request('o1'))).toBe(true);
  });
});
