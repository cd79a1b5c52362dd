/** Large files over HTTP, read by chunk: only what is needed crosses the network, what was read is right, and what turns out wrong is taken back. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, utimesSync, writeSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { writeLargeFiles, type WrittenDataset } from '../scripts/repository/repository.js';
import { mountRepository, type TestMount, temporaryHome } from './support/mounted.js';
import { Nginx } from './support/nginx.js';
import { run } from './support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from './support/temporary.js';
import { dataIdPath, fileOf } from './support/tree.js';

const MEBIBYTE = 2 ** 20;
const SIZE = 24 * MEBIBYTE + 12_345;

let place: string;
let repository: string;
let written: WrittenDataset[];
let nginx: Nginx;
let mount: TestMount;

beforeAll(async () => {
  place = temporaryDirectory('large');
  repository = join(place, 'repository');
  written = writeLargeFiles(repository, 2, SIZE);
  nginx = await Nginx.start(repository);
});
beforeEach(async () => {
  mount = await mountRepository(nginx.url, { args: ['--whole-size', '1M'] });
});
afterEach(() => mount.dispose());
afterAll(async () => {
  await nginx.stop();
  removeDirectory(place);
});

/** Bytes of answers that nginx sent for a file since `from` requests. */
function sent({ path }: WrittenDataset, from: number): number {
  const lines = nginx.requests().slice(from);
  return lines.filter((line) => line.includes(path) && line.startsWith('GET')).reduce((sum, line) => sum + Number(line.split(' ')[3]), 0);
}

