/** `reader FILE sequential|random`: reads and prints the seconds it took, without the start of the process. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MEBIBYTE = 2 ** 20;
const PAGE = 4096;
const RANDOM_READS = 200_000;

const [path, order] = process.argv.slice(2);
if (path === undefined || (order !== 'sequential' && order !== 'random')) throw new Error('reader FILE sequential|random');

const fd = openSync(path, 'r');
const { size } = fstatSync(fd);
const buffer = Buffer.alloc(order === 'sequential' ? MEBIBYTE : PAGE);
const started = performance.now();
if (order === 'sequential') {
  for (let offset = 0; offset < size;) {
    const count = readSync(fd, buffer, 0, buffer.length, offset);
    if (count === 0) throw new Error(`${path} ended at ${offset} of ${size}`);
    offset += count;
  }
} else {
  const pages = Math.floor(size / PAGE);
  let state = 1;
  for (let read = 0; read < RANDOM_READS; read++) {
    // A linear congruential generator (Numerical Recipes): the same pages each time.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    readSync(fd, buffer, 0, PAGE, (state % pages) * PAGE);
  }
}
process.stdout.write(String((performance.now() - started) / 1000));
closeSync(fd);
