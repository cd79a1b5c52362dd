/** Mounts of remote directories by others: rclone, httpdirfs, sshfs. Each begins with an empty cache. */

import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { isMounted } from '../test/support/mounted.js';
import { runSuccessfully } from '../test/support/run.js';
import type { Sshd } from '../test/support/sshd.js';
import { eventually } from '../test/support/temporary.js';
import type { BenchMount } from './plain-mount.js';

/** Mounts a directory of a server; the caller unmounts. */
export type Peer = () => Promise<BenchMount>;

async function mounted(place: string, command: (path: string, cache: string) => readonly string[]): Promise<BenchMount> {
  const root = mkdtempSync(join(place, 'peer-'));
  const [path, cache] = ['mount', 'cache'].map((name) => join(root, name)) as [string, string];
  mkdirSync(path);
  mkdirSync(cache);
  const [program, ...args] = command(path, cache);
  await runSuccessfully(program!, args, { timeout: 30_000, env: { HOME: root, XDG_CACHE_HOME: cache } });
  await eventually(`${program!} mounting`, () => isMounted(path));
  return { path, unmount: async () => void (await runSuccessfully('umount', ['-l', path], { timeout: 30_000 })) };
}

const RCLONE = ['--config', '/dev/null', '--vfs-cache-mode', 'full', '--read-only', '--daemon'];

export function rcloneHttp(place: string, url: string): Peer {
  return () => mounted(place, (path, cache) => ['rclone', 'mount', ':http:', path, '--http-url', url, '--cache-dir', cache, ...RCLONE]);
}

export function rcloneSftp(place: string, sshd: Sshd, port: number, directory: string): Peer {
  const server = ['--sftp-host', '127.0.0.1', '--sftp-port', String(port), '--sftp-user', sshd.user, '--sftp-key-file', sshd.key];
  return () => mounted(place, (path, cache) => ['rclone', 'mount', `:sftp:${directory}`, path, ...server, '--cache-dir', cache, ...RCLONE]);
}

/** Without its cache. */
export function httpdirfs(place: string, url: string): Peer {
  return () => mounted(place, (path) => ['httpdirfs', url, path]);
}

export function sshfs(place: string, sshd: Sshd, port: number, directory: string): Peer {
  const options = `IdentityFile=${sshd.key},StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,LogLevel=ERROR`;
  return () => mounted(place, (path) => ['sshfs', '-p', String(port), '-o', options, `${sshd.user}@127.0.0.1:${directory}`, path]);
}
