/** Mounts through the built command, as a user would, and cleans up whatever happens. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MountStatus } from '../../mounts/contract.js';
import { projectDirectory } from '../../common/program-file.js';
import { startTimeOf } from '../../mounts/state.js';
import { run } from './run.js';
import type { RunOptions, RunResult } from './run.js';
import { eventually, removeDirectory, temporaryDirectory } from './temporary.js';

const COMMAND = join(projectDirectory(), 'dist/cli/main.js');

/** A user's directories, of one test's own. */
export interface Home {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs `butlerfs` there. */
  cli(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  remove(): void;
}

export interface MountSettings {
  /** Arguments after SOURCE and MOUNTPOINT: `['--collections', 'u/me/all']`. */
  readonly args?: readonly string[];
  /** The user's directories; default: new ones, removed with the mount. */
  readonly home?: Home;
  /** Whether the home outlives the mount: for mounting again with the same cache and catalogue. */
  readonly keepHome?: boolean;
}

export interface TestMount {
  readonly path: string;
  readonly home: Home;
  readonly pid: number;
  cli(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  status(): Promise<MountStatus>;
  /** Unmounts with the command, checks that it went well, and removes the files. */
  unmount(): Promise<void>;
  /** Unmounts by any means and ends the daemon. For the end of a test. */
  dispose(): Promise<void>;
}

/** Path of the built command. Throws where `npm run build` has not been run. */
export function builtCommand(): string {
  if (!existsSync(COMMAND)) throw new Error('dist/cli/main.js is missing: run `npm run build` first');
  return COMMAND;
}

/** Directories for configuration, cache, state and sockets below one temporary directory. */
export function temporaryHome(): Home {
  const directory = temporaryDirectory('home');
  const of = (name: string): string => {
    const path = join(directory, name);
    mkdirSync(path, { mode: 0o700 });
    return path;
  };
  const env = {
    HOME: directory,
    XDG_CONFIG_HOME: of('config'),
    XDG_CACHE_HOME: of('cache'),
    XDG_STATE_HOME: of('state'),
    XDG_RUNTIME_DIR: of('runtime'),
    NO_COLOR: '1',
  };
  return {
    directory,
    env,
    cli: (args, options = {}) => run(process.execPath, [builtCommand(), ...args], { ...options, env: { ...env, ...options.env } }),
    remove: () => removeDirectory(directory),
  };
}

/** Whether something is mounted at `path`, without touching it. */
export function isMounted(path: string): boolean {
  // Field 5 is the mount point, with octal escapes for blanks (proc(5)).
  const escaped = path.replace(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === escaped);
}

/** Not so where it has ended and only waits for somebody to take notice: some machines let that take a second. */
export function isRunning(pid: number): boolean {
  return startTimeOf(pid) !== undefined;
}

async function detach(path: string): Promise<void> {
  for (const [command, ...args] of [
    ['umount', '-l', path],
    ['fusermount3', '-uz', path],
  ]) {
    if (!isMounted(path)) return;
    await run(command!, args, { timeout: 10_000 }).catch(() => undefined);
  }
}

async function endDaemon(pid: number): Promise<void> {
  try {
    await eventually('the daemon ending', () => !isRunning(pid), 5_000);
  } catch {
    process.kill(pid, 'SIGKILL');
  }
}

/** Mounts `source` at a new directory. Throws with the command's own words where it does not mount. */
export async function mountRepository(
  source: string,
  { args = [], home = temporaryHome(), keepHome = false }: MountSettings = {},
): Promise<TestMount> {
  const path = join(home.directory, `mount-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(path);
  const cli: Home['cli'] = (words, options) => home.cli(words, options);
  const status = async (): Promise<MountStatus> => {
    const { status: code, stdout, stderr } = await cli(['status', path, '--json']);
    if (code !== 0) throw new Error(`butlerfs status failed: ${stderr}`);
    return JSON.parse(stdout) as MountStatus;
  };
  let pid: number | undefined;
  const dispose = async (): Promise<void> => {
    if (isMounted(path)) await cli(['umount', path], { timeout: 15_000 }).catch(() => undefined);
    await detach(path);
    if (pid !== undefined) await endDaemon(pid);
    if (!keepHome) home.remove();
  };
  try {
    const result = await cli(['mount', source, path, ...args], { timeout: 60_000 });
    if (result.status !== 0) throw new Error(`butlerfs mount ended with ${result.status ?? result.signal ?? '?'}: ${result.stderr}`);
    pid = (await status()).pid;
  } catch (error) {
    await dispose();
    throw error;
  }
  const unmount = async (): Promise<void> => {
    const result = await cli(['umount', path]);
    const left = isMounted(path);
    await dispose();
    if (result.status !== 0 || left) throw new Error(`butlerfs umount ended with ${result.status ?? '?'}: ${result.stderr}`);
  };
  return { path, home, pid, cli, status, unmount, dispose };
}
