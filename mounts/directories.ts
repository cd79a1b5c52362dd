/** Where butlerfs keeps its files: the XDG base directories, with fallbacks for sessions that set none (cron, fstab, containers). */

import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ButlerfsError } from '../common/errors.js';

/** Absolute paths; nothing is created by finding them. */
export interface Directories {
  /** Configuration files in order: what an earlier one says wins. */
  readonly configurationFiles: readonly string[];
  /** Default cache directory: `$XDG_CACHE_HOME/butlerfs`. */
  readonly cache: string;
  /** One JSON file and one log for each mount: `$XDG_STATE_HOME/butlerfs/mounts`. */
  readonly mountStates: string;
  /** Control sockets: `$XDG_RUNTIME_DIR/butlerfs`, else `/tmp/butlerfs-<uid>`. */
  readonly runtime: string;
}

/** sun_path of unix(7) holds 108 bytes with the final NUL; a socket's name here takes 22 of them. */
const LONGEST_RUNTIME_DIRECTORY = 85;

export function findDirectories(environment: NodeJS.ProcessEnv = process.env): Directories {
  const home = environment['HOME'] !== undefined && isAbsolute(environment['HOME']) ? environment['HOME'] : homedir();
  const base = (variable: string, fallback: string): string => {
    const value = environment[variable];
    // The specification asks to ignore relative paths.
    return value !== undefined && isAbsolute(value) ? value : join(home, fallback);
  };
  const session = environment['XDG_RUNTIME_DIR'];
  const runtime = session === undefined || !isAbsolute(session) ? undefined : join(session, 'butlerfs');
  return {
    configurationFiles: [join(base('XDG_CONFIG_HOME', '.config'), 'butlerfs/config.yaml'), '/etc/butlerfs/config.yaml'],
    cache: join(base('XDG_CACHE_HOME', '.cache'), 'butlerfs'),
    mountStates: join(base('XDG_STATE_HOME', '.local/state'), 'butlerfs/mounts'),
    runtime:
      runtime !== undefined && Buffer.byteLength(runtime) <= LONGEST_RUNTIME_DIRECTORY
        ? runtime
        : `/tmp/butlerfs-${process.getuid?.() ?? 0}`,
  };
}

/** The name under which a mount keeps its files: 16 hex digits of the SHA-256 of its absolute mount point. */
export function mountName(mountPoint: string): string {
  return createHash('sha256').update(mountPoint).digest('hex').slice(0, 16);
}

/** Makes a directory that only this user may enter, and refuses one that somebody else prepared (`configuration`). */
export async function ensurePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  const refuse = (why: string, advice: string): never => {
    throw new ButlerfsError('configuration', { what: `directory ${directory}`, why, advice });
  };
  if (!found.isDirectory()) refuse('is not a directory', 'move it away');
  if (found.uid !== process.getuid?.()) refuse(`belongs to user ${found.uid}`, 'remove it, or set XDG_RUNTIME_DIR to a directory of yours');
  if ((found.mode & 0o077) !== 0) refuse('others may enter it', `chmod 700 ${directory}`);
}
