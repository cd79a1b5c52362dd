/**
 * Repositories behind HTTP and SSH, cold, against what others have and against what the network can do: a large file, its first bytes, many small files; on
 * this host, and through a link of 50 ms (there and back) and 100 Mbit/s. BENCH_REMOTE_SCALE=0.01 makes everything smaller, to try it,
 * and BENCH_REMOTE_PARTS=part,large,link,directory,small leaves out what is not named.
 */

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSmallRepository } from '../scripts/repository/repository.js';
import { TcpProxy } from '../test/faults/tcp-proxy.js';
import { mountRepository, temporaryHome, type Home, type TestMount } from '../test/support/mounted.js';
import { Nginx } from '../test/support/nginx.js';
import { runSuccessfully } from '../test/support/run.js';
import { Sshd } from '../test/support/sshd.js';
import { removeDirectory } from '../test/support/temporary.js';
import { commandSeconds, diskDirectory, dropCaches, report, sideBySide, type Row } from './harness.js';
import { largeLeaf, writeLargeRepository } from './large-repository.js';
import { httpdirfs, rcloneHttp, rcloneSftp, sshfs, type Peer } from './peers.js';

const SCALE = Number(process.env['BENCH_REMOTE_SCALE'] ?? 1);
const MEBIBYTE = 2 ** 20;
/** At least as many as make a file that is read by chunk. */
const BLOCKS_OF_LARGE = Math.max(20, Math.round(256 * SCALE));
const BLOCKS_OF_LINKED = Math.max(1, Math.round(16 * SCALE));
/** 4 MiB each. */
const BLOCK = 4 * MEBIBYTE;
/** Tracts of 81 patches in 3 bands: with 21 of them 5,103 files. */
const TRACTS = Math.max(1, Math.round(21 * SCALE));
const IN_ONE_DIRECTORY = Math.max(10, Math.round(200 * SCALE));
const HEADER = 28_800;
/** Each way, of the images of a composite. */
const PIXELS = 1500;
/** 50 ms there and back, 100 Mbit/s. */
const LINK = { delay: 25, bandwidth: 12_500_000 };
/** Seconds for one of many small files through the link. */
const PROMISED_EACH = 0.01;
const RUNS = 3;

const place = diskDirectory();
const rows: Row[] = [];
const endings: (() => Promise<unknown>)[] = [];

/** Said at once, too: all of them take a quarter of an hour. */
function add(row: Row): void {
  rows.push(row);
  const ratio = (row.measured / row.reference).toFixed(2);
  process.stderr.write(`${row.what}: ${row.measured.toPrecision(3)} ${row.unit}, ${ratio} of ${row.against}\n`);
}

async function serve(directory: string): Promise<Nginx> {
  const nginx = await Nginx.start(directory);
  endings.push(() => nginx.stop());
  return nginx;
}

async function proxied(port: number, link?: typeof LINK): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(port, link === undefined ? {} : { link });
  endings.push(() => proxy.stop());
  return proxy;
}

/** `work` on a new mount with an empty cache. */
async function cold<T>(source: string, work: (mount: TestMount) => Promise<T>, home: () => Home = temporaryHome): Promise<T> {
  const own = home();
  const mount = await mountRepository(source, { home: own, args: ['--cache', join(own.directory, 'cold')] });
  try {
    await dropCaches();
    return await work(mount);
  } finally {
    await mount.dispose();
  }
}

/** A row against a peer; where the peer fails, that is said in place of it. `measured` failing is a failure. */
async function race(
  row: Pick<Row, 'what' | 'limit'> & { readonly against: string },
  runs: number,
  measured: () => Promise<number>,
  peer: () => Promise<number>,
): Promise<void> {
  let failure: string | undefined;
  const medians = await sideBySide(runs, measured, () =>
    peer().catch((error: unknown) => {
      failure = error instanceof Error ? error.message : String(error);
      return NaN;
    }),
  );
  if (failure === undefined) add({ ...row, ...medians, unit: 's' });
  else process.stderr.write(`left out: ${row.what}, against ${row.against}, which fails: ${failure.split('\n').slice(0, 2).join(' ')}\n`);
}

async function coldPeer<T>(peer: Peer, work: (path: string) => Promise<T>): Promise<T> {
  const mount = await peer();
  try {
    await dropCaches();
    return await work(mount.path);
  } finally {
    await mount.unmount();
  }
}

function onlyFile(leaf: string): string {
  return join(leaf, readdirSync(leaf)[0]!);
}

const cat = (file: string): Promise<number> => commandSeconds('cat "$1"', file);
const head = (file: string): Promise<number> => commandSeconds('head -c "$2" "$1"', file, String(HEADER));

