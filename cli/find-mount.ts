/** Finds the mount that a path lies on, without touching the path: it need not exist, and its mount need not answer. */

import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ButlerfsError } from '../common/errors.js';
import { findDirectories } from '../mounts/directories.js';
import { isAlive, mountHolding, readMountStates } from '../mounts/state.js';
import type { MountState } from '../mounts/state.js';

export interface PathOnMount {
  readonly state: MountState;
  /** Below the mount point, without a leading slash. */
  readonly below: string;
}

/** Throws `not-mounted` where no living mount of this user holds the path. */
export async function findMount(path: string): Promise<PathOnMount> {
  const states = (await readMountStates(findDirectories().mountStates)).filter(isAlive);
  const absolute = resolve(path);
  const found = on(states, absolute) ?? on(states, await withoutLinks(absolute));
  if (found !== undefined) return found;
  const mountPoints = states.map(({ mountPoint }) => mountPoint);
  throw new ButlerfsError('not-mounted', {
    what: `${absolute} is not on a mount of yours`,
    advice: mountPoints.length === 0 ? 'nothing is mounted' : `mounted: ${mountPoints.join(', ')}`,
  });
}

function on(states: readonly MountState[], path: string): PathOnMount | undefined {
  const state = mountHolding(states, path);
  return state === undefined ? undefined : { state, below: path.slice(state.mountPoint.length).replace(/^\//, '') };
}

/** The path with links resolved as far as it exists. */
async function withoutLinks(path: string): Promise<string> {
  for (let ancestor = path; ancestor !== '/'; ancestor = dirname(ancestor)) {
    const real = await realpath(ancestor).catch(() => undefined);
    if (real !== undefined) return real + path.slice(ancestor.length);
  }
  return path;
}
