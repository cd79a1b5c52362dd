/** The engine on a plain directory: creating, opening, writing and reading, against ext4, fuse-overlayfs and fuse-native in the same run. */

import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSuccessfully } from '../test/support/run.js';
import { removeDirectory } from '../test/support/temporary.js';
import { diskDirectory, operation, report, roundTrips, type Row, sideBySide, warmMemory } from './harness.js';
import { type BenchMount, mountOverlay, mountPlain } from './plain-mount.js';

const FILES = 5_000;
const LARGE_MEBIBYTES = 1024;
const RUNS = 5;
/** What is promised: opens a second, and bytes a second through the daemon. */
const PROMISED_OPENS = 25_000;
const PROMISED_SPEED = 2e9;

const HERE = dirname(fileURLToPath(import.meta.url));

async function readThrough(file: string): Promise<number> {
  return Number(await runSuccessfully(process.execPath, [join(HERE, 'reader.js'), file, 'sequential'], { timeout: 120_000 }));
}

const rows: Row[] = [];
let serial = 0;

/** A new directory each time: the file system below does not give numbers of files again that were removed a moment ago, and searches for others. */
async function create(parent: string): Promise<number> {
  const directory = join(parent, `created-${serial++}`);
  mkdirSync(directory);
  return operation('create', directory, String(FILES));
}

async function write(parent: string): Promise<number> {
  const file = join(parent, `written-${serial++}`);
  const taken = await operation('write', file, String(LARGE_MEBIBYTES));
  rmSync(file);
  await runSuccessfully('sync', []);
  return taken;
}

async function creating(place: string, plain: BenchMount, disk: string): Promise<void> {
  const overlay = await mountOverlay(place);
  try {
    const what = `create ${FILES} files of 4 KiB`;
    const medians = await sideBySide(
      RUNS,
      () => create(plain.path),
      () => create(overlay.path),
    );
    rows.push({ what, ...medians, unit: 's', against: 'fuse-overlayfs', limit: 1 });
    rows.push({ what, measured: medians.measured, reference: await create(disk), unit: 's', against: 'ext4' });
  } finally {
    await overlay.unmount();
  }
}

async function writing(plain: BenchMount, disk: string): Promise<void> {
  const medians = await sideBySide(
    RUNS,
    () => write(plain.path),
    () => write(disk),
  );
  rows.push({ what: `write ${LARGE_MEBIBYTES} MiB in order, 1 MiB a write`, ...medians, unit: 's', against: 'ext4', limit: 1 / 0.8 });
}

async function opening(place: string, backing: string, plain: BenchMount): Promise<void> {
  const files = join(backing, 'opened');
  mkdirSync(files);
  await operation('create', files, String(FILES));
  const through = async (mount: BenchMount): Promise<number> => {
    const list = join(place, 'list');
    writeFileSync(list, Array.from({ length: FILES }, (_, i) => join(mount.path, 'opened', `file-${i}`)).join('\n'));
    return operation('open-read-close', list);
  };
  const native = await mountPlain(place, backing, '--transport', 'libfuse');
  try {
    await through(plain);
    await through(native);
    const medians = await sideBySide(
      RUNS,
      () => through(plain),
      () => through(native),
    );
    const what = `open, read 4 KiB and close ${FILES} cached files`;
    rows.push({ what, ...medians, unit: 's', against: 'fuse-native', limit: 1 / 5 });
    const promised = FILES / PROMISED_OPENS;
    // One question each, which costs its caller one waking up: half a round trip. Where that takes longer than promised, no daemon can keep it.
    const floor = await roundTrips(place, FILES);
    const isPossible = floor / 2 <= promised;
    rows.push({
      what,
      measured: medians.measured,
      reference: promised,
      unit: 's',
      against: '25,000/s',
      ...(isPossible ? { limit: 1 } : {}),
    });
    rows.push({
      what,
      measured: medians.measured,
      reference: floor,
      unit: 's',
      against: 'as many round trips',
      ...(isPossible ? {} : { limit: 1.2 }),
    });
  } finally {
    await native.unmount();
  }
}

/** Without passthrough, as a user without privileges has it: what the page cache of the mount lacks comes from the daemon, which has it in memory. */
async function readingThroughTheDaemon(place: string, backing: string): Promise<void> {
  const large = join(backing, 'large');
  await operation('write', large, String(LARGE_MEBIBYTES));
  const reference = join(place, 'reference');
  copyFileSync(large, reference);
  await runSuccessfully('sync', [], { timeout: 120_000 });
  await readThrough(reference);
  const cold = async (transport: string): Promise<number> => {
    const mount = await mountPlain(place, backing, '--no-passthrough', '--transport', transport);
    try {
      await readThrough(large);
      await warmMemory(1.25 * LARGE_MEBIBYTES);
      return await readThrough(join(mount.path, 'large'));
    } finally {
      await mount.unmount();
    }
  };
  const medians = await sideBySide(
    RUNS,
    () => cold('kernel'),
    () => cold('libfuse'),
  );
  const what = `${LARGE_MEBIBYTES} MiB in order without passthrough`;
  const promised = (LARGE_MEBIBYTES * 2 ** 20) / PROMISED_SPEED;
  const mount = await mountPlain(place, backing, '--no-passthrough');
  const overlay = await mountOverlay(place, backing);
  try {
    const [file, peer] = [mount, overlay].map(({ path }) => join(path, 'large')) as [string, string];
    await readThrough(file);
    await readThrough(peer);
    const warm = await sideBySide(
      RUNS,
      () => readThrough(file),
      () => readThrough(reference),
    );
    // Two copies on the daemon's side for the one of ext4: where these take longer than what is promised, they are the limit.
    const copies = 2 * warm.reference;
    const isPossible = copies <= promised;
    rows.push({ what: `${what}, cold`, ...medians, unit: 's', against: 'fuse-native' });
    const promise = Math.max(promised, medians.reference / 3);
    rows.push({
      what: `${what}, cold`,
      measured: medians.measured,
      reference: promise,
      unit: 's',
      against: '2 GB/s or 3 times fuse-native',
      ...(isPossible ? { limit: 1 } : {}),
    });
    rows.push({
      what: `${what}, cold`,
      measured: medians.measured,
      reference: copies,
      unit: 's',
      against: 'two copies',
      ...(isPossible ? {} : { limit: 1 }),
    });
    // Warm, the kernel answers alone: its page cache costs any FUSE file system the same.
    const others = await sideBySide(
      RUNS,
      () => readThrough(file),
      () => readThrough(peer),
    );
    rows.push({ what: `${what}, warm`, ...warm, unit: 's', against: 'ext4' });
    rows.push({ what: `${what}, warm`, ...others, unit: 's', against: 'fuse-overlayfs', limit: 1 / 0.9 });
  } finally {
    await overlay.unmount();
    await mount.unmount();
  }
}

const place = diskDirectory();
const [backing, disk] = ['backing', 'disk'].map((name) => join(place, name)) as [string, string];
for (const directory of [backing, disk]) mkdirSync(directory);
try {
  const plain = await mountPlain(place, backing);
  try {
    await creating(place, plain, disk);
    await opening(place, backing, plain);
    await writing(plain, disk);
  } finally {
    await plain.unmount();
  }
  await readingThroughTheDaemon(place, backing);
  report(rows);
} finally {
  removeDirectory(place);
}