async function largeFile(): Promise<void> {
  const directory = join(place, 'large');
  const path = writeLargeRepository(directory, BLOCKS_OF_LARGE * BLOCK);
  const nginx = await serve(directory);
  const sshd = await Sshd.start();
  endings.push(() => sshd.stop());
  const atHome = (): Home => {
    const home = temporaryHome();
    sshd.welcome(home.directory);
    return home;
  };
  const overHttp = <T>(work: (file: string) => Promise<T>): Promise<T> => cold(nginx.url, (mount) => work(onlyFile(largeLeaf(mount.path))));
  const overSsh = <T>(work: (file: string) => Promise<T>): Promise<T> =>
    cold(sshd.urlOf(directory), (mount) => work(onlyFile(largeLeaf(mount.path))), atHome);
  const by = <T>(peer: Peer, work: (file: string) => Promise<T>): Promise<T> => coldPeer(peer, (mount) => work(join(mount, path)));
  const curl = async (): Promise<number> => {
    await dropCaches();
    return commandSeconds('curl -sS "$1" | tee "$2" | b2sum', `${nginx.url}/${path}`, join(place, 'fetched'));
  };
  const size = `${(BLOCKS_OF_LARGE * BLOCK) / MEBIBYTE} MiB`;
  const what = `${size} in order over HTTP, cold, verified and kept`;
  const rclone = rcloneHttp(place, nginx.url);
  const rcloneOverSsh = rcloneSftp(place, sshd, sshd.port, directory);
  const sshMount = sshfs(place, sshd, sshd.port, directory);
  add({ what, ...(await sideBySide(RUNS, () => overHttp(cat), curl)), unit: 's', against: 'curl | tee | b2sum', limit: 1 / 0.7 });
  await race(
    { what, against: 'rclone', limit: 1 / 1.5 },
    RUNS,
    () => overHttp(cat),
    () => by(rclone, cat),
  );
  const overSshWhat = `${size} in order over SSH, cold, verified and kept`;
  for (const [against, peer] of [
    ['sshfs', sshMount],
    ['rclone', rcloneOverSsh],
  ] as const) {
    await race(
      { what: overSshWhat, against, limit: 1 },
      RUNS,
      () => overSsh(cat),
      () => by(peer, cat),
    );
  }
  await firstBytes(nginx, path, [
    ['rclone', rclone],
    ['httpdirfs', httpdirfs(place, nginx.url)],
  ]);
  const first = `the first ${HEADER} bytes of ${size} over SSH, cold`;
  await race(
    { what: first, against: 'sshfs', limit: 1 },
    RUNS,
    () => overSsh(head),
    () => by(sshMount, head),
  );
}

async function firstBytes(nginx: Nginx, path: string, peers: readonly (readonly [string, Peer])[]): Promise<void> {
  const what = `the first ${HEADER} bytes of ${(BLOCKS_OF_LARGE * BLOCK) / MEBIBYTE} MiB over HTTP, cold`;
  const proxy = await proxied(nginx.port);
  const answered = await cold(`http://127.0.0.1:${proxy.port}`, async (mount) => {
    const file = onlyFile(largeLeaf(mount.path));
    const before = proxy.counts.answered;
    await head(file);
    // What is on its way after the answer counts as well.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return proxy.counts.answered - before;
  });
  add({ what: `${what}: over the wire`, measured: answered / MEBIBYTE, reference: 1, unit: 'MiB', against: 'the promise', limit: 1 });
  for (const [against, peer] of peers) {
    const measured = (): Promise<number> => cold(nginx.url, (mount) => head(onlyFile(largeLeaf(mount.path))));
    await race({ what, against, limit: 1 }, RUNS, measured, () => coldPeer(peer, (mount) => head(join(mount, path))));
  }
}

/** One of the three images of a remote file: the others stay where they are. */
async function onePart(): Promise<void> {
  const directory = join(place, 'composite');
  writeSmallRepository(directory, {
    tracts: [8766],
    patches: 1,
    bands: ['i'],
    visits: 1,
    detectors: 1,
    pixels: PIXELS,
    images: ['IMAGE', 'MASK', 'VARIANCE'],
  });
  const proxy = await proxied((await serve(directory)).port);
  const { answered, size } = await cold(`http://127.0.0.1:${proxy.port}`, async ({ path }) => {
    const type = join(path, 'deepCoadd_calexp.mask');
    const found = await runSuccessfully('find', [type, '-type', 'f'], { timeout: 60_000 });
    const before = proxy.counts.answered;
    await cat(found.trimEnd());
    // What is on its way after the answer counts as well.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { answered: proxy.counts.answered - before, size: statSync(found.trimEnd()).size };
  });
  add({
    what: `one of three images of a remote file, ${(size / MEBIBYTE).toFixed(1)} MiB: over the wire`,
    measured: answered / MEBIBYTE,
    reference: (size + 64 * 1024) / MEBIBYTE,
    unit: 'MiB',
    against: 'its bytes and 64 KiB',
    limit: 1,
  });
}

