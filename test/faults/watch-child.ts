/**
 * `watch-child.ts PLAN`: looks at a mount, over and over, one operation after the other, until standard input ends; then prints what it measured as JSON. A
 * process of its own: system calls that hang take no thread of the test's.
 */

import { closeSync, openSync, readdirSync, readSync, statfsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WatchPlan, Watched } from './watch.js';

const { mount, file, directory, cached, interval } = JSON.parse(process.argv[2]!) as WatchPlan;
const buffer = Buffer.alloc(64 * 1024);
let asked = 0;

const operations: Readonly<Record<string, () => void>> = {
  stat: () => void statSync(file),
  list: () => void readdirSync(directory),
  statfs: () => void statfsSync(mount),
  // The kernel remembers what it has asked for; nobody has asked for this name.
  'look up a new name': () => void statSync(`${directory}/nobody-${asked++}`, { throwIfNoEntry: false }),
  'read a cached file': () => {
    const fd = openSync(cached, 'r');
    try {
      if (readSync(fd, buffer, 0, buffer.length, 0) === 0) throw new Error(`${cached} is empty`);
    } finally {
      closeSync(fd);
    }
  },
};

const watched: Record<string, { milliseconds: number[]; errors: string[] }> = {};
for (const name of Object.keys(operations)) watched[name] = { milliseconds: [], errors: [] };
let ended = false;
process.stdin.on('end', () => (ended = true)).resume();
process.stdout.write('watching\n');
while (!ended) {
  for (const [name, work] of Object.entries(operations)) {
    const began = performance.now();
    try {
      work();
    } catch (error) {
      watched[name]!.errors.push(String(error));
    }
    watched[name]!.milliseconds.push(performance.now() - began);
  }
  await sleep(interval);
}
process.stdout.write(`${JSON.stringify(watched satisfies Watched)}\n`);
