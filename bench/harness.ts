/** Measures things side by side, and prints JSON lines and a table of ratios. */

import { mkdtempSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSuccessfully } from '../test/support/run.js';

/** One thing measured two ways. */
export interface Row {
  readonly what: string;
  /** Medians; the unit is the same for both. */
  readonly measured: number;
  readonly reference: number;
  readonly unit: 's' | 'MiB';
  /** What the reference is: `ext4`. */
  readonly against: string;
  /** measured / reference at most this, where a limit is promised. */
  readonly limit?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A piece of work that gives its own duration in seconds. */
export type Timed = () => Promise<number>;

/** Runs both `runs` times, in turn, so that a disturbance meets both; gives the medians. */
export async function sideBySide(runs: number, measured: Timed, reference: Timed): Promise<{ measured: number; reference: number }> {
  const first: number[] = [];
  const second: number[] = [];
  for (let round = 0; round < runs; round++) {
    first.push(await measured());
    second.push(await reference());
  }
  return { measured: median(first), reference: median(second) };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Wall-clock seconds of a shell command whose output goes nowhere. */
export function commandSeconds(command: string, ...args: readonly string[]): Promise<number> {
  return seconds(() => runSuccessfully('sh', ['-c', `${command} > /dev/null`, 'sh', ...args], { timeout: 300_000, env: { LC_ALL: 'C' } }));
}

/** Seconds that the program in operations.ts takes for what it is told, without its start. */
export async function operation(...args: readonly string[]): Promise<number> {
  const program = fileURLToPath(new URL('./operations.js', import.meta.url));
  return Number(await runSuccessfully(process.execPath, [program, ...args], { timeout: 120_000 }));
}

/** Seconds for so many round trips to another process: no question to a daemon is answered sooner. The median of several. */
export async function roundTrips(place: string, count: number): Promise<number> {
  const taken: number[] = [];
  for (let run = 0; run < 5; run++) taken.push(await operation('round-trips', mkdtempSync(join(place, 'pipes-')), String(count)));
  return median(taken);
}

/** Drops the kernel's page, dentry and inode caches; needs root. */
export async function dropCaches(): Promise<void> {
  await runSuccessfully('sync', []);
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}

/**
 * Takes so much memory and gives it back. A virtual machine may have returned its free memory to its host: getting it again would be measured in place of
 * what fills it.
 */
export async function warmMemory(mebibytes: number): Promise<void> {
  const directory = mkdtempSync('/dev/shm/butlerfs-bench-');
  await runSuccessfully('sh', ['-c', 'head -c "$1" /dev/zero > "$2/memory"; rm -r "$2"', 'sh', String(mebibytes * 2 ** 20), directory], {
    timeout: 60_000,
  });
}

/** Highest resident memory of a process so far, MiB (VmHWM of proc(5)). */
export function peakMemory(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

const TMPFS_MAGIC = 0x01021994;

/** A new directory on a disk, not in memory. */
export function diskDirectory(): string {
  const parent = statfsSync(tmpdir()).type === TMPFS_MAGIC ? '/var/tmp' : tmpdir();
  return mkdtempSync(join(parent, 'butlerfs-bench-'));
}

function shown(value: number, unit: Row['unit']): string {
  if (unit === 'MiB') return `${value.toFixed(0)} MiB`;
  return value < 1 ? `${(value * 1000).toFixed(value < 0.01 ? 2 : 0)} ms` : `${value.toFixed(2)} s`;
}

/** The table as text, columns aligned. */
export function table(rows: readonly Row[]): string {
  const head = ['', 'butlerfs', 'reference', 'ratio', 'limit'];
  const cells = rows.map(({ what, measured, reference, unit, against, limit }) => [
    what,
    shown(measured, unit),
    `${shown(reference, unit)} (${against})`,
    (measured / reference).toFixed(2),
    limit === undefined ? '' : `${limit.toFixed(2)}${measured / reference <= limit ? '' : ' EXCEEDED'}`,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [head, ...cells].map(line).join('\n');
}

/** Prints rows as JSON lines, then the table. Exit status 1 where a limit is exceeded. */
export function report(rows: readonly Row[]): void {
  for (const row of rows) process.stdout.write(`${JSON.stringify({ ...row, ratio: row.measured / row.reference })}\n`);
  process.stdout.write(`\n${table(rows)}\n\n`);
  if (rows.some(({ measured, reference, limit }) => limit !== undefined && measured / reference > limit)) process.exitCode = 1;
}
