/** Mounts for the engine's benchmarks: a plain directory through either transport, and what others have. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../common/program-file.js';
import { runSuccessfully } from '../test/support/run.js';

export interface BenchMount {
  readonly path: string;
  unmount(): Promise<void>;
}

async function mounted(path: string, command: string, args: readonly string[]): Promise<BenchMount> {
  await runSuccessfully(command, args, { timeout: 30_000 });
  return { path, unmount: async () => void (await runSuccessfully('umount', ['-l', path], { timeout: 30_000 })) };
}

/** `backing` served at a new directory below `place`. `options` as of scripts/mount-directory. */
export function mountPlain(place: string, backing: string, ...options: readonly string[]): Promise<BenchMount> {
  const path = join(place, `mount-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(path);
  return mounted(path, join(projectDirectory(), 'scripts/mount-directory'), [backing, path, '--allow-other', ...options]);
}

/** fuse-overlayfs over a lower directory: a new, empty one where none is given. */
export function mountOverlay(place: string, below?: string): Promise<BenchMount> {
  const root = join(place, `overlay-${Math.random().toString(36).slice(2, 8)}`);
  const [lower, upper, work, path] = ['lower', 'upper', 'work', 'merged'].map((name) => join(root, name));
  for (const directory of [lower!, upper!, work!, path!]) mkdirSync(directory, { recursive: true });
  return mounted(path!, 'fuse-overlayfs', ['-o', `lowerdir=${below ?? lower},upperdir=${upper},workdir=${work}`, path!]);
}
