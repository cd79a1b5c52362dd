/** One cache for two mounts and sixteen processes that read more than fits: every byte is right, nothing fails, and the limit holds. */

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mountRepository, type TestMount } from '../support/mounted.js';
import { Nginx } from '../support/nginx.js';
import { removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { fileOf } from '../support/tree.js';
import { contentBytes, damagedObjects } from './cache-directory.js';
import { FaultRepository } from './repository.js';

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

interface Reader {
  /** Reads, and resolves with the report. */
  run(task: ShareTask): Promise<ShareReport>;
  kill(): void;
}

/** Resolves when the process is there: sixteen take a while. */
async function startReader(): Promise<Reader> {
  const here = dirname(fileURLToPath(import.meta.url));
  const args = ['--import', join(here, '../../cache/testing/typescript.mjs'), join(here, 'share-child.ts')];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<string>((resolve) => child.on('close', (status, signal) => resolve(String(status ?? signal))));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`a reader ended with ${await ended}`);
    return next.value;
  };
  await line();
  return {
    async run(task) {
      const timer = setTimeout(() => child.kill('SIGKILL'), task.until - Date.now() + OVERTIME);
      child.stdin.end(JSON.stringify(task));
      try {
        return JSON.parse(await line()) as ShareReport;
      } finally {
        clearTimeout(timer);
      }
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Reads for `seconds`. Needs the built command. */
export async function shareCache(seconds: number, seed: number): Promise<SharedReport> {
  const place = temporaryDirectory('faults-share');
  const cache = join(place, 'cache');
  const mounts: TestMount[] = [];
  const readers: Reader[] = [];
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
        Promise.all(victims.map(async (dataset) => [await fileOf(mount, dataset), join(repository.directory, dataset.path)] as const)),
      ),
    );
    readers.push(...(await Promise.all(Array.from({ length: PROCESSES }, startReader))));
    let most = 0;
    timer = setInterval(() => (most = Math.max(most, contentBytes(cache))), INTERVAL);
    const until = Date.now() + seconds * 1000;
    const reports = await Promise.all(
      readers.map((reader, index) => reader.run({ pairs: pairs[index % MOUNTS]!, seed: seed + index, until })),
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
    for (const reader of readers) reader.kill();
    for (const mount of mounts) await mount.dispose();
    await nginx?.stop();
    removeDirectory(place);
  }
}
