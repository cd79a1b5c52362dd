/** Whether a mount can be made at a mount point, and what must go first. */

import { readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { within } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { hasErrno } from './errno.js';
import { MOUNT_TYPE, readMountInfo } from './mountinfo.js';
import { probeMount } from './probe.js';
import { isAlive, readMountState } from './state.js';
import type { MountInfo } from './mountinfo.js';
import type { ProbeResult } from './probe.js';

export interface MountPointSettings {
  /** Where the states of mounts are: `Directories.mountStates`. */
  readonly mountStates: string;
  /** Unmounts lazily. */
  readonly unmount: (mountPoint: string) => Promise<void>;
  /** Told, as one line, of everything that is put out of the way. */
  readonly say: (line: string) => void;
  /** Milliseconds that a mount or a directory has to answer. */
  readonly deadline?: number;
}

/**
 * Returns when a mount can be made at `mountPoint`, having unmounted what a dead daemon left there.
 *
 * @throws ButlerfsError `already-mounted` where a living butlerfs serves it; `mount-point` where it is missing, no directory, not empty, not
 *   accessible or a dead mount of something else.
 */
export async function prepareMountPoint(mountPoint: string, settings: MountPointSettings): Promise<void> {
  const deadline = settings.deadline ?? 5_000;
  // Dead mounts can lie on each other; a mount that nothing takes away ends the loop.
  for (let round = 0; round < 16; round++) {
    const mount = (await readMountInfo()).findLast((entry) => entry.mountPoint === mountPoint);
    if (mount === undefined || !mount.type.startsWith('fuse')) return await checkDirectory(mountPoint, deadline);
    const probe = await probeMount(mountPoint, deadline);
    if (mount.type !== MOUNT_TYPE) {
      if (probe === 'answers') return await checkDirectory(mountPoint, deadline);
      throw new ButlerfsError('mount-point', {
        what: `mount point ${mountPoint}`,
        why: `a mount of ${mount.type} that does not answer is there`,
        advice: `unmount it first: umount -l ${mountPoint}`,
      });
    }
    const reason = await staleReason(mount, probe, settings.mountStates);
    await settings.unmount(mountPoint);
    settings.say(`replacing a stale mount at ${mountPoint} (of ${mount.source}): ${reason}`);
  }
  throw new ButlerfsError('mount-point', {
    what: `mount point ${mountPoint}`,
    why: 'stale mounts on it cannot be unmounted',
    advice: `umount -l ${mountPoint}`,
  });
}

/** Unmounts what dead daemons of butlerfs left at `mountPoint`. Mounts that answer stay, and so do those of others. */
export async function clearDeadMounts(mountPoint: string, unmount: (mountPoint: string) => Promise<void>, deadline = 5_000): Promise<void> {
  for (let round = 0; round < 16; round++) {
    const mount = (await readMountInfo()).findLast((entry) => entry.mountPoint === mountPoint);
    if (mount?.type !== MOUNT_TYPE || (await probeMount(mountPoint, deadline)) !== 'dead') return;
    await unmount(mountPoint);
  }
}

/** Why the mount counts as stale. Throws `already-mounted` where it does not. */
async function staleReason(mount: MountInfo, probe: ProbeResult, mountStates: string): Promise<string> {
  if (probe === 'dead') return 'its daemon is gone';
  const state = await readMountState(mountStates, mount.mountPoint);
  if (state !== undefined && !isAlive(state)) return `its daemon (pid ${state.pid}) is gone`;
  const server = state === undefined ? 'another user or another state directory' : `pid ${state.pid}`;
  throw new ButlerfsError('already-mounted', {
    what: `mount point ${mount.mountPoint}`,
    why: `butlerfs already serves ${mount.source} there (${server})${probe === 'silent' ? ', and it does not answer' : ''}`,
    advice: `unmount it first: butlerfs umount ${mount.mountPoint}`,
  });
}

async function checkDirectory(mountPoint: string, deadline: number): Promise<void> {
  const fail = (why: string, advice: string, cause?: unknown): never => {
    throw new ButlerfsError('mount-point', { what: `mount point ${mountPoint}`, why, advice, cause });
  };
  const late = (): Error => new Error(`it did not answer within ${deadline / 1000} s`);
  const names = await within(readdir(mountPoint), deadline, late).catch(async (error: unknown) => {
    if (hasErrno(error, 'ENOENT')) {
      const parent = await within(stat(dirname(mountPoint)), deadline, late).catch(() => undefined);
      return fail(parent === undefined ? 'neither it nor its parent exists' : 'does not exist', `create it: mkdir -p ${mountPoint}`, error);
    }
    if (hasErrno(error, 'ENOTDIR')) return fail('is not a directory', 'name an empty directory', error);
    if (hasErrno(error, 'EACCES', 'EPERM')) return fail('permission denied', 'choose a directory of yours', error);
    if (hasErrno(error, 'ENOTCONN')) return fail('a dead mount is there', `unmount it first: umount -l ${mountPoint}`, error);
    return fail(error instanceof Error ? error.message : String(error), 'choose another directory', error);
  });
  if (names.length > 0) fail(`is not empty (it holds '${names[0]}')`, 'choose an empty directory, since a mount would hide what is there');
}
