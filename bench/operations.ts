/**
 * `operations create DIRECTORY COUNT` | `open-read-close LIST` | `stat LIST` | `write FILE MEBIBYTES` | `round-trips DIRECTORY COUNT`: does it and prints the
 * seconds it took, without the start of the process. A LIST has a path a line. A round trip is one byte to another process and back through pipes: what
 * asking another process costs on this machine at least, whoever asks.
 */

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = 4096;
const MEBIBYTE = 2 ** 20;

const [what, place, count] = process.argv.slice(2);
if (what === undefined || place === undefined) throw new Error('operations create|open-read-close|stat|write|round-trips PLACE [COUNT]');

const block = Buffer.alloc(what === 'write' ? MEBIBYTE : PAGE, 7);
const LISTS = ['open-read-close', 'stat'];
const paths = what === 'create' ? Array.from({ length: Number(count) }, (_, i) => join(place, `file-${i}`)) : listed(place);

function listed(list: string): string[] {
  return !LISTS.includes(what!) ? [] : readFileSync(list, 'utf8').trimEnd().split('\n');
}

const operations: Readonly<Record<string, () => void>> = {
  create: () => {
    for (const path of paths) {
      const fd = openSync(path, 'wx');
      writeSync(fd, block);
      closeSync(fd);
    }
  },
  'open-read-close': () => {
    for (const path of paths) {
      const fd = openSync(path, 'r');
      if (readSync(fd, block, 0, PAGE, 0) !== PAGE) throw new Error(`${path} is too short`);
      closeSync(fd);
    }
  },
  stat: () => {
    for (const path of paths) statSync(path);
  },
  write: () => {
    const fd = openSync(place, 'w');
    for (let i = 0; i < Number(count); i++) writeSync(fd, block);
    closeSync(fd);
  },
};

/** Asks, or answers the other process that asks. */
function roundTrips(asks: boolean): () => void {
  const [there, back] = ['there', 'back'].map((name) => join(place!, name)) as [string, string];
  if (asks) {
    execFileSync('mkfifo', [there, back]);
    spawn(process.execPath, [fileURLToPath(import.meta.url), 'answer-round-trips', place!, count!], { stdio: 'ignore' });
  }
  // Opening a pipe waits for the other end: both open them in the same order.
  const [out, into] = asks ? [openSync(there, 'w'), openSync(back, 'r')] : openAnswering(there, back);
  return () => {
    for (let i = 0; i < Number(count); i++) {
      if (asks) writeSync(out, block, 0, 1);
      if (readSync(into, block, 0, 1, null) !== 1) throw new Error('the other process has gone');
      if (!asks) writeSync(out, block, 0, 1);
    }
  };
}

function openAnswering(there: string, back: string): [number, number] {
  const into = openSync(there, 'r');
  return [openSync(back, 'w'), into];
}

const operation = what === 'round-trips' || what === 'answer-round-trips' ? roundTrips(what === 'round-trips') : operations[what];
if (operation === undefined) throw new Error(`no operation '${what}'`);
const started = performance.now();
operation();
process.stdout.write(String((performance.now() - started) / 1000));