async function largeFileThroughLink(): Promise<void> {
  const directory = join(place, 'linked');
  const size = BLOCKS_OF_LINKED * BLOCK;
  writeLargeRepository(directory, size);
  const proxy = await proxied((await serve(directory)).port, LINK);
  const taken = await cold(`http://127.0.0.1:${proxy.port}`, (mount) => cat(onlyFile(largeLeaf(mount.path))));
  add({
    what: `${size / MEBIBYTE} MiB through 50 ms and 100 Mbit/s, cold`,
    measured: taken,
    reference: size / LINK.bandwidth,
    unit: 's',
    against: 'the link',
    limit: 1 / 0.9,
  });
}

async function smallFiles(): Promise<void> {
  const directory = join(place, 'small');
  const tracts = Array.from({ length: TRACTS }, (_, index) => 8000 + index);
  const written = writeSmallRepository(directory, { tracts, patches: 81, bands: ['g', 'r', 'i'], visits: 1, detectors: 1, pixels: 16 });
  const coadds = written.filter(({ type, run }) => type === 'deepCoadd_calexp' && !run.startsWith('u/'));
  const nginx = await serve(directory);
  const sshd = await Sshd.start();
  endings.push(() => sshd.stop());
  const list = join(place, 'list');
  const readAll = async (paths: readonly string[]): Promise<number> => {
    writeFileSync(list, paths.join('\n'));
    return commandSeconds(`xargs -d '\\n' cat < "$1"`, list);
  };
  // Their names, from a mount that is not measured.
  const listed = await cold(nginx.url, async ({ path }) => {
    const found = await runSuccessfully('find', [join(path, 'deepCoadd_calexp'), '-type', 'f', '-printf', 'deepCoadd_calexp/%P\\n'], {
      timeout: 120_000,
    });
    return found.trimEnd().split('\n');
  });
  const what = `${coadds.length} files of ${coadds[0]!.size} bytes, one after the other`;
  const measured = (): Promise<number> => cold(nginx.url, ({ path }) => readAll(listed.map((name) => join(path, name))));
  const peers: [string, Peer][] = [
    ['rclone', rcloneHttp(place, nginx.url)],
    ['httpdirfs', httpdirfs(place, nginx.url)],
  ];
  for (const [against, peer] of peers) {
    const byPeer = (): Promise<number> => coldPeer(peer, (mount) => readAll(coadds.map(({ path }) => join(mount, path))));
    await race({ what: `${what} over HTTP, cold`, against, limit: 1 }, 1, measured, byPeer);
  }
  const atHome = (): Home => {
    const home = temporaryHome();
    sshd.welcome(home.directory);
    return home;
  };
  const overSsh = (): Promise<number> => cold(sshd.urlOf(directory), ({ path }) => readAll(listed.map((name) => join(path, name))), atHome);
  const others: [string, Peer][] = [
    ['sshfs', sshfs(place, sshd, sshd.port, directory)],
    ['rclone', rcloneSftp(place, sshd, sshd.port, directory)],
  ];
  for (const [against, peer] of others) {
    const byPeer = (): Promise<number> => coldPeer(peer, (mount) => readAll(coadds.map(({ path }) => join(mount, path))));
    await race({ what: `${what} over SSH, cold`, against, limit: 1 }, 1, overSsh, byPeer);
  }
}

/** A directory is listed, and its files are read in order: those that follow can be fetched ahead. */
async function oneDirectoryThroughLink(): Promise<void> {
  const directory = join(place, 'directory');
  writeSmallRepository(directory, { tracts: [8766], patches: 1, bands: ['i'], visits: 1, detectors: IN_ONE_DIRECTORY, pixels: 16 });
  const proxy = await proxied((await serve(directory)).port, LINK);
  const taken = await cold(`http://127.0.0.1:${proxy.port}`, ({ path }) => {
    const [visit] = readdirSync(join(path, 'calexp')).filter((name) => name.startsWith('visit='));
    return commandSeconds(`ls "$1" && find "$1" -type f | sort -V | xargs -d '\\n' cat`, join(path, 'calexp', visit!));
  });
  add({
    what: `${IN_ONE_DIRECTORY} small files of one listed directory through 50 ms and 100 Mbit/s, one after the other, cold`,
    measured: taken,
    reference: IN_ONE_DIRECTORY * PROMISED_EACH,
    unit: 's',
    against: `${PROMISED_EACH * 1000} ms each`,
    limit: 1,
  });
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  part: onePart,
  large: largeFile,
  link: largeFileThroughLink,
  directory: oneDirectoryThroughLink,
  small: smallFiles,
};
/** Some of them, to look at these alone. */
const CHOSEN = (process.env['BENCH_REMOTE_PARTS'] ?? '').split(',').filter((name) => name !== '');

try {
  mkdirSync(place, { recursive: true });
  for (const [name, part] of Object.entries(PARTS)) if (CHOSEN.length === 0 || CHOSEN.includes(name)) await part();
  report(rows);
} finally {
  for (const end of endings.reverse()) await end();
  removeDirectory(place);
}
