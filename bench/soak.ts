/**
 * `soak [SECONDS] [OPERATIONS]`: 64 processes read, list and write at once on a mounted directory, and read and list a mounted repository; then one process
 * makes, looks at, opens and removes files until OPERATIONS are done. Every byte is checked; the daemons must have nothing to complain of, and neither
 * their memory nor their descriptors may grow. Prints a summary; exit status 1 where anything was wrong.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SMALL, writeSmallRepository } from '../scripts/repository/repository.js';
import { mountRepository, type TestMount } from '../test/support/mounted.js';
import { MountedDirectory } from '../test/support/mounted-directory.js';
import { eventually, removeDirectory } from '../test/support/temporary.js';
import { diskDirectory, median } from './harness.js';
import { sha256 } from './soak-content.js';
import type { SoakReport, SoakTask } from './soak-worker.js';

const PROCESSES = 64;
const SECONDS = 300;
const OPERATIONS = 1_000_000;
/** Files made and removed in one round; four operations each. */
const ROUND = 2_500;
const OPERATIONS_PER_FILE = 4;
/** MiB and descriptors that a daemon may have more in the last minute than in the first: garbage comes and goes, and caches fill up. */
const MEMORY_SLACK = 32;
const DESCRIPTOR_SLACK = 64;
/** Milliseconds between two looks at the daemons. */
const INTERVAL = 1_000;
/** Deepest way into the repository that is walked, and most files: paths of data IDs are many. */
const DEEPEST = 12;
const MOST_FILES = 400;

interface Sample {
  /** MiB. */
  readonly memory: number;
  readonly descriptors: number;
}

