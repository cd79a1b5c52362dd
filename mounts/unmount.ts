/** Ends a mount from outside: through its daemon where that lives, else past it. */

import { sleep } from '../common/deadline.js';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import { detach } from '../fs/detach.js';
import { askDaemon } from './control.js';
import { MOUNT_TYPE, readMountInfo } from './mountinfo.js';
import { isAlive, readMountState, removeMountState } from './state.js';

/** Milliseconds for the daemon to answer, and then to end. */
const ANSWER_DEADLINE = 5_000;
const END_DEADLINE = 15_000;
/** Milliseconds that the daemon of an unmounted mount has to end: it goes on for as long as files are open on it. */
const CLOSE_DEADLINE = 3_000;

export interface UnmountSettings {
  readonly mountStates: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Resolves when nothing of butlerfs is mounted at `mountPoint` (canonical) and its daemon has ended, or only goes on for files that are open on it: they stay
 * readable until they are closed.
 *
 * @throws ButlerfsError `not-mounted`, naming the nearest mount; `mount-failed` where it cannot be unmounted.
 */
export async function unmountAt(mountPoint: string, { mountStates, say, signal }: UnmountSettings): Promise<void> {
  const state = await readMountState(mountStates, mountPoint);
  const isServed = state !== undefined && isAlive(state);
  if (!(await isMounted(mountPoint)) && !isServed) {
    if (state !== undefined) await removeMountState(mountStates, state);
    throw await notMounted(mountPoint);
  }
  if (isServed) {
    try {
      await askDaemon(state.socket, { command: 'unmount' }, { deadline: ANSWER_DEADLINE, signal });
      if (!(await until(async () => !(await isMounted(mountPoint)), END_DEADLINE, signal))) {
        say(`the daemon (pid ${state.pid}) does not unmount; unmounting ${mountPoint} past it`);
      } else {
        const hasEnded = await until(() => Promise.resolve(!isAlive(state)), CLOSE_DEADLINE, signal);
        if (!hasEnded) say(`${mountPoint} is unmounted; the daemon (pid ${state.pid}) ends when the files that are open on it are closed`);
        return;
      }
    } catch (error) {
      if (signal?.aborted) throw error;
      say(`the daemon (pid ${state.pid}) does not answer; unmounting ${mountPoint} past it`);
    }
  }
  // Dead mounts can lie on each other.
  for (let round = 0; round < 16 && (await isMounted(mountPoint)); round++) await detach(mountPoint, { lazy: true });
  if (state !== undefined && !isAlive(state)) await removeMountState(mountStates, state);
}

async function isMounted(mountPoint: string): Promise<boolean> {
  return (await readMountInfo()).some((mount) => mount.type === MOUNT_TYPE && mount.mountPoint === mountPoint);
}

async function notMounted(mountPoint: string): Promise<ButlerfsError> {
  const mounts = (await readMountInfo()).filter(({ type }) => type === MOUNT_TYPE).map((mount) => mount.mountPoint);
  return new ButlerfsError('not-mounted', {
    what: `no butlerfs mount at ${mountPoint}`,
    advice: didYouMean(nearestNames(mountPoint, mounts)) ?? 'butlerfs status lists the mounts',
  });
}

async function until(condition: () => Promise<boolean>, deadline: number, signal: AbortSignal | undefined): Promise<boolean> {
  const end = Date.now() + deadline;
  while (Date.now() < end) {
    if (await condition()) return true;
    await sleep(20, signal, 'waiting for the mount to end');
  }
  return false;
}
