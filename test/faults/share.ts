/** One cache for two mounts and sixteen processes that read more than fits: every byte is right, nothing fails, and the limit holds. */

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mountRepository, type TestMount } from '../support/mounted.js';
import { Nginx } from '../support/nginx.js';
import { removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { contentBytes, damagedObjects } from './cache-directory.js';
import { FaultRepository, fileOn } from './repository.js';

export const PROCESSES = 16;
const MOUNTS = 2;
/** Files of 64 KiB and a little. */
const FILES = 640;
const PIXELS = 128;
const LIMIT = 12 * 2 ** 20;
/**
 * Bytes above the limit that may be there for a moment: each mount keeps 64 objects for some seconds for who asked for them, each process has one open, and
 * each mount brings eight at a time.
 */
const SLACK = (MOUNTS * 64 + PROCESSES + MOUNTS * 8) * 80 * 1024;
/** Milliseconds between two looks at the cache. */
const INTERVAL = 250;
/** Milliseconds that a process may need to start and to end. */
const OVERTIME = 60_000;

export interface ShareTask {
  /** A file on a mount, and the same at the origin. */
  readonly pairs: readonly (readonly [mounted: string, origin: string])[];
  readonly seed: number;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface ShareReport {
  reads: number;
  bytes: number;
  readonly violations: string[];
}

export interface SharedReport extends ShareReport {
  /** Most bytes that were in the cache at a time, and how many it may hold, about. */
  readonly most: number;
  readonly limit: number;
  readonly evictions: number;
}

function runReader(task: ShareTask): Promise<ShareReport> {
  const here = dirname(fileURLToPath(import.meta.url));
  const args = ['--import', join(here, '../../cache/testing/typescript.mjs'), join(here, 'share-child.ts'), JSON.stringify(task)];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), task.until - Date.now() + OVERTIME);
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(JSON.parse(said) as ShareReport);
      else reject(new Error(`a reader ended with ${status ?? signal ?? '?'}`));
    });
  });
}

/** Reads for `seconds`. Needs the built command. */
export async function shareCache(seconds: number, seed: number): Promise<SharedReport> {
  const place = temporaryDirectory('faults-share');
  const cache = join(place, 'cache');
  const mounts: TestMount[] = [];
  let nginx: Nginx | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    mkdirSync(cache, { mode: 0o700 });
    const repository = new FaultRepository(join(place, 'repository'), FILES, PIXELS);
    nginx = await Nginx.start(repository.directory);
    for (let index = 0; index < MOUNTS; index++) {
      mounts.push(await mountRepository(nginx.url, { args: ['--cache', cache, '-o', `cache-size=${LIMIT},cache-free=0`] }));
    }
    const victims = repository.datasets.slice(0, FILES);
    const pairs = await Promise.all(
      mounts.map((mount) =>
        Promise.all(victims.map(async (dataset) => [await fileOn(mount, dataset), join(repository.directory, dataset.path)] as const)),
      ),
    );
    let most = 0;
    timer = setInterval(() => (most = Math.max(most, contentBytes(cache))), INTERVAL);
    const until = Date.now() + seconds * 1000;
    const reports = await Promise.all(
      Array.from({ length: PROCESSES }, (_, index) =>
        // A command line takes so much: each process has a part of the files, which overlaps with the others'.
        runReader({ pairs: part(pairs[index % MOUNTS]!, index), seed: seed + index, until }),
      ),
    );
    clearInterval(timer);
    const violations = reports.flatMap((report) => report.violations);
    for (const path of damagedObjects(cache)) violations.push(`${path} is damaged`);
    if (most > LIMIT + SLACK) violations.push(`${most} bytes were in the cache; its limit is ${LIMIT}, and ${SLACK} may be in use`);
    const statuses = await Promise.all(mounts.map((mount) => mount.status()));
    const evictions = statuses.reduce((sum, status) => sum + status.cache.evictions, 0);
    for (const { errors } of statuses) violations.push(...errors.map(({ path, message }) => `${path}: ${message}`));
    if (evictions === 0) violations.push('nothing was evicted: too little was read');
    for (const mount of mounts) await mount.unmount();
    const sum = (of: (report: ShareReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
    return { reads: sum(({ reads }) => reads), bytes: sum(({ bytes }) => bytes), violations, most, limit: LIMIT, evictions };
  } finally {
    clearInterval(timer);
    for (const mount of mounts) await mount.dispose();
    await nginx?.stop();
    removeDirectory(place);
  }
}

/** Two thirds of the files, others for other processes. */
function part<T>(all: readonly T[], index: number): T[] {
  return all.filter((_, position) => (position + index) % 3 !== 0);
}
