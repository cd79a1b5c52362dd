/** Ending a mount from a process that may not be the one that serves it, with whatever this system has for it. */

import { spawn } from 'node:child_process';
import { asButlerfsError, ButlerfsError } from '../common/errors.js';

/** Longest wait for a program, in milliseconds. */
const PROGRAM_DEADLINE = 10_000;

export interface DetachOptions {
  /** Also where files are open: they stay usable until they are closed. */
  readonly lazy: boolean;
}

/** Unmounts. Rejects with `not-mounted` or `mount-failed`. */
export async function detach(mountPoint: string, options: DetachOptions): Promise<void> {
  const { detach: quickly } = await import('./kernel/mount.js').catch(() => ({ detach: detachByProgram }));
  await quickly(mountPoint, options);
}

/** Unmounts, and tells whether anything was there to unmount. Rejects with `mount-failed`. */
export async function detachIfMounted(mountPoint: string, unmount: typeof detach, options: DetachOptions): Promise<boolean> {
  try {
    await unmount(mountPoint, options);
    return true;
  } catch (error) {
    if (asButlerfsError(error).code === 'not-mounted') return false;
    throw error;
  }
}

/**
 * Unmounts by umount(8) or fusermount. For a process that serves the mount on its only thread: umount2(2) may have to write back pages, and they would be
 * written to the thread that waits for it. Rejects with `not-mounted` or `mount-failed`.
 */
export async function detachByProgram(mountPoint: string, { lazy }: DetachOptions): Promise<void> {
  const fusermount = ['-u', ...(lazy ? ['-z'] : []), '--', mountPoint];
  const programs: readonly (readonly [string, readonly string[]])[] = [
    ...(process.getuid?.() === 0 ? [['umount', [...(lazy ? ['-l'] : []), '--', mountPoint]] as const] : []),
    ['fusermount3', fusermount],
    ['fusermount', fusermount],
  ];
  const what = `unmounting '${mountPoint}'`;
  for (const [program, parameters] of programs) {
    const ended = await run(program, parameters);
    if (ended === undefined) continue;
    if (ended.status === 0) return;
    if (/not mounted|not found|no mount point|Invalid argument/i.test(ended.stderr)) {
      throw new ButlerfsError('not-mounted', { what, why: 'nothing is mounted there' });
    }
    const isBusy = /busy/i.test(ended.stderr);
    throw new ButlerfsError('mount-failed', {
      what,
      why: isBusy ? 'files on it are in use' : ended.stderr.trim() || `${program} failed`,
      advice: isBusy ? 'close them, or unmount lazily with --lazy' : undefined,
    });
  }
  throw new ButlerfsError('mount-failed', { what, why: 'neither umount nor fusermount is installed', advice: 'install the package fuse3' });
}

/** Undefined where there is no such program. */
function run(program: string, parameters: readonly string[]): Promise<{ status: number; stderr: string } | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: PROGRAM_DEADLINE,
      killSignal: 'SIGKILL',
      cwd: '/',
      // What these programs say is looked at.
      env: { ...process.env, LC_ALL: 'C' },
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve({ status: code ?? 1, stderr }));
  });
}
