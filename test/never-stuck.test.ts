/** A mounted directory is never stuck: whatever ends, the others find out at once, and nothing is left behind. */

import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMounted } from './support/mounted.js';
import { MountedDirectory } from './support/mounted-directory.js';
import { run } from './support/run.js';
import { eventually } from './support/temporary.js';

/** Milliseconds that count as at once, on a busy machine. */
const AT_ONCE = 1_000;

let mounted: MountedDirectory;

async function errnoOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'none',
    (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown',
  );
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const descriptors = (): number => readdirSync(`/proc/${mounted.pid}/fd`).length;
/** Resident memory, MiB. */
const memory = (): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${mounted.pid}/status`, 'utf8'))![1]) / 1024;

describe.each([
  ['the kernel reads and writes', []],
  ['every byte goes through the daemon', ['--no-passthrough']],
])('where %s', (_, options) => {
  beforeEach(async () => {
    mounted = new MountedDirectory(options);
    writeFileSync(join(mounted.backing, 'file'), 'text');
    await mounted.mount();
  });

  afterEach(async () => {
    await mounted.dispose();
  });

  test('a killed daemon is ENOTCONN at once, and mounting again at the same place works at once', async () => {
    const path = join(mounted.path, 'file');
    expect(readFileSync(path, 'utf8')).toBe('text');
    const fd = openSync(path, 'r+');
    mounted.kill('SIGKILL');
    await eventually('the daemon ending', () => mounted.hasEnded);
    const late = await milliseconds(async () => {
      expect(await errnoOf(stat(join(mounted.path, 'other')))).toBe('ENOTCONN');
      expect(await errnoOf(open(path))).toBe('ENOTCONN');
      expect(() => closeSync(fd)).not.toThrow();
    });
    expect(late).toBeLessThan(AT_ONCE);
    await mounted.mount();
    expect(await readFile(path, 'utf8')).toBe('text');
    await mounted.unmount();
    // Nothing of the dead mount is left under it.
    expect(isMounted(mounted.path)).toBe(false);
    expect(readdirSync(mounted.path)).toEqual([]);
  });

  test('requests that are under way when the daemon is killed end at once', async () => {
    // A lock that is waited for; with locks kept by the daemon that is a request.
    await mounted.unmount();
    await eventually('the daemon ending', () => mounted.hasEnded);
    await mounted.dispose();
    mounted = new MountedDirectory([...options, '--locks', 'here']);
    writeFileSync(join(mounted.backing, 'file'), 'text');
    await mounted.mount();
    const path = join(mounted.path, 'file');
    const holder = spawn('flock', [path, 'sleep', '60'], { stdio: 'ignore' });
    await eventually('the lock', async () => (await run('flock', ['-n', path, 'true'])).status === 1);
    const waiting = run('flock', [path, 'true'], { timeout: 20_000 });
    await eventually('the wait', async () => (await mounted.statistics()).waiting === 1);
    const started = performance.now();
    mounted.kill('SIGKILL');
    const { status, timedOut } = await waiting;
    holder.kill('SIGKILL');
    expect(timedOut).toBe(false);
    expect(status).not.toBe(0);
    expect(performance.now() - started).toBeLessThan(AT_ONCE);
  });

  test.each(['umount -l', 'SIGTERM', 'SIGINT'] as const)(
    'after %s open files stay usable until they are closed, then the daemon ends',
    async (how) => {
      const path = join(mounted.path, 'file');
      const fd = openSync(path, 'r+');
      if (how === 'umount -l') await mounted.unmount();
      else mounted.kill(how);
      await eventually('the mount going', () => !isMounted(mounted.path));
      expect(existsSync(path)).toBe(false);
      // Long enough for a daemon that does not wait to be gone.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(mounted.hasEnded).toBe(false);
      const buffer = Buffer.alloc(10);
      expect(buffer.toString('utf8', 0, readSync(fd, buffer, 0, 10, 0))).toBe('text');
      expect(writeSync(fd, 'more', 4)).toBe(4);
      expect(fstatSync(fd).size).toBe(8);
      closeSync(fd);
      await eventually('the daemon ending', () => mounted.hasEnded, 5_000);
      expect(readFileSync(join(mounted.backing, 'file'), 'utf8')).toBe('textmore');
      expect(mounted.complaints).toBe('');
    },
  );

  test.each(['here', 'kernel'])('Ctrl-C ends a wait for a lock at once, where locks are kept by: %s', async (locks) => {
    await mounted.dispose();
    mounted = new MountedDirectory([...options, '--locks', locks]);
    writeFileSync(join(mounted.backing, 'file'), 'text');
    await mounted.mount();
    // F_SETLKW is 7; a struct flock of an exclusive lock of the whole file.
    const lock = `import fcntl, sys, time
file = open(sys.argv[1], 'r+')
print('asks', flush=True)
fcntl.lockf(file, fcntl.LOCK_EX)
print('has it', flush=True)
time.sleep(60)`;
    const ask = (): { child: ReturnType<typeof spawn>; said: () => string } => {
      const child = spawn('python3', ['-c', lock, join(mounted.path, 'file')], { stdio: ['ignore', 'pipe', 'ignore'] });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      return { child, said: () => said };
    };
    const holder = ask();
    await eventually('the lock', () => holder.said().includes('has it'));
    const waiter = ask();
    await eventually('the wait', () => waiter.said().includes('asks'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(waiter.said()).not.toContain('has it');
    const ended = new Promise((resolve) => waiter.child.once('exit', resolve));
    expect(
      await milliseconds(async () => {
        waiter.child.kill('SIGINT');
        await ended;
      }),
    ).toBeLessThan(AT_ONCE);
    holder.child.kill('SIGKILL');
    // What the holder had is free, also of the one who no longer waits.
    const next = ask();
    await eventually('the lock being free', () => next.said().includes('has it'));
    next.child.kill('SIGKILL');
  });

  test('20,000 operations leave no descriptors, inodes or memory behind', async () => {
    const directory = join(mounted.path, 'many');
    mkdirSync(directory);
    const round = (files: number): void => {
      for (let i = 0; i < files; i++) {
        const path = join(directory, `file-${i}`);
        const fd = openSync(path, 'w');
        writeSync(fd, 'x');
        closeSync(fd);
        statSync(path);
      }
      for (let i = 0; i < files; i++) unlinkSync(join(directory, `file-${i}`));
    };
    round(500);
    const before = { descriptors: descriptors(), inodes: (await mounted.statistics()).inodes, memory: memory() };
    for (let i = 0; i < 8; i++) round(500);
    await eventually('the kernel forgetting what is gone', async () => (await mounted.statistics()).inodes <= before.inodes);
    const after = await mounted.statistics();
    expect(after).toMatchObject({ open: 0, files: 0, waiting: 0 });
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors);
    expect(memory()).toBeLessThan(before.memory + 32);
    expect(mounted.complaints).toBe('');
  });
});