/** Whole objects in the cache of a mount. */
function objectsOf({ home }: TestMount): number {
  const objects = join(home.env['XDG_CACHE_HOME']!, 'butlerfs', 'objects');
  return readdirSync(objects, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

/** Reads through a process of its own, so that a read that hangs holds up nobody. */
async function digestOf(file: string): Promise<string> {
  const { stdout, status, stderr } = await run('b2sum', [file], { timeout: 30_000 });
  if (status !== 0) throw new Error(stderr);
  return stdout.split(' ')[0]!;
}

it('a header costs one chunk, and comes without the rest', async () => {
  const file = await fileOf(mount, written[0]!);
  const from = nginx.requests().length;
  const handle = await open(file);
  const header = Buffer.alloc(28_800);
  await handle.read(header, 0, header.length, 0);
  await handle.close();
  expect(header.equals(readFileSync(join(repository, written[0]!.path)).subarray(0, header.length))).toBe(true);
  await eventually('nginx noting it', () => sent(written[0]!, from) > 0);
  expect(sent(written[0]!, from)).toBeLessThanOrEqual(MEBIBYTE);
  expect(objectsOf(mount)).toBe(0);
});

it('reads at random are right, across chunks and at the end', async () => {
  const file = await fileOf(mount, written[0]!);
  const original = readFileSync(join(repository, written[0]!.path));
  const handle = await open(file);
  for (const [offset, length] of [
    [SIZE - 100, 4096],
    [5 * MEBIBYTE - 10, 20],
    [20 * MEBIBYTE + 1, 3 * MEBIBYTE],
    [0, 1],
    [SIZE, 10],
    [11 * MEBIBYTE, MEBIBYTE],
  ] as const) {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, offset);
    expect(bytesRead).toBe(Math.min(length, SIZE - offset));
    expect(bytes.subarray(0, bytesRead).equals(original.subarray(offset, offset + bytesRead))).toBe(true);
  }
  await handle.close();
});

it('what is read whole becomes a checked object, is not fetched again, and is fetched once', async () => {
  const file = await fileOf(mount, written[0]!);
  const from = nginx.requests().length;
  const readers = await Promise.all([digestOf(file), digestOf(file), digestOf(file)]);
  expect(new Set(readers)).toEqual(new Set([written[0]!.checksum]));
  await eventually('the object', () => objectsOf(mount) === 1);
  expect(sent(written[0]!, from)).toBeLessThan(SIZE + 4 * MEBIBYTE);
  const before = nginx.requests().length;
  expect(await digestOf(file)).toBe(written[0]!.checksum);
  expect(sent(written[0]!, before)).toBe(0);
});

it('goes on with the chunks that are here after a kill and a new mount', async () => {
  const home = temporaryHome();
  const args = ['--whole-size', '1M'];
  const first = await mountRepository(nginx.url, { args, home, keepHome: true });
  const leaf = join(first.path, 'visitSummary', ...dataIdPath(written[1]!.dataId));
  const name = (await readdir(leaf))[0]!;
  const read = async (directory: string, offset: number): Promise<Buffer> => {
    const handle = await open(join(directory, name));
    const bytes = Buffer.alloc(MEBIBYTE);
    await handle.read(bytes, 0, bytes.length, offset);
    await handle.close();
    return bytes;
  };
  const original = readFileSync(join(repository, written[1]!.path));
  expect((await read(leaf, 7 * MEBIBYTE)).equals(original.subarray(7 * MEBIBYTE, 8 * MEBIBYTE))).toBe(true);
  process.kill(first.pid, 'SIGKILL');
  await first.dispose();
  // One bit of what is on the disk of the cache goes wrong meanwhile.
  const partial = join(home.env['XDG_CACHE_HOME']!, 'butlerfs', 'partial');
  const data = join(
    partial,
    (await readdir(partial)).find((entry) => entry.endsWith('.data'))!,
  );
  const second = await mountRepository(nginx.url, { args, home, keepHome: true });
  try {
    const again = join(second.path, 'visitSummary', ...dataIdPath(written[1]!.dataId));
    const from = nginx.requests().length;
    expect((await read(again, 7 * MEBIBYTE)).equals(original.subarray(7 * MEBIBYTE, 8 * MEBIBYTE))).toBe(true);
    expect(sent(written[1]!, from)).toBe(0);
  } finally {
    await second.dispose();
  }
  flipBit(data, 7 * MEBIBYTE + 77);
  const third = await mountRepository(nginx.url, { args, home, keepHome: true });
  try {
    const again = join(third.path, 'visitSummary', ...dataIdPath(written[1]!.dataId));
    const from = nginx.requests().length;
    expect((await read(again, 7 * MEBIBYTE)).equals(original.subarray(7 * MEBIBYTE, 8 * MEBIBYTE))).toBe(true);
    expect(sent(written[1]!, from)).toBeGreaterThan(0);
  } finally {
    await third.dispose();
    home.remove();
  }
});

it('wrong bytes: EIO as soon as the whole was checked, and never again a byte of it; the other file is right', async () => {
  const wrong = written[1]!;
  flipBit(join(repository, wrong.path), SIZE - 1000);
  try {
    const file = await fileOf(mount, wrong);
    const handle = await open(file);
    const bytes = Buffer.alloc(MEBIBYTE);
    for (let offset = 0; offset < SIZE; offset += MEBIBYTE) await handle.read(bytes, 0, MEBIBYTE, offset).catch(() => undefined);
    await eventually('the check', async () => (await mount.status()).cache.wrongDigest > 0);
    await eventually(
      'the kernel forgetting',
      async () => (await handle.read(bytes, 0, 100, 0).catch((error: unknown) => (error as NodeJS.ErrnoException).code)) === 'EIO',
    );
    await handle.close();
    await expect(readFile(file)).rejects.toMatchObject({ code: 'EIO' });
    await expect(readFile(file)).rejects.toMatchObject({ code: 'EIO' });
    expect(await digestOf(await fileOf(mount, written[0]!))).toBe(written[0]!.checksum);
  } finally {
    flipBit(join(repository, wrong.path), SIZE - 1000);
  }
  expect(await digestOf(await fileOf(mount, wrong))).toBe(wrong.checksum);
});

it('a file that is replaced while it is open: EIO, never a mixture', async () => {
  const { path } = written[1]!;
  const file = await fileOf(mount, written[1]!);
  const original = readFileSync(join(repository, path));
  const handle = await open(file);
  const bytes = Buffer.alloc(100);
  await handle.read(bytes, 0, 100, 0);
  const { mtime } = statSync(join(repository, path));
  try {
    flipBit(join(repository, path), 9 * MEBIBYTE);
    utimesSync(join(repository, path), new Date(), new Date(Date.now() + 5000));
    await expect(handle.read(bytes, 0, 100, 9 * MEBIBYTE)).rejects.toMatchObject({ code: 'EIO' });
  } finally {
    await handle.close();
    flipBit(join(repository, path), 9 * MEBIBYTE);
    utimesSync(join(repository, path), mtime, mtime);
  }
  expect(
    createHash('blake2b512')
      .update(readFileSync(join(repository, path)))
      .digest('hex'),
  ).toBe(written[1]!.checksum);
  expect(original.length).toBe(SIZE);
});

it('a cache that is smaller than the file: right bytes, the limit kept', async () => {
  const small = await mountRepository(nginx.url, { args: ['--whole-size', '1M', '--cache-size', '8M'] });
  try {
    const leaf = join(small.path, 'visitSummary', ...dataIdPath(written[0]!.dataId));
    expect(await digestOf(join(leaf, (await readdir(leaf))[0]!))).toBe(written[0]!.checksum);
    expect((await small.status()).cache.bytes).toBeLessThanOrEqual(8 * MEBIBYTE);
    const { stdout } = await run('du', ['-sB1', join(small.home.env['XDG_CACHE_HOME']!, 'butlerfs', 'partial')], { timeout: 5000 });
    expect(Number(stdout.split('\t')[0])).toBeLessThanOrEqual(8 * MEBIBYTE + 65_536);
  } finally {
    await small.dispose();
  }
});

it('a server that dies in the middle: an error in time, and the rest when it is back', async () => {
  const quick = await mountRepository(nginx.url, { args: ['--whole-size', '1M', '-o', 'deadline=3,idle-timeout=1'] });
  try {
    const leaf = join(quick.path, 'visitSummary', ...dataIdPath(written[0]!.dataId));
    const file = join(leaf, (await readdir(leaf))[0]!);
    const fd = openSync(file, 'r');
    const bytes = Buffer.alloc(100);
    readSync(fd, bytes, 0, 100, 0);
    await nginx.kill();
    const { status } = await run('dd', [`if=${file}`, 'of=/dev/null', 'bs=1M', 'skip=9', 'count=1'], { timeout: 20_000 });
    expect(status).not.toBe(0);
    await nginx.restart();
    closeSync(fd);
    expect(await digestOf(file)).toBe(written[0]!.checksum);
  } finally {
    await nginx.restart();
    await quick.dispose();
  }
});

function flipBit(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0]! ^= 1;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}
