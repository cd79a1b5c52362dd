/**
 * `operations create DIRECTORY COUNT` | `open-read-close LIST` | `stat LIST` | `write FILE MEBIBYTES`: does it and prints the seconds it took, without the
 * start of the process. A LIST has a path a line.
 */

import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = 4096;
const MEBIBYTE = 2 ** 20;

const [what, place, count] = process.argv.slice(2);
if (what === undefined || place === undefined) throw new Error('operations create|open-read-close|stat|write PLACE [COUNT]');

const block = Buffer.alloc(what === 'write' ? MEBIBYTE : PAGE, 7);
const paths = what === 'create' ? Array.from({ length: Number(count) }, (_, i) => join(place, `file-${i}`)) : listed(place);

function listed(list: string): string[] {
  return what === 'write' ? [] : readFileSync(list, 'utf8').trimEnd().split('\n');
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

const operation = operations[what];
if (operation === undefined) throw new Error(`no operation '${what}'`);
const started = performance.now();
operation();
process.stdout.write(String((performance.now() - started) / 1000));
