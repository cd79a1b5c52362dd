/**
 * Reads files of a mount at random and compares them with those at the origin, until it is time; then prints a report as JSON. Says first that it is there, and
 * is told its task on standard input.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { randomNumbers } from './random.js';
import type { ShareReport, ShareTask } from './share.js';

process.stdout.write('ready\n');
const { pairs, seed, until } = JSON.parse(await text(process.stdin)) as ShareTask;
const random = randomNumbers(seed);
const report: ShareReport = { reads: 0, bytes: 0, violations: [] };
const [found, expected] = [Buffer.alloc(2 ** 20), Buffer.alloc(2 ** 20)];

/** Bytes from `offset` on, as many as there are up to `length`. */
function readFrom(path: string, offset: number, length: number, into: Buffer): { count: number; size: number } {
  const fd = openSync(path, 'r');
  try {
    let count = 0;
    for (let got = -1; count < length && got !== 0; count += got) got = readSync(fd, into, count, length - count, offset + count);
    return { count, size: fstatSync(fd).size };
  } finally {
    closeSync(fd);
  }
}

while (Date.now() < until) {
  const [mounted, origin] = pairs[Math.floor(random() * pairs.length)]!;
  const isWhole = random() < 0.2;
  const [offset, length] = isWhole ? [0, found.length] : [Math.floor(random() * 60_000), Math.floor(random() * 30_000)];
  try {
    const seen = readFrom(mounted, offset, length, found);
    const right = readFrom(origin, offset, length, expected);
    if (seen.size !== right.size || !found.subarray(0, seen.count).equals(expected.subarray(0, right.count))) {
      report.violations.push(`${mounted}: ${seen.count} bytes at ${offset} are not those of the origin`);
    }
    report.reads++;
    report.bytes += seen.count;
  } catch (error) {
    report.violations.push(`${mounted}: ${String(error)}`);
  }
  await nextTurn();
}
process.stdout.write(JSON.stringify(report));