function sample(pid: number): Sample {
  const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return { memory: Number(kibibytes) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

const violations: string[] = [];

/** Says how a daemon did in the first and the last minute (a third where the whole is short), and whether it grew. */
function judge(name: string, samples: readonly Sample[]): void {
  const part = Math.max(1, Math.min(60_000 / INTERVAL, Math.floor(samples.length / 3)));
  const of = (some: readonly Sample[]): Sample => ({
    memory: median(some.map(({ memory }) => memory)),
    descriptors: median(some.map(({ descriptors }) => descriptors)),
  });
  const [first, last] = [of(samples.slice(0, part)), of(samples.slice(-part))];
  const highest = Math.max(...samples.map(({ memory }) => memory));
  say(
    `${name}: memory ${first.memory.toFixed(0)} MiB at first, ${last.memory.toFixed(0)} MiB at last, ${highest.toFixed(0)} MiB at most; ` +
      `descriptors ${first.descriptors} at first, ${last.descriptors} at last`,
  );
  if (last.memory > first.memory + MEMORY_SLACK) violations.push(`${name}: its memory grew from ${first.memory} to ${last.memory} MiB`);
  if (last.descriptors > first.descriptors + DESCRIPTOR_SLACK) {
    violations.push(`${name}: its descriptors grew from ${first.descriptors} to ${last.descriptors}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Everything in the repository as the mount shows it now: what it must show at any time. */
function survey(mount: TestMount): Pick<SoakTask, 'listings' | 'digests'> {
  const listings: Record<string, string[]> = {};
  const digests: Record<string, string> = {};
  const walk = (directory: string, depth: number): void => {
    const names = readdirSync(join(mount.path, directory)).sort();
    listings[directory] = names;
    for (const name of names) {
      const path = join(directory, name);
      if (Object.keys(digests).length >= MOST_FILES) return;
      if (!statSync(join(mount.path, path)).isDirectory()) digests[path] = sha256(readFileSync(join(mount.path, path)));
      else if (depth < DEEPEST) walk(path, depth + 1);
    }
  };
  walk('', 0);
  return { listings, digests };
}

/** A process that waits for its task; with 64 of them starting takes a while. */
async function startProcess(): Promise<ChildProcess> {
  const child = fork(join(dirname(fileURLToPath(import.meta.url)), 'soak-worker.js'));
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (status) => reject(new Error(`a process ended with ${status ?? 'a signal'} before it was told anything`)));
  });
  return child;
}

function runProcess(child: ChildProcess, task: SoakTask): Promise<SoakReport> {
  return new Promise((resolve, reject) => {
    let report: SoakReport | undefined;
    child.once('message', (message) => (report = message as SoakReport));
    child.once('exit', (status, signal) => {
      if (report === undefined) reject(new Error(`process ${task.index} ended with ${status ?? signal ?? '?'} and no report`));
      else resolve(report);
    });
    child.send(task);
  });
}

/** Runs the processes, and looks at the daemons meanwhile. */
async function soak(seconds: number, directory: MountedDirectory, repository: TestMount): Promise<void> {
  const seen = survey(repository);
  say(`the repository: ${Object.keys(seen.listings).length} directories, ${Object.keys(seen.digests).length} files`);
  const before = sample(directory.pid);
  const processes = await Promise.all(Array.from({ length: PROCESSES }, startProcess));
  const until = Date.now() + seconds * 1000;
  const samples: { directory: Sample[]; repository: Sample[] } = { directory: [], repository: [] };
  const timer = setInterval(() => {
    try {
      samples.directory.push(sample(directory.pid));
      samples.repository.push(sample(repository.pid));
    } catch {
      violations.push('a daemon has ended');
      clearInterval(timer);
    }
  }, INTERVAL);
  say(`${PROCESSES} processes, ${seconds} s`);
  const reports = await Promise.allSettled(
    processes.map((child, index) =>
      runProcess(child, { index, processes: PROCESSES, directory: directory.path, repository: repository.path, ...seen, until }),
    ),
  );
  clearInterval(timer);
  const total = { reads: 0, writes: 0, listings: 0, bytes: 0 };
  for (const report of reports) {
    if (report.status === 'rejected') violations.push(String(report.reason));
    else {
      for (const key of ['reads', 'writes', 'listings', 'bytes'] as const) total[key] += report.value[key];
      violations.push(...report.value.violations);
    }
  }
  const mebibytes = (total.bytes / 2 ** 20).toFixed(0);
  say(`${total.reads} reads of ${mebibytes} MiB, each byte checked; ${total.writes} writes; ${total.listings} listings`);
  judge('the directory', samples.directory);
  judge('the repository', samples.repository);
  await settled(directory, before);
}

/** The kernel has forgotten what is gone, and the daemon with it. */
async function settled(directory: MountedDirectory, before: Sample): Promise<void> {
  let held = { open: -1, files: -1, waiting: -1, descriptors: -1 };
  await eventually('the end', async () => {
    const { open, files, waiting } = await directory.statistics();
    held = { open, files, waiting, descriptors: sample(directory.pid).descriptors };
    return open === 0 && files === 0 && waiting === 0 && held.descriptors <= before.descriptors + 20;
  }).catch(() => violations.push(`the directory still holds ${JSON.stringify(held)}; it had ${before.descriptors} descriptors before`));
}

/** Files that come and go leave nothing behind. */
async function comeAndGo(operations: number, directory: MountedDirectory): Promise<void> {
  const place = join(directory.path, 'come-and-go');
  mkdirSync(place);
  const samples: Sample[] = [];
  const { inodes } = await directory.statistics();
  const before = sample(directory.pid);
  const rounds = Math.ceil(operations / ROUND / OPERATIONS_PER_FILE);
  const started = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (let file = 0; file < ROUND; file++) closeSync(openSync(join(place, `file-${file}`), 'w'));
    for (let file = 0; file < ROUND; file++) statSync(join(place, `file-${file}`));
    for (let file = 0; file < ROUND; file++) closeSync(openSync(join(place, `file-${file}`), 'r'));
    for (let file = 0; file < ROUND; file++) unlinkSync(join(place, `file-${file}`));
    samples.push(sample(directory.pid));
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`${rounds * ROUND * OPERATIONS_PER_FILE} operations on files that come and go, ${seconds} s`);
  judge('the directory', samples);
  await settled(directory, before);
  const after = await directory.statistics();
  say(`inodes that the kernel knows: ${inodes} before, ${after.inodes} after`);
  if (after.inodes > inodes + 20) violations.push(`the directory knew ${inodes} inodes before, and ${after.inodes} after`);
}

async function main(): Promise<void> {
  const [seconds, operations] = [Number(process.argv[2] ?? SECONDS), Number(process.argv[3] ?? OPERATIONS)];
  if (!(seconds > 0) || !(operations >= 0)) throw new Error('soak [SECONDS] [OPERATIONS]');
  const place = diskDirectory();
  const directory = new MountedDirectory([], join(place, 'directory'));
  let repository: TestMount | undefined;
  try {
    writeSmallRepository(join(place, 'repository'), SMALL);
    repository = await mountRepository(join(place, 'repository'), { args: ['--cache', join(place, 'cache')] });
    await directory.mount();
    await soak(seconds, directory, repository);
    await comeAndGo(operations, directory);
    if (directory.complaints !== '') violations.push(`the directory's daemon complains: ${directory.complaints.slice(0, 1000)}`);
    for (const { path, message } of (await repository.status()).errors)
      violations.push(`the repository's daemon complains of ${path}: ${message}`);
  } finally {
    await directory.dispose();
    await repository?.dispose();
    removeDirectory(place);
  }
  for (const violation of violations.slice(0, 40)) say(`WRONG: ${violation}`);
  say(violations.length === 0 ? 'everything was as it should be' : `${violations.length} things were wrong`);
  if (violations.length > 0) process.exitCode = 1;
}

await main();
