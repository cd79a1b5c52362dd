/** Parts of the status of a mount. */

import { readFileSync } from 'node:fs';
import type { ButlerfsError, ErrorCode } from '../common/errors.js';
import type { MountStatus } from './contract.js';
import type { Growth } from './growth.js';

/** Of looks at an origin whose publication is refused. */
const REFUSED_CODES: readonly ErrorCode[] = ['untrusted', 'wrong-digest', 'wrong-size'];

/** How far the walk of a repository is that is served meanwhile. */
export function walkStatus({ state: { progress, problem } }: Growth): NonNullable<MountStatus['walk']> {
  return { progress, ...(problem === undefined ? {} : { problem: problem.message }) };
}

/** What the last look at the origin found. */
export function stateOf(problem: ButlerfsError | undefined): MountStatus['state'] {
  if (problem === undefined) return 'ok';
  return REFUSED_CODES.includes(problem.code) ? 'origin-untrusted' : 'origin-unreachable';
}

/** Highest resident memory of this process in bytes (VmHWM of proc(5)). */
export function peakMemory(): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match === null ? 0 : Number(match[1]) * 1024;
}
